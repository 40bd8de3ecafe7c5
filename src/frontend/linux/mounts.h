/* SPDX-License-Identifier: BSD-2-Clause
 *
 * mounts.h - the file systems that a Linux guest has mounted from its devices.
 */
#ifndef XB_FRONTEND_LINUX_MOUNTS_H
#define XB_FRONTEND_LINUX_MOUNTS_H

#include "frontend/request.h"
#include "guest/layout.h"
#include "guest/symbols.h"

/*
 * Fill fs, nr_fs and fs_known of the devices of `s` (found by their names) from the kernel's list
 * of superblocks. What is not found stays unknown; s->how says why. -1 only without memory.
 */
int linux_find_fs(struct guest *g, const struct symbols *kernel, const struct layout *btf,
	struct snapshot *s, struct err *err) MUST_CHECK;

#endif
