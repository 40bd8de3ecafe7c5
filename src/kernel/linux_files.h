/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_files.h - inodes of a Linux guest: what they are and what they are called.
 *
 * Names are the guest's, so hostile; a path has a bounded number of bounded parts.
 */
#ifndef XB_KERNEL_LINUX_FILES_H
#define XB_KERNEL_LINUX_FILES_H

#include "kernel/linux.h"

struct linux_files_layout {
	/* struct address_space, inode, super_block, file_system_type */
	struct field host, i_mapping, i_data, i_sb, i_ino, i_mode, i_dentry;
	struct field s_type, s_mounts, s_mounts_pointer, type_name;
	/* struct dentry */
	struct field d_parent, d_name, d_len, d_inode, d_alias, d_alias_in_union, d_hash;
	/* struct file, mount */
	struct field f_inode, f_dentry, f_mnt;
	struct field m_mnt, m_parent, m_point, m_root, m_instance;
	/* struct bdev_inode */
	struct field bi_bdev, bi_inode;
};

struct linux_files {
	const struct linux_kernel *k; /* borrowed */
	struct linux_files_layout l;
};

enum linux_inode_kind {
	LINUX_INODE_FILE,  /* of a file system: a file, a directory */
	LINUX_INODE_BDEV,  /* the page cache of a block device */
	LINUX_INODE_BNODE, /* the name of a block device in a file system */
};

struct linux_inode {
	enum linux_inode_kind kind;
	uint64_t at, ino, sb;
	uint64_t bdev; /* LINUX_INODE_BDEV: its struct block_device; 0 unknown */
	char fs[17];   /* type of its file system */
};

struct linux_path {
	char *text; /* owned; NULL: there is no name */
	bool whole; /* from the root of the system; else from that of its file system */
	bool deleted;
};

void linux_files_init(struct linux_files *f, const struct linux_kernel *k);
/* The inode that has a struct address_space. False: none can be proven to. */
bool linux_inode_of_mapping(const struct linux_files *f, uint64_t mapping, struct linux_inode *ret);
/* The inode that a struct file has open. */
bool linux_inode_of_file(const struct linux_files *f, uint64_t file, struct linux_inode *ret);
/* The first name that the kernel remembers; text stays NULL where it remembers none. */
void linux_inode_path(
	const struct linux_files *f, const struct linux_inode *in, struct linux_path *ret);
/* The name by which a struct file was opened. */
void linux_file_path(const struct linux_files *f, uint64_t file, struct linux_path *ret);

#endif
