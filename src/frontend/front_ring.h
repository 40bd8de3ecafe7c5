/* SPDX-License-Identifier: BSD-2-Clause
 *
 * front_ring.h - find the frontends' own end of shared rings: struct blkif_front_ring of
 * io/ring.h, {u32 req_prod_pvt, u32 rsp_cons, u32 nr_ents, pointer to the shared ring}, which every
 * frontend that is built on those macros keeps in its device structure.
 *
 * A place counts when its pointer leads to a page whose header fits its indices. What surrounds it
 * tells the families apart. Kernels whose types are not at hand are read by what holds in every
 * layout of theirs, so that no version is asked for.
 */
#ifndef XB_FRONTEND_FRONT_RING_H
#define XB_FRONTEND_FRONT_RING_H

#include "frontend/shared_ring.h"

struct front_ring {
	gva_t va; /* of the structure */
	uint32_t req_prod_pvt, rsp_cons, entries;
	gva_t sring;
	const struct blkif_abi *abi; /* the guest's own */
	struct shared_ring shared;   /* its pages through the page tables */
};

struct front_rings {
	struct front_ring *v;
	size_t nr, cap;
};

#define FRONT_RING_BYTES(word) ((word) == 8 ? 24u : 16u)

/* The first one in [start, start + bytes). */
bool front_ring_in(struct guest *g, gva_t start, uint64_t bytes, struct front_ring *ret);
/*
 * All of memory; one that is mapped at several addresses stands once for each, up to four. -1: no
 * memory. To be freed in any case.
 */
int front_rings_find(struct guest *g, struct front_rings *ret, struct err *err) MUST_CHECK;
void front_rings_fini(struct front_rings *r);

#endif
