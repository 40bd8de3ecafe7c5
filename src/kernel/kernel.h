/* SPDX-License-Identifier: BSD-2-Clause
 *
 * kernel.h - the kernel that a guest runs, whichever it is: what it says of itself, and where it is
 * one that we can read, what there is to read it by. Known whether or not a frontend of ours is in
 * it.
 */
#ifndef XB_KERNEL_KERNEL_H
#define XB_KERNEL_KERNEL_H

#include "kernel/linux.h"

struct kernel {
	const struct guest_facts *facts; /* never NULL; os "" when nobody knows it */
	const struct symbols *file;	 /* given by the user, borrowed; NULL none */
	/* How Linux was looked for stands in its `how` and `findings` also when it was not found.
	 */
	struct linux_kernel linux_kernel;
	struct guest_facts other; /* of a kernel that is no Linux */
	struct symbols *own;	  /* of such a one, in the guest's memory; NULL none */
};

/* Without `by_symbols` Linux is not looked for. `ret` stays where it is until it is closed. */
/* Where a Linux has no types in memory: those of files. */
void kernel_add_types(struct kernel *k, const char *kernel, const char *module);
void kernel_open(struct guest *g, const struct symbols *file, bool by_symbols, struct kernel *ret);
void kernel_close(struct kernel *k);
/* Of a guest that runs: the clocks of now, into its facts. */
void kernel_read_clock(struct kernel *k);

/* By what symbols a kernel that is no Linux is read: of the user's file, or its own. NULL: none. */
const struct symbols *kernel_symbols(const struct kernel *k);

/* The Linux that was found, or NULL. */
const struct linux_kernel *kernel_linux(const struct kernel *k);

#endif
