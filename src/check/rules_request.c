/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Each request by itself: what the wire protocol allows (Xen's io/blkif.h) and what the device,
 * as the guest knows it, can do.
 */
#include "check/run.h"

#include <inttypes.h>
#include <string.h>

#include "frontend/blkif_abi.h"

static const struct io_request *next_request(const struct check_run *run, size_t *i)
{
	return *i < run->dev->nr_requests ? &run->dev->requests[(*i)++] : NULL;
}

static void check_operations(struct check_run *run)
{
	const struct io_request *r;
	size_t i = 0;

	while ((r = next_request(run, &i)))
		if (r->op == IO_UNKNOWN)
			run_broken_request(run, r, "operation %u is not one of the block protocol",
				r->wire_op);
}

static uint64_t segment_limit(const struct check_run *run, const struct io_request *r)
{
	uint64_t most = run->dev->max_indirect_segments;

	if (!(r->flags & IO_FLAG_INDIRECT))
		return BLKIF_MAX_SEGMENTS;
	return most == BLK_UNKNOWN_U64 || !most ? BLKIF_MAX_INDIRECT
						: MIN(most, BLKIF_MAX_INDIRECT);
}

static void segment_counts(struct check_run *run)
{
	const struct io_request *r;
	size_t i = 0;

	while ((r = next_request(run, &i))) {
		uint64_t most = segment_limit(run, r), nr = MAX(r->segs_wanted, r->nr_seg);

		if (nr > most && r->op != IO_UNKNOWN)
			run_broken_request(
				run, r, "%" PRIu64 " segments, at most %" PRIu64 " fit", nr, most);
	}
}

static void sector_ranges(struct check_run *run)
{
	const struct io_request *r;
	size_t i = 0, j;

	while ((r = next_request(run, &i)))
		for (j = 0; j < r->nr_seg; j++) {
			const struct io_segment *s = &r->seg[j];

			if (!s->sects_known)
				continue;
			if (s->first_sect > s->last_sect || s->last_sect > 7) {
				run_broken_request(run, r,
					"segment %zu: sectors %u to %u of a page", j, s->first_sect,
					s->last_sect);
				break;
			}
		}
}

static bool bad_range(const struct io_segment *s)
{
	return s->sects_known && (s->first_sect > s->last_sect || s->last_sect > 7);
}

/* Nothing was hard to read: there are no sectors. */
static bool is_empty(const struct io_request *r)
{
	if (r->nr_sectors || (r->nr_seg && bad_range(&r->seg[0])))
		return false;
	if (r->op == IO_READ || r->op == IO_WRITE)
		return !r->trouble || !r->segs_wanted;
	return r->op == IO_DISCARD && !r->trouble;
}

static void empty_requests(struct check_run *run)
{
	const struct io_request *r;
	size_t i = 0;

	while ((r = next_request(run, &i)))
		if (is_empty(r))
			run_broken_request(run, r, "a %s of no sectors at all", io_op_name(r->op));
}

static void segment_bounds(struct check_run *run)
{
	const struct io_request *r;
	size_t i = 0, j;

	while ((r = next_request(run, &i)))
		for (j = 0; j < r->nr_seg; j++) {
			const struct io_segment *s = &r->seg[j];

			if (bad_range(s)) /* XB116 */
				continue;
			if ((uint64_t)s->offset + s->bytes > PAGE_BYTES ||
				(s->offset | s->bytes) % SECTOR_BYTES) {
				run_broken_request(run, r,
					"segment %zu: bytes %u to %" PRIu64
					" are not whole sectors of one page",
					j, s->offset, (uint64_t)s->offset + s->bytes);
				break;
			}
		}
}

/* Another rule says what is wrong with one of its segments. */
static bool segment_at_fault(const struct io_request *r)
{
	size_t i;

	for (i = 0; i < r->nr_seg; i++)
		if (r->seg[i].unbiased || bad_range(&r->seg[i]))
			return true;
	return false;
}

static void check_decoded(struct check_run *run)
{
	const struct io_request *r;
	size_t i = 0;

	while ((r = next_request(run, &i))) {
		if (r->op == IO_UNKNOWN || segment_at_fault(r)) /* XB114, XB116, XB206 */
			continue;
		if (r->nr_seg < r->segs_wanted && r->segs_wanted <= segment_limit(run, r))
			run_broken_request(run, r,
				"only %zu of %" PRIu64 " segments could be read%s%s", r->nr_seg,
				r->segs_wanted, r->trouble ? ": " : "",
				r->trouble ? r->trouble : "");
		else if (r->trouble && r->nr_seg >= r->segs_wanted &&
			 r->sector_from != IO_SECTOR_UNKNOWN)
			run_broken_request(run, r, "%s", r->trouble);
	}
}

static void read_only(struct check_run *run)
{
	const struct io_request *r;
	size_t i = 0;

	while ((r = run_next(run, &i)))
		if (run->dev->read_only == TRI_YES && io_request_changes_disk(r))
			run_broken_request(run, r,
				"a pending %s on a disk that the guest has read-only",
				io_op_name(r->op));
}

static void check_capacity(struct check_run *run)
{
	uint64_t start, end, size = run->dev->nr_sectors;
	const struct io_request *r;
	size_t i = 0;

	if (size == BLK_UNKNOWN_U64) {
		run_skip(run, "the guest's idea of the disk's size was not found");
		return;
	}
	while ((r = run_next(run, &i))) {
		bool ranged = io_request_range(r, &start, &end);

		if (ranged ? end > size
			   : r->sector_from != IO_SECTOR_UNKNOWN && r->nr_sectors &&
					r->sector > size)
			run_broken_request(run, r,
				"sectors %" PRIu64 " to %" PRIu64 ", the disk has %" PRIu64,
				r->sector, r->sector + r->nr_sectors - 1, size);
	}
}

static void check_answered(struct check_run *run)
{
	const struct io_request *r;
	size_t i = 0;

	if (frontend_resume_of(run->dev)->suspend != FRONTEND_REISSUES)
		return; /* XB803, XB804 */
	while ((r = next_request(run, &i)))
		if (r->state == IO_RESPONDED)
			run_broken_request(run, r,
				"answered with status %d, not consumed: the guest will issue it "
				"again",
				r->rsp_status);
}

static void check_flushes(struct check_run *run)
{
	const struct io_request *r;
	size_t i = 0;

	while ((r = next_request(run, &i)))
		if (io_request_is_flush(r))
			run_broken_request(run, r, "a %s is pending", io_op_name(r->op));
}

static void check_state(struct check_run *run)
{
	const char *s = run->dev->state;

	/* A disk that was never attached, or has no medium: nothing of it can be lost. */
	if (!run->dev->nr_requests && !run->dev->nr_queued)
		return;
	if (!strcmp(s, "unknown"))
		run_skip(run, "the state of the device was not found");
	else if (strcmp(s, "connected") && strcmp(s, "suspended"))
		run_broken(run, -1, -1, "the device is in state '%s'", s);
}

static const struct check_rule rules[] = {
	{{"XB114"}, check_operations},
	{{"XB115"}, segment_counts},
	{{"XB116"}, sector_ranges},
	{{"XB117"}, empty_requests},
	{{"XB118"}, segment_bounds},
	{{"XB130"}, check_state},
	{{"XB131"}, check_flushes},
	{{"XB132"}, check_decoded},
	{{"XB134"}, read_only},
	{{"XB135"}, check_capacity},
	{{"XB136"}, check_answered},
};

const struct check_rules check_rules_request = {NULL, rules, ARRAY_SIZE(rules)};
