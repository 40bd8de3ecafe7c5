/* SPDX-License-Identifier: BSD-2-Clause
 *
 * order.c - the steps of a replay as bytes.
 *
 * "xbdsnap order\0\0\0", the number of disks; then of each disk, by their order:
 *
 * offset  bytes
 *  0      32     the guest's name for it, with zeros behind
 * 32       8     sectors that the guest knows
 * 40       8+8   st_dev or st_rdev, st_ino
 * 56       8+8   requests and discards that were left out
 * 72       8     steps; then each: kind, step of the plan, offset, length (8 bytes each) and, of a
 *                write, its data
 */
#include "replay/order.h"

#include <ctype.h>
#include <string.h>

#include "base/num.h"

#define MAGIC	    "xbdsnap order\0\0"
#define MAGIC_BYTES 16u
#define HEAD_BYTES  (MAGIC_BYTES + 8)
#define NAME_BYTES  32u
#define DISK_BYTES  80u
#define STEP_BYTES  32u

/* ---- writing ------------------------------------------------------------------------------ */

static int write_bytes(int fd, const void *buf, size_t len, struct err *err)
{
	return util_write(fd, buf, len) ? err_sys(err, "cannot hand over the steps of the replay")
					: 0;
}

static int write_step(int fd, const struct replay_op *op, struct err *err)
{
	uint8_t b[STEP_BYTES];

	num_put_le64(b, op->kind);
	num_put_le64(b + 8, op->step);
	num_put_le64(b + 16, op->off);
	num_put_le64(b + 24, op->len);
	if (write_bytes(fd, b, sizeof(b), err))
		return -1;
	return op->kind == REPLAY_OP_WRITE ? write_bytes(fd, op->data, op->len, err) : 0;
}

static int write_disk(int fd, const struct replay_order_disk *d, struct err *err)
{
	uint8_t b[DISK_BYTES] = {0};
	size_t i;

	memcpy(b, d->vdev, NAME_BYTES);
	num_put_le64(b + 32, d->nr_sectors);
	num_put_le64(b + 40, d->dev);
	num_put_le64(b + 48, d->ino);
	num_put_le64(b + 56, d->ops.nr_left_out);
	num_put_le64(b + 64, d->ops.nr_discards_left_out);
	num_put_le64(b + 72, d->ops.nr);
	if (write_bytes(fd, b, sizeof(b), err))
		return -1;
	for (i = 0; i < d->ops.nr; i++)
		if (write_step(fd, &d->ops.v[i], err))
			return -1;
	return 0;
}

int replay_order_write(const struct replay_order *o, int fd, struct err *err)
{
	uint8_t b[HEAD_BYTES] = MAGIC;
	size_t i;

	num_put_le64(b + MAGIC_BYTES, o->nr);
	if (write_bytes(fd, b, sizeof(b), err))
		return -1;
	for (i = 0; i < o->nr; i++)
		if (write_disk(fd, &o->v[i], err))
			return -1;
	return 0;
}

/* ---- reading ------------------------------------------------------------------------------ */

struct reader {
	const uint8_t *p;
	size_t left;
	bool discard;
};

/* NULL: there are not so many. */
static const uint8_t *take_bytes(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (n > r->left)
		return NULL;
	r->p += n;
	r->left -= n;
	return p;
}

static int refuse_order(struct err *err, const char *what)
{
	return err_set(err, ERR_REFUSED, "what was to be written is not sound: %s", what);
}

static bool is_name(const char name[NAME_BYTES])
{
	size_t len = strnlen(name, NAME_BYTES), i;

	for (i = 0; i < len; i++)
		if (!isgraph((unsigned char)name[i]))
			return false;
	return len && len < NAME_BYTES;
}

