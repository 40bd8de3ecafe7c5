/* SPDX-License-Identifier: BSD-2-Clause
 *
 * steps.c - a plan as steps on one disk: what to write where, when to sync.
 */
#include "replay/write.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "base/sweep.h"
#include "replay/match.h"

struct build {
	struct memory mem;
	bool pages_stay;
	uint64_t disk_bytes;
	unsigned allow;
	bool discard, order_counts;
	const struct replay_item *item;
	size_t step; /* the same */
	struct replay_ops *ops;
};

static int add_op(struct build *b, struct replay_op op, struct err *err)
{
	struct replay_ops *ops = b->ops;

	if (util_grow(&ops->v, &ops->cap, ops->nr + 1, sizeof(*ops->v)))
		return err_nomem(err, "the steps of the replay");
	op.item = b->item;
	op.step = b->step;
	ops->v[ops->nr++] = op;
	return 0;
}

static int add_sync(struct build *b, struct err *err)
{
	return add_op(b, (struct replay_op){.kind = REPLAY_OP_SYNC}, err);
}

/* NULL: no memory. */
static const uint8_t *keep_copy(struct replay_ops *ops, const uint8_t *data, uint32_t len)
{
	uint8_t *copy;

	if (util_grow(&ops->copies, &ops->cap_copies, ops->nr_copies + 1, sizeof(*ops->copies)))
		return NULL;
	copy = malloc(len ? len : 1);
	if (!copy)
		return NULL;
	ops->copies[ops->nr_copies++] = copy;
	return memcpy(copy, data, len);
}

static int add_run(void *arg, uint64_t off, const uint8_t *data, uint32_t len, struct err *err)
{
	struct build *b = arg;

	if (!b->pages_stay)
		data = keep_copy(b->ops, data, len);
	if (!data)
		return err_nomem(err, "the steps of the replay");
	return add_op(b,
		(struct replay_op){.kind = REPLAY_OP_WRITE, .off = off, .len = len, .data = data},
		err);
}

/* The step that cannot be: refused, or left out when its name is allowed. */
static int leave_out(struct build *b, unsigned need, struct err *err)
{
	const struct io_request *r = b->item->req;

	if (b->allow & need) {
		b->ops->nr_left_out++;
		return 0;
	}
	err->cls = ERR_REFUSED;
	err_in(err, "ring %u slot %u cannot be carried out", r->ring, r->slot);
	return err_override(err, replay_allow_name(need));
}

static int add_write(struct build *b, struct err *err)
{
	const struct io_request *r = b->item->req;
	size_t before = b->ops->nr;

	if (r->flags & IO_FLAG_PREFLUSH && add_sync(b, err))
		return -1;
	if (replay_walk(b->mem, r, b->disk_bytes, add_run, b, err)) {
		b->ops->nr = before;
		if (err->cls == ERR_NOTFOUND && r->sector_from != IO_SECTOR_UNKNOWN)
			return leave_out(b, REPLAY_ALLOW_SIZE, err);
		if (err->cls == ERR_NOTFOUND || err->cls == ERR_NODATA)
			return leave_out(b, REPLAY_ALLOW_HOLE, err);
		return -1;
	}
	return r->op == IO_BARRIER || r->flags & IO_FLAG_FUA ? add_sync(b, err) : 0;
}

static int add_discard(struct build *b, struct err *err)
{
	const struct io_request *r = b->item->req;
	struct replay_op op = {.kind = REPLAY_OP_DISCARD};

	/* A secure discard promises that nothing can be read again; we cannot keep that. */
	if (!b->discard || r->flags & IO_FLAG_SECURE) {
		b->ops->nr_discards_left_out++;
		return 0;
	}
	if (r->sector_from == IO_SECTOR_UNKNOWN) {
		err_set(err, ERR_NOTFOUND, "its sector is not known");
		return leave_out(b, REPLAY_ALLOW_HOLE, err);
	}
	if (!num_mul(r->sector, SECTOR_BYTES, &op.off) ||
		!num_mul(r->nr_sectors, SECTOR_BYTES, &op.len) ||
		!num_range_ok(op.off, op.len, b->disk_bytes)) {
		err_set(err, ERR_NOTFOUND, "it reaches beyond the disk's %" PRIu64 " bytes",
			b->disk_bytes);
		return leave_out(b, REPLAY_ALLOW_SIZE, err);
	}
	return op.len ? add_op(b, op, err) : 0;
}

