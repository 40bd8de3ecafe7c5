/* SPDX-License-Identifier: BSD-2-Clause
 *
 * squeeze.c - codes of compressed pages: found, and applied when a page is read.
 */
#include "checkpoint/squeeze.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "io/page_cache.h"

#define CODE_SAME   0x00
#define CODE_WHOLE  0x80
#define RUN_KEEPS   0x80
#define RUN_WORDS   0x7fu
#define WORD_BYTES  4u
#define CACHE_PAGES (2 * SQUEEZE_HELD) /* 4 MiB */
/* What may be applied in all: each code some times over, as readers come back to a page that the
 * cache has lost. */
#define CODES_BASE    (UINT64_C(1) << 22)
#define CODES_PER_RUN 64u

/* A code goes on at `next` when it comes to `end`. Ascending. */
struct joint {
	uint64_t end, next;
};

struct squeeze {
	const struct source *src;
	struct joint *joints;
	size_t nr_joints, cap_joints;
	const struct pagemap *map;
	uint32_t *versions; /* runs with data since the first code, by pfn, then in file order */
	size_t nr_versions;
	struct pagemap base; /* runs with data before it */
	uint64_t codes_left;
	struct page_cache *made; /* by pfn */
};

struct squeeze *squeeze_new(const struct source *src)
{
	struct squeeze *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->src = src;
	s->made = page_cache_new(CACHE_PAGES);
	if (!s->made)
		free(take(s));
	return s;
}

void squeeze_free(struct squeeze *s)
{
	if (!s)
		return;
	page_cache_free(s->made);
	free(s->joints);
	free(s->versions);
	pagemap_fini(&s->base);
	free(s);
}

/* ---- parsing ------------------------------------------------------------------------------ */

static int bad_code(const struct squeeze_parser *p, const char *what, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "compressed page at 0x%" PRIx64 ": %s", p->code.off, what);
}

/* The first byte of a code, or of a run in it. */
static int start_run(struct squeeze_parser *p, uint8_t byte, struct err *err)
{
	uint32_t bytes = (byte & RUN_WORDS) * WORD_BYTES;

	if (!p->inside && byte == CODE_SAME) {
		p->filled = PAGE_BYTES;
		return 0;
	}
	if (!p->inside && byte == CODE_WHOLE) {
		p->code.whole = true;
		p->filled = p->copy = PAGE_BYTES;
		return 0;
	}
	if (!bytes)
		return bad_code(p, "a run of no words", err);
	if (bytes > PAGE_BYTES - p->filled)
		return bad_code(p, "its runs are longer than a page", err);
	p->filled += bytes;
	p->copy = byte & RUN_KEEPS ? 0 : bytes;
	return 0;
}

static int join_pieces(struct squeeze *s, struct squeeze_parser *p, uint64_t off, struct err *err)
{
	p->code.whole = false; /* it does not stand in one piece */
	if (util_grow(&s->joints, &s->cap_joints, s->nr_joints + 1, sizeof(*s->joints)))
		return err_nomem(err, "compressed pages");
	s->joints[s->nr_joints++] = (struct joint){p->end, off};
	return 0;
}

int squeeze_feed(struct squeeze *s, struct squeeze_parser *p, uint64_t off, uint64_t bytes,
	squeeze_code_fn *fn, void *arg, struct err *err)
{
	const uint8_t *piece = source_at(s->src, off, bytes);
	uint64_t i = 0;

	if (!bytes || !piece)
		return 0;
	if (p->inside && join_pieces(s, p, off, err))
		return -1;
	while (i < bytes) {
		if (p->copy) {
			uint64_t n = MIN((uint64_t)p->copy, bytes - i);

			p->copy -= (uint32_t)n;
			i += n;
		} else {
			if (!p->inside)
				p->code = (struct squeeze_code){.off = off + i};
			if (start_run(p, piece[i++], err)) {
				p->end = off + i;
				return -1;
			}
			p->inside = true;
		}
		if (p->copy || p->filled < PAGE_BYTES)
			continue;
		p->inside = false;
		p->filled = 0;
		if (fn(arg, &p->code, err))
			return -1;
	}
	p->end = off + bytes;
	return 0;
}

/* ---- finishing ---------------------------------------------------------------------------- */

