/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest/guest.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "checkpoint/pagetable.h"
#include "guest/pfn_set.h"

/* Direct-mapped caches; sizes are powers of two. Page lookups are a binary search over runs. */
#define PAGE_CACHE 256u
#define TLB_CACHE  512u
#define MAX_LEVELS 5u

struct cached_page {
	uint64_t pfn;
	struct memory_page page;
};

struct cached_map {
	uint64_t va_page; /* va >> 12; UINT64_MAX empty */
	struct guest_map map;
};

struct guest {
	struct memory mem;
	struct memory_info info;
	const struct pt_mode *mode;
	unsigned word_bytes;
	struct memory_root root;
	struct cached_page pages[PAGE_CACHE];
	struct cached_map tlb[TLB_CACHE];
	struct pfn_set *reads; /* NULL when not tracking */
	bool maps_known, maps; /* guest_maps_anything() */
};

static void empty_tlb(struct guest *g)
{
	size_t i;

	for (i = 0; i < TLB_CACHE; i++)
		g->tlb[i].va_page = UINT64_MAX;
}

static int use_first_root(struct guest *g, struct err *err)
{
	if (!g->info.nr_roots)
		return err_set(err, ERR_NODATA,
			"no vcpu context in the checkpoint: nothing says where the page tables "
			"are");
	g->root = memory_root(g->mem, 0);
	if (!g->mode && g->root.paging)
		return err_set(err, ERR_UNSUPPORTED, "vcpu %u: paging with %u levels", g->root.vcpu,
			g->info.pt_levels);
	return 0;
}

int guest_reload(struct guest *g, struct err *err)
{
	size_t i;

	g->info = memory_info(g->mem);
	g->word_bytes = g->info.word_bytes ? g->info.word_bytes : 8;
	g->mode = pt_mode_for(g->info.pt_levels);
	for (i = 0; i < PAGE_CACHE; i++)
		g->pages[i].pfn = UINT64_MAX;
	g->maps_known = false;
	empty_tlb(g);
	return use_first_root(g, err);
}

int guest_open(struct memory m, struct guest **ret, struct err *err)
{
	struct guest *g = calloc(1, sizeof(*g));

	if (!g)
		return err_nomem(err, "the view of the guest");
	g->mem = m;
	if (guest_reload(g, err)) {
		guest_close(g);
		return -1;
	}
	*ret = g;
	return 0;
}

void guest_close(struct guest *g)
{
	if (!g)
		return;
	pfn_set_free(g->reads);
	free(g);
}

struct memory guest_memory(const struct guest *g)
{
	return g->mem;
}

const struct memory_info *guest_info(const struct guest *g)
{
	return &g->info;
}

unsigned guest_pt_levels(const struct guest *g)
{
	return g->mode ? g->mode->levels : 0;
}

unsigned guest_word_bytes(const struct guest *g)
{
	return g->word_bytes;
}

/* ---- pages ------------------------------------------------------------------------------- */

static struct memory_page find_page(struct guest *g, uint64_t pfn)
{
	struct cached_page *c = &g->pages[pfn & (PAGE_CACHE - 1)];

	if (!g->info.pages_stay)
		return memory_page(g->mem, PFN(pfn));
	if (c->pfn != pfn) {
		c->page = memory_page(g->mem, PFN(pfn));
		c->pfn = pfn;
	}
	return c->page;
}

static void mark_read(struct guest *g, uint64_t pfn)
{
	if (g->reads)
		pfn_set_add(g->reads, pfn);
}

int guest_track_reads(struct guest *g, struct err *err)
{
	return pfn_set_new(&g->reads, err);
}

bool guest_was_read(const struct guest *g, pfn_t pfn)
{
	return !g->reads || pfn_set_has(g->reads, pfn.v);
}

const uint8_t *guest_page(struct guest *g, pfn_t pfn)
{
	struct memory_page p = find_page(g, pfn.v);

	if (p.data)
		mark_read(g, pfn.v);
	return p.data;
}

const uint8_t *guest_peek(const struct guest *g, pfn_t pfn)
{
	return memory_page(g->mem, pfn).data;
}

const uint8_t *guest_hold(const struct guest *g, const uint8_t *page, uint8_t *buf)
{
	return g->info.pages_stay ? page : memcpy(buf, page, PAGE_BYTES);
}

/* ---- translation ------------------------------------------------------------------------- */

static bool is_canonical(const struct pt_mode *m, uint64_t va)
{
	uint64_t top;

	if (m->va_bits == 32)
		return va >> 32 == 0;
	top = va >> (m->va_bits - 1);
	return top == 0 || top == UINT64_MAX >> (m->va_bits - 1);
}

