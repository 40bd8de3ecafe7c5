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
	size_t nr;
	bool misaligned;
};
void linux_page_pointers_add(
	struct linux_page_pointers *p, const struct linux_pages *pages, uint64_t page);
/*
 * By pointers into it, 64-bit kernels only: the array starts at or below the lowest where it is
 * mapped, reaches the highest, and has the frames of `used` (addresses in the kernel) in use. Sets
 * pages->start when exactly one place fits; returns how many do.
 */
unsigned linux_pages_by_pointers(struct guest *g, const struct linux_page_pointers *p,
	const gva_t *used, size_t nr, struct linux_pages *pages);

/* The frame that a struct page pointer stands for; false when that cannot be known. */
bool linux_pages_pfn(const struct linux_pages *pages, uint64_t page, pfn_t *ret);

#endif
