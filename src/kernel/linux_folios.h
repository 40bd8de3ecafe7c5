/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_folios.h - what a page of a Linux guest holds: a piece of a file, of a block device, of a
 * process's memory.
 */
#ifndef XB_KERNEL_LINUX_FOLIOS_H
#define XB_KERNEL_LINUX_FOLIOS_H

#include "kernel/linux.h"

struct linux_folios_layout {
	/* struct page, of which a folio is the first; folio since 5.16 */
	struct field flags, mapping, index, compound_head, compound_info;
	/* struct anon_vma, anon_vma_chain, vm_area_struct */
	struct field anon_tree, rb_left, rb_right, chain_rb, chain_vma, vma_mm;
};

struct linux_folios {
	const struct linux_kernel *k; /* borrowed */
	struct linux_folios_layout l;
};

enum linux_folio_kind {
	LINUX_FOLIO_OTHER, /* of no mapping: the kernel's own */
	LINUX_FOLIO_ANON,  /* a process's memory */
	LINUX_FOLIO_FILE,  /* the page cache: `mapping` is a struct address_space */
};

struct linux_folio {
	enum linux_folio_kind kind;
	uint64_t head, mapping, flags;
	uint64_t index; /* of the page that was asked for, in its mapping, in pages */
};

void linux_folios_init(struct linux_folios *f, const struct linux_kernel *k);
/* `page` is the address of a struct page, head or tail. False: it cannot be read. */
bool linux_folio_read(const struct linux_folios *f, uint64_t page, struct linux_folio *ret);
/* The one mm_struct that has the folio; 0 unknown or several. */
uint64_t linux_folio_mm(const struct linux_folios *f, const struct linux_folio *folio);

#endif
