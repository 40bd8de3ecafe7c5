/* SPDX-License-Identifier: BSD-2-Clause
 *
 * run.c - what a rule sees and says while it is evaluated.
 */
#include "check/run.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "check/catalogue.h"

/* ---- what it sees ------------------------------------------------------------------------- */

const struct io_request *run_next(const struct check_run *run, size_t *i)
{
	return blkdev_request(run->dev, (*i)++);
}

static int compare_pfns(const void *a, const void *b)
{
	const uint64_t *p = a, *q = b;

	return *p < *q ? -1 : *p > *q;
}

bool run_gather_rings(struct check_run *run)
{
	const struct snapshot *s = run->in->snap;
	size_t d, i, j, cap = 0;

	for (d = 0; d < s->nr_devices; d++)
		for (i = 0; i < s->devices[d].nr_rings; i++) {
			const struct io_ring *g = &s->devices[d].rings[i];

			if (util_grow(&run->ring_pages, &cap, run->nr_ring_pages + g->nr_pages,
				    sizeof(*run->ring_pages)))
				return false;
			for (j = 0; j < g->nr_pages; j++)
				if (g->pages[j].v != UINT64_MAX)
					run->ring_pages[run->nr_ring_pages++] = g->pages[j].v;
		}
	if (run->nr_ring_pages)
		qsort(run->ring_pages, run->nr_ring_pages, sizeof(*run->ring_pages), compare_pfns);
	return true;
}

bool run_is_ring_page(const struct check_run *run, uint64_t pfn)
{
	return run->nr_ring_pages &&
	       bsearch(&pfn, run->ring_pages, run->nr_ring_pages, sizeof(pfn), compare_pfns);
}

/* ---- what it says ------------------------------------------------------------------------- */

void run_no_memory(struct check_run *run)
{
	run->out->no_memory = true;
}

/* May the rule of the turn report it? */
static bool is_listed(const struct check_run *run, const char *id)
{
	size_t i;

	for (i = 0; i < CHECK_RULE_IDS && run->rule->ids[i]; i++)
		if (!strcmp(run->rule->ids[i], id))
			return true;
	return false;
}

static const char *only_id(const struct check_run *run)
{
	assert(!run->rule->ids[1]);
	return run->rule->ids[0];
}

static bool needs_stillness(const char *id)
{
	const struct rule *row = catalogue_find(id);

	return row && row->still;
}

static void PRINTF(5, 0) say_broken(
	struct check_run *run, const char *id, int ring, int slot, const char *fmt, va_list ap)
{
	char *text = NULL;

	assert(is_listed(run, id));
	if (run->moving && needs_stillness(id))
		return; /* said to be not evaluated */
	/* What no ring is named for is about all of them. */
	if (run->moving && blkdev_is_unsettled(run->dev, ring, slot)) {
		run_skip_as(run, id, "the guest changed it while it was looked at");
		return;
	}
	if (vasprintf(&text, fmt, ap) < 0) {
		run_no_memory(run);
		return;
	}
	finding_add(
		&run->out->findings, id, finding_at_slot(run->dev->name, ring, slot), "%s", text);
	free(text);
}

/* A queued request has no slot; what stands in its place is its tag. */
static void PRINTF(4, 0) say_queued(struct check_run *run, const char *id,
	const struct io_request *r, const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0) {
		run_no_memory(run);
		return;
	}
	run_broken_as(run, id, -1, -1, "a queued %s (queue %u, tag %u): %s", io_op_name(r->op),
		r->ring, r->slot, text);
	free(text);
}

static void PRINTF(4, 0) say_request(struct check_run *run, const char *id,
	const struct io_request *r, const char *fmt, va_list ap)
{
	if (r->state == IO_QUEUED)
		say_queued(run, id, r, fmt, ap);
	else
		say_broken(run, id, (int)r->ring, (int)r->slot, fmt, ap);
}

void run_broken(struct check_run *run, int ring, int slot, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_broken(run, only_id(run), ring, slot, fmt, ap);
	va_end(ap);
}

void run_broken_as(struct check_run *run, const char *id, int ring, int slot, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_broken(run, id, ring, slot, fmt, ap);
	va_end(ap);
}

void run_broken_request(struct check_run *run, const struct io_request *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_request(run, only_id(run), r, fmt, ap);
	va_end(ap);
}

void run_broken_request_as(
	struct check_run *run, const char *id, const struct io_request *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_request(run, id, r, fmt, ap);
	va_end(ap);
}

static bool is_skipped(const struct check_result *out, const char *id, const char *device)
{
	size_t i;

	for (i = out->nr_skips; i-- > 0;) {
		if (strcmp(out->skips[i].device, device))
			return false; /* devices come one after the other */
		if (!strcmp(out->skips[i].rule, id))
			return true;
	}
	return false;
}

static void PRINTF(4, 0) add_skip(
	struct check_result *out, const char *id, const char *device, const char *fmt, va_list ap)
{
	struct check_skip *s;

	if (util_grow(&out->skips, &out->cap_skips, out->nr_skips + 1, sizeof(*s))) {
		out->no_memory = true;
		return;
	}
	s = &out->skips[out->nr_skips++];
	memset(s, 0, sizeof(*s));
	snprintf(s->rule, sizeof(s->rule), "%s", id);
	snprintf(s->device, sizeof(s->device), "%s", device);
	if (vasprintf(&s->reason, fmt, ap) < 0) {
		s->reason = NULL;
		out->no_memory = true;
	}
}

static void PRINTF(3, 0)
	say_skipped(struct check_run *run, const char *id, const char *fmt, va_list ap)
{
	assert(is_listed(run, id));
	if (!is_skipped(run->out, id, run->dev->name))
		add_skip(run->out, id, run->dev->name, fmt, ap);
}

void check_not_evaluated(struct check_result *out, const char *rule, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_skip(out, rule, "", fmt, ap);
	va_end(ap);
}

void run_skip(struct check_run *run, const char *fmt, ...)
{
	va_list ap;
	size_t i;

	for (i = 0; i < CHECK_RULE_IDS && run->rule->ids[i]; i++) {
		va_start(ap, fmt);
		say_skipped(run, run->rule->ids[i], fmt, ap);
		va_end(ap);
	}
}

void run_skip_as(struct check_run *run, const char *id, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_skipped(run, id, fmt, ap);
	va_end(ap);
}

void run_skip_moving(struct check_run *run)
{
	size_t i;

	for (i = 0; run->moving && i < CHECK_RULE_IDS && run->rule->ids[i]; i++)
		if (needs_stillness(run->rule->ids[i]))
			run_skip_as(run, run->rule->ids[i], "the guest was not suspended");
}

void run_recovering(struct check_run *run)
{
	if (run->dev->recovering == TRI_UNKNOWN)
		run_skip(run, "the driver's recovery flag was not found");
	else if (run->dev->recovering == TRI_YES)
		run_broken(run, -1, -1,
			"the driver was in the middle of a recovery when it was saved");
}
