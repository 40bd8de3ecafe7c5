/* SPDX-License-Identifier: BSD-2-Clause */
#include "ondisk/ondisk.h"

#include <string.h>

#include "base/num.h"
#include "ondisk/memory.h"
#include "ondisk/ranges.h"
#include "ondisk/regions.h"

/* Stretches of one request: more than this are one more, of which nothing is said. */
#define MAX_STRETCHES 4096u

/* ---- what will be asked ------------------------------------------------------------------- */

/* The part of the request's range that is in the region, in bytes of it. */
static bool clip_range(
	const struct region *r, uint64_t start, uint64_t end, struct ondisk_range *ret)
{
	uint64_t from = MAX(start, r->start), to = MIN(end, r->start + r->nr);

	if (from >= to)
		return false;
	*ret = (struct ondisk_range){(from - r->start) * SECTOR_BYTES, (to - from) * SECTOR_BYTES};
	return true;
}

/* Of all requests that touch the region. -1: no memory. */
static int gather_asked(const struct region *r, const struct blkdev *dev, struct ondisk_ranges *ret)
{
	const struct io_request *q;
	struct ondisk_range one;
	uint64_t start, end;
	size_t i;

	for (i = 0; (q = blkdev_request(dev, i)); i++) {
		if (!io_request_range(q, &start, &end) || !clip_range(r, start, end, &one))
			continue;
		if (ranges_put(ret, one))
			return -1;
	}
	ranges_merge(ret);
	return 0;
}

/* Open what a request leads to, and say what will be asked of it. */
static int open_region(
	struct regions *all, struct region *r, const struct blkdev *dev, struct err *err)
{
	CLEANUP(ranges_free) struct ondisk_ranges asked = {0};

	if (gather_asked(r, dev, &asked))
		return err_nomem(err, "what requests are for");
	if (!asked.nr)
		return 0;
	view_init(&r->content.view, all->disk, r->start * SECTOR_BYTES, r->nr * SECTOR_BYTES);
	return content_open(&r->content, asked.v, asked.nr, err);
}

static int open_regions(struct regions *all, const struct blkdev *dev, struct err *err)
{
	size_t i;

	for (i = 0; i < all->nr; i++)
		if (all->v[i].content.fs && open_region(all, &all->v[i], dev, err))
			return -1;
	return 0;
}

/* ---- the answers -------------------------------------------------------------------------- */

/* What begins at this sector, of at most `nr`; sectors of it. */
static uint64_t tell_region(struct region *r, uint64_t sector, uint64_t nr, struct meaning *m)
{
	uint64_t bytes;

	nr = MIN(nr, r->start + r->nr - sector);
	m->partition = r->partition;
	m->kind = r->kind;
	if (r->kind || !content_tell(&r->content, (sector - r->start) * SECTOR_BYTES,
			       nr * SECTOR_BYTES, m, &bytes))
		return nr;
	/* Blocks are whole sectors. */
	return MIN(MAX(bytes / SECTOR_BYTES, UINT64_C(1)), nr);
}

static int note_request(struct regions *all, struct io_request *q, struct err *err)
{
	uint64_t start, end, at;

	if (!io_request_range(q, &start, &end))
		return 0;
	for (at = start; at < end && q->nr_meaning <= MAX_STRETCHES;) {
		struct region *r = region_at(all, at);
		CLEANUP(meaning_fini) struct meaning m;
		uint64_t nr = end - at;

		meaning_init(&m);
		if (!r)
			m.lost = strdup("the disk ends before");
		else if (q->nr_meaning < MAX_STRETCHES)
			nr = tell_region(r, at, end - at, &m);
		else
			m.lost = strdup("there are too many stretches");
		m.offset = (at - start) * SECTOR_BYTES;
		m.bytes = nr * SECTOR_BYTES;
		ondisk_add_memory(q, &m);
		if (meaning_append(&q->meaning, &q->nr_meaning, &m))
			return err_nomem(err, "what requests are for");
		at += nr;
	}
	return 0;
}

static int note_requests(struct regions *all, struct io_request *v, size_t nr, struct err *err)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (note_request(all, &v[i], err))
			return -1;
	return 0;
}

int ondisk_note(const struct disk *d, struct blkdev *dev, struct err *err)
{
	CLEANUP(regions_free) struct regions all;

	if (regions_read(d, &all, err) || open_regions(&all, dev, err) ||
		note_requests(&all, dev->requests, dev->nr_requests, err) ||
		note_requests(&all, dev->queued, dev->nr_queued, err))
		return -1;
	return 0;
}
