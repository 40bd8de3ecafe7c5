/* SPDX-License-Identifier: BSD-2-Clause
 *
 * replay.c - the plan: which requests resume issues again, and in which order.
 */
#include "replay/replay.h"

#include <string.h>

const char *replay_hazard_name(unsigned bit)
{
	switch (bit) {
	case REPLAY_OVERLAP:
		return "overlap";
	case REPLAY_RACE:
		return "race";
	case REPLAY_FLUSH:
		return "flush";
	case REPLAY_NOSECTOR:
		return "no-sector";
	default:
		return "hole";
	}
}

bool replay_is_write(const struct io_request *r)
{
	return r->op == IO_WRITE || (r->op == IO_BARRIER && r->nr_sectors) ||
	       (r->op == IO_FLUSH && r->nr_sectors);
}

bool replay_needs_sector(const struct io_request *r)
{
	return r->op == IO_READ || r->op == IO_DISCARD || replay_is_write(r);
}

static bool is_flush(const struct io_request *r)
{
	return r->op == IO_FLUSH || r->op == IO_BARRIER;
}

static int add(struct replay_plan *plan, const struct blkdev *dev, const struct io_request *req,
	bool queued, struct err *err)
{
	if (util_grow(&plan->v, &plan->cap, plan->nr + 1, sizeof(*plan->v)))
		return err_nomem(err, "planning the replay");
	plan->v[plan->nr++] = (struct replay_item){.dev = dev, .req = req, .queued = queued};
	return 0;
}

static const char *why_here(const struct blkdev *d, const struct replay_item *it)
{
	if (it->queued)
		return "queued in the guest, order not known";
	if (!blkdev_put_back_whole(it->req) && !*d->scheduler)
		return "data, by ring and slot if no scheduler sorts it";
	if (!blkdev_put_back_whole(it->req))
		return blkdev_unsorted(d) ? "data, by ring and slot"
					  : "data, as the I/O scheduler sorts it";
	if (is_flush(it->req) && !it->req->nr_sectors)
		return "put back, a flush first";
	switch (d->requeue) {
	case BLK_REQUEUE_LAST_FIRST:
		return "put back, last slot first";
	case BLK_REQUEUE_FIRST_FIRST:
		return "put back, first slot first";
	default:
		return "put back, order not known";
	}
}

/* The requeue list and the queues have workers, data is submitted by the task that resumes. */
static const char *stream_of(const struct replay_item *it)
{
	if (it->queued)
		return "queued";
	return blkdev_put_back_whole(it->req) ? "put-back" : "data";
}

/* More than a ring holds: what finds no room waits in a scheduler, which may sort it. */
static bool overfull(const struct blkdev *d)
{
	size_t i, least = SIZE_MAX;

	for (i = 0; i < d->nr_rings; i++)
		least = MIN(least, (size_t)d->rings[i].entries);
	return d->nr_requests + d->nr_queued > least;
}

static bool order_known(const struct blkdev *d, const struct replay_item *it, bool full)
{
	if (it->queued)
		return false;
	if (!blkdev_put_back_whole(it->req))
		return !full && blkdev_unsorted(d);
	return d->requeue != BLK_REQUEUE_UNKNOWN || (is_flush(it->req) && !it->req->nr_sectors);
}

static unsigned turn(const struct replay_item *it)
{
	return it->queued ? 1 : blkdev_put_back_whole(it->req) ? 0 : 2;
}

static int by_resume(const void *a, const void *b)
{
	const struct replay_item *p = a, *q = b;

	if (turn(p) != turn(q))
		return turn(p) < turn(q) ? -1 : 1;
	if (p->queued) /* of one array */
		return p->req < q->req ? -1 : p->req > q->req;
	return blkdev_resume_order(p->dev, p->req, q->req);
}

/*
 * blkfront_resume() of Linux 4.8 and later collects, and blkif_recover() issues: it requeues what
 * is put back whole, starts the queues, which hold what never reached a ring, and then submits the
 * bios of the rest. 3.11 to 4.7 do all in blkif_recover(); up to 3.10 each slot is posted again in
 * ascending order. Requeue list and queues are run by workers, which the bios may overtake.
 */
static int add_linux(struct replay_plan *plan, const struct blkdev *d, struct err *err)
{
	size_t i, first = plan->nr;
	bool full = overfull(d);

	for (i = 0; i < d->nr_requests; i++)
		if (add(plan, d, &d->requests[i], false, err))
			return -1;
	for (i = 0; i < d->nr_queued; i++)
		if (add(plan, d, &d->queued[i], true, err))
			return -1;
	if (plan->nr > first)
		qsort(plan->v + first, plan->nr - first, sizeof(*plan->v), by_resume);
	for (i = first; i < plan->nr; i++) {
		plan->v[i].why = why_here(d, &plan->v[i]);
		plan->v[i].stream = stream_of(&plan->v[i]);
		plan->v[i].order_known = order_known(d, &plan->v[i], full);
	}
	return 0;
}

static bool is_netbsd(const struct blkdev *d)
{
	return !strcmp(d->frontend, "netbsd-xbd");
}

static int by_slot(const void *a, const void *b)
{
	const struct replay_item *p = a, *q = b;

	return p->req->slot < q->req->slot ? -1 : p->req->slot > q->req->slot;
}

/* One log serves all disks of the interface: rec_ring_recover() goes through its slots. */
static int add_netbsd(struct replay_plan *plan, const struct snapshot *s, struct err *err)
{
	size_t i, j, first = plan->nr;

	for (i = 0; i < s->nr_devices; i++)
		for (j = 0; is_netbsd(&s->devices[i]) && j < s->devices[i].nr_requests; j++)
			if (add(plan, &s->devices[i], &s->devices[i].requests[j], false, err))
				return -1;
	for (i = first; i < plan->nr; i++) {
		plan->v[i].why = "by slot";
		plan->v[i].stream = "log";
		plan->v[i].order_known = true;
	}
	if (plan->nr > first)
		qsort(plan->v + first, plan->nr - first, sizeof(*plan->v), by_slot);
	return 0;
}