static int add_item(struct build *b, struct err *err)
{
	const struct io_request *r = b->item->req;

	if (io_request_writes_data(r))
		return io_request_is_flush(r) && add_sync(b, err) ? -1 : add_write(b, err);
	if (r->op == IO_DISCARD)
		return add_discard(b, err);
	return io_request_is_flush(r) ? add_sync(b, err) : 0;
}

static int refuse_overlap(const struct replay_op *const meet[2], struct err *err)
{
	const struct io_request *a = meet[0]->item->req, *b = meet[1]->item->req;

	err_set(err, ERR_REFUSED,
		"ring %u slot %u and ring %u slot %u change the same sectors beside a barrier, and "
		"which came first is not known",
		a->ring, a->slot, b->ring, b->slot);
	return err_override(err, replay_allow_name(REPLAY_ALLOW_OVERLAP));
}

static void keep_first(void *arg, const struct sweep_range *before, const struct sweep_range *now)
{
	const struct replay_op **meet = arg;

	if (!meet[0]) {
		meet[0] = before->item;
		meet[1] = now->item;
	}
}

int replay_ops_arrange(struct replay_ops *ops, const struct replay_op *ret[2], struct err *err)
{
	CLEANUP_FREE struct sweep_range *v = calloc(ops->nr + 1, sizeof(*v));
	size_t i;

	ret[0] = ret[1] = NULL;
	ops->by_place = calloc(ops->nr + 1, sizeof(*ops->by_place));
	if (!v || !ops->by_place)
		return err_nomem(err, "the steps of the replay");
	for (i = 0; i < ops->nr; i++) {
		const struct replay_op *op = &ops->v[i];

		if (op->kind != REPLAY_OP_SYNC)
			v[ops->nr_places++] = (struct sweep_range){.start = op->off,
				.end = op->off + op->len,
				.changes = true,
				.item = op};
	}
	sweep_ranges(v, ops->nr_places, keep_first, ret);
	for (i = 0; i < ops->nr_places; i++)
		ops->by_place[i] = v[i].item;
	ops->overlap = ret[0];
	return 0;
}

int replay_ops_build(struct memory m, const struct replay_plan *plan, const struct blkdev *dev,
	uint64_t disk_bytes, unsigned allow, bool discard, struct replay_ops *ret, struct err *err)
{
	struct build b = {.mem = m,
		.pages_stay = memory_info(m).pages_stay,
		.disk_bytes = disk_bytes,
		.allow = allow,
		.discard = discard,
		.order_counts = frontend_counts_on_order(dev),
		.ops = ret};
	const struct replay_op *meet[2];
	size_t i;

	*ret = (struct replay_ops){0};
	for (i = 0; i < plan->nr; i++) {
		b.item = &plan->v[i];
		b.step = i;
		if (b.item->dev == dev && add_item(&b, err))
			return -1;
	}
	if (replay_ops_arrange(ret, meet, err))
		return -1;
	return meet[0] && b.order_counts && !(allow & REPLAY_ALLOW_OVERLAP)
		       ? refuse_overlap(meet, err)
		       : 0;
}

void replay_ops_fini(struct replay_ops *ops)
{
	size_t i;

	for (i = 0; i < ops->nr_copies; i++)
		free(ops->copies[i]);
	free(ops->copies);
	free(ops->v);
	free(ops->by_place);
	*ops = (struct replay_ops){0};
}
