/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ring_disks.h - the disks of a guest whose frontend keeps books that nobody here can read, by its
 * shared rings.
 *
 * What the driver keeps, and what it does on resume, stays unknown. Where the grant table is at
 * hand it says which pages the requests name, and gives away the rings themselves; what the guest
 * told xenstore says which disk a ring is of.
 */
#ifndef XB_FRONTEND_RING_DISKS_H
#define XB_FRONTEND_RING_DISKS_H

#include "frontend/frontend.h"
#include "frontend/shared_ring.h"

struct ring_disks_how {
	const struct frontend_ops *driver; /* whose devices they are */
	const char *version;		   /* of the driver; NULL unknown */
	/* Set the pages of a request's segments, where the driver's own structure tells them. NULL:
	 * nobody knows one. */
	void (*find_data)(struct guest *g, const void *arg, const struct shared_ring *r,
		struct io_request *req);
	const void *arg;
};

/* Append them, unless the snapshot has devices already. */
int ring_disks_find(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	const struct ring_disks_how *how, struct snapshot *s, struct err *err) MUST_CHECK;

/* Their data is one piece of the guest's memory, that begins at `buffer`: for find_data(). It must
 * begin where the first segment does. */
void ring_disks_buffer(struct guest *g, uint64_t buffer, struct io_request *req);

#endif
