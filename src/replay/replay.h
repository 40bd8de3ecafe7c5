/* SPDX-License-Identifier: BSD-2-Clause
 *
 * replay.h - what the frontends will issue again when the guest resumes, in that order, and what
 * can be done about it without resuming: the ring for the target host, and the disk.
 *
 * A plan borrows from its snapshot. Building one is pure; only replay_write() changes anything.
 */
#ifndef XB_REPLAY_REPLAY_H
#define XB_REPLAY_REPLAY_H

#include "checkpoint/checkpoint.h"
#include "frontend/frontend.h"
#include "frontend/hazard.h"

struct replay_item {
	const struct blkdev *dev;
	const struct io_request *req;
	const char *why;    /* static text: its place in the order */
	const char *stream; /* static text: how it travels; what travels differently may overtake */
	bool order_known;   /* its place in its device's stream */
	unsigned hazards;   /* HAZARD_* */
};

struct replay_plan {
	struct replay_item *v;
	size_t nr, cap;
};

int replay_plan_build(
	const struct snapshot *s, struct replay_plan *plan, struct err *err) MUST_CHECK;
/* Mark the hazards anew, after items were dropped or moved. */
int replay_plan_mark(struct replay_plan *plan, struct err *err) MUST_CHECK;
void replay_plan_fini(struct replay_plan *plan);

/* A part of a request, as it is issued on its own. */
struct replay_part {
	uint64_t sector, nr_sectors;
};

/*
 * Where the target cuts a request that resume hands back to Linux's block layer: at most max_segs
 * pages a part, the last sector of each on a block's border (block/blk-merge.c, bio_split_rw() and
 * get_max_io_size(); blkfront sets max_hw_sectors to max_segs pages). A request that was merged of
 * several comes back in more. *ret is malloc'ed. No parts: it is not handed back so, or not known.
 */
int replay_split(const struct replay_item *it, uint64_t max_segs, struct replay_part **ret,
	size_t *nr, struct err *err) MUST_CHECK;

/*
 * The shared ring as the driver would fill it on the target, with the true sectors. The target's
 * frames must have been set in the snapshot. ERR_UNSUPPORTED: a driver that grants its pages anew.
 * ERR_REFUSED: a sector or a frame is unknown and skip_unknown is not set.
 */
int replay_ring(const struct snapshot *s, const struct replay_plan *plan, bool skip_unknown,
	struct resume_ring *ret, struct err *err) MUST_CHECK;

#endif
