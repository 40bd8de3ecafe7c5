/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/ring_shape.h"

#include <string.h>

#include "base/num.h"

#define MAX_ORDER 5u /* SHARED_RING_MAX_PAGES */
/* Pages whose header is looked behind. A guest has some tens of rings of all kinds. */
#define MAX_HEADERS 65536u

/* What speaks for one reading of a ring: so many pages, that layout. */
struct reading {
	struct shared_ring ring;
	unsigned nr_requests, nr_answers, nr_wrong;
	unsigned nr_named; /* entries that name pages, or did before the answer lay over them */
};

/* Of an answered entry the sector and the first segment still stand. */
static bool names_pages(const struct blkif_abi *abi, const uint8_t *raw)
{
	struct blkif_wire_seg seg = blkif_decode_seg(raw + abi->seg);

	return num_le64(raw + abi->sector) <= 1ull << 48 && seg.gref && seg.gref < 1u << 24 &&
	       seg.first <= seg.last && seg.last <= 7;
}

static void judge_entry(struct reading *r, const uint8_t *raw, bool answered)
{
	const struct blkif_abi *abi = r->ring.abi;
	bool fits = answered ? shared_ring_is_response(abi, raw) : shared_ring_is_request(abi, raw);

	if (!fits)
		r->nr_wrong++;
	else if (answered)
		r->nr_answers++;
	else
		r->nr_requests++;
	r->nr_named += fits && names_pages(abi, raw);
}

/* Every entry that was ever used and is not overwritten. False: one cannot be had, or waits for an
 * answer and is no request. */
static bool judge_ring(const struct guest *g, struct reading *r)
{
	const struct shared_ring *ring = &r->ring;
	uint32_t nr = MIN(ring->entries, ring->req_prod), k;

	if (ring->req_prod - ring->rsp_prod > ring->entries)
		return false;
	for (k = ring->req_prod - nr; k != ring->req_prod; k++) {
		bool answered = (int32_t)(k - ring->rsp_prod) < 0;
		uint8_t raw[BLKIF_MAX_REQUEST_BYTES];

		if (!shared_ring_entry(g, ring, k, raw))
			return false;
		judge_entry(r, raw, answered);
		if (r->nr_wrong && !answered)
			return false;
		if (r->nr_wrong > nr / 8)
			return false;
	}
	return r->nr_requests ? r->nr_named > 0 : r->nr_named > 1;
}

static unsigned count_points(const struct reading *r)
{
	return r->nr_requests + r->nr_answers;
}

/* The pages of a ring follow each other, as far as can be told without its driver. */
static bool read_as(const struct guest *g, pfn_t pfn, const struct shared_ring *header,
	const struct blkif_abi *abi, unsigned nr_pages, struct reading *ret)
{
	unsigned i;

	*ret = (struct reading){.ring = *header};
	ret->ring.abi = abi;
	ret->ring.nr_pages = nr_pages;
	ret->ring.entries = shared_ring_entries(abi, nr_pages);
	for (i = 0; i < nr_pages; i++)
		ret->ring.pages[i] = PFN(pfn.v + i);
	return judge_ring(g, ret);
}

/* The ring that begins in that frame: its best reading; of two as good, the guest's own layout and
 * the shorter ring. */
static bool find_ring_at(const struct guest *g, pfn_t pfn, struct shared_ring *ret)
{
	const struct blkif_abi *own =
		guest_word_bytes(g) == 4 ? &blkif_abi_x86_32 : &blkif_abi_x86_64;
	const struct blkif_abi *abis[] = {
		own, own == &blkif_abi_x86_32 ? &blkif_abi_x86_64 : &blkif_abi_x86_32};
	const uint8_t *page = guest_peek(g, pfn);
	struct shared_ring header;
	struct reading now;
	unsigned i, order, best = 0;

	if (!page || !shared_ring_header(page, &header) || !header.req_prod)
		return false;
	for (i = 0; i < ARRAY_SIZE(abis); i++)
		for (order = 0; order <= MAX_ORDER; order++)
			if (read_as(g, pfn, &header, abis[i], 1u << order, &now) &&
				count_points(&now) > best) {
				best = count_points(&now);
				*ret = now.ring;
			}
	return best > 0;
}

struct search {
	struct guest *g;
	struct ring_shapes *found;
	struct err *err;
	unsigned headers_left;
};

/* A page of a longer ring that was found before. */
static bool is_known(const struct ring_shapes *s, pfn_t pfn)
{
	const struct shared_ring *last = s->nr ? &s->v[s->nr - 1] : NULL;

	return last && pfn.v - last->pages[0].v < last->nr_pages;
}

static int visit_page(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct search *s = arg;
	struct shared_ring header, ring;

	if (!num_le32(page) || !shared_ring_header(page, &header) || is_known(s->found, pfn))
		return 0;
	if (!s->headers_left-- || s->found->nr == RING_SHAPES_MAX) {
		s->found->more = true;
		return 1;
	}
	if (!find_ring_at(s->g, pfn, &ring))
		return 0;
	if (util_grow(&s->found->v, &s->found->cap, s->found->nr + 1, sizeof(ring)))
		return err_nomem(s->err, "the rings found");
	s->found->v[s->found->nr++] = ring;
	return 0;
}

int ring_shapes_find(struct guest *g, struct ring_shapes *ret, struct err *err)
{
	struct search s = {.g = g, .found = ret, .err = err, .headers_left = MAX_HEADERS};

	*ret = (struct ring_shapes){0};
	return memory_for_each_page(guest_memory(g), visit_page, &s) < 0 ? -1 : 0;
}

void ring_shapes_fini(struct ring_shapes *s)
{
	free(s->v);
	*s = (struct ring_shapes){0};
}
