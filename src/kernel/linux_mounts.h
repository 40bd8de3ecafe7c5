/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_mounts.h - the file systems that a Linux guest has mounted from disks.
 */
#ifndef XB_KERNEL_LINUX_MOUNTS_H
#define XB_KERNEL_LINUX_MOUNTS_H

#include "kernel/linux.h"

struct linux_mounts {
	struct mounted_fs *v;
	size_t nr, cap;
	bool complete;	    /* the whole list was walked */
	bool start_unknown; /* at least one lies nobody knows where on its disk, and is left out */
};

/*
 * From the kernel's list of superblocks; `wanted` says of which disks. -1 when there is none to be
 * found, ERR_SYSTEM only without memory.
 */
int linux_mounts_read(const struct linux_kernel *k, bool (*wanted)(void *arg, const char *disk),
	void *arg, struct linux_mounts *ret, struct err *err) MUST_CHECK;
void linux_mounts_free(struct linux_mounts *m);

#endif
