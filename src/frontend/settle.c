/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/settle.h"

#include <string.h>

const char *settle_kind_name(enum settle_kind kind)
{
	static const char *const names[] = {
		[SETTLE_GONE] = "gone", [SETTLE_NEW] = "new", [SETTLE_CHANGED] = "changed"};

	return names[kind];
}

static bool same_pages(const struct io_request *a, const struct io_request *b)
{
	size_t i;

	for (i = 0; i < a->nr_seg && i < b->nr_seg; i++)
		if (a->seg[i].pfn.v != b->seg[i].pfn.v || a->seg[i].gref != b->seg[i].gref ||
			a->seg[i].offset != b->seg[i].offset || a->seg[i].bytes != b->seg[i].bytes)
			return false;
	return a->nr_seg == b->nr_seg;
}

/* Is it one request? Its place is used again at once, perhaps for the same sector. */
static bool same_request(const struct io_request *a, const struct io_request *b)
{
	return a->op == b->op && a->id == b->id && a->request_va.v == b->request_va.v &&
	       a->sector_from == b->sector_from && a->sector == b->sector &&
	       a->nr_sectors == b->nr_sectors && a->start_ns == b->start_ns && same_pages(a, b);
}

static int note_change(struct settle *st, const struct blkdev *d, const struct io_request *r,
	enum settle_kind kind)
{
	struct settle_change *c;

	if (st->nr_changes++ >= SETTLE_MAX_CHANGES)
		return 0;
	if (util_grow(&st->v, &st->cap, st->nr + 1, sizeof(*st->v)))
		return -1;
	c = &st->v[st->nr++];
	*c = (struct settle_change){.ring = r->ring, .slot = r->slot, .kind = kind};
	memcpy(c->device, d->name, sizeof(c->device));
	return 0;
}

static int compare_requests(struct settle *st, struct blkdev *d, const struct blkdev *again)
{
	size_t i;

	for (i = 0; i < d->nr_requests; i++) {
		struct io_request *r = &d->requests[i];
		const struct io_request *now = blkdev_find_request(again, r->ring, r->slot);
		bool same = now && same_request(r, now);

		r->unsettled = !same || now->state != r->state;
		if (r->unsettled && note_change(st, d, r, same ? SETTLE_CHANGED : SETTLE_GONE))
			return -1;
	}
	for (i = 0; i < again->nr_requests; i++) {
		const struct io_request *r = &again->requests[i];
		const struct io_request *was = blkdev_find_request(d, r->ring, r->slot);

		if ((!was || !same_request(was, r)) && note_change(st, again, r, SETTLE_NEW))
			return -1;
	}
	return 0;
}

static bool same_ring(const struct io_ring *a, const struct io_ring *b)
{
	return a->entries == b->entries && a->indices == b->indices &&
	       a->req_prod_pvt == b->req_prod_pvt && a->rsp_cons == b->rsp_cons &&
	       a->sring_known == b->sring_known && a->sring_req_prod == b->sring_req_prod &&
	       a->sring_rsp_prod == b->sring_rsp_prod && a->nr_used == b->nr_used &&
	       a->free_head == b->free_head;
}

static void compare_rings(struct settle *st, struct blkdev *d, const struct blkdev *again)
{
	size_t i;

	for (i = 0; i < d->nr_rings; i++) {
		d->rings[i].moved =
			i >= again->nr_rings || !same_ring(&d->rings[i], &again->rings[i]);
		st->nr_moved += d->rings[i].moved;
	}
	st->nr_moved += again->nr_rings > d->nr_rings;
}

/* What the block layer holds back: none of it is in a ring. */
static bool same_queue(const struct blkdev *a, const struct blkdev *b)
{
	size_t i;

	for (i = 0; i < a->nr_queued && i < b->nr_queued; i++)
		if (!same_request(&a->queued[i], &b->queued[i]))
			return false;
	return a->nr_queued == b->nr_queued && a->queued_known == b->queued_known;
}

static const struct blkdev *same_device(const struct snapshot *s, const struct blkdev *d)
{
	size_t i;

	for (i = 0; i < s->nr_devices; i++)
		if (s->devices[i].driver == d->driver && s->devices[i].va.v == d->va.v &&
			!strcmp(s->devices[i].name, d->name))
			return &s->devices[i];
	return NULL;
}

static int compare_device(struct settle *st, struct blkdev *d, const struct snapshot *again)
{
	static const struct blkdev nothing = {.va = {0}};
	const struct blkdev *now = same_device(again, d);
	size_t i;

	st->consistent =
		st->consistent && now && same_queue(d, now) && !strcmp(d->state, now->state);
	now = now ? now : &nothing;
	for (i = 0; i < d->nr_queued; i++)
		d->queued[i].unsettled = !same_queue(d, now);
	compare_rings(st, d, now);
	return compare_requests(st, d, now);
}

static bool has_finding(const struct finding_list *list, const struct finding *f)
{
	size_t i;

	for (i = 0; i < list->nr; i++) {
		const struct finding *o = &list->v[i];

		if (!strcmp(o->rule, f->rule) && !strcmp(o->device, f->device) &&
			o->ring == f->ring && o->slot == f->slot)
			return true;
	}
	return false;
}

/* Both looks may have seen one place in pieces of two times. What is said of a device as a whole
 * does not depend on what a guest does all the time. */
static bool has_stood(const struct snapshot *s, const struct finding *f)
{
	const struct blkdev *d = f->ring < 0 ? NULL : snapshot_find_device(s, f->device);

	return !d || !blkdev_is_unsettled(d, f->ring, f->slot);
}

static void keep_findings(struct snapshot *s, const struct snapshot *again)
{
	struct finding_list kept = {0}, *list = &s->findings;
	size_t i;

	for (i = 0; i < list->nr; i++) {
		const struct finding *f = &list->v[i];
		struct finding_at at = {f->device, f->ring, f->slot, f->offset};

		if (has_finding(&again->findings, f) && has_stood(s, f))
			finding_add(&kept, f->rule, at, "%s", f->message);
	}
	kept.lost |= list->lost;
	finding_fini(list);
	*list = kept;
}

int settle_compare(
	struct snapshot *s, const struct snapshot *again, struct settle *ret, struct err *err)
{
	struct settle st = {.consistent = s->nr_devices == again->nr_devices};
	size_t i;

	for (i = 0; i < s->nr_devices; i++)
		if (compare_device(&st, &s->devices[i], again)) {
			settle_fini(&st);
			return err_nomem(err, "comparing two looks");
		}
	st.consistent = st.consistent && !st.nr_changes && !st.nr_moved;
	keep_findings(s, again);
	if (!again->doubt) {
		free(s->doubt);
		s->doubt = NULL;
	}
	*ret = st;
	return 0;
}

void settle_fini(struct settle *st)
{
	free(st->v);
	*st = (struct settle){0};
}
