/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/hazard.h"

#include "base/sweep.h"

const char *hazard_name(unsigned bit)
{
	switch (bit) {
	case HAZARD_OVERLAP:
		return "overlap";
	case HAZARD_RACE:
		return "race";
	case HAZARD_FLUSH:
		return "flush";
	case HAZARD_NOSECTOR:
		return "no-sector";
	default:
		return "hole";
	}
}

int hazard_items(const struct blkdev *d, struct hazard_item **ret, size_t *nr, struct err *err)
{
	struct hazard_item *v = calloc(d->nr_requests + d->nr_queued + 1, sizeof(*v));
	const struct io_request *r;
	size_t i;

	if (!v)
		return err_nomem(err, "the requests of a device");
	for (i = 0; (r = blkdev_request(d, i)); i++)
		v[i] = (struct hazard_item){.req = r};
	*ret = v;
	*nr = i;
	return 0;
}

/* ---- the same place ----------------------------------------------------------------------- */

unsigned hazard_of_pair(const struct io_request *a, const struct io_request *b)
{
	return io_request_changes_disk(a) && io_request_changes_disk(b) ? HAZARD_OVERLAP
									: HAZARD_RACE;
}

/* Those with a place on the disk. */
static struct sweep_range *gather_ranges(
	const struct hazard_item *v, size_t nr, size_t *ret_nr, struct err *err)
{
	struct sweep_range *ranges = calloc(nr + 1, sizeof(*ranges));
	size_t i, n = 0;

	if (!ranges) {
		err_nomem(err, "looking for overlaps");
		return NULL;
	}
	for (i = 0; i < nr; i++) {
		struct sweep_range r = {
			.changes = io_request_changes_disk(v[i].req), .item = &v[i]};

		if (io_request_range(v[i].req, &r.start, &r.end))
			ranges[n++] = r;
	}
	*ret_nr = n;
	return ranges;
}

struct pair_call {
	void (*fn)(void *arg, const struct io_request *a, const struct io_request *b);
	void *arg;
};

static void call_pair(void *arg, const struct sweep_range *before, const struct sweep_range *now)
{
	const struct hazard_item *a = before->item, *b = now->item;
	const struct pair_call *call = arg;

	call->fn(call->arg, a->req, b->req);
}

int hazard_each_pair(const struct hazard_item *v, size_t nr,
	void (*fn)(void *arg, const struct io_request *a, const struct io_request *b), void *arg,
	struct err *err)
{
	struct pair_call call = {fn, arg};
	size_t nr_ranges;
	CLEANUP_FREE struct sweep_range *ranges = gather_ranges(v, nr, &nr_ranges, err);

	if (!ranges)
		return -1;
	sweep_ranges(ranges, nr_ranges, call_pair, &call);
	return 0;
}

static void mark_pair(void *arg, const struct sweep_range *before, const struct sweep_range *now)
{
	const struct hazard_item *a = before->item, *b = now->item;
	unsigned hazard = hazard_of_pair(a->req, b->req);
	struct hazard_item *v = arg;

	v[a - v].hazards |= hazard;
	v[b - v].hazards |= hazard;
}

static int mark_overlaps(struct hazard_item *v, size_t nr, struct err *err)
{
	size_t nr_ranges;
	CLEANUP_FREE struct sweep_range *ranges = gather_ranges(v, nr, &nr_ranges, err);

	if (!ranges)
		return -1;
	sweep_ranges_both(ranges, nr_ranges, mark_pair, v);
	return 0;
}

/* ---- flushes ------------------------------------------------------------------------------ */

struct tally {
	size_t nr_flushes, nr_writes; /* a flush with data is both */
};

static struct tally count_crossing(const struct hazard_item *v, size_t nr)
{
	struct tally t = {0};
	size_t i;

	for (i = 0; i < nr; i++) {
		t.nr_flushes += io_request_is_flush(v[i].req);
		t.nr_writes += io_request_writes_data(v[i].req);
	}
	return t;
}

/* Nothing is beside itself. */
static size_t writes_beside(const struct tally *t, const struct io_request *r)
{
	return t->nr_writes - io_request_writes_data(r);
}

static bool is_crossed(const struct tally *t, const struct io_request *r)
{
	if (io_request_is_flush(r) && writes_beside(t, r))
		return true;
	return io_request_writes_data(r) && t->nr_flushes > io_request_is_flush(r);
}

struct hazard_crossing hazard_crossing(const struct hazard_item *v, size_t nr)
{
	struct tally t = count_crossing(v, nr);
	size_t i;

	for (i = 0; i < nr; i++)
		if (io_request_is_flush(v[i].req) && writes_beside(&t, v[i].req))
			return (struct hazard_crossing){v[i].req, writes_beside(&t, v[i].req)};
	return (struct hazard_crossing){0};
}

static void mark_crossing(struct hazard_item *v, size_t nr)
{
	struct tally t = count_crossing(v, nr);
	size_t i;

	for (i = 0; i < nr; i++)
		if (is_crossed(&t, v[i].req))
			v[i].hazards |= HAZARD_FLUSH;
}

/* ---- alone -------------------------------------------------------------------------------- */

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

int hazard_mark(struct hazard_item *v, size_t nr, struct err *err)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		const struct io_request *r = v[i].req;

		v[i].hazards = 0;
		if (io_request_has_place(r) && r->sector_from == IO_SECTOR_UNKNOWN)
			v[i].hazards |= HAZARD_NOSECTOR;
		if (io_request_writes_data(r) && has_hole(r))
			v[i].hazards |= HAZARD_HOLE;
	}
	mark_crossing(v, nr);
	return mark_overlaps(v, nr, err);
}
