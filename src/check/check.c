/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/run.h"

#include <stdarg.h>
#include <string.h>

static const struct check_rules *const groups[] = {
	&check_rules_ring,
	&check_rules_request,
	&check_rules_frame,
	&check_rules_netbsd,
	&check_rules_linux,
	&check_rules_disk,
	&check_rules_target,
	&check_rules_hazard,
};

bool run_frontend(const struct check_run *run, const struct frontend_ops *driver)
{
	return run->dev->driver == driver;
}

void run_no_memory(struct check_run *run)
{
	run->out->no_memory = true;
}

static bool needs_stillness(const char *rule)
{
	const struct rule *row = catalogue_find(rule);

	return row && row->still;
}

static void PRINTF(5, 0) broken(
	struct check_run *run, const char *rule, int ring, int slot, const char *fmt, va_list ap)
{
	char *text = NULL;

	if (run->moving && needs_stillness(rule))
		return; /* said to be not evaluated */
	if (vasprintf(&text, fmt, ap) < 0) {
		run_no_memory(run);
		return;
	}
	finding_add(
		&run->out->findings, rule, finding_at_slot(run->dev->name, ring, slot), "%s", text);
	free(text);
}

void run_broken(struct check_run *run, const char *rule, int ring, int slot, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	broken(run, rule, ring, slot, fmt, ap);
	va_end(ap);
}

const struct io_request *run_next(const struct check_run *run, size_t *i)
{
	const struct blkdev *d = run->dev;
	size_t at = (*i)++;

	if (at < d->nr_requests)
		return &d->requests[at];
	return at - d->nr_requests < d->nr_queued ? &d->queued[at - d->nr_requests] : NULL;
}

/* A queued request has no slot; what stands in its place is its tag. */
static void broken_queued(
	struct check_run *run, const char *rule, const struct io_request *r, const char *text)
{
	run_broken(run, rule, -1, -1, "a queued %s (queue %u, tag %u): %s", io_op_name(r->op),
		r->ring, r->slot, text);
}

void run_broken_request(
	struct check_run *run, const char *rule, const struct io_request *r, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (r->state != IO_QUEUED)
		broken(run, rule, (int)r->ring, (int)r->slot, fmt, ap);
	else if (vasprintf(&text, fmt, ap) < 0)
		run_no_memory(run);
	else
		broken_queued(run, rule, r, text);
	if (r->state == IO_QUEUED)
		free(text);
	va_end(ap);
}

static bool skipped(const struct check_result *out, const char *rule, const char *device)
{
	size_t i;

	for (i = out->nr_skips; i-- > 0;) {
		if (strcmp(out->skips[i].device, device))
			return false; /* devices come one after the other */
		if (!strcmp(out->skips[i].rule, rule))
			return true;
	}
	return false;
}

static void PRINTF(4, 0) add_skip(
	struct check_result *out, const char *rule, const char *device, const char *fmt, va_list ap)
{
	struct check_skip *s;

	if (util_grow(&out->skips, &out->cap_skips, out->nr_skips + 1, sizeof(*s))) {
		out->no_memory = true;
		return;
	}
	s = &out->skips[out->nr_skips++];
	memset(s, 0, sizeof(*s));
	snprintf(s->rule, sizeof(s->rule), "%s", rule);
	snprintf(s->device, sizeof(s->device), "%s", device);
	if (vasprintf(&s->reason, fmt, ap) < 0) {
		s->reason = NULL;
		out->no_memory = true;
	}
}

void run_skip(struct check_run *run, const char *rule, const char *fmt, ...)
{
	va_list ap;

	if (skipped(run->out, rule, run->dev->name))
		return;
	va_start(ap, fmt);
	add_skip(run->out, rule, run->dev->name, fmt, ap);
	va_end(ap);
}

void check_not_evaluated(struct check_result *out, const char *rule, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_skip(out, rule, "", fmt, ap);
	va_end(ap);
}

/* Xen 2 has one ring for all disks of a guest, and it stands with each of them. */
static bool ring_seen(const struct snapshot *s, size_t device)
{
	const struct blkdev *d = &s->devices[device];
	size_t i;

	if (!d->nr_rings || !d->rings[0].shadow_va.v)
		return false;
	for (i = 0; i < device; i++)
		if (s->devices[i].nr_rings &&
			s->devices[i].rings[0].shadow_va.v == d->rings[0].shadow_va.v)
			return true;
	return false;
}

/* What only a guest that stands still can be held to. */
static void skip_moving(struct check_run *run, const struct check_rule *row)
{
	const char *ids = row->ids;
	char id[8];

	for (; run->moving && sscanf(ids, "%7s", id) == 1; ids += strspn(ids, " ") + strlen(id))
		if (needs_stillness(id))
			run_skip(run, id, "the guest was not suspended");
}

static void check_device(struct check_run *run, bool with_ring)
{
	size_t g, i;

	for (g = 0; g < ARRAY_SIZE(groups); g++)
		for (i = 0; i < groups[g]->nr && (with_ring || groups[g] != &check_rules_ring);
			i++) {
			skip_moving(run, &groups[g]->v[i]);
			groups[g]->v[i].fn(run);
		}
}

void check_run(const struct check_input *in, struct check_result *out)
{
	struct check_run run = {.in = in, .out = out, .moving = in->info && !in->info->suspended};
	size_t d;

	if (!run_gather_rings(in->snap, &run.ring_pages, &run.nr_ring_pages))
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

size_t check_nr_rules(void)
{
	size_t g, nr = 0;

	for (g = 0; g < ARRAY_SIZE(groups); g++)
		nr += groups[g]->nr;
	return nr;
}

const char *check_rule_ids(size_t index)
{
	size_t g;

	for (g = 0; index >= groups[g]->nr; g++)
		index -= groups[g]->nr;
	return groups[g]->v[index].ids;
}
