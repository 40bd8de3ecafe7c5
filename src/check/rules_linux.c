/* SPDX-License-Identifier: BSD-2-Clause
 *
 * drivers/block/xen-blkfront.c: the parts of struct blk_shadow that no other driver has.
 */
#include "check/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/caps.h"
#include "frontend/agree.h"

/* enum blk_req_status exists since 4.5; its values differ between kernels. */
static void check_statuses(struct check_run *run)
{
	uint32_t waiting = run->dev->status_waiting;
	size_t i;

	for (i = 0; i < run->dev->nr_requests; i++) {
		const struct io_request *r = &run->dev->requests[i];

		if (r->status == UINT32_MAX || r->status == waiting)
			continue;
		if (waiting == UINT32_MAX)
			run_skip(run, "which status means \"waiting\" is not known");
		else
			run_broken_request(run, r,
				"the driver has it in status %u, not %u (waiting)", r->status,
				waiting);
	}
}

static bool are_paired(const struct io_request *a, const struct io_request *b)
{
	return a->ring == b->ring && a->associated_id == b->slot && b->associated_id == a->slot;
}

static void check_associations(struct check_run *run)
{
	size_t i;

	for (i = 0; i < run->dev->nr_requests; i++) {
		const struct io_request *r = &run->dev->requests[i], *other;

		if (r->associated_id == UINT64_MAX)
			continue;
		other = blkdev_request_in(run->dev, r->ring, r->associated_id);
		if (other && other != r && are_paired(r, other)) {
			if (r->slot > other->slot)
				continue; /* said with the first half */
			/* HAS_EXTRA_REQ of xen-blkfront.c: pages of the guest larger than Xen's. */
			run_broken_request(run, r,
				"it claims slot 0x%" PRIx64
				" as its second half, which only guests with pages larger than 4 "
				"KiB have",
				r->associated_id);
		} else {
			run_broken_request(run, r,
				"it claims slot 0x%" PRIx64
				" as its second half, which does not agree",
				r->associated_id);
		}
	}
}

static int by_request(const void *a, const void *b)
{
	const struct io_request *const *p = a, *const *q = b;
	uint64_t x = (*p)->request_va.v, y = (*q)->request_va.v;

	return x < y ? -1 : x > y;
}

static void check_distinct(struct check_run *run)
{
	CLEANUP_FREE const struct io_request **v = NULL;
	size_t i, nr = 0;

	if (!run->dev->nr_requests)
		return;
	v = calloc(run->dev->nr_requests, sizeof(*v));
	if (!v) {
		run_no_memory(run);
		return;
	}
	for (i = 0; i < run->dev->nr_requests; i++)
		if (run->dev->requests[i].request_va.v)
			v[nr++] = &run->dev->requests[i];
	qsort(v, nr, sizeof(*v), by_request);
	for (i = 1; i < nr; i++)
		if (v[i]->request_va.v == v[i - 1]->request_va.v && !are_paired(v[i], v[i - 1]))
			run_broken_request(run, v[i],
				"it has the same struct request (0x%" PRIx64 ") as ring %u slot %u",
				v[i]->request_va.v, v[i - 1]->ring, v[i - 1]->slot);
}

static void check_queued(struct check_run *run)
{
	if (!run->dev->queued_known)
		run_skip(run, "the queue of the guest's block layer was not found");
	else if (run->dev->nr_queued)
		run_broken(run, -1, -1, "%zu more requests wait in the guest's block layer",
			run->dev->nr_queued);
}

/* The driver makes the descriptors from the scatter list (blkif_setup_rw_req_grant). */
static void check_descriptors(struct check_run *run)
{
	size_t i, j;

	for (i = 0; i < run->dev->nr_requests; i++) {
		const struct io_request *r = &run->dev->requests[i];

		for (j = 0; j < r->nr_seg; j++) {
			const struct io_segment *s = &r->seg[j];
			unsigned first = s->first_sect, last = s->last_sect;

			if (!s->sects_known || first > last || last > 7 || /* XB116 */
				s->offset % SECTOR_BYTES || s->bytes % SECTOR_BYTES)
				continue;
			if (s->offset == first * SECTOR_BYTES &&
				s->bytes == (last - first + 1) * SECTOR_BYTES)
				continue;
			run_broken_request(run, r,
				"segment %zu has sectors %u to %u, its scatter list entry %u bytes "
				"at "
				"%u",
				j, first, last, s->bytes, s->offset);
			break;
		}
	}
}

/* A kernel address, aligned as kmalloc does; canonical ones of 64 bits are in the upper half, where
 * a kernel of 32 bits begins can be chosen when it is built (VMSPLIT). */
static bool may_be_request(const struct check_run *run, uint64_t va)
{
	if (run->in->info->word_bytes == 4)
		return va >= 1u << 30 && va <= UINT32_MAX && !(va % 4);
	return va >> 47 == (1u << 17) - 1 && !(va % 8);
}

/* The block layer's own request, which the driver made the slot from. */
static void own_requests(struct check_run *run)
{
	size_t i;

	for (i = 0; i < run->dev->nr_requests; i++) {
		const struct io_request *r = &run->dev->requests[i];
		uint64_t va = r->request_va.v;

		if (!may_be_request(run, va))
			run_broken_request_as(
				run, "XB308", r, "its struct request would be at 0x%" PRIx64, va);
		else if (r->rq_sector_known && r->sector_from == IO_SECTOR_SHADOW &&
			 r->rq_sector != r->sector)
			run_broken_request_as(run, "XB307", r,
				"the slot has sector %" PRIu64
				", the block layer's request %" PRIu64,
				r->sector, r->rq_sector);
	}
}

