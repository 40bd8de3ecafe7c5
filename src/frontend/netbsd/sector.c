/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sector.c - the sector of a pending request, which the driver's log lacks.
 *
 * rec_ring_log() copies the device twice and the sector never, so that the log holds whatever
 * malloc() left there. Two sources still know it:
 *
 * Ring. A request of index i stays in the shared ring until request i + 64 takes its place, but
 * once a response was written over that place only its sector and its segments are left.
 *  - In [resp_prod, req_prod) whole requests stand. Among those with our id the last one is ours:
 *    an id is given out again only after the answer to its former owner, so an older owner has a
 *    lower index, and there is no newer one.
 *  - Without one there, our request has an index below resp_prod, and its place was answered over.
 *    It can be told by its segments only. What stands in the other places is younger than
 *    req_prod - 64; when our own place was taken since, everything that is left is younger than
 *    our request, and would have to use our buffers while we do. That happens (two writes of one
 *    buffer), and then the logs of both agree with both places: a match counts only when no other
 *    used slot has the same segments, and all matching places tell the same sector.
 *  - A ring sector that equals the garbage of the log was put there by an earlier resume, which
 *    re-issued the garbage: it proves nothing.
 *
 * Request. The parent xbdreq knows the next block to issue. A buffer has at most 64 KiB (MAXPHYS),
 * 17 pages, so two pieces at most, and the first one ends before the buffer does only with all 11
 * segments used up to the end of a page.
 */
#include "frontend/netbsd/xbd.h"

#include <inttypes.h>

struct nb_guess {
	bool applies;
	bool conflict; /* the ring holds something else where this request must be */
	uint64_t sector;
	/* When it does not apply, the sector may still be known to lie in [low, high]. */
	bool bounded;
	int64_t low, high;
	const char *why_not;
};

static struct nb_guess guess_none(const char *why_not)
{
	return (struct nb_guess){.why_not = why_not};
}

static struct nb_guess guess_sector(uint64_t sector)
{
	return (struct nb_guess){.applies = true, .sector = sector};
}

/* A first piece whose second one may have been issued and answered: how long that was is lost. */
static struct nb_guess guess_range(int64_t bn, int64_t bytes)
{
	struct nb_guess guess = guess_none("the rest of its buffer may have completed");

	guess.bounded = true;
	guess.low = bn - (int64_t)(NB_MAXPHYS / SECTOR_BYTES);
	guess.high = bn - bytes / (int)SECTOR_BYTES;
	return guess;
}

/* Could the buffer go on behind this piece? */
static bool piece_may_go_on(const struct nb_wire *w)
{
	return w->nr_seg == NB_MAX_SEGS && nb_fas_last(w->fas[NB_MAX_SEGS - 1]) == 7;
}

/* Requests in flight, logged or answered but not consumed, stand behind every used slot. */
static struct nb_guess ring_by_id(const struct nb_state *st, unsigned slot, bool *ret_in_window)
{
	const struct nb_wire *mine = &st->log[slot];
	uint32_t nr = st->pvt_prod - st->resp_prod, i;

	*ret_in_window = false;
	if (nr > NB_SLOTS)
		return guess_none("the indices of the shared ring contradict each other");
	for (i = nr; i--;) {
		struct nb_wire w = nb_ring_request(st->ring, st->resp_prod + i);
		enum tri same;

		if (w.id != slot)
			continue;
		*ret_in_window = true;
		same = nb_same_geometry(st->p2m, mine, &w);
		if (w.op != mine->op || w.nr_seg != mine->nr_seg || w.device != mine->device ||
			same == TRI_NO)
			return (struct nb_guess){.conflict = true};
		if (same == TRI_UNKNOWN)
			return guess_none("a machine frame is not known");
		if (w.sector == mine->sector)
			return guess_none("an earlier resume re-issued it with the log's garbage");
		return guess_sector(w.sector);
	}
	return guess_none("its place in the shared ring was used again");
}

