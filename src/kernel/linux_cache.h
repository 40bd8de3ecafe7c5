/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_cache.h - the page cache of a Linux guest: the pages of an inode, and which of them are
 * what the disk has, as far as the guest knows.
 */
#ifndef XB_KERNEL_LINUX_CACHE_H
#define XB_KERNEL_LINUX_CACHE_H

#include "kernel/linux_folios.h"

struct linux_cache_layout {
	/* struct address_space, xarray, xa_node */
	struct field pages, nrpages, as_flags, xa_head, shift, slots;
	/* struct page, buffer_head */
	struct field private, b_state, b_next, b_page, b_size;
	/* Bits of page.flags and of buffer_head.b_state; -1 unknown */
	int locked, writeback, uptodate, dirty, error, has_private;
	int b_uptodate, b_dirty, b_lock, b_private_start;
};

struct linux_cache {
	const struct linux_kernel *k; /* borrowed */
	struct linux_cache_layout l;
	struct linux_folios folios;
	uint64_t left; /* of what a hostile image can make us do: entries that are looked at */
};

/* False: the types do not tell enough. */
bool linux_cache_init(struct linux_cache *c, const struct linux_kernel *k);
/* How many pages the struct address_space has; 0 also when one of its writes failed, for then
 * nobody knows what the disk has. */
uint64_t linux_cache_pages(const struct linux_cache *c, uint64_t mapping);
/* Call fn for each folio, ascending: its struct page, its index in the mapping and its pages. */
typedef void linux_cache_fn(void *arg, uint64_t page, uint64_t index, uint64_t nr);
void linux_cache_walk(struct linux_cache *c, uint64_t mapping, linux_cache_fn *fn, void *arg);
/* The struct page of one page of the mapping; 0: it is not there. */
uint64_t linux_cache_find(const struct linux_cache *c, uint64_t mapping, uint64_t index);
/* A stretch of a mapping, within one folio. */
struct linux_cache_part {
	uint64_t mapping;
	uint64_t folio,
		index; /* its first struct page, and where that is in the mapping, in pages */
	uint64_t offset, bytes; /* in the folio */
};
/* Is it up to date, unchanged, and in nobody's hands? */
bool linux_cache_is_clean(const struct linux_cache *c, const struct linux_cache_part *part);

#endif
