/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pagemap.h - which guest page lies where in the file.
 *
 * A reader appends page entries in file order; pagemap_finish() then works out which copy of each
 * frame is the current one. Entries are kept as runs, because streams list frames in stretches:
 * a million frames without data cost one run.
 */
#ifndef XB_CHECKPOINT_PAGEMAP_H
#define XB_CHECKPOINT_PAGEMAP_H

#include "checkpoint/checkpoint.h"

struct pagemap {
	struct ckpt_run *runs; /* in file order */
	size_t nr, cap;
	size_t first_open;	  /* runs below this index are not joined to any more */
	struct ckpt_run *current; /* ascending, disjoint; the same array as `runs` if that is so */
	size_t nr_current;
	uint64_t nr_repeats;
	uint64_t nr_data_pages;
	uint64_t end_pfn; /* highest listed frame + 1 */
};

/* Append; joins the last run where frames, type and data continue it. -1: out of memory. */
int pagemap_add(struct pagemap *pm, struct ckpt_run run) MUST_CHECK;
/* What follows starts a run of its own, so that it can be ignored by itself. */
void pagemap_close_run(struct pagemap *pm);
/* These runs no longer count (they stay listed). */
void pagemap_ignore(struct pagemap *pm, size_t first, size_t nr);
/* Neither do those from index `first` on. */
void pagemap_ignore_from(struct pagemap *pm, size_t first);
/* Call once, after the last entry. -1: out of memory. */
int pagemap_finish(struct pagemap *pm) MUST_CHECK;
/* Index of the first current run that ends behind pfn. */
size_t pagemap_index(const struct pagemap *pm, uint64_t pfn);
/* The current run that holds pfn, or NULL. */
const struct ckpt_run *pagemap_find(const struct pagemap *pm, uint64_t pfn);
void pagemap_fini(struct pagemap *pm);

#endif
