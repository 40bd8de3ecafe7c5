/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ring_shape.h - find shared block rings by their shape alone: for guests whose frontend nobody
 * here knows.
 *
 * Proof: the header's padding is zero and its indices fit each other; every entry that waits for
 * an answer is a request that the protocol allows, those before it are answers; and at least one
 * names pages. Rings of other devices (network, SCSI) have other entries and fail. A ring that was
 * never used cannot be told from theirs and is not found.
 */
#ifndef XB_FRONTEND_RING_SHAPE_H
#define XB_FRONTEND_RING_SHAPE_H

#include "base/limits.h"
#include "frontend/shared_ring.h"

struct ring_shapes {
	struct shared_ring *v; /* ascending by their first page */
	size_t nr, cap;
	bool more; /* than RING_SHAPES_MAX, or too many that only begin like one: incomplete */
};

/* Looks at every page that is no page table. To be freed in any case. */
int ring_shapes_find(struct guest *g, struct ring_shapes *ret, struct err *err) MUST_CHECK;
void ring_shapes_fini(struct ring_shapes *s);

#endif
