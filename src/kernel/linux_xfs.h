/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_xfs.h - what a Linux guest knows of an xfs that it has mounted.
 */
#ifndef XB_KERNEL_LINUX_XFS_H
#define XB_KERNEL_LINUX_XFS_H

#include "kernel/linux.h"

/* Where its log goes on, into fs. `mount`: super_block.s_fs_info, a struct xfs_mount. */
void linux_xfs_read(const struct linux_kernel *k, uint64_t mount, struct mounted_fs *fs);

#endif
