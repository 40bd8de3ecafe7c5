/* SPDX-License-Identifier: BSD-2-Clause
 *
 * disk_facts.h - what can be seen of a disk beside a device, without changing it.
 */
#ifndef XB_CHECK_DISK_FACTS_H
#define XB_CHECK_DISK_FACTS_H

#include "frontend/request.h"
#include "io/disk.h"

/* A disk beside a device, as check_disk_open() saw it. */
struct check_disk {
	char vdev[32];
	char *path; /* owned */
	enum disk_format format;
	uint64_t bytes;
	uint32_t logical_block_bytes; /* 0 unknown (not a block device) */
	struct check_disk_fs *fs;     /* owned: what libblkid and the superblocks say */
	size_t nr_fs;
	const char *user; /* what uses it on this host, static text; NULL: nothing */
	bool opened;
	struct disk disk; /* owned; where it is */
};

struct check_disk_fs {
	uint64_t start; /* sector of the partition */
	char type[32];	/* libblkid's TYPE; "" none recognised */
	bool unsure;	/* then because it saw several, or could not look */
	char uuid[64], label[64];
	bool super_known; /* ext2/3/4: the members below were read */
	uint64_t wtime, mtime, mnt_count;
	bool recover;		   /* ext: the journal needs recovery (so it was mounted) */
	uint64_t journal_sequence; /* of the newest committed transaction; BLK_UNKNOWN_U64 */
	uint64_t generation;	   /* btrfs: the superblock's transaction; BLK_UNKNOWN_U64 */
	/* xfs: the number of the turn in which the sector was written at which the guest's log goes
	 * on; BLK_UNKNOWN_U64 */
	uint64_t log_cycle;
};

/* Size, block size and file systems (at sector 0 and where the guest has one mounted) of d->path,
 * opened read-only; it stays open for whoever looks further. The caller has set vdev, path and
 * format; check_disk_fini() also after a failure. */
int check_disk_open(struct check_disk *d, const struct blkdev *dev, struct err *err) MUST_CHECK;
void check_disk_fini(struct check_disk *d);
/* That of the device; NULL: none was given for it. */
const struct check_disk *check_disk_of(
	const struct check_disk *v, size_t nr, const struct blkdev *dev);

#endif
