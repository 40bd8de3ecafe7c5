/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pagetable.h - the x86 paging modes as rows of a table, and the decoding of one entry. No I/O.
 *
 * Source: Intel SDM volume 3, chapter 4 (32-bit, PAE, 4-level and 5-level paging).
 */
#ifndef XB_CHECKPOINT_PAGETABLE_H
#define XB_CHECKPOINT_PAGETABLE_H

#include "base/util.h"

struct pt_mode {
	unsigned levels;       /* 2 (i386), 3 (PAE), 4, 5 */
	unsigned entry_bytes;  /* 4 or 8 */
	unsigned index_bits;   /* per level: 10 or 9 */
	unsigned top_bits;     /* of the top level, when it differs: PAE has 4 entries */
	unsigned large_levels; /* highest level whose entry may map a page: 2, or 3 for 1 GiB */
	unsigned va_bits;      /* addresses are canonical in this many bits */
};

/* NULL when there is no such mode. */
const struct pt_mode *pt_mode_for(unsigned levels);

/* Index of the entry for va in a table of `level` (1 = lowest). */
unsigned pt_index(const struct pt_mode *m, unsigned level, uint64_t va);
/* Bytes that one entry of `level` maps. */
uint64_t pt_span(const struct pt_mode *m, unsigned level);
unsigned pt_entries(const struct pt_mode *m, unsigned level);

struct pt_entry {
	bool present, large;
	bool writable, user, no_execute;
	uint64_t frame; /* of the next table, or of the first 4 KiB page that a leaf maps */
};

struct pt_entry pt_decode(const struct pt_mode *m, unsigned level, uint64_t raw);

#endif
