/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests whose result depends on their order. A frontend that resumes issues them again, and
 * the order in which the guest first issued them is not in the checkpoint.
 */
#include "check/run.h"

#include <string.h>

struct extent {
	uint64_t handle, start, end;
	const struct io_request *r;
};

static int by_start(const void *a, const void *b)
{
	const struct extent *p = a, *q = b;

	if (p->handle != q->handle)
		return p->handle < q->handle ? -1 : 1;
	return p->start != q->start ? (p->start < q->start ? -1 : 1) : 0;
}

/* "the write of ring 0 slot 3", "the queued write of queue 0 tag 77" */
static void name_request(const struct io_request *r, char *buf, size_t cap)
{
	bool queued = r->state == IO_QUEUED;

	snprintf(buf, cap, "the %s%s of %s %u %s %u", queued ? "queued " : "", io_op_name(r->op),
		queued ? "queue" : "ring", r->ring, queued ? "tag" : "slot", r->slot);
}

static void overlap(struct check_run *run, const struct extent *old, const struct extent *now)
{
	bool queued = old->r->state == IO_QUEUED || now->r->state == IO_QUEUED;
	bool both = request_writes(old->r) && request_writes(now->r);
	const struct io_request *first = now->r, *second = old->r;
	const struct frontend_resume *how = frontend_resume_of(run->dev);
	bool ordered = both && frontend_counts_on_order(run->dev);
	const char *rule = ordered ? "XB605" : both ? "XB601" : "XB602";
	char name[64];

	/* Among them the order is that of the block layer, which issues the queued ones as well. */
	if (queued ? second->state != IO_QUEUED : how->order(run->dev, first, second) > 0) {
		first = old->r;
		second = now->r;
	}
	name_request(first, name, sizeof(name));
	run_broken_request_as(run, rule, second,
		"sectors %llu to %llu: resume issues this %s %s %s; which came first is not known",
		(unsigned long long)now->start, (unsigned long long)(MIN(old->end, now->end) - 1),
		io_op_name(second->op),
		how->order_known(run->dev, first, second) ? "after" : "before or after", name);
}

static size_t gather(const struct check_run *run, struct extent *v)
{
	const struct io_request *r;
	size_t i = 0, nr = 0;

	while ((r = run_next(run, &i))) {
		struct extent e = {.r = r};

		/* A disk with a ring of its own is one disk, whatever the slot says. */
		if (run->dev->shares_ring && r->handle_known)
			e.handle = r->wire_handle;
		if (request_range(r, &e.start, &e.end))
			v[nr++] = e;
	}
	if (nr)
		qsort(v, nr, sizeof(*v), by_start);
	return nr;
}

static void overlaps(struct check_run *run)
{
	CLEANUP_FREE struct extent *v = NULL;
	const struct extent *write = NULL, *read = NULL; /* that reaches furthest */
	size_t i, nr;

	for (i = 0; i < run->dev->nr_requests; i++)
		if (run->dev->requests[i].sector_from == IO_SECTOR_UNKNOWN &&
			request_has_data(&run->dev->requests[i])) {
			run_skip(run, "not all sectors are known");
			break;
		}
	v = calloc(run->dev->nr_requests + run->dev->nr_queued + 1, sizeof(*v));
	if (!v) {
		run_no_memory(run);
		return;
	}
	nr = gather(run, v);
	for (i = 0; i < nr; i++) {
		const struct extent *now = &v[i], **best = request_writes(now->r) ? &write : &read;

		if (write && write->handle == now->handle && write->end > now->start)
			overlap(run, write, now);
		if (request_writes(now->r) && read && read->handle == now->handle &&
			read->end > now->start)
			overlap(run, read, now);
		if (!*best || (*best)->handle != now->handle || (*best)->end < now->end)
			*best = now;
	}
}

static void crossings(struct check_run *run)
{
	const struct blkdev *d = run->dev;
	const struct io_request *mark = NULL;
	size_t i, writes = 0;

	for (i = 0; i < d->nr_requests; i++) {
		const struct io_request *r = &d->requests[i];

		if (!mark && (r->op == IO_FLUSH || r->op == IO_BARRIER))
			mark = r;
		writes += r->op == IO_WRITE;
	}
	if (!mark || !writes)
		return;
	run_broken_request_as(run, frontend_counts_on_order(d) ? "XB604" : "XB603", mark,
		"resume issues this %s among %zu pending writes; which of them came before it is "
		"not known",
		io_op_name(mark->op), writes);
}

static const struct check_rule rules[] = {
	{{"XB601", "XB602", "XB605"}, overlaps},
	{{"XB603", "XB604"}, crossings},
};

const struct check_rules check_rules_hazard = {NULL, rules, ARRAY_SIZE(rules)};
