/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The shadow's free list, its slots against the counts, and the shared ring against both.
 *
 * Source: drivers/block/xen-blkfront.c (get_id_from_freelist, add_id_to_freelist,
 * blkif_interrupt), NetBSD's xbd.c 1.36.14.1 (rec_ring_log, rec_ring_retire), Xen's io/ring.h.
 */
#include "check/run.h"

#include <inttypes.h>
#include <string.h>

#include "frontend/agree.h"
#include "frontend/blkif_abi.h"

enum slot_mark {
	MARK_FREE = 1u << 0, /* the free list reaches it */
};

/* False: the rule of the turn is not evaluated. */
static bool slots_known(struct check_run *run, const struct io_ring *g)
{
	if (g->slots && g->entries && g->entries <= CHECK_MAX_ENTRIES)
		return true;
	run_skip(run, "the slots of ring %u could not be read", g->index);
	return false;
}

static const char *why_no_sring(const struct io_ring *g)
{
	return g->sring_va.v ? "the shared ring is not in the checkpoint"
			     : "the shared ring was not found";
}

/* Follow the list; false when it is broken (said) and coverage means nothing. */
static bool walk_free_list(struct check_run *run, const struct io_ring *g, uint8_t *marks)
{
	uint64_t id = g->free_head;
	int from = -1;

	while (id != g->free_nil) {
		if (id >= g->entries) {
			run_broken_as(run, "XB102", (int)g->index, from,
				"the free list leads to 0x%" PRIx64 ", but there are only %u slots",
				id, g->entries);
			return false;
		}
		if (marks[id] & MARK_FREE) {
			run_broken_as(run, "XB101", (int)g->index, (int)id,
				"the free list comes back to slot %u", (unsigned)id);
			return false;
		}
		marks[id] |= MARK_FREE;
		from = (int)id;
		if (g->slots[id].unreadable) {
			run_skip_as(run, "XB104",
				"slot %d, which is on the free list, is not readable", from);
			return false;
		}
		if (g->slots[id].used) {
			run_broken_as(run, "XB103", (int)g->index, from,
				"slot %d holds a request and stands on the free list", from);
			return false; /* its id is not a link */
		}
		id = g->slots[id].id;
	}
	return true;
}

/* Neither a request nor on the list. What it holds may be no link either: then it is not lost but
 * damaged, and may have held a request. */
static void lost_slot(struct check_run *run, const struct io_ring *g, uint32_t slot)
{
	uint64_t id = g->slots[slot].id;

	if (id < g->entries && g->slots[id].used)
		run_broken_as(run, "XB103", (int)g->index, (int)slot,
			"slot %u holds a request, and the free slot %u leads to it", (unsigned)id,
			slot);
	else if (id < g->entries || id == g->free_nil)
		run_broken_as(run, "XB104", (int)g->index, (int)slot,
			"slot %u holds no request and is not on the free list", slot);
	else
		run_broken_as(run, "XB102", (int)g->index, (int)slot,
			"slot %u holds no request, is not on the free list, and leads to 0x%" PRIx64
			", but there are only %u slots",
			slot, id, g->entries);
}

static void free_list(struct check_run *run)
{
	size_t n;
	uint32_t i;

	for (n = 0; n < run->dev->nr_rings; n++) {
		const struct io_ring *g = &run->dev->rings[n];
		CLEANUP_FREE uint8_t *marks = NULL;

		if (!slots_known(run, g))
			continue;
		marks = calloc(g->entries, 1);
		if (!marks) {
			run_no_memory(run);
			return;
		}
		if (!walk_free_list(run, g, marks))
			continue;
		for (i = 0; i < g->entries; i++)
			if (!marks[i] && !g->slots[i].used && !g->slots[i].waiting &&
				!g->slots[i].unreadable)
				lost_slot(run, g, i);
	}
}

static uint32_t count_used(const struct io_ring *g)
{
	uint32_t i, nr = 0;

	for (i = 0; i < g->entries; i++)
		nr += g->slots[i].used;
	return nr;
}

/* Slots that are neither used nor on the free list: what has become of a request's slot when its
 * pointer is damaged. */
static uint32_t count_lost(const struct io_ring *g)
{
	CLEANUP_FREE bool *seen = calloc(g->entries, sizeof(*seen));
	uint64_t id = g->free_head;
	uint32_t i, nr = 0;

	while (seen && id < g->entries && !seen[id] && !g->slots[id].used) {
		seen[id] = true;
		id = g->slots[id].id;
	}
	for (i = 0; seen && i < g->entries; i++)
		nr += !seen[i] && !g->slots[i].used && !g->slots[i].waiting;
	return nr;
}

