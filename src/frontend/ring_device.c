/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/ring_device.h"

uint32_t ring_device_rsp_cons(const struct shared_ring *r)
{
	uint32_t cons = r->rsp_event - 1;

	return r->rsp_prod - cons <= r->entries && r->req_prod - cons <= r->entries ? cons
										    : r->rsp_prod;
}

/* An unconsumed answer to that id. */
static const struct io_ring_entry *answer_to(const struct io_ring *g, uint64_t id)
{
	size_t i;

	for (i = 0; i < g->nr_window && g->window[i].is_response; i++)
		if (g->window[i].id == id)
			return &g->window[i];
	return NULL;
}

/* A later request has the same id: this one was answered, and its id used again. */
static bool is_reused(const struct io_ring *g, const struct io_ring_entry *e)
{
	const struct io_ring_entry *at = e + 1, *end = g->window + g->nr_window;

	if (e->wire_op == BLKIF_OP_FLUSH && !e->id)
		return false; /* Mini-OS gives that to every flush */
	for (; at < end; at++)
		if (!at->is_response && at->id == e->id)
			return true;
	return false;
}

static int add_request(const struct guest *g, const struct shared_ring *r, struct io_ring *ring,
	const struct io_ring_entry *e, struct blkdev *d, struct err *err)
{
	const struct io_ring_entry *answer = answer_to(ring, e->id);
	struct io_request *req = io_request_append(&d->requests, &d->nr_requests);
	uint8_t raw[BLKIF_MAX_REQUEST_BYTES];
	struct blkif_wire_request wire;

	if (!req)
		return err_nomem(err, "the requests of a device");
	req->ring = ring->index;
	req->slot = e->index & (r->entries - 1);
	req->state = answer ? IO_RESPONDED : IO_PENDING;
	req->rsp_status = answer ? answer->status : 0;
	if (!shared_ring_entry(g, r, e->index, raw)) {
		util_note(&req->trouble, "its entry of the ring is not in the checkpoint");
		return 0;
	}
	blkif_decode_request(r->abi, raw, &wire);
	return shared_ring_request(&wire, req, err);
}

static int compare_requests(const void *a, const void *b)
{
	return io_request_by_slot(a, b);
}

/* As many as wait for an answer and no longer stand in the ring: an answer to another lies there.
 */
static void say_hidden(
	struct blkdev *d, const struct io_ring *ring, uint32_t nr, struct snapshot *s)
{
	if (!nr)
		return;
	d->requests_known = false;
	finding_add(&s->findings, "XB802", finding_at_slot(d->name, (int)ring->index, -1),
		"%u requests wait for an answer but cannot be shown: answers to others stand in "
		"their places in the ring",
		nr);
}

int ring_device_add(struct guest *g, const struct shared_ring *r, uint32_t rsp_cons,
	struct blkdev *d, struct snapshot *s, struct err *err)
{
	struct io_ring *ring = blkdev_add_ring(d);
	uint32_t hidden = 0;
	size_t i;

	if (!ring)
		return err_nomem(err, "the rings of a device");
	if (shared_ring_fill(g, r, rsp_cons, ring, err))
		return -1;
	for (i = 0; i < ring->nr_window; i++) {
		const struct io_ring_entry *e = &ring->window[i];

		if (e->is_response)
			continue;
		if (is_reused(ring, e))
			hidden++;
		else if (add_request(g, r, ring, e, d, err))
			return -1;
		else if (d->requests[d->nr_requests - 1].state == IO_RESPONDED)
			hidden++;
	}
	say_hidden(d, ring, hidden, s);
	if (d->nr_requests)
		qsort(d->requests, d->nr_requests, sizeof(*d->requests), compare_requests);
	return 0;
}

bool ring_device_handle(const struct guest *g, const struct shared_ring *r, uint16_t *ret)
{
	bool found = false;
	uint32_t k;

	for (k = r->rsp_prod; k != r->req_prod; k++) {
		uint8_t raw[BLKIF_MAX_REQUEST_BYTES];
		struct blkif_wire_request wire;

		if (!shared_ring_entry(g, r, k, raw))
			continue;
		blkif_decode_request(r->abi, raw, &wire);
		if (!wire.handle || !wire.nr_seg)
			continue;
		if (found && wire.handle != *ret)
			return false;
		*ret = wire.handle;
		found = true;
	}
	return found;
}
