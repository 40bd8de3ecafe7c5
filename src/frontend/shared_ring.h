/* SPDX-License-Identifier: BSD-2-Clause
 *
 * shared_ring.h - a block ring as it stands in the pages that a frontend shares with its backend,
 * by frame, whoever's frontend it is.
 *
 * Layout: xen/include/public/io/ring.h and io/blkif.h. What stands there is what both sides wrote
 * last: an answer lies over a request, not always over its own. All of it is hostile.
 */
#ifndef XB_FRONTEND_SHARED_RING_H
#define XB_FRONTEND_SHARED_RING_H

#include "base/limits.h"
#include "frontend/request.h"
#include "guest/guest.h"

struct shared_ring {
	const struct blkif_abi *abi;
	uint32_t entries; /* a power of two, at most SHARED_RING_MAX_ENTRIES */
	unsigned nr_pages;
	pfn_t pages[SHARED_RING_MAX_PAGES];
	uint32_t req_prod, req_event, rsp_prod, rsp_event;
};

/* Entries that fit on that many pages: the largest power of two. 0: too many pages, or none. */
uint32_t shared_ring_entries(const struct blkif_abi *abi, unsigned nr_pages);

/* Indices and padding of a page's header. False: no ring of any kind begins there. */
bool shared_ring_header(const uint8_t *page, struct shared_ring *ret);

/* The bytes of an entry, by its free-running index. False: not in the checkpoint. */
bool shared_ring_entry(
	const struct guest *g, const struct shared_ring *r, uint32_t index, uint8_t *raw);

/* Could the frontend have written that, and the backend? */
bool shared_ring_is_request(const struct blkif_abi *abi, const uint8_t *raw);
bool shared_ring_is_response(const struct blkif_abi *abi, const uint8_t *raw);

/*
 * Pages, indices and window of an io_ring: unconsumed answers from rsp_cons on, then what is not
 * answered. Its pages count as read. -1: no memory. Indices that are impossible leave the window
 * empty.
 */
int shared_ring_fill(struct guest *g, const struct shared_ring *r, uint32_t rsp_cons,
	struct io_ring *ret, struct err *err) MUST_CHECK;

/* What the wire request says; segments with their grants, whose frames are not known. */
int shared_ring_request(
	const struct blkif_wire_request *wire, struct io_request *ret, struct err *err) MUST_CHECK;

/* Append those segments that the request itself has. */
int shared_ring_segments(
	const struct blkif_wire_request *wire, struct io_request *ret, struct err *err) MUST_CHECK;

#endif
