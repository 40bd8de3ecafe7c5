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
	uint32_t entry_bytes; /* sizeof(struct page) */
};

/* The size that it usually has, and no place. */
struct linux_pages linux_pages_unknown(void);
/* By the kernel's symbols, and by its types unless they are NULL. */
void linux_pages_find(struct guest *g, const struct symbols *symbols, const struct layout *types,
	struct linux_pages *ret);

/* The frame that a struct page pointer stands for; false when that cannot be known. */
bool linux_pages_pfn(const struct linux_pages *pages, uint64_t page, pfn_t *ret);

#endif