bool guest_is_kernel_addr(const struct guest *g, uint64_t va)
{
	if (!g->mode)
		return false;
	if (g->mode->va_bits == 32)
		return va >= 0xc0000000u && va <= UINT32_MAX;
	return va >> 63 && is_canonical(g->mode, va);
}

/*
 * Xen's part of a PV guest's address space, HYPERVISOR_VIRT_START in public/arch-x86/xen-x86_64.h
 * and xen-x86_32.h. A saved image has nothing there; where page tables hold machine frames it has
 * Xen's own entries, some of which lead back into the guest's tables.
 */
static bool is_xens(const struct guest *g, uint64_t va)
{
	if (g->info.pte_unit == CKPT_PTE_PFN)
		return false;
	switch (g->mode->levels) {
	case 4:
		return va >= 0xffff800000000000 && va < 0xffff880000000000;
	case 3:
		return va >= 0xf5800000;
	default:
		return va >= 0xfc000000;
	}
}

static uint64_t raw_entry(
	const struct guest *g, const uint8_t *table, unsigned level, unsigned index)
{
	const struct pt_mode *m = g->mode;

	if (level == m->levels)
		table += g->root.offset;
	return m->entry_bytes == 4 ? num_le32(table + index * 4u) : num_le64(table + index * 8u);
}

/* The entry table of PAE's top level need not fill a page, but Xen saves whole pages. */
static int read_entry(struct guest *g, uint64_t table, unsigned level, uint64_t va,
	struct guest_map *map, struct pt_entry *ret, struct err *err)
{
	struct memory_page p = find_page(g, table);

	if (!p.data)
		return err_set(err, ERR_NODATA,
			"page table level %u for 0x%" PRIx64 ": pfn 0x%" PRIx64 " %s", level, va,
			table, memory_lack(&p));
	mark_read(g, table);
	if (g->info.tables_marked && p.level != level)
		map->untrusted = true;
	*ret = pt_decode(g->mode, level, raw_entry(g, p.data, level, pt_index(g->mode, level, va)));
	if (!ret->present)
		return err_set(err, ERR_NOTFOUND,
			"0x%" PRIx64 " is not mapped (level %u entry is absent)", va, level);
	map->writable &= ret->writable;
	map->user &= ret->user;
	map->no_execute |= ret->no_execute;
	return 0;
}

/* An entry holds a pfn, or a machine frame that the source has a table for. False: it is none of
 * the guest's own (granted by another domain, shared_info, Xen's). */
static bool frame_pfn(const struct guest *g, uint64_t frame, pfn_t *ret)
{
	*ret = PFN(frame);
	return g->info.pte_unit == CKPT_PTE_PFN || memory_to_pfn(g->mem, MFN(frame), ret);
}

/* Pages whose machine frames follow each other need not do so themselves: each is a mapping. */
static uint64_t leaf_span(const struct guest *g, unsigned level)
{
	return g->info.pte_unit == CKPT_PTE_PFN ? pt_span(g->mode, level) : PAGE_BYTES;
}

static bool fill_leaf(const struct guest *g, const struct pt_entry *e, unsigned level, uint64_t va,
	struct guest_map *map)
{
	uint64_t span = leaf_span(g, level), in = va & (pt_span(g->mode, level) - 1);

	map->offset = va & PAGE_OFFSET_MASK;
	map->left = span - (va & (span - 1));
	map->level = level;
	return frame_pfn(g, e->frame + (in >> PAGE_SHIFT), &map->pfn);
}

static int err_foreign(struct err *err, uint64_t va, unsigned level, uint64_t frame)
{
	return err_set(err, ERR_NODATA,
		"0x%" PRIx64 ": the level %u entry names machine frame 0x%" PRIx64
		", which is no page of the guest",
		va, level, frame);
}

static int walk_tables(struct guest *g, uint64_t va, struct guest_map *map, struct err *err)
{
	pfn_t table = g->root.table;
	unsigned level;

	for (level = g->mode->levels; level; level--) {
		struct pt_entry e = {.present = false};

		if (read_entry(g, table.v, level, va, map, &e, err))
			return -1;
		if (level == 1 || e.large)
			return fill_leaf(g, &e, level, va, map)
				       ? 0
				       : err_foreign(err, va, level, e.frame);
		if (!frame_pfn(g, e.frame, &table))
			return err_foreign(err, va, level, e.frame);
	}
	return err_set(err, ERR_CORRUPT, "page tables have no levels");
}

