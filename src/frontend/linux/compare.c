/* SPDX-License-Identifier: BSD-2-Clause
 *
 * compare.c - a slot of the shadow against the request of the block layer that it was made from.
 */
#include "frontend/linux/ctx.h"

#include <inttypes.h>
#include <string.h>

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

static void add_contradiction(
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
			add_contradiction(c, device, r, "its bios have less data");
			return;
		}
		if (a.pfn.v == b.pfn.v && a.offset == b.offset && a.bytes == b.bytes)
			continue;
		snprintf(what, sizeof(what),
			"%u bytes at %u of page 0x%" PRIx64
			", and %u bytes at %u of page 0x%" PRIx64,
			a.bytes, a.offset, a.pfn.v, b.bytes, b.offset, b.pfn.v);
		add_contradiction(c, device, r, what);
		return;
	}
	if (j < own->nr_seg)
		add_contradiction(c, device, r, "its bios have more data");
}

/* In 3.8 and 3.9 the frame in the slot and the page of the grant are the same. */
static void compare_frames(struct linux_ctx *c, const char *device, const struct io_request *r)
{
	size_t i;

	for (i = 0; i < r->nr_seg && !c->l.slot_sg.present; i++) {
		const struct io_segment *seg = &r->seg[i];

		if (seg->frame != IO_FRAME_OK || seg->grant_pfn.v == UINT64_MAX ||
			seg->grant_pfn.v == seg->pfn.v)
			continue;
		finding_add(&c->s->findings, "XB320",
			finding_at_slot(device, (int)r->ring, (int)r->slot),
			"segment %zu: frame 0x%" PRIx64 " in the slot, page 0x%" PRIx64
			" in its grant",
			i, seg->pfn.v, seg->grant_pfn.v);
		return;
	}
}

/* Each entry of the list is in one page, and has a segment of its own (blkif_queue_rw_req()). */
static void compare_list(struct linux_ctx *c, const char *device, const struct io_request *r)
{
	uint64_t nr;

	if (!r->segs_wanted || layout_read(c->g, r->slot_va, &c->l.slot_num_sg, &nr, NULL) ||
		nr == r->segs_wanted)
		return;
	finding_add(&c->s->findings, "XB306", finding_at_slot(device, (int)r->ring, (int)r->slot),
		"the request has %" PRIu64 " segments, its scatter list %" PRIu64 " entries",
		r->segs_wanted, nr);
}

int linux_compare_request(
	struct linux_ctx *c, const char *device, const struct io_request *r, struct err *err)
{
	struct io_request own = {.request_va = r->request_va};
	const struct linux_pieces to = {&c->pages, &own, &c->left.compared};
	struct err ignored = ERR_INIT;
	uint64_t flags, len;
	enum io_op own_op;
	char what[64];
	int status;

	compare_frames(c, device, r);
	compare_list(c, device, r);
	if (!r->request_va.v ||
		layout_read(c->g, r->request_va, &c->bio.cmd_flags, &flags, &ignored))
		return 0;
	own_op = linux_request_op(&c->bio, flags);
	if (linux_request_op_known(&c->bio) && !ops_agree(r->op, own_op)) {
		snprintf(what, sizeof(what), "a %s, and a %s", io_op_name(r->op),
			io_op_name(own_op));
		add_contradiction(c, device, r, what);
		return 0;
	}
	if (r->op == IO_DISCARD &&
		!layout_read(c->g, r->request_va, &c->bio.data_len, &len, &ignored) &&
		len / SECTOR_BYTES != r->nr_sectors) {
		snprintf(what, sizeof(what), "%" PRIu64 " sectors, and %" PRIu64, r->nr_sectors,
			len / SECTOR_BYTES);
		add_contradiction(c, device, r, what);
	}
	/* A request that is one of two halves has data of both. The frames of 3.8 and 3.9 are those
	 * of copies. */
	if (!all_known(r) || r->associated_id != UINT64_MAX ||
		(!c->l.slot_sg.present && c->l.slot_grants_used.present))
		return 0;
	status = linux_add_bios(c, &to, err);
	if (!status && all_known(&own))
		compare_data(c, device, r, &own);
	io_request_fini(&own);
	return status;
}
