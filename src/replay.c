/* SPDX-License-Identifier: BSD-2-Clause
 *
 * replay.c - the plan: which requests resume issues again, and in which order.
 */
#include "replay/replay.h"

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

/* Steps of a device need not be neighbours once a plan was edited. */
static int compare_devices(const void *a, const void *b)
{
	const struct replay_item *const *p = a, *const *q = b;

	if ((*p)->dev != (*q)->dev)
		return (*p)->dev < (*q)->dev ? -1 : 1;
	return *p < *q ? -1 : *p > *q;
}

static int mark_device(
	struct replay_item **v, size_t nr, struct hazard_item *items, struct err *err)
{
	size_t i;

	for (i = 0; i < nr; i++)
		items[i] = (struct hazard_item){.req = v[i]->req};
	if (hazard_mark(items, nr, err))
		return -1;
	for (i = 0; i < nr; i++)
		v[i]->hazards = items[i].hazards;
	return 0;
}

int replay_plan_mark(struct replay_plan *plan, struct err *err)
{
	CLEANUP_FREE struct replay_item **v = calloc(plan->nr + 1, sizeof(*v));
	CLEANUP_FREE struct hazard_item *items = calloc(plan->nr + 1, sizeof(*items));
	size_t i, end;

	if (!v || !items)
		return err_nomem(err, "looking for hazards");
	for (i = 0; i < plan->nr; i++)
		v[i] = &plan->v[i];
	if (plan->nr)
		qsort(v, plan->nr, sizeof(*v), compare_devices);
	for (i = 0; i < plan->nr; i = end) {
		for (end = i; end < plan->nr && v[end]->dev == v[i]->dev; end++)
			;
		if (mark_device(&v[i], end - i, items, err))
			return -1;
	}
	return 0;
}

/* ---- the plan ----------------------------------------------------------------------------- */

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
			err_override(err, "no-ring");
			return NULL;
		}
		if (d->driver != s->devices[0].driver) {
			err_set(err, ERR_UNSUPPORTED, "%s and %s have rings of different kinds",
				s->devices[0].name, d->name);
			err_override(err, "no-ring");
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
