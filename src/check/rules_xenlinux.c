/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Linux on Xen 2.0: what its blkif_recover() cannot do.
 */
#include "check/run.h"

/* Its last step ends the new list of free slots in slot 63, whoever has it: the request there loses
 * its pointer, and the list begins behind the array. */
static void full_log(struct check_run *run)
{
	const struct blkdev *d = run->dev;

	if (d->nr_rings && d->rings[0].nr_used == d->rings[0].entries)
		run_broken(run, 0, -1,
			"all %u slots are in use: resume overwrites the last one, and then a word "
			"behind the log",
			d->rings[0].entries);
}

/* The answer to a probe goes to a structure on the stack of the task that asked. */
static void pending_probe(struct check_run *run)
{
	size_t i;

	for (i = 0; i < run->dev->nr_requests; i++)
		if (run->dev->requests[i].op == IO_PROBE)
			run_broken_request(run, &run->dev->requests[i],
				"a probe for disks is pending; the task that asked must still "
				"wait");
}

static const struct check_rule rules[] = {
	{{"XB251"}, full_log},
	{{"XB252"}, pending_probe},
	{{"XB253"}, run_recovering},
};

const struct check_rules check_rules_xenlinux = {&frontend_xenlinux, rules, ARRAY_SIZE(rules)};
