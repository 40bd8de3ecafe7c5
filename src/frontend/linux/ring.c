/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ring.c - one ring of xen-blkfront: indices, shared ring, shadow slots, requests.
 */
#include "frontend/linux/ctx.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/num.h"
#include "frontend/blkif_abi.h"
#include "frontend/linux/rings.h"

/* drivers/block/xen-blkfront.c: the end of the list of free slots. */
#define FREE_LIST_NIL 0x0fffffffu

/* What decoding one ring needs to hand around. */
struct ring_job {
	struct linux_ctx *c;
	struct blkdev *d;
	struct io_ring *ring;
	int16_t *rsp_status; /* by slot; valid where `responded` */
	bool *responded;
};

static void free_job(struct ring_job *j)
{
	free(j->rsp_status);
	free(j->responded);
}

static void ring_finding(struct ring_job *j, const char *what, const struct err *why)
{
	finding_add(&j->c->s->findings, "XB311",
		finding_at_slot(j->d->name, (int)j->ring->index, -1),
		"ring %u at 0x%" PRIx64 ": %s: %s", j->ring->index, j->ring->va.v, what, why->text);
}

static bool get_u32(
	struct linux_ctx *c, gva_t va, const struct field *f, uint32_t *ret, struct err *why)
{
	uint64_t v;

