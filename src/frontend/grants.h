/* SPDX-License-Identifier: BSD-2-Clause
 *
 * grants.h - the guest's grant table, where the source of its memory has it.
 *
 * Save streams do not: the frames are Xen's. A dump of an HVM guest and a live domain may. Its
 * first entries are the toolstack's (GNTTAB_RESERVED_CONSOLE and _XENSTORE, public/grant_table.h),
 * so that the frame of the xenstore ring, which is known otherwise, stands in entry 1 and is the
 * anchor. Entries: version 1 has 8 bytes {u16 flags, u16 domid, u32 frame}, version 2 has 16 {u16
 * flags, u16 domid, u32 pad, u64 frame}.
 */
#ifndef XB_FRONTEND_GRANTS_H
#define XB_FRONTEND_GRANTS_H

#include "guest/guest.h"

struct grants {
	bool found;
	unsigned entry_bytes; /* 8 or 16 */
	pfn_t first;	      /* its frames follow each other */
	unsigned nr_frames;
};

void grants_find(struct guest *g, struct grants *ret);
/* The page of the ring that the guest talks to xenstore by. False: not known. */
bool grants_store_page(struct guest *g, pfn_t *ret);
/* The page that a reference gives away. False: none, or it is not known. */
bool grants_page(struct guest *g, const struct grants *t, uint64_t gref, pfn_t *ret);
/* The reference that gives away that page. False: none does. */
bool grants_ref(struct guest *g, const struct grants *t, pfn_t pfn, uint32_t *ret);

#endif
