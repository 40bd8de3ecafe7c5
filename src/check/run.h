/* SPDX-License-Identifier: BSD-2-Clause
 *
 * run.h - what a rule sees while it is evaluated. Private to check/.
 */
#ifndef XB_CHECK_RUN_H
#define XB_CHECK_RUN_H

#include "base/limits.h"
#include "check/check.h"
#include "check/specials.h"
#include "frontend/frontend.h"

/* As many as one function reports. */
#define CHECK_RULE_IDS 5u

struct check_run;

struct check_rule {
	const char *ids[CHECK_RULE_IDS]; /* what `fn` may report */
	void (*fn)(struct check_run *run);
};

struct check_rules {
	const struct frontend_ops *driver; /* whose devices they are for; NULL: of any */
	const struct check_rule *v;
	size_t nr;
};

extern const struct check_rules check_rules_ring, check_rules_request, check_rules_frame,
	check_rules_netbsd, check_rules_xenlinux, check_rules_linux, check_rules_disk,
	check_rules_target, check_rules_hazard, check_rules_other;

struct check_run {
	const struct check_input *in;
	const struct check_rule *rule; /* of the current turn */
	const struct blkdev *dev;      /* of the current turn */
	bool moving;		       /* the guest was not suspended */
	uint64_t *ring_pages;	       /* of the rings of all devices, ascending; owned */
	size_t nr_ring_pages;
	struct check_result *out;
};

/* The requests in the shadow, then those that the guest's block layer still holds. NULL: no more.
 */
const struct io_request *run_next(const struct check_run *run, size_t *i);
/* Fill ring_pages. False: no memory; what was allocated is still the caller's. */
bool run_gather_rings(struct check_run *run);
bool run_is_ring_page(const struct check_run *run, uint64_t pfn);

/*
 * What the rule of the turn finds, on the device of the turn. ring, slot: -1 = not about one. A
 * rule with more than one id says by _as which it means.
 */
void run_broken(struct check_run *run, int ring, int slot, const char *fmt, ...) PRINTF(4, 5);
void run_broken_as(struct check_run *run, const char *id, int ring, int slot, const char *fmt, ...)
	PRINTF(5, 6);
void run_broken_request(struct check_run *run, const struct io_request *r, const char *fmt, ...)
	PRINTF(3, 4);
void run_broken_request_as(struct check_run *run, const char *id, const struct io_request *r,
	const char *fmt, ...) PRINTF(4, 5);
/* Not evaluated: all that the rule may report, or the one. Once an id and device: the first reason
 * stands. */
void run_skip(struct check_run *run, const char *fmt, ...) PRINTF(2, 3);
void run_skip_as(struct check_run *run, const char *id, const char *fmt, ...) PRINTF(3, 4);
/* What only a guest that stands still can be held to, when it does not. */
void run_skip_moving(struct check_run *run);
void run_no_memory(struct check_run *run);
/* A rule of drivers that issue the requests of their log again: was one doing so? */
void run_recovering(struct check_run *run);

#endif
