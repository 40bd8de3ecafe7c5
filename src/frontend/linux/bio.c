/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bio.c - what the block layer's own struct request says: operation, flags, times, data.
 *
 * The driver makes a slot and its scatter list from the request and its bios (blk_rq_map_sg()), and
 * a resume starts from the bios again, so that both name the same bytes as long as nothing was
 * overwritten.
 */
#include "frontend/linux/ctx.h"

#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"

/* include/linux/bio.h: BIO_MAX_VECS is 256; a cloned bio may stand in a longer table. */
#define MAX_BVECS 4096u
/* include/linux/blk_types.h: enum req_op, stable for these since Linux 4.8. */
#define REQ_OP_MASK	    0xffu
#define REQ_OP_READ	    0u
#define REQ_OP_WRITE	    1u
#define REQ_OP_FLUSH	    2u
#define REQ_OP_DISCARD	    3u
#define REQ_OP_SECURE_ERASE 5u

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct linux_bio_layout, dest), false                       \
	}

static const struct field_spec specs[] = {
	MAY("request", "cmd_flags", cmd_flags),
	MAY("request", "__data_len", data_len),
	MAY("request", "__sector", sector),
	MAY("request", "bio", first_bio),
	MAY("request", "start_time_ns", start_time_ns),
	MAY("bio", "bi_next", next),
	MAY("bio", "bi_io_vec", io_vec),
	MAY("bio", "bi_iter.bi_size", size),
	MAY("bio", "bi_iter.bi_idx", idx),
	MAY("bio", "bi_iter.bi_bvec_done", done),
	MAY("bio", "bi_iter.bi_offset", done_since), /* its name since 7.3 */
	MAY("bio", "bi_size", size_until),	     /* until 3.13, when a piece was done or not */
	MAY("bio", "bi_idx", idx_until),
	MAY("bio_vec", "bv_page", vec_page),
	MAY("bio_vec", "bv_len", vec_len),
	MAY("bio_vec", "bv_offset", vec_offset),
};

static int find_bit(const struct layout *types, const char *name)
{
	int64_t v;

	return layout_enum_value(types, name, &v, NULL) || v < 0 || v > 63 ? -1 : (int)v;
}

/*
 * Until 4.7 a flag says that it is a write, and others what else it is; a number of three bits at
 * the top of a long said so in 4.8 and 4.9, which no type tells of; since then the first flag is
 * above that number.
 */
static void find_op_bits(const struct layout *types, struct linux_bio_layout *ret)
{
	ret->op_is_low = find_bit(types, "__REQ_FAILFAST_DEV") >= 8;
	if (ret->op_is_low)
		return;
	ret->write_bit = find_bit(types, "__REQ_WRITE");
	if (ret->write_bit < 0)
		ret->write_bit = find_bit(types, "__REQ_RW"); /* until 2.6.35 */
	ret->discard_bit = find_bit(types, "__REQ_DISCARD");
}

void linux_bio_layout(const struct layout *types, unsigned word_bytes, struct linux_bio_layout *ret)
{
	/* A pointer and two words of 32 bits. */
	*ret = (struct linux_bio_layout){.vec_bytes = word_bytes + 8,
		.fua_bit = -1,
		.preflush_bit = -1,
		.write_bit = -1,
		.discard_bit = -1};
	if (!types)
		return;
	layout_fill_known(types, specs, ARRAY_SIZE(specs), ret);
	if (!ret->done.present)
		ret->done = ret->done_since;
	if (!ret->size.present) {
		ret->size = ret->size_until;
		ret->idx = ret->idx_until;
	}
	ret->fua_bit = find_bit(types, "__REQ_FUA");
	ret->preflush_bit = find_bit(types, "__REQ_PREFLUSH");
	if (ret->preflush_bit < 0)
		ret->preflush_bit = find_bit(types, "__REQ_FLUSH"); /* its name until 4.7 */
	find_op_bits(types, ret);
}

