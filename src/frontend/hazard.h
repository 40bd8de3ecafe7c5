/* SPDX-License-Identifier: BSD-2-Clause
 *
 * hazard.h - requests whose result depends on their order, which no checkpoint tells.
 *
 * A frontend that resumes issues its requests again, the queued ones as well as those of the
 * shadow. What validate says of them and what a plan marks is decided here.
 */
#ifndef XB_FRONTEND_HAZARD_H
#define XB_FRONTEND_HAZARD_H

#include "base/err.h"
#include "frontend/request.h"

#define HAZARD_OVERLAP	(1u << 0) /* with another write: which came first is not known */
#define HAZARD_RACE	(1u << 1) /* a read and a write of the same sectors */
#define HAZARD_FLUSH	(1u << 2) /* a write beside a flush or barrier, or that flush */
#define HAZARD_NOSECTOR (1u << 3) /* where it goes on the disk is not known */
#define HAZARD_HOLE	(1u << 4) /* a write whose data is not all in the checkpoint */
#define HAZARD_NR	5

/* Name of one bit, for output: "overlap", "race", "flush", "no-sector", "hole". */
const char *hazard_name(unsigned bit);

/* One of a device's requests. All functions take those of one device, in any order. */
struct hazard_item {
	const struct io_request *req;
	unsigned hazards; /* HAZARD_*, filled by hazard_mark() */
};

/* All requests of a device, pending ones first. *ret is malloc'ed. */
int hazard_items(
	const struct blkdev *d, struct hazard_item **ret, size_t *nr, struct err *err) MUST_CHECK;

/* Mark each item that is in danger, alone or beside another. */
int hazard_mark(struct hazard_item *v, size_t nr, struct err *err) MUST_CHECK;

/* Call fn with pairs that go to the same place: at least once when any do; for one place that many
 * use, about as often as there are requests. */
int hazard_each_pair(const struct hazard_item *v, size_t nr,
	void (*fn)(void *arg, const struct io_request *a, const struct io_request *b), void *arg,
	struct err *err) MUST_CHECK;
/* Which of the two a pair is: HAZARD_OVERLAP or HAZARD_RACE. */
unsigned hazard_of_pair(const struct io_request *a, const struct io_request *b);

/* A flush or barrier beside requests that write. */
struct hazard_crossing {
	const struct io_request *flush; /* the first; NULL: none, or no write is beside it */
	size_t nr_writes;		/* beside it */
};
struct hazard_crossing hazard_crossing(const struct hazard_item *v, size_t nr);

#endif
