/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xenbus_device.c - the requests of a device: those that are not on the list of free ones.
 */
#include "frontend/netbsd/xenbus.h"

#include <inttypes.h>

#include "base/num.h"

/* VDISK_READONLY of io/blkif.h. */
#define INFO_READONLY 4u

struct nx_job {
	struct guest *g;
	const struct nx_device *n;
	struct blkdev *d;
	struct io_ring *ring;
};

static uint64_t word_of(const struct nx_job *j, const uint8_t *p)
{
	return guest_word_bytes(j->g) == 8 ? num_le64(p) : num_le32(p);
}

static uint64_t index_of(const struct nx_job *j, uint64_t va)
{
	uint64_t away = va - j->n->reqs.v;

	if (!va)
		return NX_REQS;
	if (va < j->n->reqs.v || away % j->n->at->bytes || away / j->n->at->bytes >= NX_REQS)
		return UINT64_MAX;
	return away / j->n->at->bytes;
}

/* Every request that the list reaches is free; that one of them is used cannot be seen in it. */
static void mark_free(struct nx_job *j, const uint8_t (*raw)[NX_MAX_REQ_BYTES])
{
	uint64_t at = j->ring->free_head;
	unsigned i;

	for (i = 0; i < NX_REQS; i++)
		j->ring->slots[i] = (struct io_slot){.used = true, .id = i};
	while (at < NX_REQS && j->ring->slots[at].used) {
		struct io_slot *s = &j->ring->slots[at];

		s->used = false;
		s->id = index_of(j, word_of(j, raw[at]));
		at = s->id;
	}
}

static int add_segments(struct nx_job *j, const uint8_t *raw, const struct blkif_wire_request *wire,
	struct io_request *r, struct err *err)
{
	uint64_t data = word_of(j, raw + j->n->at->data), at = data & PAGE_OFFSET_MASK;
	unsigned i;

	if (shared_ring_segments(wire, r, err))
		return -1;
	for (i = 0; i < r->nr_seg; i++) {
		struct io_segment *s = &r->seg[i];
		struct guest_map map;

		/* The data has no gaps: each page begins where the last one ended. */
		if ((i ? 0 : at) != s->offset || guest_translate(j->g,
							 GVA((data & ~(uint64_t)PAGE_OFFSET_MASK) +
								 (uint64_t)i * PAGE_BYTES),
							 &map, NULL))
			continue;
		s->pfn = map.pfn;
		s->frame = IO_FRAME_OK;
	}
	return 0;
}

/* Of an indirect request the segments stand in a page of the driver; its data has no gaps either.
 */
static int add_indirect(struct nx_job *j, const uint8_t *raw, const struct blkif_wire_request *wire,
	struct io_request *r, struct err *err)
{
	unsigned word = guest_word_bytes(j->g);
	uint64_t indirect = word_of(j, raw + j->n->at->data + word), page;
	unsigned i;

	r->flags |= IO_FLAG_INDIRECT;
	if (j->n->at->nseg || guest_read_word(j->g, GVA(indirect + word), &page, NULL))
		return 0;
	for (i = 0; i < wire->nr_seg && i < BLKIF_SEGS_PER_PAGE; i++) {
		struct blkif_wire_request one = {.nr_seg = 1};
		uint8_t seg[BLKIF_SEG_BYTES];

		if (guest_read(j->g, GVA(page + (uint64_t)i * sizeof(seg)), seg, sizeof(seg), NULL))
			return 0;
		one.seg[0] = blkif_decode_seg(seg);
		if (shared_ring_segments(&one, r, err))
			return -1;
	}
	return 0;
}

static void find_indirect_pages(struct nx_job *j, const uint8_t *raw, struct io_request *r)
{
	uint64_t data = word_of(j, raw + j->n->at->data) & ~(uint64_t)PAGE_OFFSET_MASK;
	struct guest_map map;
	size_t i;

	for (i = 0; i < r->nr_seg; i++)
		if (!guest_translate(j->g, GVA(data + i * PAGE_BYTES), &map, NULL)) {
			r->seg[i].pfn = map.pfn;
			r->seg[i].frame = IO_FRAME_OK;
		}
}

static int fill_data(struct nx_job *j, const uint8_t *raw, const struct blkif_wire_request *wire,
	struct io_request *r, struct err *err)
{
	r->segs_wanted = wire->nr_seg;
	r->sector_from = IO_SECTOR_RING;
	r->sector = wire->sector;
	if (wire->op != BLKIF_OP_INDIRECT)
		return add_segments(j, raw, wire, r, err);
	if (add_indirect(j, raw, wire, r, err))
		return -1;
	find_indirect_pages(j, raw, r);
	return 0;
}

/* Grants of a request end where the driver says, or where they were never given. */
static uint16_t count_segments(struct nx_job *j, const uint8_t *raw, struct blkif_wire_request *w)
{
	unsigned i;

	if (j->n->at->nseg)
		return (uint16_t)MIN(num_le32(raw + j->n->at->nseg), BLKIF_MAX_SEGMENTS);
	for (i = 0; i < BLKIF_MAX_SEGMENTS; i++)
		if (w->seg[i].gref != num_le32(raw + j->n->at->grants + 4 * i))
			break;
	return (uint16_t)i;
}

