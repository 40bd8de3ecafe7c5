/* SPDX-License-Identifier: BSD-2-Clause
 *
 * driver_ring.h - what the decoders of drivers that keep an array of requests beside their shared
 * ring have in common: the array says what is on the way, the ring what exactly it is.
 */
#ifndef XB_FRONTEND_DRIVER_RING_H
#define XB_FRONTEND_DRIVER_RING_H

#include "checkpoint/checkpoint.h"
#include "frontend/front_ring.h"

/* Append a ring: indices as read, pages, window; its own slots and free list are the caller's.
 * NULL: no memory. */
struct io_ring *driver_ring_add(
	struct guest *g, const struct front_ring *r, struct blkdev *d, struct err *err);

/* An unconsumed answer to that id. NULL: none. */
const struct io_ring_entry *driver_ring_answer(const struct io_ring *ring, uint64_t id);

/*
 * What was posted under that id: the newest request of the ring that is not answered. Where the
 * answer to another lies over it, the operation is lost, but place and segments stand (`op_lost`);
 * then it is told by the grant of its first segment; gref UINT32_MAX: it cannot be. False: not
 * found.
 */
bool driver_ring_request(const struct guest *g, const struct front_ring *r, uint64_t id,
	uint32_t gref, struct blkif_wire_request *ret, bool *op_lost);

/* Cut a buffer of the guest into segments of a page each, and append them. Pages that are not
 * mapped are unknown. */
int driver_ring_segments(struct guest *g, gva_t buffer, uint64_t bytes, struct io_request *r,
	struct err *err) MUST_CHECK;

/* Name a device of that number as the configuration does, which then confirms it; else by the
 * number. BLK_UNKNOWN_U64: leave both. */
void driver_ring_name(struct blkdev *d, uint64_t number, const struct ckpt_info *config);

/* Is it the list of free slots? Follow it and set ring->nr_free, nr_used and free_list_ok. */
int driver_ring_close_books(struct io_ring *ring, struct err *err) MUST_CHECK;

#endif
