/* SPDX-License-Identifier: BSD-2-Clause
 *
 * emit.c - from what the driver's objects say to devices, rings and requests.
 *
 * The one interface carries all disks. Each disk becomes a device with its own requests, and each
 * carries the whole ring, so that every index of a request leads somewhere and no slot is lost;
 * the slots and the window of the ring are those of all disks together.
 */
#include "frontend/netbsd/xbd.h"

#include <stdarg.h>
#include <string.h>

#include "base/num.h"

#define NB_NO_DEVICE UINT32_MAX

static void PRINTF(2, 3) add_trouble(struct io_request *r, const char *fmt, ...)
{
	char *text = NULL, *all = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text && asprintf(&all, "%s%s%s", r->trouble ? r->trouble : "", r->trouble ? "; " : "",
			    text) >= 0) {
		free(r->trouble);
		r->trouble = all;
	}
	free(text);
}

static enum io_op wire_op(uint8_t op)
{
	switch (op) {
	case NB_OP_READ:
		return IO_READ;
	case NB_OP_WRITE:
		return IO_WRITE;
	case NB_OP_PROBE:
		return IO_PROBE;
	default:
		return IO_UNKNOWN;
	}
}

static void emit_frame(struct guest *g, struct nb_state *st, uint32_t fas, struct io_request *r,
	struct io_segment *seg)
{
	uint32_t page = fas >> PAGE_SHIFT;

	if (page < NB_BIAS_PAGES) {
		add_trouble(r, "segment %zu lies at pseudo-physical 0x%x, below the kernel at 0x%x",
			r->nr_seg - 1, fas & ~PAGE_OFFSET_MASK, NB_BIAS_PAGES << PAGE_SHIFT);
		seg->unbiased = true;
		return;
	}
	seg->pfn = PFN(page - NB_BIAS_PAGES);
	seg->frame = memory_page(guest_memory(g), seg->pfn).state == MEMORY_DATA ? IO_FRAME_OK
										 : IO_FRAME_HOLE;
	if (st->p2m && p2m_lookup(st->p2m, seg->pfn, &seg->source_mfn) != P2M_VALID)
		seg->source_mfn = MFN_NONE;
}

static int emit_segments(
	struct guest *g, struct nb_state *st, const struct nb_wire *w, struct io_request *r)
{
	unsigned i;

	r->segs_wanted = w->nr_seg;
	if (w->nr_seg > NB_MAX_SEGS) {
		add_trouble(r, "%u segments, more than the %u of a slot", w->nr_seg, NB_MAX_SEGS);
		return 0;
	}
	for (i = 0; i < w->nr_seg; i++) {
		struct io_segment *seg = io_segment_append(r);

		if (!seg)
			return -1;
		seg->sects_known = true;
		seg->first_sect = (uint8_t)nb_fas_first(w->fas[i]);
		seg->last_sect = (uint8_t)nb_fas_last(w->fas[i]);
		seg->offset = seg->first_sect * SECTOR_BYTES;
		if (nb_fas_ok(w->fas[i]))
			seg->bytes = (nb_fas_last(w->fas[i]) - nb_fas_first(w->fas[i]) + 1) *
				     SECTOR_BYTES;
		else
			add_trouble(r, "segment %u has the malformed word 0x%x", i, w->fas[i]);
		emit_frame(g, st, w->fas[i], r, seg);
	}
	return 0;
}

/* The answer to a slot among those that the guest has not consumed. */
static bool is_answered(const struct nb_state *st, unsigned slot, int16_t *ret_status)
{
	uint32_t nr = st->resp_prod - st->rsp_cons, i;

	if (!st->ring_known || nr > NB_SLOTS)
		return false;
	for (i = st->rsp_cons; i != st->resp_prod; i++) {
		struct nb_response rsp = nb_response_parse(nb_ring_slot(st->ring, i));

		if (rsp.id != slot)
			continue;
		*ret_status = rsp.status;
		return true;
	}
	return false;
}