static int read_step(struct reader *r, struct replay_op *op, size_t least_step, struct err *err)
{
	const uint8_t *b = take_bytes(r, STEP_BYTES);
	uint64_t kind;

	if (!b)
		return refuse_order(err, "it ends early");
	kind = num_le64(b);
	*op = (struct replay_op){
		.step = num_le64(b + 8), .off = num_le64(b + 16), .len = num_le64(b + 24)};
	if (op->step < least_step)
		return refuse_order(err, "steps are not in order");
	switch (kind) {
	case REPLAY_OP_SYNC:
		op->kind = REPLAY_OP_SYNC;
		return op->off || op->len ? refuse_order(err, "a sync has a place") : 0;
	case REPLAY_OP_DISCARD:
		op->kind = REPLAY_OP_DISCARD;
		return r->discard ? 0 : refuse_order(err, "nobody asked for discards");
	case REPLAY_OP_WRITE:
		op->kind = REPLAY_OP_WRITE;
		break;
	default:
		return refuse_order(err, "a step of no known kind");
	}
	if (!op->len || op->len > PAGE_BYTES || op->len % SECTOR_BYTES || op->off % SECTOR_BYTES)
		return refuse_order(err, "a write is not of whole sectors, a page at most");
	op->data = take_bytes(r, (size_t)op->len);
	return op->data ? 0 : refuse_order(err, "it ends early");
}

static int read_steps(struct reader *r, uint64_t nr, struct replay_ops *ops, struct err *err)
{
	const struct replay_op *meet[2];
	size_t least = 0;

	/* Each takes some bytes of what was mapped: the count is bounded by its size. */
	if (nr > r->left / STEP_BYTES)
		return refuse_order(err, "it ends early");
	ops->v = calloc((size_t)nr + 1, sizeof(*ops->v));
	if (!ops->v)
		return err_nomem(err, "the steps of the replay");
	for (ops->nr = 0; ops->nr < nr; ops->nr++) {
		if (read_step(r, &ops->v[ops->nr], least, err))
			return -1;
		least = ops->v[ops->nr].step;
	}
	return replay_ops_arrange(ops, meet, err);
}

static int read_disk(struct reader *r, struct replay_order_disk *d, struct err *err)
{
	const uint8_t *b = take_bytes(r, DISK_BYTES);

	if (!b)
		return refuse_order(err, "it ends early");
	memcpy(d->vdev, b, NAME_BYTES);
	if (!is_name(d->vdev))
		return refuse_order(err, "a device has no name");
	d->nr_sectors = num_le64(b + 32);
	d->dev = num_le64(b + 40);
	d->ino = num_le64(b + 48);
	d->ops.nr_left_out = (size_t)num_le64(b + 56);
	d->ops.nr_discards_left_out = (size_t)num_le64(b + 64);
	return read_steps(r, num_le64(b + 72), &d->ops, err);
}

int replay_order_read(const uint8_t *bytes, size_t len, size_t nr_disks, bool discard,
	struct replay_order *ret, struct err *err)
{
	struct reader r = {.p = bytes, .left = len, .discard = discard};
	const uint8_t *head = take_bytes(&r, HEAD_BYTES);
	size_t i;

	*ret = (struct replay_order){0};
	if (!head || memcmp(head, MAGIC, MAGIC_BYTES) || num_le64(head + MAGIC_BYTES) != nr_disks)
		return refuse_order(err, "it is not for the disks that were named");
	ret->v = calloc(nr_disks + 1, sizeof(*ret->v));
	if (!ret->v)
		return err_nomem(err, "the steps of the replay");
	for (i = 0; i < nr_disks; i++) {
		ret->nr = i + 1;
		if (read_disk(&r, &ret->v[i], err))
			return -1;
	}
	return r.left ? refuse_order(err, "something follows it") : 0;
}

void replay_order_fini(struct replay_order *o)
{
	size_t i;

	for (i = 0; i < o->nr; i++)
		replay_ops_fini(&o->v[i].ops);
	free(o->v);
	*o = (struct replay_order){0};
}
