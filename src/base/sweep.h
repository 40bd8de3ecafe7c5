/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sweep.h - which of many ranges meet, without looking at every pair.
 *
 * Two meet when they share a place and at least one of them changes it. Among those that start
 * before a range, the one that reaches furthest meets it if any does; so a sweep compares each with
 * two only, the furthest of those that change and of those that do not, and stays linear behind the
 * sorting where thousands lie at one place.
 */
#ifndef XB_BASE_SWEEP_H
#define XB_BASE_SWEEP_H

#include "base/util.h"

struct sweep_range {
	uint64_t space;	     /* ranges of different spaces never meet */
	uint64_t start, end; /* start < end */
	bool changes;
	const void *item; /* the caller's */
	size_t turn;	  /* the sweep's own */
};

typedef void sweep_fn(void *arg, const struct sweep_range *before, const struct sweep_range *now);

/* Sort by space, start and place in the array, then call fn for each range with the furthest one
 * before it of each kind that it meets: at least once when any two meet. */
void sweep_ranges(struct sweep_range *v, size_t nr, sweep_fn *fn, void *arg);
/* The same from both ends: each range that meets another is in at least one call of its kind. */
void sweep_ranges_both(struct sweep_range *v, size_t nr, sweep_fn *fn, void *arg);

#endif
