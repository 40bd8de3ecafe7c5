/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_code.h - what function a pointer of a Linux kernel names, in the kernel or in a module.
 *
 * Structures say what they are for by the functions that they point to. Answers are remembered;
 * modules are opened once.
 */
#ifndef XB_KERNEL_LINUX_CODE_H
#define XB_KERNEL_LINUX_CODE_H

#include "kernel/linux.h"

struct linux_function {
	uint64_t addr;
	char name[64];		    /* "" unknown */
	const struct layout *types; /* that its source knew: its module's, or the kernel's; NULL
				       unknown */
};

struct linux_code {
	const struct linux_kernel *k; /* borrowed */
	struct linux_function **v;    /* owned, in the order of the questions */
	size_t nr, cap;
	struct linux_module **modules; /* owned */
	size_t nr_modules, cap_modules;
	struct linux_function none; /* the answer where there is none */
};

void linux_code_init(struct linux_code *c, const struct linux_kernel *k);
void linux_code_fini(struct linux_code *c);
/* Never NULL; lives as long as `c`. */
const struct linux_function *linux_code_at(struct linux_code *c, uint64_t addr);

#endif
