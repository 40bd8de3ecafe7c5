/* SPDX-License-Identifier: BSD-2-Clause
 *
 * changes.h - what became of a guest between two checkpoints of it: its requests, and what is known
 * of its devices and rings. Pure functions over two snapshots; the results borrow from both.
 */
#ifndef XB_FRONTEND_CHANGES_H
#define XB_FRONTEND_CHANGES_H

#include "base/err.h"
#include "frontend/request.h"

enum change_kind {
	CHANGE_STAYED,	  /* in flight in both */
	CHANGE_COMPLETED, /* in the first only */
	CHANGE_APPEARED,  /* in the second only */
};
const char *change_kind_name(enum change_kind kind); /* "stayed" ... */

struct request_change {
	enum change_kind kind;
	const struct blkdev *dev; /* of `after` where there is one, else of `before` */
	const struct io_request *before, *after; /* NULL: not there */
};

/* A fact of a device or ring, or of the guest, that differs. */
struct fact_change {
	char device[32];      /* "" the guest */
	int ring;	      /* -1: none */
	const char *what;     /* static text: "capacity" */
	char *before, *after; /* owned; NULL unknown, or not there */
};

struct changes {
	struct request_change *requests; /* owned; by device as they stand in the snapshots */
	size_t nr_requests, cap_requests;
	struct fact_change *facts; /* owned */
	size_t nr_facts, cap_facts;
	bool complete; /* the requests of all devices are known on both sides */
};

/*
 * A request is the same in both when it is at the same address, was started at the same time by the
 * guest's clock and asks for the same; without a clock, when it asks for the same with the same id
 * in the same slot.
 */
int changes_find(const struct snapshot *before, const struct snapshot *after, struct changes *ret,
	struct err *err) MUST_CHECK;
void changes_fini(struct changes *c);
/* Is anything different? A request that stayed is not. */
bool changes_any(const struct changes *c);

#endif
