/* SPDX-License-Identifier: BSD-2-Clause */
#include "checkpoint/pagemap.h"

#include <string.h>

static uint64_t run_end(const struct ckpt_run *r)
{
	return r->pfn + r->nr;
}

static bool continues_run(const struct ckpt_run *last, const struct ckpt_run *next)
{
	uint64_t off = 0;

	if (ckpt_type_has_data(last->type))
		off = last->off + (uint64_t)last->nr * PAGE_BYTES;
	/* Codes have no common length. */
	if (last->squeezed || next->squeezed)
		return false;
	return next->pfn == run_end(last) && next->type == last->type &&
	       next->ignored == last->ignored && next->off == off &&
	       next->nr <= UINT32_MAX - last->nr;
}

int pagemap_add(struct pagemap *pm, struct ckpt_run run)
{
	if (!ckpt_type_has_data(run.type))
		run.off = 0;
	if (pm->nr > pm->first_open && continues_run(&pm->runs[pm->nr - 1], &run)) {
		pm->runs[pm->nr - 1].nr += run.nr;
		return 0;
	}
	if (util_grow(&pm->runs, &pm->cap, pm->nr + 1, sizeof(run)))
		return -1;
	pm->runs[pm->nr++] = run;
	return 0;
}

void pagemap_close_run(struct pagemap *pm)
{
	pm->first_open = pm->nr;
}

void pagemap_ignore(struct pagemap *pm, size_t first, size_t nr)
{
	for (; nr; first++, nr--)
		pm->runs[first].ignored = true;
}

void pagemap_ignore_from(struct pagemap *pm, size_t first)
{
	pagemap_ignore(pm, first, pm->nr - first);
}

static bool already_current(const struct pagemap *pm)
{
	uint64_t next = 0;
	size_t i;

	for (i = 0; i < pm->nr; i++) {
		if (pm->runs[i].ignored || pm->runs[i].pfn < next)
			return false;
		next = run_end(&pm->runs[i]);
	}
	return true;
}

/*
 * The sweep: runs enter in the order of their first frame; of the runs that cover a frame the one
 * latest in the file wins. The heap holds the runs that have entered, latest first; a run that
 * has ended is dropped when it comes to the top.
 */
struct sweep {
	struct pagemap *pm;
	uint32_t *order; /* run indices by first frame */
	size_t nr_order;
	uint32_t *heap;
	size_t nr_heap;
	size_t cap;
};

static void heap_push(struct sweep *s, uint32_t run)
{
	size_t at = s->nr_heap++;

	while (at && s->heap[(at - 1) / 2] < run) {
		s->heap[at] = s->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	s->heap[at] = run;
}

static void heap_pop(struct sweep *s)
{
	uint32_t last = s->heap[--s->nr_heap];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= s->nr_heap)
			break;
		if (child + 1 < s->nr_heap && s->heap[child + 1] > s->heap[child])
			child++;
		if (s->heap[child] <= last)
			break;
		s->heap[at] = s->heap[child];
		at = child;
	}
	s->heap[at] = last;
}

static int by_first_frame(const void *a, const void *b, void *arg)
{
	const struct ckpt_run *runs = arg;
	uint32_t i, j;

	memcpy(&i, a, sizeof(i));
	memcpy(&j, b, sizeof(j));
	if (runs[i].pfn != runs[j].pfn)
		return runs[i].pfn < runs[j].pfn ? -1 : 1;
	return i < j ? -1 : i > j;
}

static int emit_part(struct sweep *s, const struct ckpt_run *r, uint64_t from, uint64_t to)
{
	struct pagemap *pm = s->pm;
	struct ckpt_run part = *r;

	part.pfn = from;
	part.nr = (uint32_t)(to - from);
	if (ckpt_type_has_data(r->type))
		part.off += (from - r->pfn) * PAGE_BYTES;
	if (pm->nr_current && continues_run(&pm->current[pm->nr_current - 1], &part)) {
		pm->current[pm->nr_current - 1].nr += part.nr;
		return 0;
	}
	if (util_grow(&pm->current, &s->cap, pm->nr_current + 1, sizeof(part)))
		return -1;
	pm->current[pm->nr_current++] = part;
	return 0;
}

/* Emit what is current in [*at, until). */
static int advance_to(struct sweep *s, uint64_t *at, uint64_t until)
{
	while (s->nr_heap && *at < until) {
		const struct ckpt_run *top = &s->pm->runs[s->heap[0]];
		uint64_t to = MIN(run_end(top), until);

		if (to <= *at) {
			heap_pop(s);
			continue;
		}
		if (emit_part(s, top, *at, to))
			return -1;
		*at = to;
	}
	*at = until;
	return 0;
}

static int sweep_runs(struct sweep *s)
{
	struct pagemap *pm = s->pm;
	uint64_t at = 0;
	size_t i;

	for (i = 0; i < pm->nr; i++)
		if (!pm->runs[i].ignored)
			s->order[s->nr_order++] = (uint32_t)i;
	qsort_r(s->order, s->nr_order, sizeof(*s->order), by_first_frame, pm->runs);
	for (i = 0; i < s->nr_order; i++) {
		if (advance_to(s, &at, pm->runs[s->order[i]].pfn))
			return -1;
		heap_push(s, s->order[i]);
	}
	return advance_to(s, &at, UINT64_MAX);
}

static void count_pages(struct pagemap *pm)
{
	uint64_t listed = 0, current = 0;
	size_t i;

	for (i = 0; i < pm->nr; i++)
		if (!pm->runs[i].ignored)
			listed += pm->runs[i].nr;
	for (i = 0; i < pm->nr_current; i++) {
		current += pm->current[i].nr;
		if (ckpt_type_has_data(pm->current[i].type))
			pm->nr_data_pages += pm->current[i].nr;
	}
	pm->nr_repeats = listed - current;
	if (pm->nr_current)
		pm->end_pfn = run_end(&pm->current[pm->nr_current - 1]);
}

int pagemap_finish(struct pagemap *pm)
{
	CLEANUP_FREE uint32_t *order = NULL, *heap = NULL;
	struct sweep s = {.pm = pm};

	if (already_current(pm)) {
		pm->current = pm->runs;
		pm->nr_current = pm->nr;
	} else {
		if (pm->nr > UINT32_MAX)
			return -1;
		order = s.order = calloc(pm->nr, sizeof(*order));
		heap = s.heap = calloc(pm->nr, sizeof(*heap));
		if (!order || !heap || sweep_runs(&s))
			return -1;
	}
	count_pages(pm);
	return 0;
}

size_t pagemap_index(const struct pagemap *pm, uint64_t pfn)
{
	size_t low = 0, high = pm->nr_current;

	/* Invariant: runs below `low` end at or before pfn, runs from `high` on end behind it. */
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (run_end(&pm->current[mid]) <= pfn)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct ckpt_run *pagemap_find(const struct pagemap *pm, uint64_t pfn)
{
	size_t i = pagemap_index(pm, pfn);

	return i < pm->nr_current && pm->current[i].pfn <= pfn ? &pm->current[i] : NULL;
}

void pagemap_fini(struct pagemap *pm)
{
	if (pm->current != pm->runs)
		free(pm->current);
	free(pm->runs);
	memset(pm, 0, sizeof(*pm));
}
