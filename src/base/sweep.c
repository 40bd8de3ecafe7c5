/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/sweep.h"

static int compare_ranges(const void *a, const void *b)
{
	const struct sweep_range *p = a, *q = b;

	if (p->space != q->space)
		return p->space < q->space ? -1 : 1;
	if (p->start != q->start)
		return p->start < q->start ? -1 : 1;
	return p->turn < q->turn ? -1 : p->turn > q->turn;
}

static void sort_ranges(struct sweep_range *v, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		v[i].turn = i;
	if (nr)
		qsort(v, nr, sizeof(*v), compare_ranges);
}

/*
 * From the low end the best is the one with the furthest end. From the high end it is the latest
 * seen, which starts lowest. Sorted by start, one before meets the present one exactly when it ends
 * behind its start; one behind it exactly when it starts before its end.
 */
static void sweep_sorted(
	const struct sweep_range *v, size_t nr, bool forward, sweep_fn *fn, void *arg)
{
	const struct sweep_range *best[2] = {NULL, NULL}; /* [changes] */
	size_t n;
	int k;

	for (n = 0; n < nr; n++) {
		const struct sweep_range *now = &v[forward ? n : nr - 1 - n];
		const struct sweep_range **mine = &best[now->changes];

		for (k = now->changes ? 0 : 1; k < 2; k++)
			if (best[k] && best[k]->space == now->space && best[k]->start < now->end &&
				now->start < best[k]->end)
				fn(arg, best[k], now);
		if (!forward || !*mine || (*mine)->space != now->space || (*mine)->end < now->end)
			*mine = now;
	}
}

void sweep_ranges(struct sweep_range *v, size_t nr, sweep_fn *fn, void *arg)
{
	sort_ranges(v, nr);
	sweep_sorted(v, nr, true, fn, arg);
}

void sweep_ranges_both(struct sweep_range *v, size_t nr, sweep_fn *fn, void *arg)
{
	sweep_ranges(v, nr, fn, arg);
	sweep_sorted(v, nr, false, fn, arg);
}