static bool has_content(const struct ckpt_run *run)
{
	return !run->ignored && ckpt_type_has_data(run->type);
}

static int by_pfn(const void *a, const void *b, void *arg)
{
	const struct ckpt_run *runs = arg;
	uint32_t i, j;

	memcpy(&i, a, sizeof(i));
	memcpy(&j, b, sizeof(j));
	if (runs[i].pfn != runs[j].pfn)
		return runs[i].pfn < runs[j].pfn ? -1 : 1;
	return i < j ? -1 : i > j;
}

/* Since the first code every run with data is of one page. */
static size_t first_code(const struct pagemap *map)
{
	size_t i = 0;

	while (i < map->nr && !map->runs[i].squeezed)
		i++;
	return i;
}

int squeeze_finish(struct squeeze *s, const struct pagemap *map)
{
	size_t first = first_code(map), i;

	s->map = map;
	s->codes_left = CODES_BASE + CODES_PER_RUN * (uint64_t)(map->nr - first);
	if (first == map->nr)
		return 0;
	if (map->nr > UINT32_MAX)
		return -1;
	s->versions = calloc(map->nr - first, sizeof(*s->versions));
	if (!s->versions)
		return -1;
	for (i = 0; i < first; i++)
		if (has_content(&map->runs[i]) && pagemap_add(&s->base, map->runs[i]))
			return -1;
	for (; i < map->nr; i++)
		if (has_content(&map->runs[i]))
			s->versions[s->nr_versions++] = (uint32_t)i;
	qsort_r(s->versions, s->nr_versions, sizeof(*s->versions), by_pfn, map->runs);
	return pagemap_finish(&s->base);
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Behind the last version of that page. */
static size_t versions_end(const struct squeeze *s, uint64_t pfn)
{
	size_t low = 0, high = s->nr_versions;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->map->runs[s->versions[mid]].pfn <= pfn)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const struct ckpt_run *version_at(const struct squeeze *s, size_t index)
{
	return &s->map->runs[s->versions[index]];
}

/* Does the code say all of the page? */
static bool is_whole(const struct squeeze *s, const struct ckpt_run *run)
{
	const uint8_t *p = source_at(s->src, run->off, 1);

	return !run->squeezed || (p && *p == CODE_WHOLE);
}

/* The chain that makes a page: the versions [*first, *end), of which the first is whole; or all of
 * them on top of *base. False: there is nothing whole. */
static bool find_chain(const struct squeeze *s, uint64_t pfn, size_t *first, size_t *end,
	const struct ckpt_run **base)
{
	size_t at = *end = versions_end(s, pfn);

	*base = NULL;
	while (at && version_at(s, at - 1)->pfn == pfn) {
		at--;
		if (is_whole(s, version_at(s, at))) {
			*first = at;
			return true;
		}
	}
	*first = at;
	*base = pagemap_find(&s->base, pfn);
	return *base;
}

/* A walk over the bytes of a code. The parser has seen that they are all there. */
struct walk {
	const struct squeeze *s;
	uint64_t off;
	size_t joint; /* the next one that it may come to */
};

static struct walk walk_from(const struct squeeze *s, uint64_t off)
{
	struct walk w = {.s = s, .off = off};
	size_t high = s->nr_joints;

	while (w.joint < high) {
		size_t mid = w.joint + (high - w.joint) / 2;

		if (s->joints[mid].end <= off)
			w.joint = mid + 1;
		else
			high = mid;
	}
	return w;
}

/* Up to n bytes that stand in one piece; *n is then how many. */
static const uint8_t *walk_take(struct walk *w, uint32_t *n, uint64_t *off)
{
	const struct joint *j = w->joint < w->s->nr_joints ? &w->s->joints[w->joint] : NULL;

	if (j && w->off == j->end) {
		w->off = j->next;
		w->joint++;
		j = w->joint < w->s->nr_joints ? &w->s->joints[w->joint] : NULL;
	}
	if (j)
		*n = (uint32_t)MIN((uint64_t)*n, j->end - w->off);
	*off = w->off;
	w->off += *n;
	return source_at(w->s->src, *off, *n);
}

static bool walk_byte(struct walk *w, uint8_t *ret)
{
	uint32_t n = 1;
	uint64_t off;
	const uint8_t *p = walk_take(w, &n, &off);

	if (p)
		*ret = *p;
	return p;
}

/* Bytes [at, at + bytes) of the page stand at off. */
typedef int literal_fn(void *arg, uint32_t at, uint64_t off, const uint8_t *p, uint32_t bytes);

static int walk_literal(struct walk *w, uint32_t at, uint32_t bytes, literal_fn *fn, void *arg)
{
	while (bytes) {
		uint32_t n = bytes;
		uint64_t off;
		const uint8_t *p = walk_take(w, &n, &off);

		if (!p || fn(arg, at, off, p, n))
			return -1;
		at += n;
		bytes -= n;
	}
	return 0;
}

static int walk_code(const struct squeeze *s, uint64_t off, literal_fn *fn, void *arg)
{
	struct walk w = walk_from(s, off);
	uint32_t at = 0;
	uint8_t byte;

	if (!walk_byte(&w, &byte))
		return -1;
	if (byte == CODE_SAME)
		return 0;
	if (byte == CODE_WHOLE)
		return walk_literal(&w, 0, PAGE_BYTES, fn, arg);
	for (;;) {
		uint32_t bytes = (byte & RUN_WORDS) * WORD_BYTES;

		if (!bytes || bytes > PAGE_BYTES - at)
			return -1;
		if (!(byte & RUN_KEEPS) && walk_literal(&w, at, bytes, fn, arg))
			return -1;
		at += bytes;
		if (at == PAGE_BYTES)
			return 0;
		if (!walk_byte(&w, &byte))
			return -1;
	}
}

static int copy_literal(
	void *arg, uint32_t at, uint64_t off UNUSED, const uint8_t *p, uint32_t bytes)
{
	memcpy((uint8_t *)arg + at, p, bytes);
	return 0;
}

static bool apply_run(
	const struct squeeze *s, const struct ckpt_run *run, uint64_t pfn, uint8_t *page)
{
	const uint8_t *whole;

	if (run->squeezed)
		return !walk_code(s, run->off, copy_literal, page);
	whole = source_at(s->src, run->off + (pfn - run->pfn) * PAGE_BYTES, PAGE_BYTES);
	if (whole)
		memcpy(page, whole, PAGE_BYTES);
	return whole;
}

static bool make_page(struct squeeze *s, uint64_t pfn, uint8_t *page, const char **why)
{
	const struct ckpt_run *base;
	size_t first, end;

	*why = "its delta has no page to apply to";
	if (!find_chain(s, pfn, &first, &end, &base))
		return false;
	*why = "its deltas are too many to be applied this often";
	if (end - first > s->codes_left)
		return false;
	s->codes_left -= end - first;
	*why = "its delta is damaged";
	if (base && !apply_run(s, base, pfn, page))
		return false;
	for (; first < end; first++)
		if (!apply_run(s, version_at(s, first), pfn, page))
			return false;
	return true;
}

const uint8_t *squeeze_page(struct squeeze *s, const struct ckpt_run *run, const char **why)
{
	const uint8_t *have = page_cache_find(s->made, run->pfn);
	uint8_t *page;

	if (have)
		return have;
	*why = "memory ran out";
	page = page_cache_room(s->made, run->pfn);
	if (!page || make_page(s, run->pfn, page, why))
		return page;
	page_cache_drop(s->made, run->pfn);
	return NULL;
}

int squeeze_for_each_source(
	const struct squeeze *s, const struct ckpt_run *run, ckpt_run_fn *fn, void *arg)
{
	const struct ckpt_run *base;
	size_t first, end;
	int stop;

	if (!find_chain(s, run->pfn, &first, &end, &base))
		return 0;
	if (base && (stop = fn(arg, base)))
		return stop;
	for (; first < end; first++)
		if ((stop = fn(arg, version_at(s, first))))
			return stop;
	return 0;
}

struct literal_call {
	ckpt_literal_fn *fn;
	void *arg;
};

static int pass_literal(
	void *arg, uint32_t at, uint64_t off, const uint8_t *p UNUSED, uint32_t bytes)
{
	const struct literal_call *call = arg;

	return call->fn(call->arg, at, off, bytes);
}

int squeeze_for_each_literal(
	const struct squeeze *s, const struct ckpt_run *run, ckpt_literal_fn *fn, void *arg)
{
	struct literal_call call = {fn, arg};

	return walk_code(s, run->off, pass_literal, &call);
}
