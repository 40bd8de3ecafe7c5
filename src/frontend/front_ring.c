/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/front_ring.h"

#include <string.h>

#include "base/num.h"

/* Places in memory that are looked behind, and those that are then looked for in the page tables:
 * a guest has some tens. */
#define MAX_PLACES    65536u
#define MAX_HITS      256u
#define MAX_ADDRESSES 4u
/* Each page stands in a direct map and perhaps in one more place; tables that point at each other
 * make as many as one likes. */
#define MAPPINGS_BASE	  (1u << 22)
#define MAPPINGS_PER_PAGE 4u

static bool is_size(uint32_t n)
{
	return n >= 32 && n <= SHARED_RING_MAX_ENTRIES && !(n & (n - 1));
}

/* `raw`: FRONT_RING_BYTES of it. */
static bool parse_words(const struct guest *g, const uint8_t *raw, struct front_ring *ret)
{
	bool wide = guest_word_bytes(g) == 8;

	ret->req_prod_pvt = num_le32(raw);
	ret->rsp_cons = num_le32(raw + 4);
	ret->entries = num_le32(raw + 8);
	ret->sring = GVA(wide ? num_le64(raw + 16) : num_le32(raw + 12));
	ret->abi = wide ? &blkif_abi_x86_64 : &blkif_abi_x86_32;
	return is_size(ret->entries) && ret->sring.v && !(ret->sring.v & PAGE_OFFSET_MASK) &&
	       (!wide || !num_le32(raw + 12)) && ret->req_prod_pvt - ret->rsp_cons <= ret->entries;
}

static void map_pages(struct guest *g, gva_t sring, struct shared_ring *r)
{
	struct guest_map map;
	unsigned i;

	for (i = 0; i < r->nr_pages; i++)
		r->pages[i] =
			guest_translate(g, gva_add(sring, (uint64_t)i * PAGE_BYTES), &map, NULL)
				? PFN(UINT64_MAX)
				: map.pfn;
}

/* The pages, and whether the header there fits the driver's indices. */
static bool follow_pointer(struct guest *g, struct front_ring *r)
{
	struct shared_ring *s = &r->shared;
	uint64_t bytes = BLKIF_SRING_HEADER + (uint64_t)r->entries * r->abi->request_bytes;
	const uint8_t *page;

	s->abi = r->abi;
	s->entries = r->entries;
	s->nr_pages = (unsigned)((bytes + PAGE_BYTES - 1) / PAGE_BYTES);
	if (s->nr_pages > SHARED_RING_MAX_PAGES)
		return false;
	s->nr_pages = 1;
	map_pages(g, r->sring, s);
	page = s->pages[0].v == UINT64_MAX ? NULL : guest_peek(g, s->pages[0]);
	if (!page || !shared_ring_header(page, s) || r->req_prod_pvt - s->req_prod > r->entries ||
		s->rsp_prod - r->rsp_cons > r->entries)
		return false;
	s->nr_pages = (unsigned)((bytes + PAGE_BYTES - 1) / PAGE_BYTES);
	map_pages(g, r->sring, s);
	return true;
}

static bool read_ring_at(struct guest *g, gva_t va, struct front_ring *ret)
{
	unsigned bytes = FRONT_RING_BYTES(guest_word_bytes(g));
	uint8_t raw[FRONT_RING_BYTES(8)];

	*ret = (struct front_ring){.va = va};
	return !guest_read(g, va, raw, bytes, NULL) && parse_words(g, raw, ret) &&
	       follow_pointer(g, ret);
}

bool front_ring_in(struct guest *g, gva_t start, uint64_t bytes, struct front_ring *ret)
{
	unsigned word = guest_word_bytes(g);
	uint64_t off;

	for (off = 0; off < bytes; off += word)
		if (read_ring_at(g, gva_add(start, off), ret))
			return true;
	return false;
}

/* ---- all of memory ------------------------------------------------------------------------- */

struct hit {
	pfn_t pfn;
	unsigned off, nr_addresses;
};

struct ring_search {
	struct guest *g;
	struct hit hits[MAX_HITS];
	unsigned nr_hits, places_left;
	uint64_t mappings_left;
	struct front_rings *found;
	struct err *err;
	int status;
};

static int visit_page(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct ring_search *s = arg;
	unsigned word = guest_word_bytes(s->g), off, bytes = FRONT_RING_BYTES(word);

	for (off = 0; off + bytes <= PAGE_BYTES && s->nr_hits < MAX_HITS; off += word) {
		struct front_ring r;

		/* The number of entries first: it is what no other word looks like. */
		if (!is_size(num_le32(page + off + 8)) || !parse_words(s->g, page + off, &r))
			continue;
		if (!s->places_left--)
			return 1;
		if (follow_pointer(s->g, &r))
			s->hits[s->nr_hits++] = (struct hit){pfn, off, 0};
	}
	return s->nr_hits == MAX_HITS;
}

static int note_address(struct ring_search *s, struct hit *h, gva_t va)
{
	struct front_ring r;

	if (h->nr_addresses == MAX_ADDRESSES || !read_ring_at(s->g, va, &r))
		return 0;
	if (util_grow(&s->found->v, &s->found->cap, s->found->nr + 1, sizeof(r)))
		return err_nomem(s->err, "the rings found");
	s->found->v[s->found->nr++] = r;
	h->nr_addresses++;
	return 0;
}

static int visit_mapping(void *arg, gva_t va, const struct guest_map *map, uint64_t bytes)
{
	struct ring_search *s = arg;
	unsigned i;

	if (!s->mappings_left--)
		return 1;
	for (i = 0; i < s->nr_hits; i++) {
		struct hit *h = &s->hits[i];
		uint64_t away = h->pfn.v - map->pfn.v;

		if (away < bytes >> PAGE_SHIFT &&
			note_address(s, h, gva_add(va, (away << PAGE_SHIFT) + h->off))) {
			s->status = -1;
			return 1;
		}
	}
	return 0;
}

/* The kernel's half first; small kernels of 64 bits live in the other one. */
static void visit_mappings(struct ring_search *s)
{
	uint64_t half = guest_upper_half(s->g), last = UINT64_MAX - PAGE_OFFSET_MASK;

	if (!half) {
		guest_for_each_mapping(
			s->g, GVA(0), GVA(UINT32_MAX - PAGE_OFFSET_MASK), visit_mapping, s);
		return;
	}
	guest_for_each_mapping(s->g, GVA(half), GVA(last), visit_mapping, s);
	if (!s->found->nr && !s->status)
		guest_for_each_mapping(s->g, GVA(0), GVA(-half - PAGE_BYTES), visit_mapping, s);
}

int front_rings_find(struct guest *g, struct front_rings *ret, struct err *err)
{
	struct ring_search *s;
	int status;

	*ret = (struct front_rings){0};
	/* Its pointers would lead nowhere. */
	if (!guest_maps_anything(g))
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return err_nomem(err, "a search");
	*s = (struct ring_search){.g = g,
		.places_left = MAX_PLACES,
		.found = ret,
		.err = err,
		.mappings_left = MAPPINGS_BASE + MAPPINGS_PER_PAGE * guest_info(g)->nr_data_pages};
	memory_for_each_page(guest_memory(g), visit_page, s);
	if (s->nr_hits)
		visit_mappings(s);
	status = s->status;
	free(s);
	return status;
}

void front_rings_fini(struct front_rings *r)
{
	free(r->v);
	*r = (struct front_rings){0};
}
