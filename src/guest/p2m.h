/* SPDX-License-Identifier: BSD-2-Clause
 *
 * p2m.h - pfn to machine frame, of the source host (in the checkpoint's own p2m pages) or of the
 * target host (a file of little-endian u64, one per pfn, all ones = none).
 */
#ifndef XB_GUEST_P2M_H
#define XB_GUEST_P2M_H

#include "guest/guest.h"

struct p2m;

/*
 * The frame that an entry of the guest's own table names, whose words have 4 or 8 bytes; UINT64_MAX
 * when it names none of the guest's. Linux marks a foreign frame with the word's top bit and an
 * identity mapping with the next (FOREIGN_FRAME_BIT, IDENTITY_FRAME_BIT of
 * arch/x86/include/asm/xen/page.h); no frame is all ones.
 */
uint64_t p2m_entry_frame(uint64_t raw, unsigned word_bytes);

/* The table of a PV checkpoint. ERR_UNSUPPORTED for HVM and PVH (pfn = gfn there),
 * ERR_NOTFOUND when the format lists no p2m frames. Borrows g. */
int p2m_from_guest(struct guest *g, struct p2m **ret, struct err *err) MUST_CHECK;
/* A table at a guest virtual address with entries of the guest's word size (Xen 2.0: the
 * kernel's own phys_to_machine_mapping). Borrows g. */
int p2m_from_va(struct guest *g, gva_t table, uint64_t nr_pfns, struct p2m **ret,
	struct err *err) MUST_CHECK;
/* ERR_REFUSED: what stands there cannot be the table of a guest that has a page at last_pfn. */
int p2m_from_file(
	const char *path, uint64_t last_pfn, struct p2m **ret, struct err *err) MUST_CHECK;
/* Takes over a malloc'ed array of nr frame numbers (UINT64_MAX = none). */
int p2m_from_array(uint64_t *mfns, uint64_t nr, struct p2m **ret, struct err *err) MUST_CHECK;
void p2m_free(struct p2m *p2m);

uint64_t p2m_nr(const struct p2m *p2m);
enum p2m_state {
	P2M_VALID,
	P2M_NONE,    /* the table says: no frame (invalid, foreign or identity entry) */
	P2M_UNKNOWN, /* beyond the table, or its page is not in the checkpoint */
};
enum p2m_state p2m_lookup(struct p2m *p2m, pfn_t pfn, mfn_t *ret);
/* How many entries name a frame, and how many of them one that an earlier entry names too. */
int p2m_count_repeats(
	struct p2m *p2m, uint64_t *valid, uint64_t *repeats, struct err *err) MUST_CHECK;
/* The inverse; builds its index at the first call. P2M_NONE when no pfn has that frame. */
enum p2m_state p2m_reverse(struct p2m *p2m, mfn_t mfn, pfn_t *ret);

#endif
