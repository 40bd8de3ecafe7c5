/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay/write.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "io/hold.h"
#include "io/undo.h"

/* One of the disks. */
struct part {
	const struct replay_write *w;
	struct replay_write_disk *to;
	const struct replay_ops *ops;
	bool touched;
};

struct job {
	const struct replay_write *w;
	struct part *parts; /* w->nr_disks */
	uint64_t done, all; /* bytes written and discarded, and to be */
};

static void free_job(struct job *j)
{
	free(j->parts);
}

static int refuse_part(const struct part *p, struct err *err)
{
	const struct disk *d = p->to->disk;
	uint64_t sectors = p->to->nr_sectors;

	if (!(p->w->allow & REPLAY_ALLOW_IN_USE) && disk_hold(d, err))
		return -1;
	if (p->w->allow & REPLAY_ALLOW_CAPACITY || sectors == BLK_UNKNOWN_U64)
		return 0;
	if (sectors == d->bytes / SECTOR_BYTES) /* as backends count those of a file */
		return 0;
	err_set(err, ERR_REFUSED,
		"%s has %" PRIu64 " bytes, but the guest's %s has %" PRIu64 " sectors of 512",
		d->path, d->bytes, p->to->vdev, sectors);
	return err_override(err, replay_allow_name(REPLAY_ALLOW_CAPACITY));
}

/* What one device wrote another would find. */
static int refuse_same(const struct job *j, size_t index, struct err *err)
{
	const struct replay_write_disk *d = &j->w->disks[index], *other;

	for (other = j->w->disks; other != d; other++)
		if (other->disk->dev == d->disk->dev && other->disk->ino == d->disk->ino &&
			other->disk->block == d->disk->block)
			return err_set(err, ERR_USAGE, "%s is given for %s and for %s",
				d->disk->path, other->vdev, d->vdev);
	return 0;
}

/* Whoever made the steps: they are whole sectors inside the disk. */
static int check_steps(const struct part *p, struct err *err)
{
	size_t i;

	for (i = 0; i < p->ops->nr_places; i++) {
		const struct replay_op *op = p->ops->by_place[i];

		if (op->off % SECTOR_BYTES || op->len % SECTOR_BYTES || !op->len ||
			!num_range_ok(op->off, op->len, p->to->disk->bytes))
			return err_set(err, ERR_REFUSED,
				"a step of %" PRIu64 " bytes at byte %" PRIu64
				" is not inside %s, of %" PRIu64 " bytes",
				op->len, op->off, p->to->disk->path, p->to->disk->bytes);
	}
	return 0;
}

