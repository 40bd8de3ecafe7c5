/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bio.c - what the block layer's own struct request says: operation, flags, times, data.
 *
 * The driver makes a slot and its scatter list from the request and its bios (blk_rq_map_sg()), and
 * a resume starts from the bios again, so that both name the same bytes as long as nothing was
 * overwritten.
 */
#include "frontend/linux/decode.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

/* Bios of one request: a request is at most some MiB, a bio at least a sector. */
#define MAX_BIOS 8192u
/* include/linux/bio.h: BIO_MAX_VECS is 256; a cloned bio may stand in a longer table. */
#define MAX_BVECS 4096u
/* include/linux/blk_types.h: enum req_op, stable for these since Linux 4.8. */
#define REQ_OP_MASK	    0xffu
#define REQ_OP_READ	    0u
#define REQ_OP_WRITE	    1u
#define REQ_OP_FLUSH	    2u
#define REQ_OP_DISCARD	    3u
#define REQ_OP_SECURE_ERASE 5u

/* struct request.start_time_ns counts in CLOCK_MONOTONIC; 0 when accounting is off. */
static void decode_age(struct linux_ctx *c, struct io_request *r)
{
	struct err ignored = ERR_INIT;
	const struct guest_facts *f = &c->s->guest;
	uint64_t start;

	if (!f->mono_known ||
		layout_read(c->g, r->request_va, &c->l.rq_start_time_ns, &start, &ignored) ||
		!start || start > f->mono_ns)
		return;
	r->age_known = true;
	r->start_ns = start;
	r->age_ns = f->mono_ns - start;
}

void linux_decode_request_facts(struct linux_ctx *c, struct io_request *r)
{
	struct err ignored = ERR_INIT;
	uint64_t flags;

	if (!r->request_va.v)
		return;
	decode_age(c, r);
	r->rq_sector_known =
		!layout_read(c->g, r->request_va, &c->l.rq_sector, &r->rq_sector, &ignored);
	if (r->op != IO_READ && r->op != IO_WRITE && r->op != IO_BARRIER)
		return;
	if (layout_read(c->g, r->request_va, &c->l.rq_cmd_flags, &flags, &ignored))
		return;
	if (c->l.fua_bit >= 0 && flags >> c->l.fua_bit & 1)
		r->flags |= IO_FLAG_FUA;
	if (c->l.preflush_bit >= 0 && flags >> c->l.preflush_bit & 1)
		r->flags |= IO_FLAG_PREFLUSH;
}

enum io_op linux_request_op(uint64_t cmd_flags)
{
	switch (cmd_flags & REQ_OP_MASK) {
	case REQ_OP_READ:
		return IO_READ;
	case REQ_OP_WRITE:
		return IO_WRITE;
	case REQ_OP_FLUSH:
		return IO_FLUSH;
	case REQ_OP_DISCARD:
	case REQ_OP_SECURE_ERASE:
		return IO_DISCARD;
	default:
		return IO_UNKNOWN;
	}
}

bool linux_request_is_secure(uint64_t cmd_flags)
{
	return (cmd_flags & REQ_OP_MASK) == REQ_OP_SECURE_ERASE;
}

/* ---- data --------------------------------------------------------------------------------- */

struct bio_iter {
	uint64_t vec, size, index, done, next;
};

static bool read_bio(struct linux_ctx *c, uint64_t bio, struct bio_iter *ret, struct err *why)
{
	const struct linux_layout *l = &c->l;

	return !layout_read(c->g, GVA(bio), &l->bio_io_vec, &ret->vec, why) &&
	       !layout_read(c->g, GVA(bio), &l->bio_size, &ret->size, why) &&
	       !layout_read(c->g, GVA(bio), &l->bio_idx, &ret->index, why) &&
	       !layout_read(c->g, GVA(bio), &l->bio_done, &ret->done, why) &&
	       !layout_read(c->g, GVA(bio), &l->bio_next, &ret->next, why);
}

/* What is left of one bio: from bi_idx on, bi_size bytes, the first bi_bvec_done bytes done. */
static int add_bio(struct linux_ctx *c, struct bio_iter *b, struct io_request *r, struct err *err)
{
	static const uint64_t vec_bytes = 16; /* struct bio_vec: page, length, offset */
	struct err why = ERR_INIT;
	uint64_t page, len, offset, n;
	unsigned k;

	for (k = 0; b->size && k < MAX_BVECS && c->segments_left; k++) {
		gva_t at = GVA(b->vec + (b->index + k) * vec_bytes);
		int status;

		if (layout_read(c->g, at, &c->l.bv_page, &page, &why) ||
			layout_read(c->g, at, &c->l.bv_len, &len, &why) ||
			layout_read(c->g, at, &c->l.bv_offset, &offset, &why)) {
			linux_trouble(r, "bio_vec at 0x%" PRIx64 ": %s", at.v, why.text);
			return 1;
		}
		if (b->done > len) {
			linux_trouble(
				r, "bio_vec at 0x%" PRIx64 " is shorter than what is done", at.v);
			return 1;
		}
		n = MIN(len - b->done, b->size);
		if (!n) {
			linux_trouble(r, "bio_vec at 0x%" PRIx64 " is empty", at.v);
			return 1;
		}
		status = linux_add_piece(c, r, page, offset + b->done, n, err);
		if (status)
			return status;
		b->size -= n;
		b->done = 0;
	}
	if (!b->size)
		return 0;
	linux_trouble(r, "a bio of more pieces than can be");
	return 1;
}

