/* SPDX-License-Identifier: BSD-2-Clause
 *
 * by_scan.c - the driver's objects by their structure, without any symbol.
 *
 * The log is 64 x 60 bytes at the start of a page: malloc() serves its 3840 bytes from the bucket
 * of 4096. Its ids are either links of a free list that ends at 4095 or pointers into the one
 * array of xbdreqs. The shared ring is the page whose places hold the segments that the log has,
 * as machine frames. Everything is looked at with guest_peek(); what is used in the end is read
 * again in the open, so that a reduced checkpoint keeps it.
 */
#include "frontend/netbsd/xbd.h"

#include "base/num.h"

#include <string.h>

#define NB_MAX_CANDIDATES 16u
#define NB_MAX_ALIASES	  4u
#define NB_XBDREQ_SPAN	  ((NB_XBDREQ_USED - 1) * NB_XBDREQ_BYTES)

struct candidate {
	pfn_t pfn;
	uint32_t va; /* the first that the kernel has for it, or the one that is pointed at */
	uint32_t other_va[NB_MAX_ALIASES];
	unsigned nr_other;
	bool list_ok;	    /* the free list closes */
	uint32_t reference; /* a kernel word that points at it; 0 none */
	struct nb_wire log[NB_SLOTS];
};

struct candidates {
	struct candidate v[NB_MAX_CANDIDATES];
	unsigned nr;
	bool more;
};

static uint32_t va_of(const struct nb_va_map *map, pfn_t pfn)
{
	return pfn.v < map->nr ? map->va[pfn.v] : 0;
}

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
		return err_set(err, ERR_CORRUPT, "%llu frames are not a guest of Xen 2.0",
			(unsigned long long)m->nr);
	m->va = calloc(m->nr, sizeof(*m->va));
	if (!m->va)
		return err_nomem(err, "the map of kernel addresses");
	guest_for_each_mapping(g, GVA(NB_KERNEL_LOW), GVA(NB_XEN_LOW - 1), note_mapping, m);
	return 0;
}

static bool id_possible(uint32_t id)
{
	return id < NB_SLOTS || id == NB_NIL || id >= NB_KERNEL_LOW;
}

/* A used slot as the driver writes it. */
static bool used_slot_ok(const struct nb_wire *w)
{
	unsigned i;

	if (!nb_wire_ok(w) || (w->op != NB_OP_PROBE && !nb_device_known(w->device)))
		return false;
	for (i = 0; i < w->nr_seg; i++)
		if (w->fas[i] >> PAGE_SHIFT < NB_BIAS_PAGES)
			return false;
	return true;
}

/* Do all pointers lead into one array of 63 xbdreqs? */
static bool ids_share_array(const struct nb_wire log[NB_SLOTS])
{
	uint32_t low = UINT32_MAX, high = 0;
	unsigned i;

	for (i = 0; i < NB_SLOTS; i++) {
		if (!nb_is_used(&log[i]))
			continue;
		low = MIN(low, log[i].id);
		high = MAX(high, log[i].id);
	}
	if (low > high || high - low > NB_XBDREQ_SPAN)
		return low > high; /* no pointer at all */
	for (i = 0; i < NB_SLOTS; i++)
		if (nb_is_used(&log[i]) && (log[i].id - low) % NB_XBDREQ_BYTES)
			return false;
	return true;
}

/* Half of the used slots at least must be flawless: a damaged log is worth showing. */
static bool parse_log(const uint8_t *page, struct candidate *c, unsigned *ret_used)
{
	struct nb_value head;
	unsigned i, good = 0, used = 0;

	for (i = 0; i < NB_SLOTS; i++)
		if (!id_possible(num_le32(page + i * NB_SLOT_BYTES + 4)))
			return false;
	for (i = 0; i < NB_SLOTS; i++) {
		c->log[i] = nb_wire_parse(page + (size_t)i * NB_SLOT_BYTES);
		if (nb_is_used(&c->log[i])) {
			used++;
			good += used_slot_ok(&c->log[i]);
		}
	}
	if (good * 2 < used || !ids_share_array(c->log))
		return false;
	head = nb_free_head(c->log);
	c->list_ok = head.known && nb_free_list_ok(c->log, head.v);
	*ret_used = used;
	return used || c->list_ok;
}

/* By the low bits of a page's number: may a candidate have that address? Spares most words of the
 * memory a look at every candidate. */
#define NB_FILTER 1024u

struct log_scan {
	const struct nb_va_map *map;
	struct candidates *found;
	bool filter[NB_FILTER];
};

static int look_for_log(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct log_scan *scan = arg;
	struct candidate *c = &scan->found->v[scan->found->nr];
	unsigned used;

	if (!va_of(scan->map, pfn) || !parse_log(page, c, &used))
		return false;
	c->pfn = pfn;
	c->va = va_of(scan->map, pfn);
	c->reference = c->nr_other = 0;
	scan->found->nr++;
	scan->found->more = scan->found->nr == NB_MAX_CANDIDATES;
	return scan->found->more;
}

