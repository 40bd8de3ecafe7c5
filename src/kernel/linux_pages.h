/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_pages.h - Linux' array of struct page, which turns a pointer to one into a frame.
 */
#ifndef XB_KERNEL_LINUX_PAGES_H
#define XB_KERNEL_LINUX_PAGES_H

#include "guest/layout.h"
#include "guest/symbols.h"

struct linux_pages {
	bool known;	      /* `start` is */
	uint64_t start;	      /* address of the struct page of frame 0 */
	uint32_t entry_bytes; /* sizeof(struct page); 0 unknown, then `start` is unknown too */
};

/* Where nothing is known of the kernel: the size that an entry usually has, and no place. */
struct linux_pages linux_pages_unknown(const struct guest *g);
/* By the kernel's symbols, and by its types unless they are NULL. */
void linux_pages_by_symbols(struct guest *g, const struct symbols *symbols,
	const struct layout *types, struct linux_pages *ret);

/* Pointers into the array that somebody holds; all zero at first. */
struct linux_page_pointers {
	uint64_t low, high;
	uint64_t step; /* divides their distances; 0: they are all the same */
	size_t nr;
	bool misaligned; /* to the size of an entry, where that is known */
};
void linux_page_pointers_add(
	struct linux_page_pointers *p, const struct linux_pages *pages, uint64_t page);
/*
 * By pointers into it: sets pages->start when exactly one place fits; returns how many do.
 *
 * 64 bits: the array starts at or below the lowest where it is mapped, reaches the highest, and has
 * the frames of `used` (addresses in the kernel) in use. 32 bits, FLATMEM: the zone that stands in
 * the topmost bits of each entry changes with frame 4096, and nowhere else from 0; that tells the
 * size of an entry, too.
 */
unsigned linux_pages_by_pointers(struct guest *g, const struct linux_page_pointers *p,
	const gva_t *used, size_t nr, struct linux_pages *pages);

/* The frame that a struct page pointer stands for; false when that cannot be known. */
bool linux_pages_pfn(const struct linux_pages *pages, uint64_t page, pfn_t *ret);

#endif
