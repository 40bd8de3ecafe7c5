/* SPDX-License-Identifier: BSD-2-Clause
 *
 * emit.c - from the log to devices; and what the driver does with it when the guest resumes.
 *
 * blkif_recover() posts each used slot again, ascending, as request 0, 1, 2 and so on, and shows
 * them all at once. The frames in the log are pseudo-physical and are translated anew.
 */
#include "frontend/xenlinux/xenlinux.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

#define NO_DEVICE UINT32_MAX /* of a probe, and of an interface with nothing in flight */

static enum io_op op_of(uint8_t op)
{
	static const enum io_op ops[] = {IO_READ, IO_WRITE, IO_PROBE};

	return op < ARRAY_SIZE(ops) ? ops[op] : IO_UNKNOWN;
}

static void say_trouble(struct io_request *r, const char *what, unsigned i, uint32_t v)
{
	if (!r->trouble && asprintf(&r->trouble, "segment %u: 0x%x %s", i, v, what) < 0)
		r->trouble = NULL;
}

static int emit_segments(struct guest *g, const struct xl_slot *w, struct io_request *r)
{
	unsigned i;

	r->segs_wanted = w->nr_seg;
	for (i = 0; i < MIN((unsigned)w->nr_seg, XL_MAX_SEGS); i++) {
		struct io_segment *seg = io_segment_append(r);
		uint32_t fas = w->fas[i];
		enum memory_state state;

		if (!seg)
			return -1;
		seg->sects_known = true;
		seg->first_sect = fas >> 3 & 7;
		seg->last_sect = fas & 7;
		seg->offset = seg->first_sect * SECTOR_BYTES;
		if (seg->first_sect <= seg->last_sect)
			seg->bytes = (seg->last_sect - seg->first_sect + 1u) * SECTOR_BYTES;
		else
			say_trouble(r, "has its sectors backwards", i, fas);
		seg->pfn = PFN(fas >> PAGE_SHIFT);
		state = memory_page(guest_memory(g), seg->pfn).state;
		seg->frame = seg->pfn.v >= guest_info(g)->nr_pfns ? IO_FRAME_UNKNOWN
			     : state == MEMORY_DATA		  ? IO_FRAME_OK
								  : IO_FRAME_HOLE;
		if (seg->frame == IO_FRAME_UNKNOWN)
			say_trouble(r, "is beyond the guest's memory", i, fas);
		r->nr_sectors += seg->bytes / SECTOR_BYTES;
	}
	return 0;
}

static void note_answer(const struct xl_state *st, unsigned slot, struct io_request *r)
{
	uint32_t i, nr = st->resp_prod - st->rsp_cons;

	for (i = 0; st->ring_known && nr <= XL_SLOTS && i < nr; i++) {
		const uint8_t *raw = xl_ring_slot(st->ring, st->rsp_cons + i);

		if (num_le32(raw) != slot)
			continue;
		r->state = IO_RESPONDED;
		r->rsp_status = (int16_t)num_le16(raw + 5); /* behind id and operation, packed */
	}
}

static int emit_request(struct guest *g, const struct xl_state *st, unsigned slot, struct blkdev *d)
{
	const struct xl_slot *w = &st->log[slot];
	struct io_request *r = io_request_append(&d->requests, &d->nr_requests);

	if (!r)
		return -1;
	r->slot = slot;
	r->wire_op = w->op;
	r->op = op_of(w->op);
	r->wire_handle = w->device;
	r->handle_known = true;
	r->id = w->id;
	r->request_va = GVA(w->id);
	r->slot_va = GVA(st->log_va + slot * XL_SLOT_BYTES);
	note_answer(st, slot, r);
	if (r->op == IO_PROBE)
		return 0;
	r->sector_from = IO_SECTOR_SHADOW;
	r->sector = w->sector;
	return emit_segments(g, w, r);
}

static void fill_window(const struct xl_state *st, struct io_ring *ring)
{
	uint32_t i;

	for (i = st->rsp_cons; i != st->req_prod; i++) {
		struct io_ring_entry *e = &ring->window[ring->nr_window++];
		const uint8_t *raw = xl_ring_slot(st->ring, i);
		struct xl_slot w = xl_parse(raw);

		e->index = i;
		e->is_response = i - st->rsp_cons < st->resp_prod - st->rsp_cons;
		e->id = e->is_response ? num_le32(raw) : w.id;
		e->wire_op = e->is_response ? raw[4] : w.op;
		e->status = e->is_response ? (int16_t)num_le16(raw + 5) : 0;
		e->nr_seg = w.nr_seg;
		e->sector = w.sector;
		memcpy(e->gref, w.fas, sizeof(e->gref));
	}
}

