/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_witness.h - blocks of disks that a Linux guest remembers as they were: clean pages of its
 * page cache whose place on the disk is known.
 *
 * Which pages can witness, and which look as if they could:
 *  - the page cache of a block device that nobody has claimed, but of a whole disk only what lies
 * in no partition that is in use: each has a page cache of its own, and they do not know each
 * other;
 *  - of one with ext4 on it the group descriptors, bitmaps and inode tables. Any other block may
 *    have been freed and be a file's by now, whose data goes past this cache. Bitmaps of groups
 *    that were never used are made up in memory. The superblock is compared otherwise (XB407);
 *  - nothing of one with another file system, a volume or a swap area, for which the same holds;
 *  - files of ext4, up to their end, by their initialized extents, unless they are encrypted, in
 *    the journal, or a write of theirs failed.
 * A page that is dirty, locked or under write-back witnesses nothing, nor one whose buffers the
 * journal holds.
 */
#ifndef XB_KERNEL_LINUX_WITNESS_H
#define XB_KERNEL_LINUX_WITNESS_H

#include "kernel/facts.h"
#include "kernel/linux.h"

struct linux_witness_options {
	uint64_t pages; /* at most about so many are looked at, UINT64_MAX all */
	uint64_t seed;
};

/*
 * Of the disks of these names; ret is for the disk with the same index. -1 only without memory.
 * Where nothing can be known, ret[i].known stays false.
 */
int linux_witness_read(const struct linux_kernel *k, const char *const *disks, size_t nr,
	const struct linux_witness_options *opt, struct witness_list *ret,
	struct err *err) MUST_CHECK;

#endif