/* Ids that stand more than once among the unanswered requests, and the first of them. Requests
 * that were answered out of order leave stale entries behind, so this alone proves nothing. */
static unsigned repeated_requests(const struct io_ring *g, uint8_t *seen, uint64_t *first)
{
	unsigned nr = 0;
	size_t i;

	for (i = 0; i < g->nr_window; i++) {
		const struct io_ring_entry *e = &g->window[i];

		if (e->is_response || e->id >= g->entries)
			continue;
		if (seen[e->id] && !nr++)
			*first = e->id;
		seen[e->id] = 1;
	}
	return nr;
}

static void count_mismatch(struct check_run *run, const struct io_ring *g, uint32_t used)
{
	CLEANUP_FREE uint8_t *seen = calloc(g->entries, 1);
	uint32_t in_flight = io_ring_in_flight(g);
	uint64_t first = 0;

	if (!seen) {
		run_no_memory(run);
		return;
	}
	if (in_flight > used && in_flight - used > count_lost(g) &&
		repeated_requests(g, seen, &first)) {
		run_broken_as(run, g->repeats_in_recovery ? "XB205" : "XB112", (int)g->index,
			(int)first,
			"slot %u was put on the ring more than once: %u requests in flight for %u "
			"used slots",
			(unsigned)first, in_flight, used);
		return;
	}
	run_broken_as(run, "XB105", (int)g->index, -1,
		"%u slots hold a request, but the ring indices say that %u are in flight", used,
		in_flight);
}

static void in_flight_bound(struct check_run *run)
{
	size_t n;

	for (n = 0; n < run->dev->nr_rings; n++) {
		const struct io_ring *g = &run->dev->rings[n];
		uint32_t in_flight = io_ring_in_flight(g);

		if (g->indices != IO_INDICES_READ)
			run_skip(run, "the driver's own indices were not found");
		else if (in_flight > g->entries)
			run_broken(run, (int)g->index, -1,
				"%u requests in flight on a ring of %u (produced %u, consumed %u)",
				in_flight, g->entries, g->req_prod_pvt, g->rsp_cons);
	}
}

static void check_counts(struct check_run *run)
{
	size_t n;

	for (n = 0; n < run->dev->nr_rings; n++) {
		const struct io_ring *g = &run->dev->rings[n];
		uint32_t used;

		if (g->indices != IO_INDICES_READ) {
			run_skip(run, "the driver's own indices were not found");
			continue;
		}
		if (io_ring_in_flight(g) > g->entries) /* XB106 */
			continue;
		if (!slots_known(run, g))
			continue;
		used = count_used(g);
		if (used != io_ring_in_flight(g))
			count_mismatch(run, g, used);
	}
}

/* All indices count up for ever and wrap at 2^32: only distances can be compared. */
static void shared_indices(struct check_run *run)
{
	size_t n;

	for (n = 0; n < run->dev->nr_rings; n++) {
		const struct io_ring *g = &run->dev->rings[n];
		uint32_t in_flight = io_ring_in_flight(g);
		uint32_t published = g->sring_req_prod - g->rsp_cons;
		uint32_t answered = g->sring_rsp_prod - g->rsp_cons;

		if (!g->sring_known) {
			run_skip(run, "%s", why_no_sring(g));
			continue;
		}
		if (g->indices == IO_INDICES_UNKNOWN) {
			run_skip(run, "the driver's own indices were not found");
			continue;
		}
		if (in_flight > g->entries)
			continue; /* XB106 */
		if (published > in_flight)
			run_broken(run, (int)g->index, -1,
				"the shared ring shows requests up to %u, the driver made them up "
				"to %u",
				g->sring_req_prod, g->req_prod_pvt);
		else if (published < in_flight && g->publishes_at_once && g->slots &&
			 count_used(g) == in_flight) /* else XB105 */
			run_broken(run, (int)g->index, -1,
				"the driver made requests up to %u, the shared ring shows them "
				"only up to %u",
				g->req_prod_pvt, g->sring_req_prod);
		else if (answered > published)
			run_broken(run, (int)g->index, -1,
				"responses up to %u for requests up to %u (consumed up to %u)",
				g->sring_rsp_prod, g->sring_req_prod, g->rsp_cons);
	}
}

