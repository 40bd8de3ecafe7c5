/* SPDX-License-Identifier: BSD-2-Clause
 *
 * split.c - where the limits of a target cut a request.
 */
#include "replay/replay.h"

#include <string.h>

#include "base/num.h"

/* Kernels differ in what they do when the start is not aligned to the physical block. */
static bool handed_back(const struct replay_item *it)
{
	const struct io_request *r = it->req;
	struct resume_place p;
	uint32_t unit = MAX(it->dev->physical_block_bytes, SECTOR_BYTES) / SECTOR_BYTES;

	frontend_resume_of(it->dev)->place(it->dev, r, &p);
	return p.resubmitted && r->sector_from != IO_SECTOR_UNKNOWN && r->nr_seg &&
	       r->nr_seg == r->segs_wanted && !(r->sector % unit);
}

struct cut {
	struct replay_part *v;
	size_t nr, cap;
	uint64_t sector, block; /* where the next part begins; bytes of a block */
};

static int add_part(struct cut *c, uint64_t bytes, struct err *err)
{
	if (util_grow(&c->v, &c->cap, c->nr + 1, sizeof(*c->v)))
		return err_nomem(err, "splitting a request");
	c->v[c->nr++] = (struct replay_part){c->sector, bytes / SECTOR_BYTES};
	c->sector += bytes / SECTOR_BYTES;
	return 0;
}

/* One part from byte `skip` of segment *at on; both move behind it. */
static int take_part(struct cut *c, const struct io_request *r, uint64_t max_segs, size_t *at,
	uint32_t *skip, struct err *err)
{
	uint64_t bytes = 0, room = max_segs * PAGE_BYTES, over;
	size_t i, n = 0;

	for (i = *at; i < r->nr_seg && n < max_segs; i++, n++)
		bytes += r->seg[i].bytes - (i == *at ? *skip : 0);
	bytes = MIN(bytes, room);
	if (i < r->nr_seg)
		bytes -= bytes % c->block;
	if (!bytes)
		return err_set(err, ERR_NODATA, "its segments are smaller than a block");
	over = bytes + *skip;
	while (*at < r->nr_seg && over >= r->seg[*at].bytes)
		over -= r->seg[(*at)++].bytes;
	*skip = (uint32_t)over;
	return add_part(c, bytes, err);
}

static int cut_all(struct cut *c, const struct io_request *r, uint64_t max_segs, struct err *err)
{
	uint32_t skip = 0;
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < r->nr_seg; i++) {
		if (!r->seg[i].bytes || r->seg[i].bytes > PAGE_BYTES)
			return err_set(err, ERR_NODATA, "segment %zu has no size of one", i);
		sum += r->seg[i].bytes;
	}
	if (sum % SECTOR_BYTES || sum / SECTOR_BYTES != r->nr_sectors)
		return err_set(err, ERR_NODATA, "its segments are not its sectors");
	for (i = 0; i < r->nr_seg;)
		if (take_part(c, r, max_segs, &i, &skip, err))
			return -1;
	return 0;
}

int replay_split(const struct replay_item *it, uint64_t max_segs, struct replay_part **ret,
	size_t *nr, struct err *err)
{
	struct cut c = {.sector = it->req->sector};

	c.block = MAX(it->dev->logical_block_bytes, SECTOR_BYTES);
	*ret = NULL;
	*nr = 0;
	if (!handed_back(it) || !max_segs || max_segs > UINT16_MAX)
		return 0;
	if (cut_all(&c, it->req, max_segs, err)) {
		free(c.v);
		return err->cls == ERR_NODATA ? 0 : -1;
	}
	*ret = c.v;
	*nr = c.nr;
	return 0;
}