/* Does another used slot log the same segments as far as both go? */
static bool buffers_are_shared(const struct nb_state *st, unsigned slot)
{
	const struct nb_wire *mine = &st->log[slot];
	unsigned i, j, nr;

	for (i = 0; i < NB_SLOTS; i++) {
		const struct nb_wire *w = &st->log[i];

		if (i == slot || !nb_is_used(w))
			continue;
		nr = MIN(mine->nr_seg, w->nr_seg);
		for (j = 0; j < nr; j++)
			if (mine->fas[j] != w->fas[j])
				break;
		if (j == nr)
			return true;
	}
	return false;
}

static struct nb_guess ring_by_geometry(const struct nb_state *st, unsigned slot)
{
	const struct nb_wire *mine = &st->log[slot];
	uint32_t nr = NB_SLOTS - (st->pvt_prod - st->resp_prod), i;
	struct nb_guess found = guess_none("its place in the shared ring was used again");

	if (buffers_are_shared(st, slot))
		return guess_none("another pending request uses the same buffer");
	for (i = 1; i <= nr; i++) {
		struct nb_wire w = nb_ring_request(st->ring, st->resp_prod - i);

		if (nb_same_geometry(st->p2m, mine, &w) != TRI_YES || w.sector == mine->sector)
			continue;
		if (found.applies && found.sector != w.sector)
			return guess_none("several answered requests used the same buffer");
		found = guess_sector(w.sector);
	}
	return found;
}

static struct nb_guess from_ring(const struct nb_state *st, unsigned slot)
{
	struct nb_guess guess;
	bool in_window;

	if (!st->ring_known)
		return guess_none("the shared ring is not known");
	if (!st->p2m)
		return guess_none("the table of machine frames is not known");
	guess = ring_by_id(st, slot, &in_window);
	if (guess.applies || in_window || st->pvt_prod - st->resp_prod > NB_SLOTS)
		return guess;
	return ring_by_geometry(st, slot);
}

/* The used slot whose xbdreq is a piece of the same buffer, or NB_SLOTS. *ret_nr counts them. */
static unsigned count_siblings(const struct nb_state *st, unsigned slot, unsigned *ret_nr)
{
	unsigned i, found = NB_SLOTS;

	*ret_nr = 0;
	for (i = 0; i < NB_SLOTS; i++) {
		if (i == slot || !nb_is_used(&st->log[i]) || !st->own[i].known ||
			st->own[i].parent != st->own[slot].parent)
			continue;
		found = i;
		++*ret_nr;
	}
	return found;
}

/* The invariants of a buffer in flight; text when one is broken. */
static const char *request_broken(const struct nb_state *st, unsigned slot, unsigned other)
{
	const struct nb_xbdreq *own = &st->own[slot], *parent = &st->parent[slot];
	int64_t outstanding;

	if (parent->parent != own->parent)
		return "the driver's request has a parent that is none";
	if (own->breq <= 0 || own->breq % (int)SECTOR_BYTES ||
		(uint64_t)own->breq != nb_wire_bytes(&st->log[slot]))
		return "the driver's request has another length";
	if (parent->bqueue < 0 || parent->bqueue % (int)SECTOR_BYTES)
		return "the driver's request has an impossible rest";
	outstanding = (int64_t)own->breq + parent->bqueue;
	if (other < NB_SLOTS)
		outstanding += st->own[other].breq;
	if (parent->bdone != outstanding || outstanding > (int64_t)NB_MAXPHYS)
		return "the driver's request does not add up";
	return NULL;
}

static struct nb_guess from_request(const struct nb_state *st, unsigned slot, const char **broken)
{
	const struct nb_xbdreq *own = &st->own[slot], *parent = &st->parent[slot];
	const struct nb_wire *mine = &st->log[slot];
	bool first = own->parent == mine->id;
	unsigned nr, other;
	int64_t issued = own->breq;

