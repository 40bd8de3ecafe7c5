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

static int add_requests(struct replay_plan *plan, const struct blkdev *dev,
	const struct io_request *v, size_t nr, struct err *err)
{
	struct resume_place p;
	size_t i;

	if (util_grow(&plan->v, &plan->cap, plan->nr + nr, sizeof(*plan->v)))
		return err_nomem(err, "planning the replay");
	for (i = 0; i < nr; i++) {
		frontend_resume_of(dev)->place(dev, &v[i], &p);
		plan->v[plan->nr++] = (struct replay_item){.dev = dev,
			.req = &v[i],
			.why = p.why,
			.stream = p.stream,
			.order_known = p.order_known};
	}
	return 0;
}

static int add_device(struct replay_plan *plan, const struct blkdev *d, struct err *err)
{
	return add_requests(plan, d, d->requests, d->nr_requests, err) ||
			       add_requests(plan, d, d->queued, d->nr_queued, err)
		       ? -1
		       : 0;
}

/* Of two that are ordered together; where the driver knows no order, as they stand in the snapshot.
 */
static int compare_resume(const void *a, const void *b)
{
	const struct replay_item *p = a, *q = b;
	int order = frontend_resume_of(p->dev)->order(p->dev, p->req, q->req);

	if (order)
		return order;
	if (p->dev != q->dev)
		return p->dev < q->dev ? -1 : 1;
	if ((p->req->state == IO_QUEUED) != (q->req->state == IO_QUEUED))
		return p->req->state == IO_QUEUED ? 1 : -1;
	return p->req < q->req ? -1 : p->req > q->req;
}

/* Do the requests of a device stand in one log with those of another? */
static bool share_log(const struct blkdev *a, const struct blkdev *b)
{
	return a->driver == b->driver && frontend_resume_of(a)->one_log;
}

static bool is_planned(const struct snapshot *s, size_t device)
{
	size_t i;

	for (i = 0; i < device; i++)
		if (share_log(&s->devices[i], &s->devices[device]))
			return true;
	return false;
}

/* A device, and those that share its log. */
static int add_ordered(
	struct replay_plan *plan, const struct snapshot *s, size_t device, struct err *err)
{
	size_t i, first = plan->nr;

	for (i = device; i < s->nr_devices; i++)
		if ((i == device || share_log(&s->devices[i], &s->devices[device])) &&
			add_device(plan, &s->devices[i], err))
			return -1;
	if (plan->nr > first)
		qsort(plan->v + first, plan->nr - first, sizeof(*plan->v), compare_resume);
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
	for (i = 0; i < s->nr_devices; i++)
		if (!is_planned(s, i) && add_ordered(plan, s, i, err))
			return -1;
	return replay_plan_mark(plan, err);
}

void replay_plan_fini(struct replay_plan *plan)
{
	free(plan->v);
	*plan = (struct replay_plan){0};
}

/* ---- the ring of the target --------------------------------------------------------------- */

/* Of the driver that all disks of the guest have. */
static const struct frontend_resume *find_ring_maker(const struct snapshot *s, struct err *err)
{
	size_t i;

	for (i = 0; i < s->nr_devices; i++) {
		const struct blkdev *d = &s->devices[i];

		if (!frontend_resume_of(d)->ring_image) {
			err_set(err, ERR_UNSUPPORTED,
				d->driver ? "%s grants its pages anew when it resumes, so the ring "
					    "of %s cannot be known before"
					  : "the driver is %s, so the ring of %s is, too",
				frontend_name(d->driver), d->name);
			return NULL;
		}
		if (d->driver != s->devices[0].driver) {
			err_set(err, ERR_UNSUPPORTED, "%s and %s have rings of different kinds",
				s->devices[0].name, d->name);
			return NULL;
		}
	}
	if (!s->nr_devices) {
		err_set(err, ERR_NOTFOUND, "there is no device to make a ring for");
		return NULL;
	}
	return frontend_resume_of(&s->devices[0]);
}

int replay_ring(const struct snapshot *s, const struct replay_plan *plan, bool skip_unknown,
	struct resume_ring *ret, struct err *err)
{
	const struct frontend_resume *how = find_ring_maker(s, err);
	CLEANUP_FREE struct resume_item *v = NULL;
	size_t i;

	if (!how)
		return -1;
	v = calloc(plan->nr + 1, sizeof(*v));
	if (!v)
		return err_nomem(err, "the ring of the target");
	for (i = 0; i < plan->nr; i++)
		v[i] = (struct resume_item){plan->v[i].dev, plan->v[i].req};
	return how->ring_image(v, plan->nr, skip_unknown, ret, err);
}
