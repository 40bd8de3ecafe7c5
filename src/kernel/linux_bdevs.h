/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_bdevs.h - block devices of a Linux guest: disks, partitions, what device-mapper makes of
 * them; which hold a mounted file system.
 */
#ifndef XB_KERNEL_LINUX_BDEVS_H
#define XB_KERNEL_LINUX_BDEVS_H

#include "kernel/linux.h"

struct linux_bdevs_layout {
	/* struct block_device, hd_struct (until 5.10), gendisk */
	struct field disk, partno, flags, start, part, part_start, part_no;
	struct field disk_name, part_tbl, tbl_len, tbl_part;
	/* struct super_block */
	struct field s_list, s_bdev, s_type, s_inodes, type_name;
	/* struct inode, bdev_inode */
	struct field i_sb_list, bi_inode, bi_bdev;
};

struct linux_super {
	uint64_t sb;
	uint64_t bdev; /* it is mounted from; 0 none */
	char type[17];
};

struct linux_bdevs {
	const struct linux_kernel *k; /* borrowed */
	struct linux_bdevs_layout l;
	bool listed;
	struct linux_super *v; /* owned: every superblock of the kernel */
	size_t nr, cap;
};

struct linux_bdev {
	char disk[33];	 /* "xvda"; of the whole disk */
	uint32_t partno; /* 0: the whole disk */
	uint64_t start;	 /* first sector on it */
};

void linux_bdevs_init(struct linux_bdevs *b, const struct linux_kernel *k);
void linux_bdevs_fini(struct linux_bdevs *b);
/* A struct block_device. False: it cannot be read. */
bool linux_bdev_read(const struct linux_bdevs *b, uint64_t bdev, struct linux_bdev *ret);
/* Until 5.11 a bio had a struct gendisk and the number of a partition. */
bool linux_bdev_of_disk(
	const struct linux_bdevs *b, uint64_t gendisk, uint32_t partno, struct linux_bdev *ret);
/* "xvda1", "nvme0n1p1" */
void linux_bdev_name(const struct linux_bdev *d, char *buf, size_t cap);
/* NULL: there are no more. */
const struct linux_super *linux_super_at(struct linux_bdevs *b, size_t index);
/* Call fn for each inode of a superblock, as long as there is something *left of what a hostile
 * image can make us do. */
typedef void linux_inode_fn(void *arg, uint64_t inode);
void linux_super_inodes(
	const struct linux_bdevs *b, uint64_t sb, uint64_t *left, linux_inode_fn *fn, void *arg);
/* Call fn for each struct block_device that the kernel has an inode for: those of the pseudo file
 * system that holds them. */
typedef void linux_bdev_fn(void *arg, uint64_t inode, uint64_t bdev);
void linux_bdevs_each(struct linux_bdevs *b, uint64_t *left, linux_bdev_fn *fn, void *arg);
/* The type of the file system that is mounted from it; NULL: none is. */
const char *linux_bdev_fs(struct linux_bdevs *b, uint64_t bdev);

#endif