static int note_alias(void *arg, gva_t va, const struct guest_map *map, uint64_t bytes)
{
	struct log_scan *scan = arg;
	struct candidates *found = scan->found;
	unsigned i;

	for (i = 0; i < found->nr; i++) {
		struct candidate *c = &found->v[i];
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

/* Kernel words that hold a candidate's address: rec_ring itself is one. */
static int look_for_references(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct log_scan *scan = arg;
	unsigned i;
	size_t off;

	if (!va_of(scan->map, pfn))
		return false;
	for (off = 0; off < PAGE_BYTES; off += 4) {
		uint32_t word = num_le32(page + off);

		if (word & PAGE_OFFSET_MASK || word < NB_KERNEL_LOW ||
			!scan->filter[(word >> PAGE_SHIFT) % NB_FILTER])
			continue;
		for (i = 0; i < scan->found->nr; i++) {
			struct candidate *c = &scan->found->v[i];

			if (c->reference || !is_address_of(c, word))
				continue;
			c->va = word;
			c->reference = va_of(scan->map, pfn) + (uint32_t)off;
		}
	}
	return false;
}

/* A list that closes and used slots are evidence each, a pointer to it is a third; two are needed.
 * An all-free or a damaged log counts only when something points at it. */
static unsigned weight(const struct candidate *c)
{
	unsigned i, used = 0;

	for (i = 0; i < NB_SLOTS; i++)
		used += nb_is_used(&c->log[i]);
	return (unsigned)c->list_ok + (used > 0) + (c->reference != 0);
}

static const struct candidate *best_candidate(const struct candidates *found, bool *ret_tie)
{
	const struct candidate *best = NULL;
	unsigned i;

	*ret_tie = false;
	for (i = 0; i < found->nr; i++) {
		const struct candidate *c = &found->v[i];

		if (weight(c) < 2)
			continue;
		*ret_tie = best && weight(c) == weight(best);
		if (!best || weight(c) > weight(best))
			best = c;
	}
	return best;
}

static const struct candidate *choose(struct candidates *found, struct snapshot *s)
{
	const struct candidate *best;
	unsigned i, top = 0;
	bool tie;

	best = best_candidate(found, &tie);
	for (i = 0; best && i < found->nr; i++)
		top += weight(&found->v[i]) == weight(best);
	if (!best || (top == 1 && !found->more))
		return best;
	finding_add(&s->findings, "XB209", finding_anywhere(),
		"%s%u pages look like the recovery ring, the first two at 0x%x and 0x%x: the "
		"kernel's file would tell",
		found->more ? "at least " : "", top, found->v[0].va, found->v[1].va);
	return NULL;
}

struct ring_scan {
	const struct nb_va_map *map;
	const struct nb_wire *log;
	struct p2m *p2m;
	unsigned best, ties;
	uint32_t va;
};

/* How many of the 64 places hold the segments of a slot of the log, used or freed. */
static unsigned ring_score(const struct nb_state *ring, const struct nb_wire *log, struct p2m *p2m)
{
	unsigned i, j, score = 0;

	for (i = 0; i < NB_SLOTS; i++) {
		struct nb_wire w = nb_ring_request(ring->ring, i);
		uint32_t logged;
		pfn_t pfn;

		if (!nb_fas_ok(w.fas[0]) ||
			p2m_reverse(p2m, MFN(w.fas[0] >> PAGE_SHIFT), &pfn) != P2M_VALID)
			continue;
		/* One comparison first: a hostile page may match the log all over. */
		logged = (uint32_t)((pfn.v + NB_BIAS_PAGES) << PAGE_SHIFT) |
			 (w.fas[0] & PAGE_OFFSET_MASK);
		for (j = 0; j < NB_SLOTS; j++)
			if (log[j].fas[0] == logged && nb_wire_ok(&log[j]) &&
				nb_same_geometry(p2m, &log[j], &w) == TRI_YES)
				break;
		score += j < NB_SLOTS;
	}
	return score;
}

/* Indices that fit, and whole requests between them. */
static bool ring_header_ok(const struct nb_state *ring)
{
	uint32_t i;

	if (ring->req_prod - ring->resp_prod > NB_SLOTS)
		return false;
	for (i = ring->resp_prod; i != ring->req_prod; i++) {
		struct nb_wire w = nb_ring_request(ring->ring, i);

		if (!nb_wire_ok(&w) || w.id >= NB_SLOTS)
			return false;
	}
	return true;
}

static int look_for_ring(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct ring_scan *scan = arg;
	struct nb_state ring = {.req_prod = num_le32(page), .resp_prod = num_le32(page + 4)};
	unsigned score;

	if (ring.req_prod - ring.resp_prod > NB_SLOTS || !va_of(scan->map, pfn))
		return false;
	memcpy(ring.ring, page, sizeof(ring.ring));
	if (!ring_header_ok(&ring))
		return false;
	score = ring_score(&ring, scan->log, scan->p2m);
	if (!score || score < scan->best)
		return false;
	scan->ties = score == scan->best ? scan->ties + 1 : 0;
	scan->best = score;
	scan->va = va_of(scan->map, pfn);
	return false;
}

/* The shared-ring page with which the log agrees; 0 when none does. */
static uint32_t scan_ring(struct guest *g, const struct nb_va_map *map,
	const struct nb_wire log[NB_SLOTS], struct p2m *p2m)
{
	struct ring_scan scan = {.map = map, .log = log, .p2m = p2m};

	if (p2m)
		memory_for_each_page(guest_memory(g), look_for_ring, &scan);
	return scan.ties ? 0 : scan.va;
}

struct vbd_scan {
	const struct nb_va_map *map;
	const struct nb_wire *log;
	struct nb_vbd vbd[NB_MAX_VBDS];
	unsigned nr, conflicts;
	uint32_t va;
};

static bool covers_log(const struct nb_wire log[NB_SLOTS], const struct nb_vbd *vbd, unsigned nr)
{
	unsigned i, j, used = 0;

	for (i = 0; i < NB_SLOTS; i++) {
		if (!nb_is_used(&log[i]) || log[i].op == NB_OP_PROBE)
			continue;
		for (j = 0; j < nr && vbd[j].device != log[i].device; j++)
			;
		if (j == nr)
			return false;
		used++;
	}
	return used > 0;
}

/* malloc() serves the 768 bytes from the bucket of 1024. */
static int look_for_vbds(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct vbd_scan *scan = arg;
	struct nb_vbd vbd[NB_MAX_VBDS];
	unsigned nr, off;

	if (!va_of(scan->map, pfn))
		return false;
	for (off = 0; off < PAGE_BYTES; off += 1024) {
		nr = nb_vbds_parse(page + off, NB_MAX_VBDS * NB_VDISK_BYTES, vbd);
		if (!nr || !covers_log(scan->log, vbd, nr))
			continue;
		if (scan->nr)
			scan->conflicts++;
		scan->nr = nr;
		scan->va = va_of(scan->map, pfn) + off;
	}
	return false;
}

/* vbd_info without a pointer to it; 0 when no table, or more than one, fits the log. */
static uint32_t scan_vbds(struct guest *g, const struct nb_va_map *map,
	const struct nb_wire log[NB_SLOTS], unsigned *ret_nr)
{
	struct vbd_scan scan = {.map = map, .log = log};

	memory_for_each_page(guest_memory(g), look_for_vbds, &scan);
	*ret_nr = scan.nr;
	return scan.conflicts ? 0 : scan.va;
}

/* The ring and the disks, given the log. */
static int locate_rest(struct guest *g, const struct nb_va_map *map, const struct candidate *c,
	struct nb_place *place, struct err *err)
{
	struct p2m *p2m = NULL;
	unsigned nr;

	if (nb_open_p2m(g, 0, NULL, &p2m, err))
		return -1;
	place->ring_va = scan_ring(g, map, c->log, p2m);
	p2m_free(p2m);
	place->vbd_va = scan_vbds(g, map, c->log, &nr);
	if (place->vbd_va)
		place->nr_vbds = (struct nb_value){.known = true, .v = nr};
	return 0;
}

int nb_locate_scan(struct guest *g, struct snapshot *s, struct nb_place *place, struct err *err)
{
	CLEANUP_FREE uint32_t *va = NULL;
	struct nb_va_map map = {0};
	CLEANUP_FREE struct candidates *found = calloc(1, sizeof(*found));
	struct log_scan scan = {.map = &map, .found = found};
	const struct candidate *c;
	uint32_t word;

	*place = (struct nb_place){.by = BLK_BY_SCAN};
	if (map_kernel(g, &map, err))
		return err->cls == ERR_SYSTEM ? -1 : 0;
	va = map.va;
	if (!found)
		return err_nomem(err, "the candidates of a scan");
	s->every_page = true;
	memory_for_each_page(guest_memory(g), look_for_log, &scan);
	if (found->nr) {
		guest_for_each_mapping(
			g, GVA(NB_KERNEL_LOW), GVA(NB_XEN_LOW - 1), note_alias, &scan);
		memory_for_each_page(guest_memory(g), look_for_references, &scan);
	}
	c = choose(found, s);
	if (!c) {
		snapshot_how(s, "netbsd-xbd: no page has the structure of a recovery ring");
		return 0;
	}
	/* Read in the open, with the tables that map it. */
	if (c->reference && guest_read_u32(g, GVA(c->reference), &word, err))
		snapshot_how(s, "netbsd-xbd: cannot read the pointer again: %s", err->text);
	place->found = true;
	place->log_va = c->va;
	place->statics_va = c->reference;
	snapshot_how(s, "netbsd-xbd: recovery ring at 0x%x by structure, %s", c->va,
		c->reference ? "with a kernel word that points at it" : "without a pointer to it");
	return locate_rest(g, &map, c, place, err);
}