	if (layout_read(c->g, va, f, &v, why))
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* What the others outvote. */
static void PRINTF(2, 3) contradiction(struct ring_job *j, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	finding_add(&j->c->s->findings, "XB311",
		finding_at_slot(j->d->name, (int)j->ring->index, -1),
		"ring %u at 0x%" PRIx64 ": %s", j->ring->index, j->ring->va.v, text);
}

/* The indices and pointers of the driver's ring structure. */
static bool read_ring_header(struct ring_job *j, gva_t info, uint32_t entries, struct err *why)
{
	struct linux_ctx *c = j->c;
	struct io_ring *r = j->ring;
	uint64_t sring, back = info.v;

	if (!get_u32(c, r->va, &c->l.ring_pvt, &r->req_prod_pvt, why) ||
		!get_u32(c, r->va, &c->l.ring_cons, &r->rsp_cons, why) ||
		!get_u32(c, r->va, &c->l.ring_nr_ents, &r->entries, why) ||
		layout_read(c->g, r->va, &c->l.ring_sring, &sring, why) ||
		layout_read(c->g, r->va, &c->l.ring_shadow_free, &r->free_head, why) ||
		(c->l.ring_dev_info.present &&
			layout_read(c->g, r->va, &c->l.ring_dev_info, &back, why)))
		return false;
	if (linux_ring_points(c, info, r->va, entries) < LINUX_RING_POINTS) {
		err_set(why, ERR_CORRUPT,
			"dev_info 0x%" PRIx64 ", expected 0x%" PRIx64 ", and %u entries", back,
			info.v, r->entries);
		return false;
	}
	if (back != info.v)
		contradiction(
			j, "its dev_info is 0x%" PRIx64 ", expected 0x%" PRIx64, back, info.v);
	if (entries && r->entries != entries) {
		contradiction(j, "it claims %u entries, but is made for %u", r->entries, entries);
		r->entries = entries;
	}
	if (!r->entries || r->entries > BLKIF_MAX_RING_ENTRIES || (r->entries & (r->entries - 1))) {
		err_set(why, ERR_CORRUPT, "%u entries, expected a power of two up to %u",
			r->entries, BLKIF_MAX_RING_ENTRIES);
		return false;
	}
	if (r->entries > c->left.slots) {
		err_set(why, ERR_CORRUPT, "more shadow slots in the image than %u",
			LINUX_MAX_SLOTS);
		return false;
	}
	c->left.slots -= r->entries;
	r->indices = IO_INDICES_READ;
	r->sring_va = GVA(sring);
	r->shadow_va = gva_add(r->va, c->l.ring_shadow.off);
	r->free_nil = FREE_LIST_NIL;
	return true;
}

/* Pages that the shared ring must have to hold its entries. */
static size_t ring_pages(struct ring_job *j, gva_t info)
{
	const struct blkif_abi *abi = j->c->abi;
	struct err ignored = ERR_INIT;
	uint64_t nr, need;

	if (!layout_read(j->c->g, info, &j->c->l.info_nr_ring_pages, &nr, &ignored) &&
		nr <= BLKIF_MAX_RING_PAGES &&
		blkif_ring_entries(abi, (unsigned)nr) == j->ring->entries)
		return (size_t)nr;
	need = BLKIF_SRING_HEADER + (uint64_t)j->ring->entries * abi->request_bytes;
	return (size_t)((need + PAGE_BYTES - 1) / PAGE_BYTES);
}

static int read_ring_pages(struct ring_job *j, gva_t info, struct err *err)
{
	struct io_ring *r = j->ring;
	uint8_t raw[4 * BLKIF_MAX_RING_PAGES];
	struct err ignored = ERR_INIT;
	size_t i, nr = ring_pages(j, info);

	r->pages = calloc(nr, sizeof(*r->pages));
	r->page_source_mfn = calloc(nr, sizeof(*r->page_source_mfn));
	r->page_target_mfn = calloc(nr, sizeof(*r->page_target_mfn));
	r->grefs = calloc(nr, sizeof(*r->grefs));
	if (!r->pages || !r->page_source_mfn || !r->page_target_mfn || !r->grefs)
		return err_nomem(err, "the pages of a ring");
	r->nr_pages = nr;
	for (i = 0; i < nr; i++) {
		struct guest_map map;

		r->page_source_mfn[i] = r->page_target_mfn[i] = MFN_NONE;
		r->pages[i] = PFN(UINT64_MAX);
		if (!guest_translate(j->c->g, gva_add(r->sring_va, i * PAGE_BYTES), &map, &ignored))
			r->pages[i] = map.pfn;
	}
	if (j->c->l.ring_ref.present && nr * 4 <= MIN(j->c->l.ring_ref.bytes, sizeof(raw)) &&
		!guest_read(j->c->g, gva_add(r->va, j->c->l.ring_ref.off), raw, nr * 4, &ignored))
		for (r->nr_grefs = 0; r->nr_grefs < nr; r->nr_grefs++)
			r->grefs[r->nr_grefs] = num_le32(raw + 4 * r->nr_grefs);
	return 0;
}

static void read_sring(struct ring_job *j)
{
	struct io_ring *r = j->ring;
	struct err why = ERR_INIT;
	uint8_t raw[BLKIF_SRING_PAD];

	if (r->sring_va.v & PAGE_OFFSET_MASK)
		err_set(&why, ERR_CORRUPT, "0x%" PRIx64 " is no page", r->sring_va.v);
	if (r->sring_va.v & PAGE_OFFSET_MASK ||
		guest_read(j->c->g, r->sring_va, raw, sizeof(raw), &why)) {
		ring_finding(j, "the shared page cannot be read", &why);
		return;
	}
	r->sring_known = true;
	r->sring_req_prod = num_le32(raw + BLKIF_SRING_REQ_PROD);
	r->sring_rsp_prod = num_le32(raw + BLKIF_SRING_RSP_PROD);
	r->sring_req_event = num_le32(raw + BLKIF_SRING_REQ_EVENT);
	r->sring_rsp_event = num_le32(raw + BLKIF_SRING_RSP_EVENT);
}

static void window_response(struct ring_job *j, const uint8_t *raw, struct io_ring_entry *e)
{
	struct blkif_wire_response rsp;

	blkif_decode_response(j->c->abi, raw, &rsp);
	e->is_response = true;
	e->wire_op = rsp.op;
	e->id = rsp.id;
	e->status = rsp.status;
	if (rsp.id < j->ring->entries) {
		j->responded[rsp.id] = true;
		j->rsp_status[rsp.id] = rsp.status;
	}
}

static void window_request(struct ring_job *j, const uint8_t *raw, struct io_ring_entry *e)
{
	struct blkif_wire_request req;
	unsigned i;

	blkif_decode_request(j->c->abi, raw, &req);
	e->wire_op = req.op;
	e->nr_seg = (uint8_t)MIN(req.nr_seg, UINT8_MAX);
	e->id = req.id;
	e->sector = req.sector;
	e->nr_sectors = req.nr_sectors;
	if (req.op == BLKIF_OP_INDIRECT) {
		for (i = 0; i < BLKIF_MAX_INDIRECT_PAGES; i++)
			e->gref[i] = req.indirect_gref[i];
		return;
	}
	e->sects_known = e->grefs_known = req.op != BLKIF_OP_DISCARD;
	for (i = 0; i < BLKIF_MAX_SEGMENTS; i++) {
		e->gref[i] = req.seg[i].gref;
		e->first_sect[i] = req.seg[i].first;
		e->last_sect[i] = req.seg[i].last;
	}
}

/*
 * Responses that the guest has not consumed, then requests without a response. Indices that are
 * further apart than the ring is long mean nothing; then the window is empty and a rule says why.
 */
static int read_window(struct ring_job *j, struct err *err)
{
	struct io_ring *r = j->ring;
	uint32_t nr_rsp = r->sring_rsp_prod - r->rsp_cons, k, total;
	uint32_t nr_req = r->sring_req_prod - r->sring_rsp_prod;

	if (!r->sring_known || nr_rsp > r->entries || nr_req > r->entries - nr_rsp)
		return 0;
	total = nr_rsp + nr_req;
	if (!total)
		return 0;
	r->window = calloc(total, sizeof(*r->window));
	if (!r->window)
		return err_nomem(err, "the entries of a ring");
	for (k = 0; k < total; k++) {
		struct io_ring_entry *e = &r->window[r->nr_window];
		uint64_t off = blkif_ring_off(j->c->abi, r->entries, r->rsp_cons + k);
		struct err ignored = ERR_INIT;
		uint8_t raw[BLKIF_MAX_REQUEST_BYTES];

		if (guest_read(j->c->g, gva_add(r->sring_va, off), raw, j->c->abi->request_bytes,
			    &ignored))
			continue;
		e->index = r->rsp_cons + k;
		if (k < nr_rsp)
			window_response(j, raw, e);
		else
			window_request(j, raw, e);
		r->nr_window++;
	}
	return 0;
}

static void fill_request(const struct ring_job *j, unsigned slot,
	const struct blkif_wire_request *wire, struct io_request *r)
{
	const struct io_slot *s = &j->ring->slots[slot];
	bool has_data = wire->nr_seg || wire->op == BLKIF_OP_DISCARD;

	r->ring = j->ring->index;
	r->slot = slot;
	r->op = io_op_of_blkif(wire->data_op);
	r->wire_op = wire->op;
	r->wire_handle = wire->handle;
	r->handle_known = true;
	r->id = s->id;
	if (wire->op == BLKIF_OP_INDIRECT)
		r->flags |= IO_FLAG_INDIRECT;
	if (wire->op == BLKIF_OP_DISCARD && (wire->flag & BLKIF_DISCARD_SECURE))
		r->flags |= IO_FLAG_SECURE;
	r->sector_from = has_data ? IO_SECTOR_SHADOW : IO_SECTOR_UNKNOWN;
	r->sector = has_data ? wire->sector : 0;
	r->nr_sectors = wire->nr_sectors;
	r->state = j->responded[slot] ? IO_RESPONDED : IO_PENDING;
	r->rsp_status = j->responded[slot] ? j->rsp_status[slot] : 0;
	r->slot_va = gva_add(j->ring->shadow_va, (uint64_t)slot * j->c->l.slot_bytes);
	r->request_va = GVA(s->request);
	r->status = s->status;
	r->associated_id = s->associated_id;
}

static int add_request(struct ring_job *j, unsigned slot, const uint8_t *raw,
	const struct blkif_wire_request *wire, struct err *err)
{
	struct io_request *r = io_request_append(&j->d->requests, &j->d->nr_requests);

	if (!r)
		return err_nomem(err, "the requests of a device");
	fill_request(j, slot, wire, r);
	if (linux_decode_segments(j->c, raw, j->c->l.slot_bytes, wire, r, err))
		return -1;
	linux_decode_request_facts(j->c, r);
	return linux_compare_request(j->c, j->d->name, r, err);
}

static int read_slot(struct ring_job *j, unsigned slot, struct err *err)
{
	const struct linux_layout *l = &j->c->l;
	struct io_slot *s = &j->ring->slots[slot];
	gva_t va = gva_add(j->ring->shadow_va, (uint64_t)slot * l->slot_bytes);
	struct blkif_wire_request wire;
	uint8_t raw[LINUX_MAX_SLOT_BYTES];
	struct err why = ERR_INIT;

	if (guest_read(j->c->g, va, raw, l->slot_bytes, &why)) {
		s->unreadable = true;
		j->d->requests_known = false;
		finding_add(&j->c->s->findings, "XB311",
			finding_at_slot(j->d->name, (int)j->ring->index, (int)slot),
			"ring %u slot %u cannot be read: %s", j->ring->index, slot, why.text);
		return 0;
	}
	blkif_decode_request(j->c->abi, raw + l->slot_req.off, &wire);
	s->request = layout_value(raw, l->slot_bytes, &l->slot_request);
	s->used = s->request != 0;
	s->wire_op = wire.op;
	s->nr_seg_wire = wire.nr_seg;
	s->id = wire.id;
	s->status = l->slot_status.present
			    ? (uint32_t)layout_value(raw, l->slot_bytes, &l->slot_status)
			    : UINT32_MAX;
	s->associated_id = l->slot_associated_id.present
				   ? layout_value(raw, l->slot_bytes, &l->slot_associated_id)
				   : UINT64_MAX;
	/* NO_ASSOCIATED_ID is ~0UL. */
	if (l->slot_associated_id.bytes == 4 && s->associated_id == UINT32_MAX)
		s->associated_id = UINT64_MAX;
	if (!s->used) {
		j->ring->nr_free++;
		return 0;
	}
	j->ring->nr_used++;
	return add_request(j, slot, raw, &wire, err);
}

/* Does the list from free_head visit every free slot once and end with the driver's own end? */
static int check_free_list(struct io_ring *r, struct err *err)
{
	CLEANUP_FREE bool *seen = calloc(r->entries, sizeof(*seen));
	uint64_t id = r->free_head;
	uint32_t nr = 0;

	if (!seen)
		return err_nomem(err, "the free list of a ring");
	while (id < r->entries && !seen[id]) {
		const struct io_slot *s = &r->slots[id];

		if (s->used || s->unreadable)
			return 0;
		seen[id] = true;
		nr++;
		id = s->id;
	}
	r->free_list_ok = id == r->free_nil && nr == r->nr_free;
	return 0;
}

static int read_slots(struct ring_job *j, struct err *err)
{
	struct io_ring *r = j->ring;
	unsigned i;

	r->slots = calloc(r->entries, sizeof(*r->slots));
	if (!r->slots)
		return err_nomem(err, "the slots of a ring");
	for (i = 0; i < r->entries; i++)
		if (read_slot(j, i, err))
			return -1;
	return check_free_list(r, err);
}

int linux_decode_ring(struct linux_ctx *c, gva_t info, struct blkdev *d, unsigned index, gva_t va,
	uint32_t entries, struct err *err)
{
	CLEANUP(free_job) struct ring_job j = {.c = c, .d = d, .ring = &d->rings[index]};
	struct err why = ERR_INIT;

	j.ring->index = index;
	j.ring->va = va;
	/* blkif_queue_rq() pushes under the ring_lock under which it made the requests. */
	j.ring->publishes_at_once = true;
	if (!read_ring_header(&j, info, entries, &why)) {
		ring_finding(&j, "cannot be decoded", &why);
		j.ring->entries = 0;
		d->requests_known = false;
		return 0;
	}
	j.rsp_status = calloc(j.ring->entries, sizeof(*j.rsp_status));
	j.responded = calloc(j.ring->entries, sizeof(*j.responded));
	if (!j.rsp_status || !j.responded)
		return err_nomem(err, "the responses of a ring");
	if (read_ring_pages(&j, info, err))
		return -1;
	read_sring(&j);
	if (read_window(&j, err))
		return -1;
	return read_slots(&j, err);
}