static int fill_request(
	struct nx_job *j, unsigned index, const uint8_t *raw, struct io_request *r, struct err *err)
{
	const struct io_ring_entry *answer = driver_ring_answer(j->ring, index);
	struct blkif_wire_request wire;
	bool op_lost;

	r->ring = j->ring->index;
	r->slot = index;
	r->id = index;
	r->slot_va = gva_add(j->n->reqs, (uint64_t)index * j->n->at->bytes);
	r->state = answer ? IO_RESPONDED : IO_PENDING;
	r->rsp_status = answer ? answer->status : 0;
	if (!driver_ring_request(
		    j->g, &j->n->ring, index, num_le32(raw + j->n->at->grants), &wire, &op_lost)) {
		util_note(&r->trouble,
			"what it was stood in the ring only, and an answer lies there");
		j->ring->slots[index].unreadable = true;
		return 0;
	}
	if (op_lost) {
		wire.nr_seg = count_segments(j, raw, &wire);
		util_note(&r->trouble,
			"its operation stood in the ring only, and an answer lies there");
		j->ring->slots[index].unreadable = true;
	} else {
		r->op = wire.op == BLKIF_OP_FLUSH	 ? IO_FLUSH
			: wire.data_op == BLKIF_OP_READ	 ? IO_READ
			: wire.data_op == BLKIF_OP_WRITE ? IO_WRITE
							 : IO_UNKNOWN;
		r->wire_op = wire.op;
		r->wire_handle = wire.handle;
		r->handle_known = true;
	}
	j->ring->slots[index].wire_op = wire.op;
	j->ring->slots[index].nr_seg_wire = wire.nr_seg;
	return wire.op == BLKIF_OP_FLUSH && !op_lost ? 0 : fill_data(j, raw, &wire, r, err);
}

static int read_requests(struct nx_job *j, struct err *err)
{
	CLEANUP_FREE uint8_t(*raw)[NX_MAX_REQ_BYTES] = calloc(NX_REQS, sizeof(*raw));
	gva_t head = gva_add(j->n->reqs, (uint64_t)NX_REQS * j->n->at->bytes);
	uint64_t first = 0;
	unsigned i;

	j->ring->slots = calloc(NX_REQS, sizeof(*j->ring->slots));
	if (!raw || !j->ring->slots)
		return err_nomem(err, "the slots of a ring");
	for (i = 0; i < NX_REQS; i++)
		if (guest_read(j->g, gva_add(j->n->reqs, (uint64_t)i * j->n->at->bytes), raw[i],
			    j->n->at->bytes, NULL))
			j->d->requests_known = false;
	if (guest_read_word(j->g, head, &first, NULL))
		j->d->requests_known = false;
	j->ring->free_head = index_of(j, first);
	j->ring->free_nil = NX_REQS;
	mark_free(j, (const uint8_t(*)[NX_MAX_REQ_BYTES])raw);
	for (i = 0; i < NX_REQS; i++) {
		struct io_request *r;

		if (!j->ring->slots[i].used)
			continue;
		r = io_request_append(&j->d->requests, &j->d->nr_requests);
		if (!r)
			return err_nomem(err, "the requests of a device");
		if (fill_request(j, i, raw[i], r, err))
			return -1;
	}
	return driver_ring_close_books(j->ring, err);
}

static void fill_device(struct nx_job *j, const struct ckpt_info *config)
{
	static const char *const states[] = {"disconnected", "connected", "suspended"};
	const struct nx_device *n = j->n;
	struct blkdev *d = j->d;

	d->driver = &frontend_netbsd_xenbus;
	d->confirmed_by = BLK_CONFIRMED_STRUCTURE;
	d->confirmed = true;
	d->va = n->ring.va;
	d->requests_known = true;
	snprintf(d->name, sizeof(d->name), "xbd-0x%" PRIx64, n->ring.va.v);
	if (!n->tail_known)
		return;
	snprintf(d->state, sizeof(d->state), "%s", states[n->state]);
	d->nr_sectors = n->nr_sectors;
	d->logical_block_bytes = (uint32_t)n->sector_bytes;
	d->read_only = n->info & INFO_READONLY ? TRI_YES : TRI_NO;
	driver_ring_name(d, n->handle, config);
}

int nx_decode(struct guest *g, const void *device, const struct ckpt_info *config,
	struct snapshot *s, struct err *err)
{
	const struct nx_device *n = device;
	struct nx_job j = {.g = g, .n = n, .d = snapshot_add_device(s)};

	if (!j.d)
		return err_nomem(err, "a device");
	fill_device(&j, config);
	j.ring = driver_ring_add(g, &n->ring, j.d, err);
	if (!j.ring)
		return -1;
	j.ring->shadow_va = n->reqs;
	snapshot_how(s, "%s: %u requests of %u bytes at 0x%" PRIx64 ", each with its own number",
		j.d->name, NX_REQS, n->at->bytes, n->reqs.v);
	return read_requests(&j, err);
}
