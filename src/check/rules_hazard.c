/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests whose result depends on their order: frontend/hazard.h.
 */
#include "check/run.h"

#include <inttypes.h>

#include "frontend/hazard.h"

/* "the write of ring 0 slot 3", "the queued write of queue 0 tag 77" */
static void name_request(const struct io_request *r, char *buf, size_t cap)
{
	bool queued = r->state == IO_QUEUED;

	snprintf(buf, cap, "the %s%s of %s %u %s %u", queued ? "queued " : "", io_op_name(r->op),
		queued ? "queue" : "ring", r->ring, queued ? "tag" : "slot", r->slot);
}

struct pairs {
	struct check_run *run;
	bool ordered; /* the guest counts on an order */
};

/* Both have a place. Among queued ones the order is that of the block layer. */
static void say_pair(void *arg, const struct io_request *a, const struct io_request *b)
{
	const struct pairs *pairs = arg;
	struct check_run *run = pairs->run;
	const char *overlap = pairs->ordered ? "XB605" : "XB601";
	const struct frontend_resume *how = frontend_resume_of(run->dev);
	bool a_is_later = how->order(run->dev, b, a) <= 0;
	const struct io_request *first = a_is_later ? b : a, *second = a_is_later ? a : b;
	uint64_t start_a = 0, end_a = 0, start_b = 0, end_b = 0;
	char name[64];

	(void)io_request_range(a, &start_a, &end_a);
	(void)io_request_range(b, &start_b, &end_b);
	name_request(first, name, sizeof(name));
	run_broken_request_as(run, hazard_of_pair(a, b) == HAZARD_OVERLAP ? overlap : "XB602",
		second,
		"sectors %" PRIu64 " to %" PRIu64
		": resume issues this %s %s %s; which came first is not known",
		MAX(start_a, start_b), MIN(end_a, end_b) - 1, io_op_name(second->op),
		how->order_known(run->dev, first, second) ? "after" : "before or after", name);
}

static void find_pairs(struct check_run *run)
{
	struct pairs pairs = {run, frontend_counts_on_order(run->dev)};
	CLEANUP_FREE struct hazard_item *v = NULL;
	struct err ignored;
	size_t nr, i;

	if (hazard_items(run->dev, &v, &nr, &ignored)) {
		run_no_memory(run);
		return;
	}
	for (i = 0; i < nr; i++)
		if (io_request_has_place(v[i].req) && v[i].req->sector_from == IO_SECTOR_UNKNOWN) {
			run_skip(run, "not all sectors are known");
			break;
		}
	if (hazard_each_pair(v, nr, say_pair, &pairs, &ignored))
		run_no_memory(run);
}

static void find_crossing(struct check_run *run)
{
	CLEANUP_FREE struct hazard_item *v = NULL;
	struct hazard_crossing c;
	struct err ignored;
	size_t nr;

	if (frontend_resume_of(run->dev)->suspend != FRONTEND_REISSUES)
		return;
	if (hazard_items(run->dev, &v, &nr, &ignored)) {
		run_no_memory(run);
		return;
	}
	c = hazard_crossing(v, nr);
	if (c.flush)
		run_broken_request_as(run, frontend_counts_on_order(run->dev) ? "XB604" : "XB603",
			c.flush,
			"resume issues this %s among %zu writes; which of them came before it is "
			"not known",
			io_op_name(c.flush->op), c.nr_writes);
}

static const struct check_rule rules[] = {
	{{"XB601", "XB602", "XB605"}, find_pairs},
	{{"XB603", "XB604"}, find_crossing},
};

const struct check_rules check_rules_hazard = {NULL, rules, ARRAY_SIZE(rules)};
