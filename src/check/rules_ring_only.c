/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What can be said of a device of which only the shared rings are known.
 */
#include "check/run.h"

static void unknown_driver(struct check_run *run)
{
	const struct blkdev *d = run->dev;

	if (d->nr_requests)
		run_broken(run, -1, -1,
			"%zu requests stand unanswered in the shared ring; what the driver does "
			"with them on resume is not known",
			d->nr_requests);
}

static const struct check_rule rules[] = {
	{{"XB801"}, unknown_driver},
};

const struct check_rules check_rules_ring_only = {&frontend_ring_only, rules, ARRAY_SIZE(rules)};
