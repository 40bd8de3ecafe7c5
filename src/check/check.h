/* SPDX-License-Identifier: BSD-2-Clause
 *
 * check.h - is it safe to restore this checkpoint? Rules as pure functions over what was found.
 *
 * check_run() evaluates every rule of check/ over a snapshot and what the caller knows besides:
 * disks, the target's features, the frames with a special purpose. A rule holds, is broken
 * (findings) or could not be evaluated (a reason): nothing is passed over in silence. Rules that
 * do not concern the guest (another frontend, no disk given) hold.
 */
#ifndef XB_CHECK_CHECK_H
#define XB_CHECK_CHECK_H

#include "checkpoint/checkpoint.h"
#include "frontend/request.h"
#include "guest/memory.h"

struct check_special; /* specials.h */
struct check_disk;    /* disk_facts.h */
struct check_caps;    /* caps.h */

struct check_input {
	const struct snapshot *snap;
	const struct ckpt_info *info;
	struct memory memory; /* .ops NULL: rules on page content and type are not evaluated */
	const struct check_special *specials; /* ascending by pfn */
	size_t nr_specials;
	bool restored;	   /* the domain exists by now, so its own backend uses the disks */
	bool target_given; /* target_mfn and target_missing were filled */
	const struct check_disk *disks;
	size_t nr_disks;
	const struct check_caps *caps;
	size_t nr_caps;
};

/* A rule that could not be evaluated, for one device or ("") for all. */
struct check_skip {
	char rule[8];
	char device[32];
	char *reason; /* owned */
};

struct check_result {
	struct finding_list findings;
	struct check_skip *skips;
	size_t nr_skips, cap_skips;
	bool no_memory; /* something is missing from this result */
};

void check_run(const struct check_input *in, struct check_result *out);
/* Of a rule that the caller evaluates: it was not, for any device. */
void check_not_evaluated(struct check_result *out, const char *rule, const char *fmt, ...)
	PRINTF(3, 4);
void check_result_fini(struct check_result *r);

/* A page of the restored domain, valid until the next call; NULL: it cannot be had, err says why.
 */
typedef const uint8_t *check_fetch_fn(void *arg, pfn_t pfn, struct err *err);
/* Compare the pages of pending requests and rings with those of the checkpoint (in->memory must be
 * there); returns how many different pages were compared. */
uint64_t check_compare_pages(
	const struct check_input *in, check_fetch_fn *fetch, void *arg, struct check_result *out);

/* Each id that a rule may report; NULL behind the last: for tests. */
const char *check_rule_id(size_t index);

#endif
