/* SPDX-License-Identifier: BSD-2-Clause
 *
 * resume.c - what blkfront does with its pending requests when the guest resumes.
 *
 * blkfront_resume() of Linux 4.8 and later collects, and blkif_recover() issues: it requeues what
 * is put back whole, starts the queues, which hold what never reached a ring, and then submits the
 * bios of the rest. 3.11 to 4.7 do all in blkif_recover(). Requeue list and queues are run by
 * workers, which the bios may overtake. Up to 3.10 (and in XenLinux) blkif_recover() puts each used
 * slot on the new ring, ascending, shows them all at once, and only then starts the queue.
 *
 * With persistent grants and bounce buffers the data of a write is copied when the request is
 * issued. 3.8 to 3.10 grant those copies again; since 3.11 a request is issued anew and so is its
 * copy made. Before 3.8 the frames of the data themselves are granted again.
 *
 * Nor does anybody count on barriers since 2.6.37, whose block layer took them out (commit
 * 28e7d1845216, "block: drop barrier ordering by queue draining"): a backend without a flush of the
 * cache gets one in place of a flush or of FUA, and what must come later is made after the answer.
 * A slot of 3.7 looks like one of before, so that those may count on them.
 */
#include "frontend/linux/blkfront.h"

#include <string.h>

/* In the order in which they are handed on. */
enum resume_class {
	POSTED,		/* on the new ring as it was on the old one */
	PUT_BACK_FIRST, /* a flush goes round the scheduler, to the head of the dispatch list */
	PUT_BACK,
	QUEUED, /* in the guest's block layer, of which the order is not known */
	DATA,
};

static bool is_empty_flush(const struct io_request *r)
{
	return (r->op == IO_FLUSH || r->op == IO_BARRIER) && !r->nr_sectors;
}

/*
 * Does resume put it back whole, on the block layer's requeue list, to be issued by a worker while
 * the resuming task submits the data of the others? A flush, a discard, or one with FUA:
 * blkfront_resume(), Linux 4.8 and later. PREFLUSH alone does not count: the block layer takes it
 * off.
 */
static bool goes_back_whole(const struct io_request *r)
{
	return r->op == IO_FLUSH || r->op == IO_BARRIER || r->op == IO_DISCARD ||
	       (r->flags & IO_FLAG_FUA);
}

static bool posts_slots(const struct blkdev *d)
{
	return d->repost == BLK_REPOST_SLOTS || d->repost == BLK_REPOST_COPIES;
}

static enum resume_class class_of(const struct blkdev *d, const struct io_request *r)
{
	if (r->state == IO_QUEUED)
		return QUEUED;
	if (posts_slots(d))
		return POSTED;
	if (!goes_back_whole(r))
		return DATA;
	return is_empty_flush(r) ? PUT_BACK_FIRST : PUT_BACK;
}

/* What is put back: last slot first also when the kernel's order is not known. */
static int compare_resume(
	const struct blkdev *d, const struct io_request *a, const struct io_request *b)
{
	enum resume_class x = class_of(d, a), y = class_of(d, b);

	if (x != y)
		return x < y ? -1 : 1;
	if (x == QUEUED)
		return 0;
	return x == PUT_BACK && d->requeue != BLK_REQUEUE_FIRST_FIRST ? io_request_by_slot(b, a)
								      : io_request_by_slot(a, b);
}

static bool is_unsorted(const struct blkdev *d)
{
	return !strcmp(d->scheduler, "none");
}

/* More than a ring holds: what finds no room waits in a scheduler, which may sort it. */
static bool is_overfull(const struct blkdev *d)
{
	size_t i;

	for (i = 0; i < d->nr_rings; i++)
		if (d->nr_requests + d->nr_queued > d->rings[i].entries)
			return true;
	return false;
}

static bool is_data_in_order(const struct blkdev *d)
{
	return is_unsorted(d) && !is_overfull(d);
}

/*
 * Not when one is put back and the other is data: with one CPU the worker of the requeue list was
 * seen to come first, with two and on Linux 7.3 to come last. Nor when a scheduler sorts the data.
 */
static bool is_order_known(
	const struct blkdev *d, const struct io_request *a, const struct io_request *b)
{
	enum resume_class x = class_of(d, a), y = class_of(d, b);

	if (x == QUEUED || y == QUEUED)
		return x != y && (x == POSTED || y == POSTED);
	if (x == POSTED || y == POSTED)
		return true;
	if (x == DATA || y == DATA)
		return x == y && is_data_in_order(d);
	return x != y || d->requeue != BLK_REQUEUE_UNKNOWN;
}

static void place_data(const struct blkdev *d, const struct io_request *r, struct resume_place *ret)
{
	ret->stream = "data";
	ret->order_known = is_data_in_order(d);
	ret->resubmitted =
		(r->op == IO_READ || r->op == IO_WRITE) && d->requeue != BLK_REQUEUE_UNKNOWN;
	if (!*d->scheduler)
		ret->why = "data, by ring and slot if no scheduler sorts it";
	else
		ret->why = is_unsorted(d) ? "data, by ring and slot"
					  : "data, as the I/O scheduler sorts it";
}

static const char *why_put_back(const struct blkdev *d)
{
	switch (d->requeue) {
	case BLK_REQUEUE_LAST_FIRST:
		return "put back, last slot first";
	case BLK_REQUEUE_FIRST_FIRST:
		return "put back, first slot first";
	default:
		return "put back, order not known";
	}
}

static void place_request(
	const struct blkdev *d, const struct io_request *r, struct resume_place *ret)
{
	*ret = (struct resume_place){.stream = "put-back", .copied_anew = true};
	switch (class_of(d, r)) {
	case POSTED:
		ret->stream = "ring";
		ret->why = d->repost == BLK_REPOST_SLOTS ? "posted again, by slot"
							 : "its copy posted again, by slot";
		ret->order_known = true;
		ret->copied_anew = d->repost == BLK_REPOST_SLOTS;
		break;
	case QUEUED:
		ret->stream = "queued";
		ret->why = "queued in the guest, order not known";
		break;
	case DATA:
		place_data(d, r, ret);
		break;
	case PUT_BACK_FIRST:
		ret->why = "put back, a flush first";
		ret->order_known = true;
		break;
	default:
		ret->why = why_put_back(d);
		ret->order_known = d->requeue != BLK_REQUEUE_UNKNOWN;
		break;
	}
}

const struct frontend_resume linux_resume = {
	.place = place_request,
	.order = compare_resume,
	.order_known = is_order_known,
};
