/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux.h - the Linux kernel in a guest's memory: its symbols and types, its modules, where its
 * array of struct page lies, what it says of itself. Known whether or not a frontend of ours is in
 * it.
 *
 * Filled once by linux_kernel_open(); whoever decodes something of the kernel gets it const.
 */
#ifndef XB_KERNEL_LINUX_H
#define XB_KERNEL_LINUX_H

#include "base/finding.h"
#include "guest/layout.h"
#include "guest/symbols.h"
#include "kernel/facts.h"
#include "kernel/linux_pages.h"

struct linux_kernel {
	struct guest *g;	       /* borrowed */
	struct symbols *kallsyms;      /* owned; NULL when a file fits as it is */
	struct symbols *moved;	       /* owned; the file's, where this kernel was moved to */
	const struct symbols *symbols; /* the ones in use; NULL: no Linux was found */
	bool from_file;		       /* these are the user's */
	bool file_is_foreign;	       /* the user's are of another kernel */
	struct layout *types;	       /* owned; NULL unknown */
	bool types_from_file;	       /* of DWARF that the user gave */
	struct linux_pages pages;
	struct guest_facts facts;
	struct finding_list findings;
	char *how; /* one line a step; NULL none */
};

/*
 * Find what there is: symbols by kallsyms (or `file`, when it belongs to this guest; borrowed), the
 * types by BTF, the facts. -1 when the kernel's symbols are not found, and `why`. Either way ret's
 * `how` and `findings` say what was tried, facts.os is "Linux" where it is one, and it is to be
 * closed.
 */
int linux_kernel_open(struct guest *g, const struct symbols *file, struct linux_kernel *ret,
	struct err *why) MUST_CHECK;
/* Where the image has no types: those of an ELF file with DWARF, and of a module's (NULL: none).
 * What does not serve is said in k->how. Not for a kernel without symbols. */
void linux_kernel_add_types(struct linux_kernel *k, const char *kernel, const char *module);
void linux_kernel_close(struct linux_kernel *k);

struct linux_module {
	gva_t at;		 /* its struct module; 0: built in, or not loaded */
	struct symbols *symbols; /* owned; NULL unknown */
	struct layout *types;	 /* owned, on top of the kernel's; NULL unknown */
	char *how;
};

/* What is known of a module. Never fails: what is not found stays NULL, and `how` says why. */
void linux_module_open(const struct linux_kernel *k, const char *name, struct linux_module *ret);
/* The module with that address in its memory; false: there is none. To be closed in any case. */
bool linux_module_open_at(const struct linux_kernel *k, gva_t code, struct linux_module *ret);
void linux_module_close(struct linux_module *m);

#endif
