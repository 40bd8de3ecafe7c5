/* SPDX-License-Identifier: BSD-2-Clause
 *
 * by_scan.c - the driver's objects by their structure, without any symbol.
 *
 * The log is 64 x 60 bytes at the start of a page: malloc() serves its 3840 bytes from the bucket
 * of 4096. The shared ring is the page whose places hold the segments that the log has, as machine
 * frames. The driver's variables stand together, rec_ring, which points to the log, and blk_ring,
 * which points to the ring, among them. Each of the three is found by points (scan.h), and each
 * vouches for the others. Everything is looked at with guest_peek(); what is used in the end is
 * read again in the open, so that a reduced checkpoint keeps it.
 */
#include "frontend/netbsd/scan.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

#define NB_MAX_LOGS    16u
#define NB_MAX_ALIASES 4u
#define NB_MAX_REFS    8u
#define NB_MAX_RINGS   4u
/* What else a log needs: of 64 points, and some for what vouches for it. */
#define NB_ENOUGH      48u /* with pointers to xbdreqs in it */
#define NB_ENOUGH_IDLE 72u /* all free: a page that the driver gave back looks the same */
#define NB_REFERENCE   16u /* points for a kernel word that points to it */
#define NB_MOST_RING   32u /* points at most for a ring that holds its segments */
#define NB_MARGIN      8u  /* that the best has to be ahead of the next */

struct ring_page {
	uint32_t va;
	unsigned points;
};

struct candidate {
	pfn_t pfn;
	uint32_t va; /* the first that the kernel has for it, or the one that is pointed at */
	uint32_t other_va[NB_MAX_ALIASES];
	unsigned nr_other;
	struct nb_wire log[NB_SLOTS];
	struct nb_log_points points;
	uint32_t ref[NB_MAX_REFS]; /* kernel words that hold an address of it */
	unsigned nr_refs;
	struct ring_page ring[NB_MAX_RINGS]; /* the best, descending */
	unsigned nr_rings;
	struct nb_log_index index;
	uint32_t rec_ring; /* the reference among the driver's variables, or the first; 0 none */
	uint32_t ring_va;  /* 0 unknown */
	unsigned ring_points;
};

/* By the low bits of a page's number: may a candidate have that address? Spares most words of the
 * memory a look at every candidate. */
#define NB_FILTER 1024u

struct log_scan {
	struct guest *g;
	const struct nb_va_map *map;
	struct p2m *p2m; /* NULL unknown */
	struct candidate v[NB_MAX_LOGS];
	unsigned nr;
	bool filter[NB_FILTER];
};

static int note_mapping(void *arg, gva_t va, const struct guest_map *map, uint64_t bytes)
{
	struct nb_va_map *m = arg;
	uint64_t i;

	for (i = 0; i < bytes >> PAGE_SHIFT; i++) {
		uint64_t pfn = map->pfn.v + i;

		if (pfn < m->nr && !m->va[pfn])
			m->va[pfn] = (uint32_t)(va.v + (i << PAGE_SHIFT));
	}
	return 0;
}

/* The first kernel address of each frame. Xen 2.0 has at most 2^20 frames: 4 MiB. */
static int map_kernel(struct guest *g, struct nb_va_map *m, struct err *err)
{
	m->nr = guest_info(g)->nr_pfns;
	if (!m->nr || m->nr > UINT64_C(1) << 20)
		return err_set(
			err, ERR_CORRUPT, "%" PRIu64 " frames are not a guest of Xen 2.0", m->nr);
	m->va = calloc(m->nr, sizeof(*m->va));
	if (!m->va)
		return err_nomem(err, "the map of kernel addresses");
	guest_for_each_mapping(g, GVA(NB_KERNEL_LOW), GVA(NB_XEN_LOW - 1), note_mapping, m);
	return 0;
}

static unsigned log_points(const struct candidate *c)
{
	return c->points.used + c->points.links;
}

/* A place for one more; that of the poorest when there are many. NULL: all are as good. */
static struct candidate *make_room(struct log_scan *scan, unsigned points)
{
	struct candidate *poorest = NULL;
	unsigned i;

	if (scan->nr < NB_MAX_LOGS)
		return &scan->v[scan->nr++];
	for (i = 0; i < scan->nr; i++)
		if (!poorest || log_points(&scan->v[i]) < log_points(poorest))
			poorest = &scan->v[i];
	return log_points(poorest) < points ? poorest : NULL;
}

static int look_for_log(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct log_scan *scan = arg;
	uint32_t va = nb_va_of(scan->map, pfn);
	struct nb_wire log[NB_SLOTS];
	struct nb_log_points points;
	struct candidate *c;

	if (!va || !nb_page_is_log(page, log, &points))
		return 0;
	c = make_room(scan, points.used + points.links);
	if (!c)
		return 0;
	*c = (struct candidate){.pfn = pfn, .va = va, .points = points};
	memcpy(c->log, log, sizeof(c->log));
	return 0;
}

