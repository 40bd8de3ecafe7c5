/* SPDX-License-Identifier: BSD-2-Clause
 *
 * hang.h - why does a disk hang? By the indices of its rings one of three waits for another: the
 * guest for the backend, to which it has shown requests that are not answered; the backend for the
 * guest, which has not looked at answers; or nobody, because the guest has shown nothing.
 *
 * Indices are the guest's own word. Numbers that cannot be are unknown, not a reason.
 */
#ifndef XB_CHECK_HANG_H
#define XB_CHECK_HANG_H

#include "frontend/request.h"

#define HANG_BACKEND	 (1u << 0) /* requests are shown and not answered */
#define HANG_GUEST	 (1u << 1) /* answers are there and not looked at */
#define HANG_UNPUBLISHED (1u << 2) /* the guest has requests, and shows them to nobody */
#define HANG_MOVING	 (1u << 3) /* requests and answers came while it was looked at */
#define HANG_UNKNOWN	 (1u << 4) /* of a ring at least */
#define HANG_NR		 5
/* "backend", "guest", "unpublished", "moving", "unknown" */
const char *hang_name(unsigned bit);

/* How old is the oldest, by the guest's own clock? */
struct hang_age {
	bool known;
	uint64_t ns;
};

struct hang {
	unsigned why; /* HANG_*; 0: nothing is pending */
	uint64_t unanswered, unseen, unpublished, queued;
	struct hang_age in_ring, in_queue;
};

/* What the block layer below the backend holds; NULL or not known. */
struct hang_below {
	bool known;
	uint64_t in_flight;
};

struct hang_age hang_oldest(const struct hang *h);
void hang_judge(const struct blkdev *d, struct hang *ret);
/* The verdict, one sentence: "the guest waits for the backend: 20 requests are published and not
 * answered, the oldest for 34 s; the device below has 20 in flight". */
void hang_sentence(const struct hang *h, const struct hang_below *below, char *buf, size_t cap);

#endif
