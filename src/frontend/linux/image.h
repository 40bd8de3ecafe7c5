/* SPDX-License-Identifier: BSD-2-Clause
 *
 * image.h - the Linux kernel in a guest's memory: its symbols, its types, its xen-blkfront.
 */
#ifndef XB_FRONTEND_LINUX_IMAGE_H
#define XB_FRONTEND_LINUX_IMAGE_H

#include "frontend/linux/decode.h"
#include "guest/symbols.h"

/* sizeof(struct module.name): MODULE_NAME_LEN is 64 - sizeof(unsigned long). */
#define LINUX_MODULE_NAME 56u

struct linux_image {
	struct symbols *kallsyms;      /* owned; NULL when a file is used */
	const struct symbols *symbols; /* the one in use */
	bool from_file;
	struct layout *btf, *module_btf; /* owned; NULL unknown */
	struct symbols *module_symbols;	 /* owned; NULL: built in, or unknown */
	gva_t module; /* struct module of xen_blkfront; 0: built in or not loaded */
};

/*
 * Find what there is: kallsyms (or `file`, when it belongs to this guest), BTF, the module. Fills
 * c->l's kernel part, c->vmemmap and the guest's facts in c->s. Not finding is not an error: the
 * members stay NULL and the first reason is in `why`.
 */
void linux_image_open(
	struct linux_image *im, struct linux_ctx *c, const struct symbols *file, struct err *why);
void linux_image_close(struct linux_image *im);

/* Release, clock and the like, for c->s->guest. */
void linux_read_facts(struct linux_image *im, struct linux_ctx *c);

#endif