int guest_translate(struct guest *g, gva_t va, struct guest_map *ret, struct err *err)
{
	struct cached_map *c = &g->tlb[(va.v >> PAGE_SHIFT) & (TLB_CACHE - 1)];
	struct guest_map map = {.writable = true, .user = true};

	if (!g->root.paging) {
		*ret = (struct guest_map){.pfn = PFN(va.v >> PAGE_SHIFT),
			.offset = va.v & PAGE_OFFSET_MASK,
			.left = PAGE_BYTES - (va.v & PAGE_OFFSET_MASK),
			.level = 1,
			.writable = true};
		return 0;
	}
	if (!is_canonical(g->mode, va.v))
		return err_set(err, ERR_NOTFOUND, "0x%" PRIx64 " is not a canonical address", va.v);
	if (is_xens(g, va.v))
		return err_set(
			err, ERR_NOTFOUND, "0x%" PRIx64 " is Xen's own part of memory", va.v);
	if (c->va_page != va.v >> PAGE_SHIFT) {
		if (walk_tables(g, va.v & ~(uint64_t)PAGE_OFFSET_MASK, &map, err))
			return -1;
		c->map = map;
		c->va_page = va.v >> PAGE_SHIFT;
	}
	*ret = c->map;
	ret->offset = va.v & PAGE_OFFSET_MASK;
	ret->left -= ret->offset;
	return 0;
}

/* ---- reading ----------------------------------------------------------------------------- */

int guest_read_frame(struct guest *g, pfn_t pfn, size_t off, void *buf, size_t len, struct err *err)
{
	struct memory_page page;

	if (!num_range_ok(off, len, PAGE_BYTES))
		return err_set(err, ERR_CORRUPT, "%zu bytes at offset %zu cross the end of a page",
			len, off);
	page = find_page(g, pfn.v);
	if (!page.data)
		return err_set(err, ERR_NODATA, "pfn 0x%" PRIx64 " %s", pfn.v, memory_lack(&page));
	mark_read(g, pfn.v);
	memcpy(buf, page.data + off, len);
	return 0;
}

int guest_read(struct guest *g, gva_t va, void *buf, size_t len, struct err *err)
{
	uint8_t *to = buf;

	while (len) {
		struct guest_map map;
		size_t n;

		if (guest_translate(g, va, &map, err))
			return -1;
		n = MIN(len, (size_t)(PAGE_BYTES - map.offset));
		if (guest_read_frame(g, map.pfn, map.offset, to, n, err))
			return err_in(err, "guest address 0x%" PRIx64, va.v);
		to += n;
		len -= n;
		va = gva_add(va, n);
	}
	return 0;
}

int guest_read_u32(struct guest *g, gva_t va, uint32_t *ret, struct err *err)
{
	uint8_t b[4];

	if (guest_read(g, va, b, sizeof(b), err))
		return -1;
	*ret = num_le32(b);
	return 0;
}

int guest_read_u64(struct guest *g, gva_t va, uint64_t *ret, struct err *err)
{
	uint8_t b[8];

	if (guest_read(g, va, b, sizeof(b), err))
		return -1;
	*ret = num_le64(b);
	return 0;
}

int guest_read_word(struct guest *g, gva_t va, uint64_t *ret, struct err *err)
{
	uint32_t v;

	if (g->word_bytes == 8)
		return guest_read_u64(g, va, ret, err);
	if (guest_read_u32(g, va, &v, err))
		return -1;
	*ret = v;
	return 0;
}

int guest_read_str(struct guest *g, gva_t va, char *buf, size_t cap, struct err *err)
{
	size_t done = 0;

	while (done + 1 < cap) {
		size_t n = MIN(cap - 1 - done, (size_t)(PAGE_BYTES - (va.v & PAGE_OFFSET_MASK)));
		char *nul;

		if (guest_read(g, va, buf + done, n, err))
			return -1;
		nul = memchr(buf + done, 0, n);
		if (nul)
			return 0;
		done += n;
		va = gva_add(va, n);
	}
	buf[done] = 0;
	return 0;
}

/* ---- enumeration ------------------------------------------------------------------------- */

struct enumeration {
	struct guest *g;
	uint64_t start, end; /* inclusive */
	guest_map_fn *fn;
	void *arg;
	uint64_t tables_left;
	uint8_t held[MAX_LEVELS][PAGE_BYTES]; /* the tables on the way, where pages do not stay */
};

