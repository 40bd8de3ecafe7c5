/* SPDX-License-Identifier: BSD-2-Clause
 *
 * evidence.c - points for what looks like the log, and like its shared ring.
 */
#include "frontend/netbsd/scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define NB_XBDREQ_SPAN ((NB_XBDREQ_USED - 1) * NB_XBDREQ_BYTES)
/* Slots of one first segment that are compared with a place: one buffer is seldom used by more. */
#define NB_MAX_SAME 4u

/* A used slot as the driver writes it. */
static bool used_slot_ok(const struct nb_wire *w)
{
	unsigned i;

	if (w->id < NB_KERNEL_LOW || !nb_wire_ok(w) ||
		(w->op != NB_OP_PROBE && !nb_device_known(w->device)))
		return false;
	for (i = 0; i < w->nr_seg; i++)
		if (w->fas[i] >> PAGE_SHIFT < NB_BIAS_PAGES)
			return false;
	return true;
}

/* The most of the pointers that lie in one array. */
static unsigned count_in_array(const uint32_t *id, unsigned nr)
{
	unsigned i, j, most = 0;

	for (i = 0; i < nr; i++) {
		unsigned in = 0;

		for (j = 0; j < nr; j++)
			in += id[j] >= id[i] && id[j] - id[i] <= NB_XBDREQ_SPAN &&
			      !((id[j] - id[i]) % NB_XBDREQ_BYTES);
		most = MAX(most, in);
	}
	return most;
}

struct nb_log_points nb_log_points(const struct nb_wire log[NB_SLOTS])
{
	struct nb_log_points p = {0};
	bool linked[NB_SLOTS] = {false}, ended = false;
	uint32_t id[NB_SLOTS];
	unsigned i, nr = 0;

	for (i = 0; i < NB_SLOTS; i++) {
		uint32_t to = log[i].id;

		if (nb_is_used(&log[i])) {
			if (used_slot_ok(&log[i]))
				id[nr++] = to;
		} else if (to == NB_NIL) {
			p.links += !ended;
			ended = true;
		} else if (to < NB_SLOTS && to != i && !nb_is_used(&log[to]) && !linked[to]) {
			linked[to] = true;
			p.links++;
		}
	}
	p.used = count_in_array(id, nr);
	return p;
}

/* An upper bound of the points, from the ids alone: most pages end here. */
static unsigned most_points(const uint8_t *page)
{
	uint64_t linked = 0;
	unsigned i, pointers = 0;
	bool ended = false;

	for (i = 0; i < NB_SLOTS; i++) {
		uint32_t id = num_le32(page + i * NB_SLOT_BYTES + 4);

		if (id < NB_SLOTS)
			linked |= UINT64_C(1) << id;
		else if (id == NB_NIL)
			ended = true;
		else
			pointers += id >= NB_KERNEL_LOW;
	}
	return (unsigned)__builtin_popcountll(linked) + pointers + ended;
}

bool nb_page_is_log(const uint8_t *page, struct nb_wire log[NB_SLOTS], struct nb_log_points *ret)
{
	unsigned i;

	if (most_points(page) < NB_LOG_MIN)
		return false;
	for (i = 0; i < NB_SLOTS; i++)
		log[i] = nb_wire_parse(page + (size_t)i * NB_SLOT_BYTES);
	*ret = nb_log_points(log);
	return ret->used + ret->links >= NB_LOG_MIN;
}

/* By insertion: they are few, and qsort_r() is not everywhere. */
static void sort_by_first_segment(struct nb_log_index *x)
{
	unsigned i, k;

	for (i = 1; i < NB_SLOTS; i++) {
		uint8_t slot = x->slot[i];

		for (k = i; k && x->log[x->slot[k - 1]].fas[0] > x->log[slot].fas[0]; k--)
			x->slot[k] = x->slot[k - 1];
		x->slot[k] = slot;
	}
}

void nb_log_index_init(struct nb_log_index *ret, const struct nb_wire log[NB_SLOTS])
{
	unsigned i;

	ret->log = log;
	for (i = 0; i < NB_SLOTS; i++)
		ret->slot[i] = (uint8_t)i;
	sort_by_first_segment(ret);
}

static const uint8_t *place_of(const uint8_t *page, unsigned i)
{
	return page + NB_RING_HDR + (size_t)i * NB_SLOT_BYTES;
}

unsigned nb_ring_logged(const uint8_t *page, struct p2m *p2m, uint32_t logged[NB_SLOTS])
{
	unsigned i, nr = 0;

	for (i = 0; i < NB_SLOTS; i++) {
		uint32_t fas = num_le32(place_of(page, i) + 16);
		pfn_t pfn;

		logged[i] = 0;
		if (!(fas >> PAGE_SHIFT) || !nb_fas_ok(fas) ||
			p2m_reverse(p2m, MFN(fas >> PAGE_SHIFT), &pfn) != P2M_VALID)
			continue;
		logged[i] = (uint32_t)((pfn.v + NB_BIAS_PAGES) << PAGE_SHIFT) |
			    (fas & PAGE_OFFSET_MASK);
		nr++;
	}
	return nr;
}

/* The first of the slots, in the index, whose first segment is that or a higher one. */
static unsigned first_at(const struct nb_log_index *index, uint32_t fas)
{
	unsigned low = 0, high = NB_SLOTS;

	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (index->log[index->slot[mid]].fas[0] < fas)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool is_logged(const struct nb_log_index *index, uint32_t fas, const struct nb_wire *place,
	struct p2m *p2m)
{
	unsigned i = first_at(index, fas), tried;

	for (tried = 0; i < NB_SLOTS && tried < NB_MAX_SAME; i++, tried++) {
		const struct nb_wire *w = &index->log[index->slot[i]];

		if (w->fas[0] != fas)
			return false;
		if (nb_wire_ok(w) && nb_same_geometry(p2m, w, place) == TRI_YES)
			return true;
	}
	return false;
}

static bool is_live(const struct nb_log_index *index, const struct nb_wire *place)
{
	const struct nb_wire *w;

	if (place->id >= NB_SLOTS)
		return false;
	w = &index->log[place->id];
	return nb_is_used(w) && w->op == place->op && w->nr_seg == place->nr_seg &&
	       w->device == place->device;
}

struct nb_ring_points nb_ring_points(const uint8_t *page, const uint32_t logged[NB_SLOTS],
	const struct nb_log_index *index, struct p2m *p2m)
{
	struct nb_ring_points p = {0};
	unsigned i;

	for (i = 0; i < NB_SLOTS; i++) {
		struct nb_wire place;

		if (!logged[i])
			continue;
		place = nb_wire_parse(place_of(page, i));
		if (!is_logged(index, logged[i], &place, p2m))
			continue;
		p.places++;
		p.live += is_live(index, &place);
	}
	return p;
}