static int prepare_part(struct job *j, size_t index, struct err *err)
{
	const struct replay_write *w = j->w;
	struct part *p = &j->parts[index];
	size_t i;

	*p = (struct part){.w = w, .to = &w->disks[index], .ops = &w->disks[index].ops};
	p->to->done = (struct replay_written){0};
	if (refuse_same(j, index, err) || refuse_part(p, err) || check_steps(p, err))
		return -1;
	for (i = 0; i < p->ops->nr; i++)
		j->all += p->ops->v[i].len;
	p->to->done.overlap = p->ops->overlap;
	p->to->done.nr_left_out = p->ops->nr_left_out;
	p->to->done.nr_discards_left_out = p->ops->nr_discards_left_out;
	return 0;
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

static bool after_writes(void *arg, uint64_t off, uint8_t *buf, uint32_t len)
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

/* Its ranges are malloc'ed. */
static int list_change(struct part *p, struct undo_change *ret, struct err *err)
{
	size_t i;

	*ret = (struct undo_change){
		.disk = p->to->disk,
		.vdev = p->to->vdev,
		.ranges = calloc(p->ops->nr_places + 1, sizeof(*ret->ranges)),
		.nr = p->ops->nr_places,
		.after = after_writes,
		.arg = (void *)(uintptr_t)p->ops,
	};
	if (!ret->ranges)
		return err_nomem(err, "the undo file");
	for (i = 0; i < ret->nr; i++) {
		const struct replay_op *op = p->ops->by_place[i];

		ret->ranges[i] = (struct undo_range){op->off, op->off + op->len};
	}
	return 0;
}

static int save_undo(struct job *j, struct err *err)
{
	size_t i, nr = j->w->nr_disks;
	CLEANUP_FREE struct undo_change *changes = calloc(nr, sizeof(*changes));
	int rc = changes ? 0 : err_nomem(err, "the undo file");

	for (i = 0; !rc && i < nr; i++)
		rc = list_change(&j->parts[i], &changes[i], err);
	if (!rc)
		rc = undo_save(changes, nr, j->w->undo_path, j->w->progress, err);
	for (i = 0; changes && i < nr; i++)
		free(changes[i].ranges);
	return rc;
}

/* ---- writing ------------------------------------------------------------------------------ */

static int check_write(const struct disk *d, const struct replay_op *op, struct err *err)
{
	uint8_t have[PAGE_BYTES];

	if (disk_read(d, op->off, have, op->len, err))
		return -1;
	if (!memcmp(have, op->data, op->len))
		return 0;
	return err_set(
		err, ERR_SYSTEM, "%s: other data came back at byte %" PRIu64, d->path, op->off);
}

static int discard_range(struct part *p, const struct replay_op *op, struct err *err)
{
	struct replay_written *done = &p->to->done;

	if (!disk_discard(p->to->disk, op->off, op->len, err)) {
		done->nr_discards++;
		return 0;
	}
	if (err->cls != ERR_UNSUPPORTED)
		return -1;
	done->nr_discards_left_out++;
	return 0;
}

static int run_step(struct part *p, const struct replay_op *op, struct err *err)
{
	const struct disk *d = p->to->disk;

	p->touched = true;
	switch (op->kind) {
	case REPLAY_OP_SYNC:
		return disk_sync(d, err);
	case REPLAY_OP_DISCARD:
		if (discard_range(p, op, err))
			return -1;
		break;
	default:
		if (disk_write(d, op->off, op->data, op->len, err))
			return -1;
		/* A later one may cover it: now is the time to look. */
		if (p->ops->overlap && check_write(d, op, err))
			return -1;
		break;
	}
	p->to->done.bytes += op->len;
	return 0;
}

static int tell_written(const struct job *j, struct err *err)
{
	return progress_step(j->w->progress, "written", j->done, j->all, err);
}

static int run_steps(struct job *j, struct part *p, struct err *err)
{
	size_t i;

	for (i = 0; i < p->ops->nr; i++) {
		if (tell_written(j, err) || run_step(p, &p->ops->v[i], err))
			return -1;
		j->done += p->ops->v[i].len;
	}
	return tell_written(j, err);
}

static int compare_part(const struct job *j, const struct part *p, uint64_t *done, struct err *err)
{
	size_t i;

	for (i = 0; i < p->ops->nr; i++) {
		const struct replay_op *op = &p->ops->v[i];

		if (op->kind == REPLAY_OP_WRITE && check_write(p->to->disk, op, err))
			return -1;
		*done += op->len;
		if (progress_step(j->w->progress, "compared", *done, j->all, err))
			return -1;
	}
	return 0;
}

/* What got there shall stay there: the undo file counts on disks at rest. */
static void sync_touched(const struct job *j)
{
	size_t i;

	for (i = 0; i < j->w->nr_disks; i++)
		if (j->parts[i].touched)
			(void)!disk_sync(j->parts[i].to->disk, NULL);
}

static int write_and_sync(struct job *j, struct err *err)
{
	size_t i, nr = j->w->nr_disks;

	for (i = 0; i < nr; i++)
		if (run_steps(j, &j->parts[i], err)) {
			sync_touched(j);
			return -1;
		}
	for (i = 0; i < nr; i++)
		if (disk_sync(j->parts[i].to->disk, err)) {
			sync_touched(j);
			return -1;
		}
	return 0;
}

static int write_all(struct job *j, struct err *err)
{
	size_t i, nr = j->w->nr_disks;
	uint64_t done = 0;

	if (write_and_sync(j, err))
		return -1;
	for (i = 0; i < nr; i++)
		disk_forget_cache(j->parts[i].to->disk);
	for (i = 0; i < nr; i++)
		if (!j->parts[i].ops->overlap && compare_part(j, &j->parts[i], &done, err))
			return -1;
	return 0;
}

static size_t nr_writes(const struct replay_ops *ops)
{
	const struct replay_op *last = NULL;
	size_t i, nr = 0;

	for (i = 0; i < ops->nr; i++)
		if (ops->v[i].kind == REPLAY_OP_WRITE) {
			nr += !last || last->step != ops->v[i].step;
			last = &ops->v[i];
		}
	return nr;
}

static int say_in_part(const struct job *j, struct err *err)
{
	const struct replay_write *w = j->w;

	if (!w->undo_path)
		return -1;
	if (w->nr_disks > 1)
		err_in(err, "the disks may have changed in part (%s restores all of them)",
			w->undo_path);
	else
		err_in(err, "%s may have changed in part (%s restores it)", w->disks->disk->path,
			w->undo_path);
	return err_override(err, "revert");
}

int replay_write(const struct replay_write *w, struct err *err)
{
	CLEANUP(free_job) struct job j = {.w = w};
	size_t i;

	j.parts = calloc(w->nr_disks, sizeof(*j.parts));
	if (!j.parts)
		return err_nomem(err, "the disks");
	for (i = 0; i < w->nr_disks; i++)
		if (prepare_part(&j, i, err))
			return -1;
	if (w->undo_path && save_undo(&j, err))
		return -1;
	if (write_all(&j, err))
		return say_in_part(&j, err);
	for (i = 0; i < w->nr_disks; i++)
		w->disks[i].done.nr_writes = nr_writes(j.parts[i].ops);
	return 0;
}
