/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Drivers that do not issue again what was on their rings when the guest was saved: those that wait
 * for it, those that know of no suspension, and those that nobody here knows.
 */
#include "check/run.h"

static void unknown_driver(struct check_run *run)
{
	const struct blkdev *d = run->dev;

	if (frontend_resume_of(d) == &frontend_resume_unknown && d->nr_requests)
		run_broken(run, -1, -1,
			"%zu requests stand unanswered in the shared ring; what the driver does "
			"with them on resume is not known",
			d->nr_requests);
}

static bool is_forgotten(const struct blkdev *d, const struct io_request *r)
{
	return frontend_resume_of(d)->forgets_flushes && r->op == IO_FLUSH;
}

/* Sources: xbd_suspend() of FreeBSD, xbd_xenbus_suspend() of NetBSD. */
static void not_drained(struct check_run *run)
{
	const struct blkdev *d = run->dev;
	size_t i;

	if (frontend_resume_of(d)->suspend != FRONTEND_DRAINS || run->moving)
		return;
	for (i = 0; i < d->nr_requests; i++)
		if (is_forgotten(d, &d->requests[i]))
			run_broken_request_as(run, "XB805", &d->requests[i],
				"the driver was suspended with a flush on its way, and drops it");
		else
			run_broken_request_as(run, "XB803", &d->requests[i],
				"the driver was suspended with a %s on its way, which it does not "
				"issue again",
				io_op_name(d->requests[i].op));
}

static void check_lost(struct check_run *run)
{
	const struct blkdev *d = run->dev;

	if (frontend_resume_of(d)->suspend == FRONTEND_LOSES && d->nr_requests)
		run_broken(run, -1, -1,
			"%zu requests are on the way; the driver knows of no suspension, so that "
			"after a restore nobody answers them",
			d->nr_requests);
}

static void own_count(struct check_run *run)
{
	const struct blkdev *d = run->dev;

	if (d->claimed_known && d->requests_known && d->claimed != d->nr_requests)
		run_broken(run, -1, -1,
			"the driver counts %u requests on the way, its records hold %zu",
			d->claimed, d->nr_requests);
}

static const struct check_rule rules[] = {
	{{"XB801"}, unknown_driver},
	{{"XB803", "XB805"}, not_drained},
	{{"XB804"}, check_lost},
	{{"XB806"}, own_count},
};

const struct check_rules check_rules_other = {NULL, rules, ARRAY_SIZE(rules)};