/* ---- hazards ------------------------------------------------------------------------------ */

struct extent {
	struct replay_item *item;
	uint64_t start, end;
	bool writes;
};

static int by_start(const void *a, const void *b)
{
	const struct extent *p = a, *q = b;

	if (p->item->dev != q->item->dev)
		return p->item->dev < q->item->dev ? -1 : 1;
	return p->start != q->start ? (p->start < q->start ? -1 : 1) : 0;
}

static void meet(struct extent *a, struct extent *b)
{
	unsigned hazard = a->writes && b->writes ? REPLAY_OVERLAP : REPLAY_RACE;

	a->item->hazards |= hazard;
	b->item->hazards |= hazard;
}

/*
 * Sorted by start, an extent meets one before it exactly when it starts before the furthest end of
 * those, and one behind it exactly when the next one starts before its end. Each is compared with
 * the best write and the best read on either side, so every one that meets any is marked.
 */
static void sweep(struct extent *v, size_t nr, bool forward)
{
	struct extent *best[2] = {NULL, NULL}; /* read, write */
	size_t n;

	for (n = 0; n < nr; n++) {
		struct extent *now = &v[forward ? n : nr - 1 - n], **mine = &best[now->writes];
		int w;

		for (w = now->writes ? 0 : 1; w < 2; w++)
			if (best[w] && best[w]->item->dev == now->item->dev &&
				best[w]->start < now->end && now->start < best[w]->end)
				meet(best[w], now);
		if (!forward || !*mine || (*mine)->item->dev != now->item->dev ||
			(*mine)->end < now->end)
			*mine = now;
	}
}

static int mark_overlaps(struct replay_plan *plan, struct err *err)
{
	CLEANUP_FREE struct extent *v = calloc(plan->nr + 1, sizeof(*v));
	size_t i, nr = 0;

	if (!v)
		return err_nomem(err, "looking for overlaps");
	for (i = 0; i < plan->nr; i++) {
		const struct io_request *r = plan->v[i].req;
		struct extent e = {.item = &plan->v[i],
			.start = r->sector,
			.writes = replay_is_write(r) || r->op == IO_DISCARD};

		if (replay_needs_sector(r) && r->sector_from != IO_SECTOR_UNKNOWN &&
			r->nr_sectors && !__builtin_add_overflow(r->sector, r->nr_sectors, &e.end))
			v[nr++] = e;
	}
	if (nr)
		qsort(v, nr, sizeof(*v), by_start);
	sweep(v, nr, true);
	sweep(v, nr, false);
	return 0;
}

static bool has_hole(const struct io_request *r)
{
	size_t i;

	if (r->nr_seg < r->segs_wanted)
		return true;
	for (i = 0; i < r->nr_seg; i++)
		if (r->seg[i].frame != IO_FRAME_OK)
			return true;
	return false;
}

/* Items of a device need not be neighbours once a plan was edited; devices are few, but their
 * number is the guest's word, so each is looked up by its place in a sorted list. */
struct crossing {
	struct replay_item *item;
	bool flush;
};

static int by_device(const void *a, const void *b)
{
	const struct crossing *p = a, *q = b;

	return p->item->dev != q->item->dev ? (p->item->dev < q->item->dev ? -1 : 1) : 0;
}

static int mark_flushes(struct replay_plan *plan, struct err *err)
{
	CLEANUP_FREE struct crossing *v = calloc(plan->nr + 1, sizeof(*v));
	size_t i, j, end, nr = 0;

	if (!v)
		return err_nomem(err, "looking for flushes");
	for (i = 0; i < plan->nr; i++)
		if (is_flush(plan->v[i].req) || replay_is_write(plan->v[i].req))
			v[nr++] = (struct crossing){&plan->v[i], is_flush(plan->v[i].req)};
	if (nr)
		qsort(v, nr, sizeof(*v), by_device);
	for (i = 0; i < nr; i = end) {
		size_t flushes = 0;

		for (end = i; end < nr && v[end].item->dev == v[i].item->dev; end++)
			flushes += v[end].flush;
		for (j = i; flushes && end - i > 1 && j < end; j++)
			v[j].item->hazards |= REPLAY_FLUSH;
	}
	return 0;
}

int replay_plan_mark(struct replay_plan *plan, struct err *err)
{
	size_t i;

	for (i = 0; i < plan->nr; i++) {
		const struct io_request *r = plan->v[i].req;

		plan->v[i].hazards = 0;
		if (replay_needs_sector(r) && r->sector_from == IO_SECTOR_UNKNOWN)
			plan->v[i].hazards |= REPLAY_NOSECTOR;
		if (replay_is_write(r) && has_hole(r))
			plan->v[i].hazards |= REPLAY_HOLE;
	}
	return mark_overlaps(plan, err) || mark_flushes(plan, err) ? -1 : 0;
}

int replay_plan_build(const struct snapshot *s, struct replay_plan *plan, struct err *err)
{
	size_t i;

	*plan = (struct replay_plan){0};
	if (add_netbsd(plan, s, err))
		return -1;
	for (i = 0; i < s->nr_devices; i++)
		if (!is_netbsd(&s->devices[i]) && add_linux(plan, &s->devices[i], err))
			return -1;
	return replay_plan_mark(plan, err);
}

void replay_plan_fini(struct replay_plan *plan)
{
	free(plan->v);
	*plan = (struct replay_plan){0};
}
