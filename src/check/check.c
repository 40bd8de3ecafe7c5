/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/run.h"

#include <string.h>

static const struct check_rules *const groups[] = {
	&check_rules_ring,
	&check_rules_request,
	&check_rules_frame,
	&check_rules_netbsd,
	&check_rules_xenlinux,
	&check_rules_linux,
	&check_rules_disk,
	&check_rules_target,
	&check_rules_hazard,
	&check_rules_other,
};

/* Was the ring, which other disks share, looked at in the turn of one of them? */
static bool ring_seen(const struct snapshot *s, size_t device)
{
	const struct blkdev *d = &s->devices[device];
	size_t i;

	for (i = 0; d->shares_ring && i < device; i++)
		if (s->devices[i].shares_ring && s->devices[i].driver == d->driver)
			return true;
	return false;
}

static void check_device(struct check_run *run, bool with_ring)
{
	size_t g, i;

	for (g = 0; g < ARRAY_SIZE(groups); g++) {
		if (groups[g] == &check_rules_ring && !with_ring)
			continue;
		if (groups[g]->driver && groups[g]->driver != run->dev->driver)
			continue;
		for (i = 0; i < groups[g]->nr; i++) {
			run->rule = &groups[g]->v[i];
			run_skip_moving(run);
			run->rule->fn(run);
		}
	}
}

void check_run(const struct check_input *in, struct check_result *out)
{
	struct check_run run = {.in = in, .out = out, .moving = in->info && !in->info->suspended};
	size_t d;

	if (!run_gather_rings(&run))
		run_no_memory(&run);
	for (d = 0; d < in->snap->nr_devices; d++) {
		run.dev = &in->snap->devices[d];
		check_device(&run, !ring_seen(in->snap, d));
	}
	free(run.ring_pages);
	out->no_memory |= out->findings.lost;
}

void check_result_fini(struct check_result *r)
{
	size_t i;

	for (i = 0; i < r->nr_skips; i++)
		free(r->skips[i].reason);
	free(r->skips);
	finding_fini(&r->findings);
	memset(r, 0, sizeof(*r));
}

const char *check_rule_id(size_t index)
{
	size_t g, i, k;

	for (g = 0; g < ARRAY_SIZE(groups); g++)
		for (i = 0; i < groups[g]->nr; i++)
			for (k = 0; k < CHECK_RULE_IDS && groups[g]->v[i].ids[k]; k++)
				if (!index--)
					return groups[g]->v[i].ids[k];
	return NULL;
}
