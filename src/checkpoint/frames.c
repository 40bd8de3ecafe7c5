/* SPDX-License-Identifier: BSD-2-Clause */
#include "checkpoint/frames.h"

#include <string.h>

int frames_add(struct frame_map *fm, uint64_t pfn, uint64_t mfn)
{
	struct frame_span *last = fm->nr ? &fm->by_pfn[fm->nr - 1] : NULL;

	if (last && pfn == last->pfn + last->nr && mfn == last->mfn + last->nr) {
		last->nr++;
		return 0;
	}
	if (util_grow(&fm->by_pfn, &fm->cap, fm->nr + 1, sizeof(*fm->by_pfn)))
		return -1;
	fm->by_pfn[fm->nr++] = (struct frame_span){pfn, mfn, 1};
	return 0;
}

static int compare_mfn(const void *a, const void *b)
{
	const struct frame_span *x = a, *y = b;

	return x->mfn < y->mfn ? -1 : x->mfn > y->mfn;
}

static bool is_ascending(const struct frame_map *fm)
{
	size_t i;

	for (i = 1; i < fm->nr; i++)
		if (fm->by_pfn[i].pfn < fm->by_pfn[i - 1].pfn + fm->by_pfn[i - 1].nr)
			return false;
	return true;
}

struct listing {
	uint64_t pfn, mfn, nr; /* nr: in the order in which they were added */
};

static int compare_listing(const void *a, const void *b)
{
	const struct listing *x = a, *y = b;

	if (x->pfn != y->pfn)
		return x->pfn < y->pfn ? -1 : 1;
	return x->nr < y->nr ? -1 : x->nr > y->nr;
}

static struct listing *list_pages(const struct frame_map *fm, uint64_t *ret_nr)
{
	uint64_t nr = 0, k;
	struct listing *v;
	size_t i;

	for (i = 0; i < fm->nr; i++)
		nr += fm->by_pfn[i].nr;
	v = calloc(nr, sizeof(*v));
	nr = 0;
	for (i = 0; v && i < fm->nr; i++)
		for (k = 0; k < fm->by_pfn[i].nr; k++, nr++)
			v[nr] = (struct listing){fm->by_pfn[i].pfn + k, fm->by_pfn[i].mfn + k, nr};
	*ret_nr = nr;
	return v;
}

/* No writer lists a page twice, or out of order. Page by page, so that of each the last counts. */
static int sort_pages(struct frame_map *fm)
{
	CLEANUP_FREE struct listing *v = NULL;
	uint64_t nr, i;

	v = list_pages(fm, &nr);
	if (!v)
		return -1;
	qsort(v, nr, sizeof(*v), compare_listing);
	fm->nr = 0;
	for (i = 0; i < nr; i++) {
		bool last = i + 1 == nr || v[i + 1].pfn != v[i].pfn;

		fm->nr_pfn_twice += !last;
		if (last && frames_add(fm, v[i].pfn, v[i].mfn))
			return -1;
	}
	return 0;
}

static int put_piece(struct frame_map *fm, struct frame_span piece)
{
	if (!piece.nr)
		return 0;
	if (util_grow(&fm->by_mfn, &fm->cap_by_mfn, fm->nr_by_mfn + 1, sizeof(*fm->by_mfn)))
		return -1;
	fm->by_mfn[fm->nr_by_mfn++] = piece;
	return 0;
}

/* Take the frames [from, to) out of the last piece: runs come in the order of their first frame, so
 * no earlier piece reaches as far. */
static int cut_last_piece(struct frame_map *fm, uint64_t from, uint64_t to)
{
	struct frame_span last, tail;
	uint64_t end;

	if (!fm->nr_by_mfn)
		return 0;
	last = fm->by_mfn[fm->nr_by_mfn - 1];
	end = last.mfn + last.nr;
	if (end <= from || to <= last.mfn)
		return 0;
	fm->nr_by_mfn--;
	tail = last;
	if (last.mfn < from) {
		last.nr = from - last.mfn;
		if (put_piece(fm, last))
			return -1;
	}
	if (end <= to)
		return 0;
	tail.pfn += to - tail.mfn;
	tail.mfn = to;
	tail.nr = end - to;
	return put_piece(fm, tail);
}

/* `runs` ascend by frame. A frame that two pages claim belongs to nobody. */
static int index_frames(struct frame_map *fm, const struct frame_span *runs)
{
	uint64_t seen = 0; /* frames below were claimed, or passed over */
	size_t i;

	for (i = 0; i < fm->nr; i++) {
		struct frame_span run = runs[i];
		uint64_t again = run.mfn < seen ? MIN(seen - run.mfn, run.nr) : 0;

		if (again && cut_last_piece(fm, run.mfn, run.mfn + again))
			return -1;
		fm->nr_mfn_twice += again;
		run.pfn += again;
		run.mfn += again;
		run.nr -= again;
		seen = MAX(seen, run.mfn + run.nr);
		if (put_piece(fm, run))
			return -1;
	}
	return 0;
}

int frames_finish(struct frame_map *fm)
{
	CLEANUP_FREE struct frame_span *runs = NULL;

	if (!fm->nr)
		return 0;
	if (!is_ascending(fm) && sort_pages(fm))
		return -1;
	runs = malloc(fm->nr * sizeof(*runs));
	if (!runs)
		return -1;
	memcpy(runs, fm->by_pfn, fm->nr * sizeof(*runs));
	qsort(runs, fm->nr, sizeof(*runs), compare_mfn);
	return index_frames(fm, runs);
}

size_t frames_from(const struct frame_map *fm, uint64_t pfn)
{
	size_t low = 0, high = fm->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (fm->by_pfn[mid].pfn + fm->by_pfn[mid].nr <= pfn)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool frames_to_mfn(const struct frame_map *fm, uint64_t pfn, uint64_t *ret)
{
	size_t i = frames_from(fm, pfn);

	if (i == fm->nr || fm->by_pfn[i].pfn > pfn)
		return false;
	*ret = fm->by_pfn[i].mfn + (pfn - fm->by_pfn[i].pfn);
	return true;
}

bool frames_to_pfn(const struct frame_map *fm, uint64_t mfn, uint64_t *ret)
{
	size_t low = 0, high = fm->nr_by_mfn;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (fm->by_mfn[mid].mfn + fm->by_mfn[mid].nr <= mfn)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == fm->nr_by_mfn || fm->by_mfn[low].mfn > mfn)
		return false;
	*ret = fm->by_mfn[low].pfn + (mfn - fm->by_mfn[low].mfn);
	return true;
}

void frames_fini(struct frame_map *fm)
{
	free(fm->by_pfn);
	free(fm->by_mfn);
	*fm = (struct frame_map){0};
}