static int emit_request(struct guest *g, struct nb_state *st, unsigned slot, struct blkdev *d)
{
	const struct nb_wire *w = &st->log[slot];
	const struct nb_sector *sector = &st->sector[slot];
	struct io_request *r = io_request_append(&d->requests, &d->nr_requests);

	if (!r)
		return -1;
	r->slot = slot;
	r->wire_op = w->op;
	r->op = wire_op(w->op);
	r->wire_handle = w->device;
	r->handle_known = true;
	r->id = w->id;
	r->request_va = GVA(w->id);
	r->slot_va = GVA(st->at.log_va + slot * NB_SLOT_BYTES);
	r->recorded_sector = w->sector;
	r->sector_from = sector->from;
	r->sector = sector->from == IO_SECTOR_UNKNOWN ? 0 : sector->sector;
	if (is_answered(st, slot, &r->rsp_status))
		r->state = IO_RESPONDED;
	if (r->op == IO_UNKNOWN)
		add_trouble(r, "operation %u does not exist in Xen 2.0", w->op);
	if (emit_segments(g, st, w, r))
		return -1;
	if (r->op != IO_PROBE && w->nr_seg <= NB_MAX_SEGS)
		r->nr_sectors = nb_wire_bytes(w) / SECTOR_BYTES;
	if (r->op != IO_PROBE && r->sector_from == IO_SECTOR_UNKNOWN)
		add_trouble(r, "the driver logs no sector, and it cannot be recovered: %s",
			sector->why_not);
	return 0;
}

static void window_entry(
	const struct nb_state *st, uint32_t index, bool is_response, struct io_ring_entry *e)
{
	const uint8_t *bytes = nb_ring_slot(st->ring, index);
	struct nb_response rsp = nb_response_parse(bytes);
	struct nb_wire w = nb_wire_parse(bytes);

	*e = (struct io_ring_entry){.index = index, .is_response = is_response};
	if (is_response) {
		e->id = rsp.id;
		e->wire_op = rsp.op;
		e->status = rsp.status;
		return;
	}
	e->id = w.id;
	e->wire_op = w.op;
	e->nr_seg = w.nr_seg;
	e->sector = w.sector;
	memcpy(e->gref, w.fas, sizeof(e->gref));
}

/* Unconsumed answers, then unanswered requests; what contradicts itself stays empty. */
static int emit_window(const struct nb_state *st, struct io_ring *ring)
{
	uint32_t i;

	if (!st->ring_known || st->indices == IO_INDICES_UNKNOWN ||
		st->pvt_prod - st->rsp_cons > NB_SLOTS || st->resp_prod - st->rsp_cons > NB_SLOTS ||
		st->pvt_prod - st->resp_prod > NB_SLOTS)
		return 0;
	ring->window = calloc(NB_SLOTS, sizeof(*ring->window));
	if (!ring->window)
		return -1;
	for (i = st->rsp_cons; i != st->pvt_prod; i++)
		window_entry(st, i, i - st->rsp_cons < st->resp_prod - st->rsp_cons,
			&ring->window[ring->nr_window++]);
	return 0;
}

static int emit_ring_page(const struct nb_state *st, struct io_ring *ring)
{
	mfn_t mfn;

	ring->pages = calloc(1, sizeof(*ring->pages));
	ring->page_source_mfn = calloc(1, sizeof(*ring->page_source_mfn));
	ring->page_target_mfn = calloc(1, sizeof(*ring->page_target_mfn));
	if (!ring->pages || !ring->page_source_mfn || !ring->page_target_mfn)
		return -1;
	ring->nr_pages = 1;
	ring->pages[0] = st->ring_pfn;
	ring->page_source_mfn[0] = ring->page_target_mfn[0] = MFN_NONE;
	if (st->p2m && p2m_lookup(st->p2m, st->ring_pfn, &mfn) == P2M_VALID)
		ring->page_source_mfn[0] = mfn;
	return 0;
}