int linux_add_bios(struct linux_ctx *c, struct io_request *r, struct err *err)
{
	struct err why = ERR_INIT;
	struct bio_iter b;
	uint64_t bio;
	unsigned k;

	if (layout_read(c->g, r->request_va, &c->l.rq_bio, &bio, &why)) {
		linux_trouble(r, "the request's bio: %s", why.text);
		return 0;
	}
	for (k = 0; bio; k++, bio = b.next) {
		int status;

		if (k == MAX_BIOS || !c->segments_left) {
			linux_trouble(r, "more bios than can be");
			return 0;
		}
		c->segments_left--;
		if (!read_bio(c, bio, &b, &why)) {
			linux_trouble(r, "bio at 0x%" PRIx64 ": %s", bio, why.text);
			return 0;
		}
		if (!b.size) {
			linux_trouble(r, "bio at 0x%" PRIx64 " is empty", bio);
			return 0;
		}
		status = add_bio(c, &b, r, err);
		if (status)
			return status < 0 ? -1 : 0;
	}
	return 0;
}

/* ---- against the slot ---------------------------------------------------------------------- */

/* A write that must reach the medium becomes a barrier, and the flush machinery's own request a
 * flush or a barrier (blkif_queue_rw_req). */
static bool ops_agree(enum io_op slot, enum io_op own)
{
	switch (slot) {
	case IO_READ:
	case IO_WRITE:
	case IO_DISCARD:
		return own == slot;
	case IO_FLUSH:
	case IO_BARRIER:
		return own == IO_FLUSH || own == IO_WRITE;
	default:
		return true;
	}
}

static void contradiction(
	struct linux_ctx *c, const char *device, const struct io_request *r, const char *what)
{
	finding_add(&c->s->findings, "XB307", finding_at_slot(device, (int)r->ring, (int)r->slot),
		"the slot and the block layer's request at 0x%" PRIx64 " differ: %s",
		r->request_va.v, what);
}

/* Segments that go on in the same page count as one: a scatter list joins them, bios need not. */
static bool next_stretch(const struct io_request *r, size_t *i, struct io_segment *ret)
{
	if (*i == r->nr_seg)
		return false;
	*ret = r->seg[(*i)++];
	while (*i < r->nr_seg && r->seg[*i].pfn.v == ret->pfn.v &&
		r->seg[*i].offset == ret->offset + ret->bytes)
		ret->bytes += r->seg[(*i)++].bytes;
	return true;
}

static bool all_known(const struct io_request *r)
{
	size_t i;

	for (i = 0; i < r->nr_seg; i++)
		if (r->seg[i].frame == IO_FRAME_UNKNOWN)
			return false;
	return r->nr_seg && !r->trouble;
}

static void compare_data(struct linux_ctx *c, const char *device, const struct io_request *r,
	const struct io_request *own)
{
	struct io_segment a, b;
	size_t i = 0, j = 0;
	char what[160];

	while (next_stretch(r, &i, &a)) {
		if (!next_stretch(own, &j, &b)) {
			contradiction(c, device, r, "its bios have less data");
			return;
		}
		if (a.pfn.v == b.pfn.v && a.offset == b.offset && a.bytes == b.bytes)
			continue;
		snprintf(what, sizeof(what),
			"%u bytes at %u of page 0x%" PRIx64
			", and %u bytes at %u of page 0x%" PRIx64,
			a.bytes, a.offset, a.pfn.v, b.bytes, b.offset, b.pfn.v);
		contradiction(c, device, r, what);
		return;
	}
	if (j < own->nr_seg)
		contradiction(c, device, r, "its bios have more data");
}

int linux_compare_request(
	struct linux_ctx *c, const char *device, const struct io_request *r, struct err *err)
{
	struct io_request own = {.request_va = r->request_va};
	struct err ignored = ERR_INIT;
	uint64_t flags, len, budget = c->segments_left;
	char what[64];
	int status;

	if (!r->request_va.v ||
		layout_read(c->g, r->request_va, &c->l.rq_cmd_flags, &flags, &ignored))
		return 0;
	if (!ops_agree(r->op, linux_request_op(flags))) {
		snprintf(what, sizeof(what), "a %s, and a %s", io_op_name(r->op),
			io_op_name(linux_request_op(flags)));
		contradiction(c, device, r, what);
		return 0;
	}
	if (r->op == IO_DISCARD &&
		!layout_read(c->g, r->request_va, &c->l.rq_data_len, &len, &ignored) &&
		len / SECTOR_BYTES != r->nr_sectors) {
		snprintf(what, sizeof(what), "%" PRIu64 " sectors, and %" PRIu64, r->nr_sectors,
			len / SECTOR_BYTES);
		contradiction(c, device, r, what);
	}
	/* A request that is one of two halves has data of both. */
	if (!all_known(r) || r->associated_id != UINT64_MAX)
		return 0;
	c->segments_left = c->compare_left;
	status = linux_add_bios(c, &own, err);
	c->compare_left = c->segments_left;
	c->segments_left = budget;
	if (!status && all_known(&own))
		compare_data(c, device, r, &own);
	io_request_fini(&own);
	return status;
}
