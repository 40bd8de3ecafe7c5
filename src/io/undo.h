/* SPDX-License-Identifier: BSD-2-Clause
 *
 * undo.h - what disks held before they were changed, in a file that is whole before the first
 * change. undo_format.h has its bytes.
 */
#ifndef XB_IO_UNDO_H
#define XB_IO_UNDO_H

#include "io/disk.h"
#include "io/progress.h"
#include "io/source.h"

struct undo_range {
	uint64_t start, end; /* bytes of the disk, whole sectors of 512 */
};

struct undo_change {
	const struct disk *disk;
	const char *vdev;	   /* the device's name in the guest */
	struct undo_range *ranges; /* sorted and merged in place */
	size_t nr;
	/* Make of the old data in buf what the change leaves there; false: not known. */
	bool (*after)(void *arg, uint64_t off, uint8_t *buf, uint32_t len);
	void *arg;
};

/*
 * Save what the disks hold in the ranges. The file appears under its name when it is whole and
 * synced, and so is its folder; ERR_REFUSED when the name is taken. Interrupted, there is none.
 */
int undo_save(struct undo_change *changes, size_t nr, const char *path,
	const struct progress *progress, struct err *err) MUST_CHECK;

#define UNDO_ALLOW_IN_USE  (1u << 0)
#define UNDO_ALLOW_CHANGED (1u << 1) /* sectors hold neither their old nor their new data */

/* A disk that the user names, in place of the one that the file names for that device. */
struct undo_disk {
	const char *vdev, *path;
	enum disk_format format; /* DISK_UNSAID: the file's */
};

struct undo_how {
	const struct undo_disk *disks;
	size_t nr_disks;
	unsigned allow;
	const struct progress *progress;
};

/*
 * Put everything back on all disks of the file, sync, and read it again. All checksums, the
 * identity of each disk (its size when the user names it), that nothing uses it, and that every
 * sector holds its old or its new data are checked, for all of them, before the first byte is
 * written. Doing it twice, or after part of it, is the same. *bytes: what was restored. Takes
 * `src`, the file, over, also on failure.
 */
int undo_revert(struct source *src, const struct undo_how *how, uint64_t *bytes,
	struct err *err) MUST_CHECK;
/* Is it an undo file, and whole? Looks at nothing else. */
int undo_check(struct source *src, struct err *err) MUST_CHECK;

#endif
