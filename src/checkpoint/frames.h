/* SPDX-License-Identifier: BSD-2-Clause
 *
 * frames.h - which machine frame of the source host each page of a guest had: the table that a core
 * dump brings along, both ways. Kept as runs, because domains get their memory in stretches.
 */
#ifndef XB_CHECKPOINT_FRAMES_H
#define XB_CHECKPOINT_FRAMES_H

#include "base/util.h"

struct frame_span { /* frames of nr pages, both ascending by one */
	uint64_t pfn, mfn, nr;
};

struct frame_map {
	struct frame_span *by_pfn; /* ascending and disjoint once finished */
	size_t nr, cap;
	struct frame_span *by_mfn; /* the same, ascending by frame, without what is claimed twice */
	size_t nr_by_mfn, cap_by_mfn;
	uint64_t nr_pfn_twice, nr_mfn_twice; /* claims that were dropped */
};

/* Any order; numbers below 2^52. -1: out of memory. */
int frames_add(struct frame_map *fm, uint64_t pfn, uint64_t mfn) MUST_CHECK;
/* Call once, after the last. -1: out of memory. */
int frames_finish(struct frame_map *fm) MUST_CHECK;
/* Index in by_pfn of the first run that ends behind pfn; fm->nr: none does. */
size_t frames_from(const struct frame_map *fm, uint64_t pfn);
/* False: no frame is known. Of several for one page the last that was added counts. */
bool frames_to_mfn(const struct frame_map *fm, uint64_t pfn, uint64_t *ret);
/* False: no page has that frame, or several claim it. */
bool frames_to_pfn(const struct frame_map *fm, uint64_t mfn, uint64_t *ret);
void frames_fini(struct frame_map *fm);

#endif