/* The driver puts its virtual-device number into each read and write, cut to 16 bits. */
static void check_handles(struct check_run *run)
{
	uint64_t own = run->dev->handle;
	size_t i;

	if (own == BLK_UNKNOWN_U64)
		return;
	for (i = 0; i < run->dev->nr_requests; i++) {
		const struct io_request *r = &run->dev->requests[i];

		if (r->handle_known && io_request_moves_data(r) && r->wire_handle != (uint16_t)own)
			run_broken_request(run, r,
				"it is for device %u, the ring belongs to device %" PRIu64 " (%u)",
				r->wire_handle, own, (uint16_t)own);
	}
}

static void slot_ids(struct check_run *run)
{
	size_t i;

	for (i = 0; i < run->dev->nr_requests; i++) {
		const struct io_request *r = &run->dev->requests[i];

		if (r->id != r->slot)
			run_broken_request(run, r, "slot %u carries id 0x%" PRIx64, r->slot, r->id);
	}
}

/* ---- faults of kernels, which only their version tells of ---------------------------------- */

/* Is the guest's release at least a.b, and before c.d? False also when it is not known. */
static bool release_between(
	const struct check_run *run, unsigned a, unsigned b, unsigned c, unsigned d)
{
	unsigned major, minor;

	return sscanf(run->in->snap->guest.release, "%u.%u", &major, &minor) == 2 &&
	       (major > a || (major == a && minor >= b)) &&
	       (major < c || (major == c && minor < d));
}

/* What blkfront_resume() asks of a request: does it go back whole for its operation? */
static bool whole_by_op(const struct io_request *r)
{
	return r->op == IO_FLUSH || r->op == IO_DISCARD;
}

/*
 * blkfront_resume() of Linux 4.8 looked at the operation in shadow[i], the slot of the ring's own
 * number, where it meant shadow[j]; copies of 4.13 and later are right.
 */
static void wrong_slot(struct check_run *run)
{
	const struct blkdev *d = run->dev;
	size_t i;

	if (!d->nr_requests)
		return;
	if (!*run->in->snap->guest.release)
		run_skip(run, "the release of the guest's kernel is not known");
	if (!release_between(run, 4, 8, 4, 13))
		return;
	for (i = 0; i < d->nr_requests; i++) {
		const struct io_request *r = &d->requests[i];
		const struct io_request *asked = blkdev_request_in(d, r->ring, r->ring);

		if (!asked)
			run_broken_request(run, r,
				"resume looks at slot %u instead, which is free: the guest "
				"crashes",
				r->ring);
		else if (whole_by_op(r) != whole_by_op(asked))
			run_broken_request(run, r,
				"resume takes this %s for a %s, which is in slot %u",
				io_op_name(r->op), io_op_name(asked->op), r->ring);
	}
}

/* Linux 4.5 to 4.7 lay out their rings for the target before they look for what was pending. */
static void ring_count(struct check_run *run)
{
	const struct blkdev *d = run->dev;
	const struct check_caps *c = check_caps_of(run->in->caps, run->in->nr_caps, d);
	uint64_t queues;

	if (!d->nr_requests || !release_between(run, 4, 5, 4, 8))
		return;
	if (!c || (c->partial && c->max_queues == BLK_UNKNOWN_U64)) {
		run_skip(run, "the target's features are not known");
		return;
	}
	queues = c->max_queues == BLK_UNKNOWN_U64 ? 1 : c->max_queues;
	if (queues != d->nr_rings)
		run_broken(run, -1, -1,
			"%zu requests are pending on %zu rings, the target offers %" PRIu64,
			d->nr_requests, d->nr_rings, queues);
}

/* blkfront_resume() without memory for the new rings: "xen-blkfront: use old rinfo after enomem
 * during migration", which some kernels have, is about what the next resume does then. */
static void failed_resume(struct check_run *run)
{
	if (run->dev->recovering == TRI_YES && !run->dev->nr_rings)
		run_broken(run, -1, -1, "it is suspended and has no rings: its last resume failed");
}

/*
 * blkfront_setup_indirect() allocates a struct scatterlist for each segment of a slot, with
 * GFP_NOIO, for which kvcalloc() does not turn to vmalloc; 5.7 enters memalloc_noio_save() instead.
 * On x86_64 it has 32 bytes, so that a page holds those of 128 segments.
 */
static void long_lists(struct check_run *run)
{
	const struct blkdev *d = run->dev;
	const uint64_t in_a_page = 128;

	if (!d->nr_requests || d->max_indirect_segments == BLK_UNKNOWN_U64 ||
		d->max_indirect_segments <= in_a_page || !release_between(run, 4, 18, 5, 7))
		return;
	run_broken(run, -1, -1,
		"%zu requests are pending, and each slot has a list of %" PRIu64 " segments",
		d->nr_requests, d->max_indirect_segments);
}

static void seen_to_hang(struct check_run *run)
{
	if (run->dev->nr_requests && release_between(run, 4, 4, 4, 5))
		run_broken(run, -1, -1, "%zu requests are pending in a guest with Linux %s",
			run->dev->nr_requests, run->in->snap->guest.release);
}

static const struct check_rule rules[] = {
	{{"XB126"}, slot_ids},
	{{"XB301"}, check_statuses},
	{{"XB302"}, check_associations},
	{{"XB303"}, check_distinct},
	{{"XB305"}, check_queued},
	{{"XB306"}, check_descriptors},
	{{"XB307", "XB308"}, own_requests},
	{{"XB309"}, check_handles},
	{{"XB314"}, wrong_slot},
	{{"XB315"}, ring_count},
	{{"XB317"}, failed_resume},
	{{"XB318"}, long_lists},
	{{"XB319"}, seen_to_hang},
};

const struct check_rules check_rules_linux = {&frontend_linux_blkfront, rules, ARRAY_SIZE(rules)};
