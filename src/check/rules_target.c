/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the target host will make of the pending requests. Source of the features: Xen's
 * public/io/blkif.h, "Backend XenBus Nodes".
 */
#include "check/run.h"

#include <inttypes.h>
#include <string.h>

#include "check/caps.h"

static const struct check_caps *caps_of(const struct check_run *run)
{
	return check_caps_of(run->in->caps, run->in->nr_caps, run->dev);
}

static void check_frames(struct check_run *run)
{
	const struct blkdev *d = run->dev;
	size_t i, j;

	if (!run->in->target_given)
		return;
	for (i = 0; i < d->nr_rings; i++)
		for (j = 0; d->rings[i].page_target_mfn && j < d->rings[i].nr_pages; j++)
			if (d->rings[i].pages[j].v != UINT64_MAX &&
				d->rings[i].page_target_mfn[j].v == MFN_NONE.v)
				run_broken(run, (int)d->rings[i].index, -1,
					"the target maps no frame for page 0x%" PRIx64
					" of the ring",
					d->rings[i].pages[j].v);
	for (i = 0; i < d->nr_requests; i++)
		for (j = 0; j < d->requests[i].nr_seg; j++) {
			const struct io_segment *s = &d->requests[i].seg[j];

			if (s->target_missing)
				run_broken_request(run, &d->requests[i],
					"the target maps no frame for page 0x%" PRIx64, s->pfn.v);
		}
}

struct tally {
	size_t nr;
	const struct io_request *first;
};

static void count_if(struct tally *t, const struct io_request *r, bool yes)
{
	if (yes && !t->nr++)
		t->first = r;
}

/* Is the feature known to be missing? A backend that has yet to connect may still offer it. */
static bool lacks_feature(
	struct check_run *run, const struct check_caps *c, const char *id, enum tri has)
{
	if (has == TRI_YES)
		return false;
	if (!c->partial || has == TRI_NO)
		return true;
	run_skip_as(run, id, "the target's backend has not published its features yet");
	return false;
}

/* A target was given, but nothing about this disk. */
static const struct check_caps *caps_or_skip(struct check_run *run)
{
	const struct check_caps *c = caps_of(run);

	if (!c && (run->in->nr_caps || run->in->restored))
		run_skip(run, "the target's features for this disk are not known");
	return c;
}

static void check_features(struct check_run *run)
{
	const struct check_caps *c = caps_or_skip(run);
	struct tally flush = {0}, fua = {0}, barrier = {0}, discard = {0}, secure = {0},
		     write = {0};
	const struct io_request *r;
	size_t i = 0;

	if (!c)
		return;
	while ((r = run_next(run, &i))) {
		count_if(&flush, r, r->op == IO_FLUSH);
		count_if(&fua, r, r->flags & (IO_FLAG_FUA | IO_FLAG_PREFLUSH));
		count_if(&barrier, r, r->op == IO_BARRIER);
		count_if(&discard, r, r->op == IO_DISCARD);
		count_if(&secure, r, r->op == IO_DISCARD && (r->flags & IO_FLAG_SECURE));
		count_if(&write, r, io_request_changes_disk(r));
	}
	if (flush.nr && c->barrier != TRI_YES && lacks_feature(run, c, "XB502", c->flush))
		run_broken_request_as(run, "XB502", flush.first,
			"%zu flushes are pending, the target offers neither flush nor barrier",
			flush.nr);
	if (fua.nr && lacks_feature(run, c, "XB502", c->barrier))
		run_broken_request_as(run, "XB502", fua.first,
			"%zu writes are to be durable at once, the target has no barriers for it",
			fua.nr);
	if (barrier.nr && lacks_feature(run, c, "XB503", c->barrier))
		run_broken_request_as(run, "XB503", barrier.first,
			"%zu barriers are pending, the target does not take them", barrier.nr);
	if (discard.nr && lacks_feature(run, c, "XB504", c->discard))
		run_broken_request_as(run, "XB504", discard.first,
			"%zu discards are pending, the target does not take them", discard.nr);
	else if (secure.nr && lacks_feature(run, c, "XB505", c->secure_discard))
		run_broken_request_as(run, "XB505", secure.first,
			"%zu secure discards are pending, the target knows only plain ones",
			secure.nr);
	if (write.nr && c->read_only_known && c->read_only)
		run_broken_request_as(run, "XB506", write.first,
			"%zu requests change the disk, which is read-only on the target", write.nr);
}

static void check_sizes(struct check_run *run)
{
	const struct check_caps *c = caps_or_skip(run);
	uint64_t start, end, unit;
	const struct io_request *r;
	size_t i = 0;

	if (!c)
		return;
	unit = c->sector_bytes == BLK_UNKNOWN_U64 ? SECTOR_BYTES : c->sector_bytes;
	unit = MAX(unit / SECTOR_BYTES, 1u);
	while ((r = run_next(run, &i))) {
		if (MAX(r->segs_wanted, r->nr_seg) > check_caps_segments(c))
			run_broken_request_as(run, "XB507", r,
				"its %" PRIu64
				" segments do not fit into one request of the target (%" PRIu64 ")",
				MAX(r->segs_wanted, r->nr_seg), check_caps_segments(c));
		if (!io_request_range(r, &start, &end))
			continue;
		if (start % unit || end % unit)
			run_broken_request_as(run, "XB508", r,
				"sectors %" PRIu64 " to %" PRIu64
				" are not whole blocks of the target (%" PRIu64 " bytes)",
				start, end - 1, unit * SECTOR_BYTES);
		if (c->sectors != BLK_UNKNOWN_U64 && end > c->sectors)
			run_broken_request_as(run, "XB509", r,
				"sectors %" PRIu64 " to %" PRIu64
				", the target's disk has %" PRIu64,
				start, end - 1, c->sectors);
	}
}

static void check_rings(struct check_run *run)
{
	const struct check_caps *c = caps_of(run);
	const struct blkdev *d = run->dev;
	uint64_t queues, pages;

	if (!c || d->shares_ring || !d->nr_rings)
		return;
	if (c->partial && c->max_queues == BLK_UNKNOWN_U64 &&
		c->max_ring_page_order == BLK_UNKNOWN_U64) {
		run_skip_as(run, "XB510", "the target's backend has not published its limits yet");
		return;
	}
	queues = c->max_queues == BLK_UNKNOWN_U64 ? 1 : c->max_queues;
	pages = c->max_ring_page_order == BLK_UNKNOWN_U64
			? 1
			: 1ull << MIN(c->max_ring_page_order, 32u);
	if (d->nr_requests && queues < d->nr_rings)
		run_broken_as(run, "XB510", -1, -1,
			"requests are pending on %zu rings, the target offers %" PRIu64,
			d->nr_rings, queues);
	if (pages < d->rings[0].nr_pages)
		run_broken_as(run, "XB511", -1, -1, "rings of %zu pages become rings of %" PRIu64,
			d->rings[0].nr_pages, pages);
}

static const struct check_rule rules[] = {
	{{"XB501"}, check_frames},
	{{"XB502", "XB503", "XB504", "XB505", "XB506"}, check_features},
	{{"XB507", "XB508", "XB509"}, check_sizes},
	{{"XB510", "XB511"}, check_rings},
};

const struct check_rules check_rules_target = {NULL, rules, ARRAY_SIZE(rules)};