/* A backend answers an indirect request with the operation inside it (xen-blkback) or with the
 * outer one (QEMU). */
static bool answers_op(uint8_t response_op, uint8_t slot_op)
{
	return response_op == slot_op ||
	       (slot_op == BLKIF_OP_INDIRECT &&
		       (response_op == BLKIF_OP_READ || response_op == BLKIF_OP_WRITE));
}

static void check_response(struct check_run *run, const struct io_ring *g,
	const struct io_ring_entry *e, uint8_t *seen)
{
	const struct io_slot *s;

	if (e->id >= g->entries) {
		run_broken_as(run, "XB109", (int)g->index, -1,
			"response %u names request 0x%" PRIx64 ", but there are only %u slots",
			e->index, e->id, g->entries);
		return;
	}
	if (seen[e->id]++) {
		run_broken_as(run, "XB111", (int)g->index, (int)e->id,
			"a second response (index %u) for the same slot", e->index);
		return;
	}
	s = &g->slots[e->id];
	if (s->unreadable)
		return;
	if (!s->used)
		run_broken_as(run, "XB108", (int)g->index, (int)e->id,
			"response %u answers a slot that holds no request", e->index);
	else if (!answers_op(e->wire_op, s->wire_op))
		run_broken_as(run, "XB110", (int)g->index, (int)e->id,
			"response %u is for operation %u, the slot holds operation %u", e->index,
			e->wire_op, s->wire_op);
}

static void check_responses(struct check_run *run)
{
	size_t n, i;

	for (n = 0; n < run->dev->nr_rings; n++) {
		const struct io_ring *g = &run->dev->rings[n];
		CLEANUP_FREE uint8_t *seen = NULL;

		if (!slots_known(run, g))
			continue;
		if (!g->sring_known) {
			run_skip(run, "%s", why_no_sring(g));
			continue;
		}
		seen = calloc(g->entries, 1);
		if (!seen) {
			run_no_memory(run);
			return;
		}
		for (i = 0; i < g->nr_window && i < 2 * (size_t)g->entries; i++)
			if (g->window[i].is_response)
				check_response(run, g, &g->window[i], seen);
	}
}

static void compare_entry(
	struct check_run *run, const struct io_ring *g, const struct io_ring_entry *e)
{
	const char *differs =
		io_ring_entry_differs(g, e, blkdev_request_in(run->dev, g->index, e->id));

	if (differs)
		run_broken(run, (int)g->index, (int)e->id,
			"request %u of the shared ring and the slot disagree: %s", e->index,
			differs);
}

static void check_unanswered(struct check_run *run)
{
	size_t n;
	uint32_t i;

	for (n = 0; n < run->dev->nr_rings; n++) {
		const struct io_ring *g = &run->dev->rings[n];
		CLEANUP_FREE const struct io_ring_entry **newest = NULL;

		if (!slots_known(run, g))
			continue;
		if (!g->sring_known) {
			run_skip(run, "%s", why_no_sring(g));
			continue;
		}
		newest = calloc(g->entries, sizeof(*newest));
		if (!newest) {
			run_no_memory(run);
			return;
		}
		io_ring_newest(g, newest);
		for (i = 0; i < g->entries; i++)
			if (newest[i] && g->slots[i].used && !g->slots[i].unreadable)
				compare_entry(run, g, newest[i]);
	}
}

static void check_readable(struct check_run *run)
{
	size_t n;
	uint32_t i;

	for (n = 0; n < run->dev->nr_rings; n++) {
		const struct io_ring *g = &run->dev->rings[n];

		for (i = 0; g->slots && i < g->entries && i < CHECK_MAX_ENTRIES; i++)
			if (g->slots[i].unreadable)
				run_broken(run, (int)g->index, (int)i,
					"slot %u of the driver's shadow is not in the checkpoint",
					i);
	}
}

static const struct check_rule rules[] = {
	{{"XB101", "XB102", "XB103", "XB104"}, free_list},
	{{"XB105", "XB112", "XB205"}, check_counts},
	{{"XB106"}, in_flight_bound},
	{{"XB107"}, shared_indices},
	{{"XB108", "XB109", "XB110", "XB111"}, check_responses},
	{{"XB113"}, check_unanswered},
	{{"XB133"}, check_readable},
};

const struct check_rules check_rules_ring = {NULL, rules, ARRAY_SIZE(rules)};