static int visit_leaf(struct enumeration *en, const struct pt_entry *e, unsigned level, uint64_t va,
	struct guest_map *map)
{
	uint64_t step = leaf_span(en->g, level), off;
	int rc = 0;

	/* Page by page: costs as much as a table, and Xen gives PV guests nothing larger. */
	if (step < pt_span(en->g->mode, level) && (level > 2 || !en->tables_left--))
		return level > 2 ? 0 : -1;
	for (off = 0; off < pt_span(en->g->mode, level) && !rc; off += step)
		if (va + off + (step - 1) >= en->start && va + off <= en->end &&
			fill_leaf(en->g, e, level, va + off, map))
			rc = en->fn(en->arg, GVA(va + off), map, step);
	return rc;
}

static int visit_table(struct enumeration *en, pfn_t table, unsigned level, uint64_t base,
	const struct guest_map *above);

static int visit_entry(struct enumeration *en, const struct pt_entry *e, unsigned level,
	uint64_t va, struct guest_map *map)
{
	pfn_t table;

	map->writable &= e->writable;
	map->user &= e->user;
	map->no_execute |= e->no_execute;
	if (level == 1 || e->large)
		return visit_leaf(en, e, level, va, map);
	return frame_pfn(en->g, e->frame, &table) ? visit_table(en, table, level - 1, va, map) : 0;
}

static int visit_table(struct enumeration *en, pfn_t table, unsigned level, uint64_t base,
	const struct guest_map *above)
{
	const struct pt_mode *m = en->g->mode;
	struct memory_page p = find_page(en->g, table.v);
	uint64_t span = pt_span(m, level);
	unsigned i, first, last;
	const uint8_t *entries;
	int rc = 0;

	if (!p.data)
		return 0;
	if (!en->tables_left--)
		return -1;
	entries = guest_hold(en->g, p.data, en->held[level - 1]);
	first = en->start > base ? (unsigned)((en->start - base) / span) : 0;
	last = (unsigned)MIN((en->end - base) / span, (uint64_t)pt_entries(m, level) - 1);
	for (i = first; i <= last && !rc; i++) {
		struct pt_entry e = pt_decode(m, level, raw_entry(en->g, entries, level, i));
		struct guest_map map = *above;
		uint64_t va = base + i * span;

		map.untrusted |= en->g->info.tables_marked && p.level != level;
		/* Sign-extend what the top level's index reaches. */
		if (m->va_bits > 32 && va >> (m->va_bits - 1) & 1)
			va |= UINT64_MAX << m->va_bits;
		if (e.present && !is_xens(en->g, va))
			rc = visit_entry(en, &e, level, va, &map);
	}
	return rc;
}

int guest_for_each_mapping(struct guest *g, gva_t start, gva_t end, guest_map_fn *fn, void *arg)
{
	struct enumeration en = {.g = g,
		.start = start.v,
		.end = end.v,
		.fn = fn,
		.arg = arg,
		.tables_left = g->info.nr_data_pages + 1};
	struct guest_map top = {.writable = true, .user = true};
	uint64_t base = 0;

	if (!g->root.paging || !is_canonical(g->mode, start.v) || !is_canonical(g->mode, end.v) ||
		start.v > end.v)
		return 0;
	/* The root table covers a window of va_bits; in the kernel half it starts sign-extended. */
	if (g->mode->va_bits > 32 && start.v >> 63)
		base = UINT64_MAX << g->mode->va_bits;
	return visit_table(&en, g->root.table, g->mode->levels, base, &top);
}

static int stop_at_data(
	void *arg, gva_t va UNUSED, const struct guest_map *map, uint64_t bytes UNUSED)
{
	const struct guest *g = arg;

	return guest_peek(g, map->pfn) != NULL;
}

static bool leads_to_data(struct guest *g)
{
	uint64_t half = guest_upper_half(g);

	if (!half)
		return guest_for_each_mapping(g, GVA(0), GVA(UINT32_MAX), stop_at_data, g) > 0;
	return guest_for_each_mapping(g, GVA(half), GVA(UINT64_MAX), stop_at_data, g) > 0 ||
	       guest_for_each_mapping(g, GVA(0), GVA(-half - 1), stop_at_data, g) > 0;
}

bool guest_maps_anything(struct guest *g)
{
	if (!g->maps_known)
		g->maps = !g->root.paging || leads_to_data(g);
	g->maps_known = true;
	return g->maps;
}

uint64_t guest_upper_half(const struct guest *g)
{
	return g->mode && g->mode->va_bits > 32 ? UINT64_MAX << (g->mode->va_bits - 1) : 0;
}
