/* SPDX-License-Identifier: BSD-2-Clause
 *
 * settle.h - two looks at a guest that runs: what of the first did the second see again?
 *
 * A look takes its time, and what is read early may have changed before what is read late. Whatever
 * both looks saw was so all the time in between; nothing else is claimed.
 */
#ifndef XB_FRONTEND_SETTLE_H
#define XB_FRONTEND_SETTLE_H

#include "frontend/request.h"

enum settle_kind {
	SETTLE_GONE,	/* the request was answered, or is another one's place */
	SETTLE_NEW,	/* it came */
	SETTLE_CHANGED, /* the same request, in another state */
};
const char *settle_kind_name(enum settle_kind kind); /* "gone", "new", "changed" */

struct settle_change {
	char device[32];
	unsigned ring, slot;
	enum settle_kind kind;
};

#define SETTLE_MAX_CHANGES 4096u /* that are told; the others are counted */

struct settle {
	bool consistent; /* nothing differs */
	struct settle_change *v;
	size_t nr, cap;
	uint64_t nr_changes; /* of requests in the rings, told or not */
	unsigned nr_moved;   /* rings whose indices differ */
};

/*
 * Mark what `s` has and `again` has not: unsettled requests, moved rings. Findings and the doubt of
 * `s` stay only where both looks came to them, and where they are not about what the guest used
 * meanwhile: both looks may be torn at one place. -1: no memory; `s` is still whole.
 */
int settle_compare(struct snapshot *s, const struct snapshot *again, struct settle *ret,
	struct err *err) MUST_CHECK;
void settle_fini(struct settle *st);

#endif
