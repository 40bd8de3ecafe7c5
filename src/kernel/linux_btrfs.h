/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_btrfs.h - what a Linux guest knows of a btrfs that it has mounted.
 */
#ifndef XB_KERNEL_LINUX_BTRFS_H
#define XB_KERNEL_LINUX_BTRFS_H

#include "kernel/linux.h"

/*
 * Its transactions, into fs. `info`: super_block.s_fs_info, a struct btrfs_fs_info. A superblock of
 * btrfs names no block device, for it may have several: fn is called for that of each.
 */
void linux_btrfs_read(const struct linux_kernel *k, uint64_t info, struct mounted_fs *fs,
	void (*fn)(void *arg, uint64_t bdev), void *arg);

#endif