static int emit_ring(const struct nb_state *st, struct blkdev *d)
{
	struct io_ring *ring = d->rings = calloc(1, sizeof(*d->rings));
	unsigned i;

	if (!ring)
		return -1;
	d->nr_rings = 1;
	/* xbdstart() and fill_ring() look at neither state nor recovery. */
	ring->repeats_in_recovery = true;
	ring->va = GVA(st->at.statics_va);
	ring->shadow_va = GVA(st->at.log_va);
	ring->sring_va = GVA(st->at.ring_va);
	ring->entries = NB_SLOTS;
	ring->indices = st->indices;
	ring->req_prod_pvt = st->pvt_prod;
	ring->rsp_cons = st->rsp_cons;
	ring->sring_known = st->ring_known;
	ring->sring_req_prod = st->req_prod;
	ring->sring_rsp_prod = st->resp_prod;
	ring->free_head = st->at.free_head.known ? st->at.free_head.v : nb_longest_list(st->log);
	ring->free_nil = NB_NIL;
	ring->free_list_ok = st->free_list_ok;
	ring->nr_free = st->nr_free;
	ring->nr_used = st->nr_used;
	ring->slots = calloc(NB_SLOTS, sizeof(*ring->slots));
	if (!ring->slots)
		return -1;
	for (i = 0; i < NB_SLOTS; i++)
		ring->slots[i] = (struct io_slot){
			.used = nb_is_used(&st->log[i]),
			.wire_op = st->log[i].op,
			.nr_seg_wire = st->log[i].nr_seg,
			.id = st->log[i].id,
			.request = st->log[i].id,
			.status = UINT32_MAX,
			.associated_id = UINT64_MAX,
		};
	return emit_ring_page(st, ring) || emit_window(st, ring) ? -1 : 0;
}

/* `state` is one of several static variables of that name; without it, `recovery` tells as much: it
 * is set from the loss of the old ring until the requests were issued again. */
static const char *state_name(const struct nb_place *at)
{
	static const char *const names[] = {"closed", "disconnected", "connected"};

	if (at->state.known)
		return at->state.v < ARRAY_SIZE(names) ? names[at->state.v] : "unknown";
	return at->log_null || (at->recovery.known && at->recovery.v) ? "disconnected" : "unknown";
}

static struct blkdev *emit_device(struct nb_state *st, uint32_t device, struct snapshot *s)
{
	struct blkdev *d = snapshot_add_device(s);
	unsigned i;

	if (!d)
		return NULL;
	snprintf(d->name, sizeof(d->name), "xbd");
	d->driver = &frontend_netbsd_xbd;
	d->shares_ring = true;
	snprintf(d->state, sizeof(d->state), "%s", state_name(&st->at));
	d->located_by = st->at.by;
	d->confirmed_by = st->confirmed_by;
	d->confirmed = st->confirmed;
	d->va = GVA(st->at.statics_va);
	if (st->at.recovery.known)
		d->recovering = st->at.recovery.v ? TRI_YES : TRI_NO;
	if (device == NB_NO_DEVICE)
		return d;
	nb_device_name((uint16_t)device, d->name, sizeof(d->name));
	d->handle = device;
	for (i = 0; i < st->nr_vbds; i++) {
		if (st->vbd[i].device != device)
			continue;
		d->nr_sectors = st->vbd[i].sectors;
		d->read_only = st->vbd[i].info & NB_INFO_READONLY ? TRI_YES : TRI_NO;
	}
	return d;
}

/* The disks that vbd_info lists, those that only a request names, and for a probe (which is for no
 * disk), or when there are no others, the interface itself. */