static int note_alias(void *arg, gva_t va, const struct guest_map *map, uint64_t bytes)
{
	struct log_scan *scan = arg;
	unsigned i;

	for (i = 0; i < scan->nr; i++) {
		struct candidate *c = &scan->v[i];
		uint64_t page = c->pfn.v - map->pfn.v;

		if (c->pfn.v < map->pfn.v || page >= bytes >> PAGE_SHIFT ||
			c->nr_other == NB_MAX_ALIASES)
			continue;
		c->other_va[c->nr_other++] = (uint32_t)(va.v + (page << PAGE_SHIFT));
		scan->filter[((va.v >> PAGE_SHIFT) + page) % NB_FILTER] = true;
	}
	return 0;
}

static bool is_address_of(const struct candidate *c, uint32_t word)
{
	unsigned i;

	for (i = 0; i < c->nr_other; i++)
		if (c->other_va[i] == word)
			return true;
	return false;
}

static void note_reference(struct log_scan *scan, uint32_t word, uint32_t at)
{
	unsigned i;

	for (i = 0; i < scan->nr; i++) {
		struct candidate *c = &scan->v[i];

		if (c->nr_refs < NB_MAX_REFS && is_address_of(c, word))
			c->ref[c->nr_refs++] = at;
	}
}

/* Kernel words that hold a candidate's address: rec_ring itself is one. */
static void look_for_references(struct log_scan *scan, uint32_t va, const uint8_t *page)
{
	unsigned off;

	for (off = 0; off < PAGE_BYTES; off += 4) {
		uint32_t word = num_le32(page + off);

		if (!(word & PAGE_OFFSET_MASK) && word >= NB_KERNEL_LOW &&
			scan->filter[(word >> PAGE_SHIFT) % NB_FILTER])
			note_reference(scan, word, va + off);
	}
}

static void note_ring(struct candidate *c, uint32_t va, unsigned points)
{
	unsigned i, last = c->nr_rings < NB_MAX_RINGS ? c->nr_rings++ : NB_MAX_RINGS - 1;

	if (c->ring[last].va && c->ring[last].points >= points)
		return;
	c->ring[last] = (struct ring_page){va, points};
	for (i = last; i && c->ring[i].points > c->ring[i - 1].points; i--) {
		struct ring_page tmp = c->ring[i];

		c->ring[i] = c->ring[i - 1];
		c->ring[i - 1] = tmp;
	}
}

/* The indices of the ring are judged by rules. Here they help only where little else does. */
static bool indices_fit(const uint8_t *page)
{
	return num_le32(page) - num_le32(page + 4) <= NB_SLOTS;
}

static void look_for_rings(struct log_scan *scan, uint32_t va, const uint8_t *page)
{
	uint32_t logged[NB_SLOTS];
	unsigned i;

	if (!scan->p2m || !nb_ring_logged(page, scan->p2m, logged))
		return;
	for (i = 0; i < scan->nr; i++) {
		struct candidate *c = &scan->v[i];
		struct nb_ring_points p = nb_ring_points(page, logged, &c->index, scan->p2m);

		if (p.places > 1 || (p.places && indices_fit(page)))
			note_ring(c, va, p.places + 2 * p.live);
	}
}

static int look_for_rest(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct log_scan *scan = arg;
	uint32_t va = nb_va_of(scan->map, pfn);

	if (!va)
		return 0;
	look_for_references(scan, va, page);
	look_for_rings(scan, va, page);
	return 0;
}

/* Does a word near rec_ring point to the page? By whatever address. */
static bool is_pointed_at(struct log_scan *scan, const struct nb_statics *near, uint32_t ring_va)
{
	struct guest_map ring, other;
	unsigned i;

	if (nb_statics_has(near, ring_va))
		return true;
	if (guest_translate(scan->g, GVA(ring_va), &ring, NULL))
		return false;
	for (i = 0; i < NB_NEAR_WORDS; i++)
		if (near->known[i] && near->word[i] >= NB_KERNEL_LOW &&
			!(near->word[i] & PAGE_OFFSET_MASK) &&
			!guest_translate(scan->g, GVA(near->word[i]), &other, NULL) &&
			other.pfn.v == ring.pfn.v)
			return true;
	return false;
}

/* The ring to which one of the driver's variables points; else the best by a margin. A ring of an
 * earlier life holds segments of the log as well, but nothing that is in flight. */
static void settle_ring(struct log_scan *scan, struct candidate *c)
{
	unsigned r, i;

	for (r = 0; r < c->nr_refs && !c->ring_va; r++) {
		struct nb_statics near;

		nb_statics_read(scan->g, c->ref[r], &near);
		for (i = 0; i < c->nr_rings && !c->ring_va; i++) {
			if (!is_pointed_at(scan, &near, c->ring[i].va))
				continue;
			c->ring_va = c->ring[i].va;
			c->ring_points = c->ring[i].points;
			c->rec_ring = c->ref[r];
		}
	}
	if (!c->rec_ring && c->nr_refs)
		c->rec_ring = c->ref[0];
	if (c->ring_va || !c->nr_rings ||
		(c->nr_rings > 1 &&
			c->ring[0].points < c->ring[1].points + MAX(2u, c->ring[0].points / 8)))
		return;
	c->ring_va = c->ring[0].va;
	c->ring_points = c->ring[0].points;
}

