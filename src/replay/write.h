/* SPDX-License-Identifier: BSD-2-Clause
 *
 * write.h - carry out the writes of a plan on a disk, so that they can be undone.
 */
#ifndef XB_REPLAY_WRITE_H
#define XB_REPLAY_WRITE_H

#include "guest/memory.h"
#include "io/disk.h"
#include "io/progress.h"
#include "replay/allow.h"
#include "replay/replay.h"

/* One step on the disk. Writes and discards are whole sectors, inside the disk. */
struct replay_op {
	enum { REPLAY_OP_WRITE, REPLAY_OP_DISCARD, REPLAY_OP_SYNC } kind;
	uint64_t off, len;   /* bytes of the disk; a write is of one page at most */
	const uint8_t *data; /* of the guest's page, or a copy of ours where pages do not stay */
	size_t step;	     /* of the plan: those of one request are neighbours */
	const struct replay_item *item; /* the same; NULL: not here */
};

/* All steps of one device in the plan's order. What is written, saved and read back is this. */
struct replay_ops {
	struct replay_op *v;
	size_t nr, cap;
	const struct replay_op **by_place; /* writes and discards, by offset */
	size_t nr_places;
	bool overlap; /* two of them touch the same sectors: the plan's order decides */
	size_t nr_left_out, nr_discards_left_out;
	uint8_t **copies; /* owned */
	size_t nr_copies, cap_copies;
};

/*
 * ERR_REFUSED: data or a sector is not known, a request leaves the disk, or two requests touch the
 * same sectors and the guest counted on their order, and `allow` does not say otherwise. Discards
 * are left out unless `discard`.
 */
int replay_ops_build(struct memory m, const struct replay_plan *plan, const struct blkdev *dev,
	uint64_t disk_bytes, unsigned allow, bool discard, struct replay_ops *ret,
	struct err *err) MUST_CHECK;
void replay_ops_fini(struct replay_ops *ops);
/* Fill by_place and overlap. *ret: the first two that touch the same sectors. */
int replay_ops_arrange(
	struct replay_ops *ops, const struct replay_op *ret[2], struct err *err) MUST_CHECK;

struct replay_written {
	size_t nr_writes, nr_discards, nr_left_out, nr_discards_left_out;
	bool overlap; /* of two changes to the same sectors the plan's later one stands */
	uint64_t bytes;
};

struct replay_write_disk {
	const char *vdev;	    /* the guest's name for it */
	uint64_t nr_sectors;	    /* that the guest knows; BLK_UNKNOWN_U64 */
	struct replay_ops ops;	    /* owned by the caller */
	const struct disk *disk;    /* open for writing */
	struct replay_written done; /* filled */
};

struct replay_write {
	struct replay_write_disk *disks; /* of different devices */
	size_t nr_disks;
	unsigned allow;
	const char *undo_path; /* NULL: throw-away disks */
	const struct progress *progress;
};

/*
 * The steps on the disks, one disk after the other, each in the plan's order. All refusals
 * of all disks come before the undo file, which knows them all, and the undo file before the first
 * change. Signals that the caller has blocked, see progress.h, stop between two steps (ERR_SYSTEM).
 * However it ends, what was written is synced. All of it is read back and compared.
 */
int replay_write(const struct replay_write *w, struct err *err) MUST_CHECK;

#endif
