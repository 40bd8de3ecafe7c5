/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest/window.h"

#include <string.h>

#define MAX_NEEDLE 64u
/* __START_KERNEL_map and the end of the module area (Documentation/arch/x86/x86_64/mm.rst). */
#define START_64 0xffffffff80000000ull
#define END_64	 0xffffffffffffefffull
/* PAGE_OFFSET of a 32-bit kernel. The image begins 1 or 16 MiB behind it (PHYSICAL_START). */
#define START_32 0xc0000000ull
#define NEAR_32	 (128ull << 20)
#define END_32	 0xffffefffull
/* A hostile guest can map one page everywhere; real images and modules take some 100 MiB. */
#define MAX_PAGES (1u << 18)

struct scan {
	const struct guest *g;
	const uint8_t *needle;
	size_t len;
	bool (*fn)(void *arg, gva_t at);
	void *arg;
	bool rodata_only;
	uint64_t pages_left;
	uint64_t next_va; /* where the tail of the page before would go on */
	uint8_t tail[2 * MAX_NEEDLE];
	size_t tail_bytes;
	uint8_t held[PAGE_BYTES]; /* the page, where pages do not stay */
};

bool window_at(const struct guest *g, unsigned index, struct window *ret)
{
	static const struct window wide[] = {{{START_64}, {END_64}}};
	static const struct window narrow[] = {
		{{START_32}, {START_32 + NEAR_32 - 1}}, {{START_32 + NEAR_32}, {END_32}}};
	bool is_wide = guest_word_bytes(g) == 8;

	if (index >= (is_wide ? ARRAY_SIZE(wide) : ARRAY_SIZE(narrow)))
		return false;
	*ret = is_wide ? wide[index] : narrow[index];
	return true;
}

static bool hits_in(struct scan *s, const uint8_t *p, size_t n, uint64_t va)
{
	const uint8_t *at = p;

	while ((size_t)(p + n - at) >= s->len) {
		at = util_find(at, (size_t)(p + n - at), s->needle, s->len);
		if (!at)
			return true;
		if (!s->fn(s->arg, GVA(va + (uint64_t)(at - p))))
			return false;
		at++;
	}
	return true;
}

/* Matches that begin in the last len-1 bytes of the page before. */
static bool hits_across(struct scan *s, const uint8_t *page, uint64_t va)
{
	size_t keep = s->len - 1;

	if (s->tail_bytes && s->next_va == va) {
		memcpy(s->tail + s->tail_bytes, page, keep);
		if (!hits_in(s, s->tail, s->tail_bytes + keep, va - s->tail_bytes))
			return false;
	}
	memcpy(s->tail, page + PAGE_BYTES - keep, keep);
	s->tail_bytes = keep;
	s->next_va = va + PAGE_BYTES;
	return true;
}

static int scan_mapping(void *arg, gva_t va, const struct guest_map *map, uint64_t bytes)
{
	struct scan *s = arg;
	uint64_t off;

	if (s->rodata_only && (map->writable || !map->no_execute))
		return 0;
	for (off = 0; off < bytes; off += PAGE_BYTES) {
		const uint8_t *page = guest_peek(s->g, PFN(map->pfn.v + off / PAGE_BYTES));

		if (!page)
			continue;
		if (!s->pages_left--)
			return -1;
		page = guest_hold(s->g, page, s->held);
		if (!hits_across(s, page, va.v + off) || !hits_in(s, page, PAGE_BYTES, va.v + off))
			return 1;
	}
	return 0;
}

static void search_pages(struct scan *s, struct guest *g, struct window in)
{
	s->pages_left = MAX_PAGES;
	s->tail_bytes = 0;
	(void)guest_for_each_mapping(g, in.start, in.end, scan_mapping, s);
}

struct counted {
	bool (*fn)(void *arg, gva_t at);
	void *arg;
	size_t hits;
};

static bool count_page(void *arg, gva_t at)
{
	struct counted *c = arg;

	c->hits++;
	return c->fn(c->arg, at);
}

void window_search(struct guest *g, struct window in, const void *needle, size_t len,
	bool (*fn)(void *arg, gva_t at), void *arg)
{
	struct counted counted = {.fn = fn, .arg = arg};
	struct scan s = {.g = g,
		.needle = needle,
		.len = len,
		.fn = count_page,
		.arg = &counted,
		.rodata_only = true};

	if (!len || len > MAX_NEEDLE)
		return;
	search_pages(&s, g, in);
	if (counted.hits)
		return;
	s.rodata_only = false;
	search_pages(&s, g, in);
}

void window_search_all(struct guest *g, struct window in, const void *needle, size_t len,
	bool (*fn)(void *arg, gva_t at), void *arg)
{
	struct scan s = {.g = g, .needle = needle, .len = len, .fn = fn, .arg = arg};

	if (len && len <= MAX_NEEDLE)
		search_pages(&s, g, in);
}

size_t window_peek_back(struct guest *g, gva_t end, uint8_t *buf, size_t cap, gva_t *ret_start)
{
	uint64_t va = end.v;
	size_t have = 0;

	/* Filled from the back, moved to the front at the end. */
	while (have < cap) {
		size_t n = va & PAGE_OFFSET_MASK ? va & PAGE_OFFSET_MASK : PAGE_BYTES;
		struct guest_map map;
		const uint8_t *page;
		struct err err;

		if (n > cap - have)
			break;
		if (guest_translate(g, GVA(va - n), &map, &err))
			break;
		page = guest_peek(g, map.pfn);
		if (!page)
			break;
		memcpy(buf + cap - have - n, page + map.offset, n);
		have += n;
		va -= n;
	}
	memmove(buf, buf + cap - have, have);
	*ret_start = GVA(va);
	return have;
}
