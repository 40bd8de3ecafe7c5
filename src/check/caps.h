/* SPDX-License-Identifier: BSD-2-Clause
 *
 * caps.h - the features of a target's backend.
 */
#ifndef XB_CHECK_CAPS_H
#define XB_CHECK_CAPS_H

#include "base/backend_keys.h"
#include "frontend/request.h"

/* What the backend of the target offers; from a file or from xenstore. */
struct check_caps {
	bool partial; /* a backend that is not connected yet: what is absent may still come */
	enum tri flush, barrier, discard, secure_discard, persistent;
	bool read_only_known, read_only;
	uint64_t max_indirect_segments; /* BLK_UNKNOWN_U64: key absent, so none are offered */
	uint64_t max_queues;		/* BLK_UNKNOWN_U64 absent: one */
	uint64_t max_ring_page_order;	/* BLK_UNKNOWN_U64 absent: 0 */
	uint64_t sector_bytes;		/* BLK_UNKNOWN_U64 absent */
	uint64_t sectors;		/* BLK_UNKNOWN_U64 absent */
	char device[32];		/* "" = for every device */
};

/* Everything absent, so that a key that is not there means what its absence means to a frontend. */
struct check_caps check_caps_none(void);
/* A flag or a number: any key but BACKEND_MODE. A flag that is not 0 is yes, as frontends read it;
 * BLK_UNKNOWN_U64: absent, and not known to mean no. */
void check_caps_set(struct check_caps *c, enum backend_key key, uint64_t value);
/* Those of the device; NULL: none were given for it. */
const struct check_caps *check_caps_of(
	const struct check_caps *v, size_t nr, const struct blkdev *dev);
/* How many pages one request can have there: 11, or more with indirect descriptors. */
uint64_t check_caps_segments(const struct check_caps *c);
/* A file of key=value lines ("#" comments), or JSON: an object of such keys, or an object of such
 * objects by device, by its name or number. *ret is malloc'ed. */
int check_caps_read(
	const char *path, struct check_caps **ret, size_t *nr, struct err *err) MUST_CHECK;

#endif
