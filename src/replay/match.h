/* SPDX-License-Identifier: BSD-2-Clause
 *
 * match.h - a plan beside a disk: what of it has reached the disk already.
 */
#ifndef XB_REPLAY_MATCH_H
#define XB_REPLAY_MATCH_H

#include "guest/memory.h"
#include "io/disk.h"
#include "replay/replay.h"

/*
 * Call fn with each run of a request's data, in ascending order on the disk: `off` in bytes of the
 * disk, `data` of the guest's pages, as memory.h lets them live. All is checked before the first
 * call. ERR_NODATA: not all data is in the checkpoint; ERR_NOTFOUND: its place is not known, or
 * beyond `disk_bytes`.
 */
int replay_walk(struct memory m, const struct io_request *r, uint64_t disk_bytes,
	int (*fn)(void *arg, uint64_t off, const uint8_t *data, uint32_t len, struct err *err),
	void *arg, struct err *err) MUST_CHECK;

enum replay_match_state {
	REPLAY_UNDECIDED, /* `why` says why */
	REPLAY_NO_DATA,	  /* a flush, a discard or a probe: nothing to compare */
	REPLAY_LANDED,	  /* write: the disk holds all of it */
	REPLAY_MISSING,	  /* write: not one sector of it is on the disk */
	REPLAY_TORN,	  /* write: some sectors are, some are not */
	REPLAY_SAME,	  /* read: the buffer holds what the disk holds */
	REPLAY_DIFFERENT, /* read: it does not, or not yet */
};
/* "unknown", "no-data", "landed", "not-landed", "torn", "filled", "not-filled" */
const char *replay_match_name(enum replay_match_state state);

struct replay_range {
	uint64_t start, end; /* bytes of the disk */
};

struct replay_match {
	enum replay_match_state state;
	struct replay_range *differs; /* whole sectors that differ, ascending, merged */
	size_t nr, cap;
	struct err why;
};

/* An error only for memory and for the disk's own. A sector that was the same before the write
 * counts as landed: nothing can tell it from one that was written. */
int replay_compare(struct memory m, const struct io_request *r, const struct disk *d,
	struct replay_match *ret, struct err *err) MUST_CHECK;
void replay_match_fini(struct replay_match *m);

#endif
