/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay/write.h"

#include <string.h>

#include "io/hold.h"
#include "io/undo.h"

struct job {
	const struct replay_write *w;
	struct replay_ops ops;
	uint64_t all; /* bytes to be written and discarded */
	struct replay_written *ret;
};

static int refuse(const struct replay_write *w, struct err *err)
{
	uint64_t sectors = w->dev->nr_sectors, bytes = w->disk->bytes;

	if (!(w->allow & REPLAY_ALLOW_IN_USE) && disk_hold(w->disk, err))
		return -1;
	if (w->allow & REPLAY_ALLOW_CAPACITY || sectors == BLK_UNKNOWN_U64)
		return 0;
	if (sectors == bytes / SECTOR_BYTES) /* as backends count those of a file */
		return 0;
	err_set(err, ERR_REFUSED, "%s has %llu bytes, but the guest's %s has %llu sectors of 512",
		w->disk->path, (unsigned long long)bytes, w->dev->name,
		(unsigned long long)sectors);
	return err_override(err, replay_allow_name(REPLAY_ALLOW_CAPACITY));
}

/* ---- the undo file ------------------------------------------------------------------------ */

/* The first of the places, which do not overlap, that ends behind off. */
static size_t first_behind(const struct replay_ops *ops, uint64_t off)
{
	size_t low = 0, high = ops->nr_places;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (ops->by_place[mid]->off + ops->by_place[mid]->len > off)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static bool after(void *arg, uint64_t off, uint8_t *buf, uint32_t len)
{
	const struct replay_ops *ops = arg;
	size_t i;

	if (ops->overlap)
		return false;
	for (i = first_behind(ops, off); i < ops->nr_places; i++) {
		const struct replay_op *op = ops->by_place[i];
		uint64_t start = MAX(op->off, off), end = MIN(op->off + op->len, off + len);

		if (op->off >= off + len)
			break;
		if (op->kind == REPLAY_OP_DISCARD)
			return false;
		memcpy(buf + (start - off), op->data + (start - op->off), end - start);
	}
	return true;
}

static int save_undo(struct job *j, struct err *err)
{
	CLEANUP_FREE struct undo_range *ranges = calloc(j->ops.nr_places + 1, sizeof(*ranges));
	struct undo_change c = {.vdev = j->w->dev->name,
		.ranges = ranges,
		.nr = j->ops.nr_places,
		.after = after,
		.arg = &j->ops};
	size_t i;

	if (!ranges)
		return err_nomem(err, "the undo file");
	for (i = 0; i < c.nr; i++) {
		const struct replay_op *op = j->ops.by_place[i];

		ranges[i] = (struct undo_range){op->off, op->off + op->len};
	}
	return undo_save(j->w->disk, &c, j->w->undo_path, j->w->progress, err);
}

/* ---- writing ------------------------------------------------------------------------------ */

static int check_write(const struct disk *d, const struct replay_op *op, struct err *err)
{
	uint8_t have[PAGE_BYTES];

	if (disk_read(d, op->off, have, op->len, err))
		return -1;
	if (!memcmp(have, op->data, op->len))
		return 0;
	return err_set(err, ERR_SYSTEM, "%s: other data came back at byte %llu", d->path,
		(unsigned long long)op->off);
}

static int discard(struct job *j, const struct replay_op *op, struct err *err)
{
	if (!disk_discard(j->w->disk, op->off, op->len, err)) {
		j->ret->nr_discards++;
		return 0;
	}
	if (err->cls != ERR_UNSUPPORTED)
		return -1;
	j->ret->nr_discards_left_out++;
	return 0;
}

static int step(struct job *j, const struct replay_op *op, struct err *err)
{
	const struct disk *d = j->w->disk;

	switch (op->kind) {
	case REPLAY_OP_SYNC:
		return disk_sync(d, err);
	case REPLAY_OP_DISCARD:
		if (discard(j, op, err))
			return -1;
		break;
	default:
		if (disk_write(d, op->off, op->data, op->len, err))
			return -1;
		/* A later one may cover it: now is the time to look. */
		if (j->ops.overlap && check_write(d, op, err))
			return -1;
		break;
	}
	j->ret->bytes += op->len;
	return 0;
}

static int run_steps(struct job *j, struct err *err)
{
	size_t i;

	for (i = 0; i < j->ops.nr; i++)
		if (progress_step(j->w->progress, "written", j->ret->bytes, j->all, err) ||
			step(j, &j->ops.v[i], err))
			return -1;
	return progress_step(j->w->progress, "written", j->ret->bytes, j->all, err);
}

static int compare_all(struct job *j, struct err *err)
{
	uint64_t done = 0;
	size_t i;

	for (i = 0; i < j->ops.nr; i++) {
		const struct replay_op *op = &j->ops.v[i];

		if (op->kind == REPLAY_OP_WRITE && check_write(j->w->disk, op, err))
			return -1;
		done += op->len;
		if (progress_step(j->w->progress, "compared", done, j->all, err))
			return -1;
	}
	return 0;
}

static int write_all(struct job *j, struct err *err)
{
	const struct disk *d = j->w->disk;
	struct err ignored = ERR_INIT;

	if (run_steps(j, err)) {
		/* What got there shall stay there: the undo file counts on a disk at rest. */
		(void)!disk_sync(d, &ignored);
		return -1;
	}
	if (disk_sync(d, err))
		return -1;
	disk_forget_cache(d);
	return j->ops.overlap ? 0 : compare_all(j, err);
}

static size_t nr_writes(const struct replay_ops *ops)
{
	const struct replay_item *last = NULL;
	size_t i, nr = 0;

	for (i = 0; i < ops->nr; i++)
		if (ops->v[i].kind == REPLAY_OP_WRITE && ops->v[i].item != last) {
			last = ops->v[i].item;
			nr++;
		}
	return nr;
}

static int write_job(struct job *j, struct err *err)
{
	const struct replay_write *w = j->w;
	size_t i;

	if (refuse(w, err) || replay_ops_build(w->memory, w->plan, w->dev, w->disk->bytes, w->allow,
				      w->discard, &j->ops, err))
		return -1;
	for (i = 0; i < j->ops.nr; i++)
		j->all += j->ops.v[i].len;
	if (w->undo_path && save_undo(j, err))
		return -1;
	j->ret->overlap = j->ops.overlap;
	j->ret->nr_left_out = j->ops.nr_left_out;
	j->ret->nr_discards_left_out = j->ops.nr_discards_left_out;
	if (write_all(j, err)) {
		if (!w->undo_path)
			return -1;
		err_in(err, "%s may have changed in part (%s restores it)", w->disk->path,
			w->undo_path);
		return err_override(err, "revert");
	}
	j->ret->nr_writes = nr_writes(&j->ops);
	return 0;
}

int replay_write(const struct replay_write *w, struct replay_written *ret, struct err *err)
{
	struct job j = {.w = w, .ret = ret};
	int rc;

	*ret = (struct replay_written){0};
	rc = write_job(&j, err);
	replay_ops_fini(&j.ops);
	return rc;
}
