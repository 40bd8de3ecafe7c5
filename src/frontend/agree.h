/* SPDX-License-Identifier: BSD-2-Clause
 *
 * agree.h - do a ring's three accounts agree: the driver's indices, its shadow, and the ring that
 * it shares with the backend?
 *
 * Decided here once, for the rules and for the decoders that confirm what they found.
 */
#ifndef XB_FRONTEND_AGREE_H
#define XB_FRONTEND_AGREE_H

#include "frontend/request.h"

/* Requests that the driver made and did not see answered, by its own indices. */
static inline uint32_t io_ring_in_flight(const struct io_ring *g)
{
	return g->req_prod_pvt - g->rsp_cons;
}

/* The pending request in that slot; NULL: there is none. */
const struct io_request *blkdev_request_in(const struct blkdev *d, unsigned ring, uint64_t slot);

/*
 * The newest request of each slot among those in the shared ring that are not answered; `newest`
 * has g->entries elements. An older one of the same slot was answered before, out of order, and its
 * slot used again.
 */
void io_ring_newest(const struct io_ring *g, const struct io_ring_entry **newest);

/*
 * In what does an unanswered request of the shared ring differ from the slot that it was made of?
 * Static text; NULL: in nothing. `r` is that of the slot, NULL when it could not be decoded.
 */
const char *io_ring_entry_differs(
	const struct io_ring *g, const struct io_ring_entry *e, const struct io_request *r);

/* The free list closes on the free slots, and as many others are used as the indices count. */
bool io_ring_books_close(const struct io_ring *g);

/*
 * Do all three agree, for a driver that publishes each request under the lock under which it made
 * it? 0; 1 and why (static text); -1 without memory. What is not in the checkpoint does not agree.
 */
int io_ring_agrees(const struct blkdev *d, const struct io_ring *g, const char **why) MUST_CHECK;

#endif