static unsigned total_points(const struct candidate *c)
{
	return log_points(c) + (c->nr_refs ? NB_REFERENCE : 0) + MIN(c->ring_points, NB_MOST_RING);
}

static bool is_enough(const struct candidate *c)
{
	return total_points(c) >= (c->points.used ? NB_ENOUGH : NB_ENOUGH_IDLE);
}

static struct candidate *choose_candidate(struct log_scan *scan, struct snapshot *s)
{
	struct candidate *best = NULL, *next = NULL;
	unsigned i;

	for (i = 0; i < scan->nr; i++) {
		struct candidate *c = &scan->v[i];

		if (!is_enough(c))
			continue;
		if (!best || total_points(c) > total_points(best)) {
			next = best;
			best = c;
		} else if (!next || total_points(c) > total_points(next)) {
			next = c;
		}
	}
	if (!next || total_points(best) >= total_points(next) + NB_MARGIN)
		return best;
	finding_add(&s->findings, "XB209", finding_anywhere(),
		"the pages at 0x%x and 0x%x both look like the recovery ring: the kernel's file "
		"would tell",
		best->va, next->va);
	return NULL;
}

/* The candidates, with what vouches for them. */
static void find_candidates(struct log_scan *scan)
{
	unsigned i;

	memory_for_each_page(guest_memory(scan->g), look_for_log, scan);
	if (!scan->nr)
		return;
	for (i = 0; i < scan->nr; i++)
		nb_log_index_init(&scan->v[i].index, scan->v[i].log);
	guest_for_each_mapping(scan->g, GVA(NB_KERNEL_LOW), GVA(NB_XEN_LOW - 1), note_alias, scan);
	memory_for_each_page(guest_memory(scan->g), look_for_rest, scan);
	for (i = 0; i < scan->nr; i++)
		settle_ring(scan, &scan->v[i]);
}

static unsigned count_used(const struct candidate *c)
{
	unsigned i, nr = 0;

	for (i = 0; i < NB_SLOTS; i++)
		nr += nb_is_used(&c->log[i]);
	return nr;
}

/* The ring, the variables and the disks, given the log. Reads in the open. */
static void fill_place(struct log_scan *scan, const struct candidate *c, struct nb_place *place)
{
	struct nb_statics near;
	uint8_t indices[NB_RING_HDR];

	place->found = true;
	place->log_va = c->rec_ring ? 0 : c->va;
	if (c->rec_ring && guest_read_u32(scan->g, GVA(c->rec_ring), &place->log_va, NULL))
		place->log_va = c->va;
	place->statics_va = c->rec_ring;
	place->ring_va = c->ring_va;
	if (c->rec_ring)
		nb_statics_read(scan->g, c->rec_ring, &near);
	if (c->rec_ring && c->ring_va &&
		!guest_read(scan->g, GVA(c->ring_va), indices, sizeof(indices), NULL))
		nb_statics_indices(
			&near, num_le32(indices), num_le32(indices + 4), count_used(c), place);
	nb_find_vbds(scan->g, scan->map, c->log, c->rec_ring ? &near : NULL, place);
}

static int locate_log(
	struct log_scan *scan, struct snapshot *s, struct nb_place *place, struct err *err)
{
	const struct candidate *c;

	if (nb_open_p2m(scan->g, 0, NULL, &scan->p2m, err))
		return -1;
	find_candidates(scan);
	p2m_free(scan->p2m);
	c = choose_candidate(scan, s);
	if (!c) {
		snapshot_how(s, "netbsd-xbd: no page has the structure of a recovery ring");
		return 0;
	}
	fill_place(scan, c, place);
	snapshot_how(s,
		"netbsd-xbd: recovery ring at 0x%x by structure (%u of %u slots fit), %s, shared "
		"ring %s",
		c->va, log_points(c), NB_SLOTS,
		c->nr_refs ? "with a kernel word that points at it" : "without a pointer to it",
		c->ring_va ? "by its segments" : "not found");
	return 0;
}

int nb_locate_scan(struct guest *g, struct snapshot *s, struct nb_place *place, struct err *err)
{
	CLEANUP_FREE uint32_t *va = NULL;
	struct nb_va_map map = {0};
	CLEANUP_FREE struct log_scan *scan = NULL;

	*place = (struct nb_place){.by = BLK_BY_SCAN};
	if (map_kernel(g, &map, err))
		return err->cls == ERR_SYSTEM ? -1 : 0;
	va = map.va;
	scan = calloc(1, sizeof(*scan));
	if (!scan)
		return err_nomem(err, "the candidates of a scan");
	scan->g = g;
	scan->map = &map;
	s->every_page = true;
	return locate_log(scan, s, place, err);
}
