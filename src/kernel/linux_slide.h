/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_slide.h - does a kernel file belong to the guest, and by how much was that kernel moved
 * when it booted (KASLR, or a boot loader that put it elsewhere)?
 */
#ifndef XB_KERNEL_LINUX_SLIDE_H
#define XB_KERNEL_LINUX_SLIDE_H

#include "guest/symbols.h"

/* The kernel of the file, moved by `slide`, is the one in memory: there is a banner where the file
 * has it, and where both say a build id, it is the same. -1 and why not. *ret_by_id (may be NULL):
 * the build ids were compared. */
int linux_check_file(struct guest *g, const struct symbols *file, uint64_t slide, bool *ret_by_id,
	struct err *err) MUST_CHECK;

struct linux_slide {
	uint64_t by;
	uint64_t from, to;  /* what moves, at the file's addresses */
	unsigned functions; /* that agree on it; none disagrees */
	bool by_build_id;
};

/*
 * By the functions that both the file and the image's own symbols name. -1 when there is a doubt:
 * ERR_NOTFOUND when it may be of this kernel all the same, ERR_CORRUPT when it is of another one.
 */
int linux_find_slide(struct guest *g, const struct symbols *file, const struct symbols *image,
	struct linux_slide *ret, struct err *why) MUST_CHECK;

#endif
