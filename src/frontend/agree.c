/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/agree.h"

#include "frontend/blkif_abi.h"

/* Requests stand by ring, then slot (request.h). */
const struct io_request *blkdev_request_in(const struct blkdev *d, unsigned ring, uint64_t slot)
{
	size_t low = 0, high = d->nr_requests;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct io_request *r = &d->requests[mid];

		if (r->ring == ring && r->slot == slot)
			return r;
		if (r->ring < ring || (r->ring == ring && r->slot < slot))
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

void io_ring_newest(const struct io_ring *g, const struct io_ring_entry **newest)
{
	size_t i;

	for (i = 0; i < g->nr_window; i++) {
		const struct io_ring_entry *e = &g->window[i];

		if (!e->is_response && e->id < g->entries &&
			(!newest[e->id] || (int32_t)(e->index - newest[e->id]->index) > 0))
			newest[e->id] = e;
	}
}

static bool same_grefs(const struct io_request *r, const struct io_ring_entry *e)
{
	size_t i;

	for (i = 0; e->grefs_known && i < r->nr_seg && i < ARRAY_SIZE(e->gref); i++)
		if (r->seg[i].gref >= 0 && (uint64_t)r->seg[i].gref != e->gref[i])
			return false;
	return true;
}

/* A segment that its own scatter list contradicts is said to be wrong by XB116 or XB306. */
static bool segment_is_sound(const struct io_segment *s)
{
	return s->sects_known && s->first_sect <= s->last_sect && s->last_sect <= 7 &&
	       s->offset == s->first_sect * SECTOR_BYTES &&
	       s->bytes == (s->last_sect - s->first_sect + 1) * SECTOR_BYTES;
}

static bool same_sectors(const struct io_request *r, const struct io_ring_entry *e)
{
	size_t i;

	if (r->op == IO_DISCARD)
		return r->nr_sectors == e->nr_sectors;
	if (r->flags & IO_FLAG_INDIRECT || !e->sects_known)
		return true;
	for (i = 0; i < r->nr_seg && i < ARRAY_SIZE(e->first_sect); i++)
		if (segment_is_sound(&r->seg[i]) && (r->seg[i].first_sect != e->first_sect[i] ||
							    r->seg[i].last_sect != e->last_sect[i]))
			return false;
	return true;
}

const char *io_ring_entry_differs(
	const struct io_ring *g, const struct io_ring_entry *e, const struct io_request *r)
{
	const struct io_slot *s = &g->slots[e->id];

	if (e->wire_op != s->wire_op)
		return "operation";
	/* An indirect request has its count elsewhere; a discard has a flag in that byte. */
	if (e->wire_op != BLKIF_OP_DISCARD && e->wire_op != BLKIF_OP_INDIRECT &&
		e->nr_seg != s->nr_seg_wire)
		return "segment count";
	if (!r)
		return NULL;
	if ((r->sector_from == IO_SECTOR_SHADOW || r->sector_from == IO_SECTOR_REQUEST) &&
		r->op != IO_FLUSH && r->op != IO_PROBE && e->sector != r->sector)
		return "sector";
	if (!same_grefs(r, e))
		return "grants";
	if (!same_sectors(r, e))
		return r->op == IO_DISCARD ? "length" : "sectors of a segment";
	return NULL;
}

bool io_ring_books_close(const struct io_ring *g)
{
	return g->entries && g->free_list_ok && io_ring_in_flight(g) == g->nr_used;
}

static const char *compare_entries(
	const struct blkdev *d, const struct io_ring *g, const struct io_ring_entry *const *newest)
{
	uint32_t i;

	for (i = 0; i < g->entries; i++) {
		if (!newest[i] || !g->slots[i].used)
			continue;
		if (g->slots[i].unreadable)
			return "a slot of the shadow cannot be read";
		if (io_ring_entry_differs(g, newest[i], blkdev_request_in(d, g->index, i)))
			return "a request of the shared ring and its slot differ";
	}
	return NULL;
}

int io_ring_agrees(const struct blkdev *d, const struct io_ring *g, const char **why)
{
	CLEANUP_FREE const struct io_ring_entry **newest = NULL;

	if (!io_ring_books_close(g))
		*why = "its indices and its shadow differ in what is in flight";
	else if (!g->sring_known)
		*why = "its shared page is not in the checkpoint";
	else if (g->sring_req_prod != g->req_prod_pvt ||
		 g->sring_rsp_prod - g->rsp_cons > io_ring_in_flight(g))
		*why = "the indices of the shared ring are not the driver's";
	else
		*why = NULL;
	if (*why)
		return 1;
	newest = calloc(g->entries, sizeof(*newest));
	if (!newest)
		return -1;
	io_ring_newest(g, newest);
	*why = compare_entries(d, g, newest);
	return *why ? 1 : 0;
}