static unsigned list_devices(const struct nb_state *st, uint32_t list[2 * NB_SLOTS + 1])
{
	bool want_interface = false;
	unsigned i, j, nr = 0;

	for (i = 0; i < st->nr_vbds; i++)
		list[nr++] = st->vbd[i].device;
	for (i = 0; i < NB_SLOTS; i++) {
		if (!nb_is_used(&st->log[i]))
			continue;
		if (st->log[i].op == NB_OP_PROBE) {
			want_interface = true;
			continue;
		}
		for (j = 0; j < nr && list[j] != st->log[i].device; j++)
			;
		if (j == nr)
			list[nr++] = st->log[i].device;
	}
	if (want_interface || !nr)
		list[nr++] = NB_NO_DEVICE;
	return nr;
}

static uint32_t device_of(const struct nb_wire *w)
{
	return w->op == NB_OP_PROBE ? NB_NO_DEVICE : w->device;
}

static int emit_requests(struct guest *g, struct nb_state *st, uint32_t device, struct blkdev *d)
{
	unsigned i;

	for (i = 0; i < NB_SLOTS; i++)
		if (nb_is_used(&st->log[i]) && device_of(&st->log[i]) == device &&
			emit_request(g, st, i, d))
			return -1;
	return 0;
}

static bool vbd_listed(const struct nb_state *st, uint16_t device)
{
	unsigned i;

	for (i = 0; i < st->nr_vbds; i++)
		if (st->vbd[i].device == device)
			return true;
	return false;
}

/* Requests for a disk that vbd_info, which is known, does not have. */
static void report_strangers(const struct nb_state *st, struct snapshot *s)
{
	unsigned i;

	for (i = 0; st->nr_vbds && i < NB_SLOTS; i++) {
		const struct nb_wire *w = &st->log[i];
		char name[32];

		if (!nb_is_used(w) || w->op == NB_OP_PROBE || vbd_listed(st, w->device))
			continue;
		nb_device_name(w->device, name, sizeof(name));
		finding_add(&s->findings, "XB215", finding_at_slot(name, 0, (int)i),
			"the request is for device %u, which the driver's table of %u disks does "
			"not have",
			w->device, st->nr_vbds);
	}
}

/* What was not where the driver has it. */
static void report_places(const struct nb_state *st, struct snapshot *s)
{
	const struct nb_place *at = &st->at;

	if (!st->log_known)
		return;
	if (!at->statics_va)
		finding_add(&s->findings, "XB213", finding_at_device("xbd"),
			"no kernel word points to the recovery ring at 0x%x", at->log_va);
	if (!st->ring_known && !at->ring_null && at->ring_va)
		finding_add(&s->findings, "XB214", finding_at_device("xbd"),
			"the shared ring at 0x%x is not in the checkpoint", at->ring_va);
	else if (!st->ring_known && !at->ring_null)
		finding_add(&s->findings, "XB214", finding_at_device("xbd"),
			"no page of the checkpoint holds what the recovery ring has logged");
	report_strangers(st, s);
}

int nb_emit(struct guest *g, struct nb_state *st, struct snapshot *s, struct err *err)
{
	uint32_t list[2 * NB_SLOTS + 1];
	unsigned i, nr = list_devices(st, list);

	report_places(st, s);
	if (st->at.log_null)
		finding_add(&s->findings, "XB208", finding_at_device("xbd"),
			"rec_ring at 0x%x is NULL: no disk was connected yet, nothing is pending",
			st->at.statics_va);
	else if (!st->log_known)
		finding_add(&s->findings, "XB209", finding_at_device("xbd"),
			"the recovery ring at 0x%x is not in the checkpoint: what is pending "
			"is not known",
			st->at.log_va);
	for (i = 0; i < nr; i++) {
		struct blkdev *d = emit_device(st, list[i], s);

		if (!d)
			return err_nomem(err, "a device");
		d->requests_known = st->log_known || st->at.log_null;
		if (st->log_known && (emit_ring(st, d) || emit_requests(g, st, list[i], d)))
			return err_nomem(err, "a device's requests");
	}
	return 0;
}