	*broken = NULL;
	if (!own->known || !parent->known)
		return guess_none("the driver's request is not in the checkpoint");
	other = count_siblings(st, slot, &nr);
	if (nr > 1)
		return guess_none("the buffer has more than two pieces");
	*broken = request_broken(st, slot, other);
	if (*broken)
		return guess_none(*broken);
	if (first && piece_may_go_on(mine)) {
		if (other < NB_SLOTS && parent->bqueue)
			return guess_none("the buffer has more than two pieces");
		if (other == NB_SLOTS && !parent->bqueue)
			return guess_range(parent->bn, own->breq);
		if (other < NB_SLOTS)
			issued += st->own[other].breq;
	} else if (parent->bqueue || (first && other < NB_SLOTS)) {
		return guess_none("the driver's request does not add up");
	} else if (!first && piece_may_go_on(mine)) {
		return guess_none("the buffer may have more than two pieces");
	}
	if (parent->bn < issued / (int)SECTOR_BYTES)
		return guess_none("the driver's request begins before sector 0");
	return guess_sector((uint64_t)(parent->bn - issued / (int)SECTOR_BYTES));
}

/* Does the request end beyond what vbd_info says of its disk? */
static bool beyond_disk(const struct nb_state *st, const struct nb_wire *w, uint64_t sector)
{
	uint64_t nr = nb_wire_bytes(w) / SECTOR_BYTES;
	unsigned i;

	for (i = 0; i < st->nr_vbds; i++)
		if (st->vbd[i].device == w->device)
			return sector > st->vbd[i].sectors || nr > st->vbd[i].sectors - sector;
	return false;
}

static bool contradicts_own(const struct nb_guess *own, uint64_t sector)
{
	if (own->applies)
		return sector != own->sector;
	return own->bounded &&
	       (sector > INT64_MAX || (int64_t)sector < own->low || (int64_t)sector > own->high);
}

static struct nb_sector recover_one(const struct nb_state *st, unsigned slot,
	const struct finding_at *at, struct finding_list *findings)
{
	struct nb_guess ring = from_ring(st, slot), own;
	const char *broken;

	own = from_request(st, slot, &broken);
	if (broken)
		finding_add(findings, "XB212", *at, "%s (at 0x%x)", broken, st->log[slot].id);
	if (ring.applies && contradicts_own(&own, ring.sector)) {
		finding_add(findings, "XB211", *at,
			"sector %" PRIu64
			" of the shared ring contradicts the driver's own request at 0x%x",
			ring.sector, st->log[slot].id);
		return (struct nb_sector){.why_not = "the sources contradict each other"};
	}
	if (ring.conflict) {
		finding_add(findings, "XB211", *at,
			"the shared ring holds another request under this id");
		return (struct nb_sector){
			.why_not = "the shared ring holds another request under this id"};
	}
	if (!ring.applies && !own.applies)
		return (struct nb_sector){.why_not = ring.why_not};
	/* One source alone must at least be possible. */
	if (ring.applies != own.applies &&
		beyond_disk(st, &st->log[slot], ring.applies ? ring.sector : own.sector))
		return (struct nb_sector){.why_not = "what was recovered lies beyond the disk"};
	if (ring.applies)
		return (struct nb_sector){.from = IO_SECTOR_RING, .sector = ring.sector};
	return (struct nb_sector){.from = IO_SECTOR_REQUEST, .sector = own.sector};
}

void nb_recover_sectors(
	const struct nb_state *st, struct nb_sector ret[NB_SLOTS], struct finding_list *findings)
{
	unsigned i;

	for (i = 0; i < NB_SLOTS; i++) {
		char name[32];
		struct finding_at at = finding_at_slot(name, 0, (int)i);

		nb_device_name(st->log[i].device, name, sizeof(name));
		ret[i] = (struct nb_sector){.why_not = "not a data request"};
		if (nb_is_used(&st->log[i]) && nb_wire_ok(&st->log[i]) &&
			st->log[i].op != NB_OP_PROBE)
			ret[i] = recover_one(st, i, &at, findings);
	}
}