static int emit_ring(const struct xl_state *st, struct blkdev *d)
{
	struct io_ring *ring = d->rings = calloc(1, sizeof(*d->rings));
	unsigned i;

	if (!ring)
		return -1;
	d->nr_rings = 1;
	ring->publishes_at_once = true; /* io_request_lock, or the queue's */
	ring->shadow_va = ring->va = GVA(st->log_va);
	ring->sring_va = GVA(st->ring_va);
	ring->entries = XL_SLOTS;
	ring->indices = st->indices_read ? IO_INDICES_READ
			: st->ring_known ? IO_INDICES_DERIVED
					 : IO_INDICES_UNKNOWN;
	ring->req_prod_pvt = st->pvt_prod;
	ring->rsp_cons = st->rsp_cons;
	ring->sring_known = st->ring_known;
	ring->sring_req_prod = st->req_prod;
	ring->sring_rsp_prod = st->resp_prod;
	ring->free_head = st->free_head;
	ring->free_nil = XL_NIL;
	ring->free_list_ok = st->free_list_ok;
	ring->nr_used = st->nr_used;
	ring->nr_free = XL_SLOTS - st->nr_used;
	ring->slots = calloc(XL_SLOTS, sizeof(*ring->slots));
	ring->pages = calloc(1, sizeof(*ring->pages));
	ring->page_source_mfn = calloc(1, sizeof(*ring->page_source_mfn));
	ring->page_target_mfn = calloc(1, sizeof(*ring->page_target_mfn));
	ring->window = calloc(XL_SLOTS, sizeof(*ring->window));
	if (!ring->slots || !ring->pages || !ring->page_source_mfn || !ring->page_target_mfn ||
		!ring->window)
		return -1;
	ring->nr_pages = 1;
	ring->pages[0] = st->ring_pfn;
	ring->page_source_mfn[0] = ring->page_target_mfn[0] = MFN_NONE;
	for (i = 0; i < XL_SLOTS; i++)
		ring->slots[i] = (struct io_slot){
			.used = xl_is_used(&st->log[i]),
			.wire_op = st->log[i].op,
			.nr_seg_wire = st->log[i].nr_seg,
			.id = st->log[i].id,
			.request = st->log[i].id,
			.status = UINT32_MAX,
			.associated_id = UINT64_MAX,
		};
	if (st->ring_known && st->req_prod - st->rsp_cons <= XL_SLOTS &&
		st->resp_prod - st->rsp_cons <= st->req_prod - st->rsp_cons)
		fill_window(st, ring);
	return 0;
}

/* Block majors of Linux by which Xen 2.0 names disks: IDE 64 minors each, SCSI 16. */
static void name_device(uint32_t device, char *buf, size_t cap)
{
	static const uint8_t ide[] = {3, 22, 33, 34, 56, 57, 88, 89, 90, 91};
	unsigned major = device >> 8, minor = device & 255, i;
	char part[8] = "";

	for (i = 0; i < ARRAY_SIZE(ide); i++) {
		if (ide[i] != major)
			continue;
		if (minor % 64)
			snprintf(part, sizeof(part), "%u", minor % 64);
		snprintf(buf, cap, "hd%c%s", (char)('a' + 2 * i + minor / 64 % 2), part);
		return;
	}
	if (minor % 16)
		snprintf(part, sizeof(part), "%u", minor % 16);
	if (major == 8)
		snprintf(buf, cap, "sd%c%s", (char)('a' + minor / 16), part);
	else
		snprintf(buf, cap, "vbd-%u", device);
}

static struct blkdev *emit_device(const struct xl_state *st, uint32_t device, struct snapshot *s)
{
	struct blkdev *d = snapshot_add_device(s);

	if (!d)
		return NULL;
	snprintf(d->name, sizeof(d->name), "vbd");
	d->driver = &frontend_xenlinux;
	d->shares_ring = true;
	d->requests_known = true;
	d->located_by = st->by;
	d->va = GVA(st->log_va);
	d->recovering = st->recovering;
	snprintf(d->state, sizeof(d->state), "%s",
		st->recovering == TRI_NO    ? "connected"
		: st->recovering == TRI_YES ? "disconnected"
					    : "unknown");
	if (device == NO_DEVICE)
		return d;
	name_device(device, d->name, sizeof(d->name));
	d->handle = device;
	return d;
}

static uint32_t device_of(const struct xl_slot *w)
{
	return w->op == XL_OP_PROBE ? NO_DEVICE : w->device;
}

/* The disks that requests name; the interface itself for a probe, or when there is nothing else. */
static unsigned list_devices(const struct xl_state *st, uint32_t list[XL_SLOTS])
{
	unsigned i, j, nr = 0;

	for (i = 0; i < XL_SLOTS; i++) {
		if (!xl_is_used(&st->log[i]))
			continue;
		for (j = 0; j < nr && list[j] != device_of(&st->log[i]); j++)
			;
		if (j == nr)
			list[nr++] = device_of(&st->log[i]);
	}
	if (!nr)
		list[nr++] = NO_DEVICE;
	return nr;
}

static int emit_devices(
	struct guest *g, const struct xl_state *st, struct snapshot *s, struct err *err)
{
	uint32_t list[XL_SLOTS];
	unsigned i, k, nr = list_devices(st, list);

	for (i = 0; i < nr; i++) {
		struct blkdev *d = emit_device(st, list[i], s);

		if (!d || emit_ring(st, d))
			return err_nomem(err, "a device");
		for (k = 0; k < XL_SLOTS; k++)
			if (xl_is_used(&st->log[k]) && device_of(&st->log[k]) == list[i] &&
				emit_request(g, st, k, d))
				return err_nomem(err, "a device's requests");
	}
	snprintf(s->guest.os, sizeof(s->guest.os), "Linux");
	return 0;
}

static int find_xenlinux(struct guest *g, const struct kernel *k,
	const struct frontend_options *opt, struct snapshot *s, struct err *err)
{
	struct xl_state st;

	return xl_find(g, k, opt, s, &st) ? emit_devices(g, &st, s, err) : 0;
}

static void place_request(
	const struct blkdev *d UNUSED, const struct io_request *r UNUSED, struct resume_place *ret)
{
	*ret = (struct resume_place){.why = "by slot",
		.stream = "log",
		.order_known = true,
		.copied_anew = true}; /* the frames themselves */
}

static const struct frontend_resume resume = {
	.place = place_request,
	.order = frontend_order_by_slot,
	.order_known = frontend_order_is_known,
	.one_log = true,
};

const struct frontend_ops frontend_xenlinux = {
	.name = "xenlinux",
	.looks_for =
		"the log of Linux' block frontend in a Xen 2.0 guest (64 slots of 60 bytes), by "
		"the symbol rec_ring or by its structure",
	.word_bytes = 4,
	.find = find_xenlinux,
	.resume = &resume,
};
