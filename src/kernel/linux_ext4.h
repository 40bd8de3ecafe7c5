/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_ext4.h - an ext4 file system as the memory of a Linux guest that has it mounted knows it:
 * which blocks are the file system's own, and where a file's data lies.
 *
 * Source of the structures, which are those of the disk: Linux Documentation/filesystems/ext4.
 */
#ifndef XB_KERNEL_LINUX_EXT4_H
#define XB_KERNEL_LINUX_EXT4_H

#include "kernel/linux_cache.h"

enum ext4_part {
	EXT4_GROUPS,
	EXT4_BLOCK_BITMAP,
	EXT4_INODE_BITMAP,
	EXT4_INODE_TABLE,
	EXT4_NR_PARTS,
};
/* "block bitmap" */
const char *linux_ext4_part_name(enum ext4_part part);

/* Blocks in one piece. */
struct ext4_range {
	uint64_t start, nr;
	enum ext4_part part;
};

struct linux_ext4 {
	uint64_t block_bytes;
	struct ext4_range *fixed; /* owned, ascending: metadata that never becomes file data */
	size_t nr, cap;
};

/* By the superblock and the group descriptors in the page cache of its block device, the struct
 * address_space at `mapping`. False: they are not there, or of a kind that is not known here. */
bool linux_ext4_open(struct linux_cache *c, uint64_t mapping, struct linux_ext4 *ret);
void linux_ext4_close(struct linux_ext4 *e);
/* The range of `fixed` that a block is in; NULL none. */
const struct ext4_range *linux_ext4_fixed(const struct linux_ext4 *e, uint64_t block);

/* Where a file's blocks are: initialized extents. */
struct ext4_extent {
	uint64_t first, nr; /* blocks of the file */
	uint64_t start;	    /* on the device */
};

struct ext4_extents {
	struct ext4_extent *v; /* owned, as they stand in the tree: ascending */
	size_t nr, cap;
};

/* struct ext4_inode_info, by the module's types. */
struct linux_ext4_inodes {
	struct field vfs_inode, data, flags;
};
/* False: the types are not known. */
bool linux_ext4_inodes_layout(const struct layout *types, struct linux_ext4_inodes *ret);
/* Of the inode at `inode`. False: it keeps its data otherwise, or its blocks cannot be found. Free
 * in any case. */
bool linux_ext4_read_extents(struct linux_cache *c, const struct linux_ext4_inodes *l,
	const struct linux_ext4 *e, uint64_t mapping, uint64_t inode, struct ext4_extents *ret);
void linux_ext4_extents_free(struct ext4_extents *x);
/* NULL: a hole, or not written yet. */
const struct ext4_extent *linux_ext4_extent(const struct ext4_extents *x, uint64_t block);

#endif
