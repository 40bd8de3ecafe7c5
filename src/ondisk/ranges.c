/* SPDX-License-Identifier: BSD-2-Clause */
#include "ondisk/ranges.h"

int ranges_put(struct ondisk_ranges *r, struct ondisk_range one)
{
	if (util_grow(&r->v, &r->cap, r->nr + 1, sizeof(*r->v)))
		return -1;
	r->v[r->nr++] = one;
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct ondisk_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void ranges_merge(struct ondisk_ranges *r)
{
	size_t i, keep = 0;

	if (r->nr)
		qsort(r->v, r->nr, sizeof(*r->v), by_start);
	for (i = 1; i < r->nr; i++) {
		struct ondisk_range *last = &r->v[keep];

		if (r->v[i].start > last->start + last->bytes)
			r->v[++keep] = r->v[i];
		else
			last->bytes = MAX(last->bytes, r->v[i].start + r->v[i].bytes - last->start);
	}
	r->nr = r->nr ? keep + 1 : 0;
}

void ranges_free(struct ondisk_ranges *r)
{
	free(r->v);
	*r = (struct ondisk_ranges){0};
}