/* struct request.start_time_ns counts in CLOCK_MONOTONIC; 0 when accounting is off. */
static void decode_age(struct linux_ctx *c, struct io_request *r)
{
	struct err ignored = ERR_INIT;
	const struct guest_facts *f = c->facts;
	uint64_t start;

	if (!f || !f->mono_known ||
		layout_read(c->g, r->request_va, &c->bio.start_time_ns, &start, &ignored) ||
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
		!layout_read(c->g, r->request_va, &c->bio.sector, &r->rq_sector, &ignored);
	if (r->op != IO_READ && r->op != IO_WRITE && r->op != IO_BARRIER)
		return;
	if (layout_read(c->g, r->request_va, &c->bio.cmd_flags, &flags, &ignored))
		return;
	if (c->bio.fua_bit >= 0 && flags >> c->bio.fua_bit & 1)
		r->flags |= IO_FLAG_FUA;
	if (c->bio.preflush_bit >= 0 && flags >> c->bio.preflush_bit & 1)
		r->flags |= IO_FLAG_PREFLUSH;
}

bool linux_request_op_known(const struct linux_bio_layout *l)
{
	return l->op_is_low || l->write_bit >= 0;
}

static enum io_op op_by_flags(const struct linux_bio_layout *l, uint64_t flags)
{
	if (l->discard_bit >= 0 && flags >> l->discard_bit & 1)
		return IO_DISCARD;
	return l->write_bit >= 0 && flags >> l->write_bit & 1 ? IO_WRITE : IO_READ;
}

enum io_op linux_request_op(const struct linux_bio_layout *l, uint64_t cmd_flags)
{
	if (!l->op_is_low)
		return op_by_flags(l, cmd_flags);
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

bool linux_bio_start(struct guest *g, const struct linux_bio_layout *l, uint64_t bio,
	struct linux_bio_iter *ret, struct err *why)
{
	ret->nr = 0;
	ret->done = 0;
	return !layout_read(g, GVA(bio), &l->io_vec, &ret->vec, why) &&
	       !layout_read(g, GVA(bio), &l->size, &ret->size, why) &&
	       !layout_read(g, GVA(bio), &l->idx, &ret->index, why) &&
	       (!l->done.present || !layout_read(g, GVA(bio), &l->done, &ret->done, why)) &&
	       !layout_read(g, GVA(bio), &l->next, &ret->next, why);
}

/* What is left of one bio: from bi_idx on, bi_size bytes, the first bi_bvec_done bytes done. */
int linux_bio_next(struct guest *g, const struct linux_bio_layout *l, struct linux_bio_iter *it,
	struct linux_bio_piece *ret, struct err *why)
{
	gva_t at = GVA(it->vec + (it->index + it->nr) * l->vec_bytes);
	uint64_t page, len, offset;

	if (!it->size)
		return 0;
	if (it->nr++ == MAX_BVECS)
		return err_set(why, ERR_CORRUPT, "a bio of too many pieces");
	if (layout_read(g, at, &l->vec_page, &page, why) ||
		layout_read(g, at, &l->vec_len, &len, why) ||
		layout_read(g, at, &l->vec_offset, &offset, why))
		return err_in(why, "bio_vec at 0x%" PRIx64, at.v);
	if (it->done > len)
		return err_set(why, ERR_CORRUPT,
			"bio_vec at 0x%" PRIx64 " is shorter than what is done", at.v);
	*ret = (struct linux_bio_piece){.page = page, .offset = offset + it->done};
	ret->bytes = MIN(len - it->done, it->size);
	if (!ret->bytes)
		return err_set(why, ERR_CORRUPT, "bio_vec at 0x%" PRIx64 " is empty", at.v);
	it->size -= ret->bytes;
	it->done = 0;
	return 1;
}

struct linux_bvec_place linux_bio_place(
	const struct linux_bio_layout *l, const struct linux_bio_iter *it)
{
	return (struct linux_bvec_place){it->vec + it->index * l->vec_bytes, it->done};
}

bool linux_bvec_bytes(struct guest *g, const struct linux_bio_layout *l,
	const struct linux_bvec_place *from, const struct linux_bvec_place *to, uint64_t *left,
	uint64_t *ret)
{
	uint64_t sum = 0, at = from->entry, len;

	if (to->entry < at || (to->entry - at) % l->vec_bytes ||
		(to->entry - at) / l->vec_bytes > MAX_BVECS)
		return false;
	for (; at < to->entry; at += l->vec_bytes, sum += len)
		if (!*left || !(*left)-- || layout_read(g, GVA(at), &l->vec_len, &len, NULL))
			return false;
	if (sum + to->done < from->done)
		return false;
	*ret = sum + to->done - from->done;
	return true;
}

static int add_bio(struct linux_ctx *c, struct linux_bio_iter *it, const struct linux_pieces *to,
	struct err *err)
{
	struct linux_bio_piece piece;
	struct err why = ERR_INIT;
	int more = 0;

	while (*to->left && (more = linux_bio_next(c->g, &c->bio, it, &piece, &why)) > 0) {
		int status = linux_add_piece(to, piece.page, piece.offset, piece.bytes, err);

		if (status)
			return status;
	}
	if (more >= 0 && !it->size)
		return 0;
	linux_trouble(to->r, "%s", more < 0 ? why.text : "a bio of too many pieces");
	return 1;
}

int linux_add_bios(struct linux_ctx *c, const struct linux_pieces *to, struct err *err)
{
	struct io_request *r = to->r;
	struct err why = ERR_INIT;
	struct linux_bio_iter b;
	uint64_t bio;
	unsigned k;

	if (layout_read(c->g, r->request_va, &c->bio.first_bio, &bio, &why)) {
		linux_trouble(r, "the request's bio: %s", why.text);
		return 0;
	}
	for (k = 0; bio; k++, bio = b.next) {
		int status;

		if (k == LINUX_MAX_BIOS || !*to->left) {
			linux_trouble(r, "too many bios");
			return 0;
		}
		--*to->left;
		if (!linux_bio_start(c->g, &c->bio, bio, &b, &why)) {
			linux_trouble(r, "bio at 0x%" PRIx64 ": %s", bio, why.text);
			return 0;
		}
		if (!b.size) {
			linux_trouble(r, "bio at 0x%" PRIx64 " is empty", bio);
			return 0;
		}
		status = add_bio(c, &b, to, err);
		if (status)
			return status < 0 ? -1 : 0;
	}
	return 0;
}
