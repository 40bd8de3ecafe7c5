/* SPDX-License-Identifier: BSD-2-Clause
 *
 * undo.h - what a disk held before it was changed, in a file that is whole before the first change.
 *
 * Little-endian. Header of 64 bytes: "XBUNDO1\n"; u32 flags (1: a block device; enum disk_format
 * from bit 8 on); u32 bytes of the path; u64 bytes of the disk; u64 device and u64 inode number;
 * u64 number of blocks; 16 bytes for the device's name in the guest, ended by zero. Then the path,
 * and u32 CRC-32C of all before it. Each block: u64 offset, u32 bytes (whole sectors of 512, at
 * most UNDO_BLOCK), u32 flags (1: what the change leaves there is not known), u32 CRC-32C of these
 * 16 bytes and of what follows: the old data, and unless that flag is set a u32 CRC-32C of each
 * sector's new data. Nothing follows the last block. Blocks ascend and do not overlap.
 */
#ifndef XB_IO_UNDO_H
#define XB_IO_UNDO_H

#include "io/disk.h"
#include "io/progress.h"

#define UNDO_BLOCK  65536u
#define UNDO_SECTOR 512u

struct undo_range {
	uint64_t start, end; /* bytes of the disk, multiples of UNDO_SECTOR */
};

struct undo_change {
	const char *vdev;	   /* the device's name in the guest */
	struct undo_range *ranges; /* sorted and merged in place */
	size_t nr;
	/* Make of the old data in buf what the change leaves there; false: not known. */
	bool (*after)(void *arg, uint64_t off, uint8_t *buf, uint32_t len);
	void *arg;
};

/*
 * Save what the disk holds in the ranges. The file appears under its name when it is whole and
 * synced, and so is its folder; ERR_REFUSED when the name is taken. Interrupted, there is none.
 */
int undo_save(const struct disk *d, const struct undo_change *c, const char *path,
	const struct progress *progress, struct err *err) MUST_CHECK;

#define UNDO_ALLOW_IN_USE  (1u << 0)
#define UNDO_ALLOW_CHANGED (1u << 1) /* sectors hold neither their old nor their new data */

struct undo_target {
	const char *vdev, *disk; /* NULL: the disk that the file names */
	enum disk_format format; /* of `disk`; DISK_UNSAID: the file's */
	unsigned allow;
	const struct progress *progress;
};

/*
 * Put everything back on the disk that the file names, or on `disk` when that is given for the same
 * vdev, sync, and read it again. All checksums, the identity of the disk (its size when it is
 * given), that nothing uses it, and that every sector holds its old or its new data are checked
 * before the first byte is written. Doing it twice, or after part of it, is the same.
 */
int undo_revert(const char *path, const struct undo_target *target, uint64_t *bytes,
	struct err *err) MUST_CHECK;

#endif
