/* SPDX-License-Identifier: BSD-2-Clause */
#include "check/witness.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "check/disk_facts.h"
#include "check/run.h"

/* Sectors that requests in flight may have changed, ascending and apart. */
struct in_flight {
	struct range {
		uint64_t start, end;
	} * v;
	size_t nr, cap;
};

static int by_start(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* False: no memory. */
static bool gather_in_flight(const struct check_run *run, struct in_flight *ret)
{
	const struct io_request *r;
	size_t i = 0, k, keep = 0;
	struct range n;

	while ((r = run_next(run, &i))) {
		if (!io_request_changes_disk(r) || !io_request_range(r, &n.start, &n.end))
			continue;
		if (util_grow(&ret->v, &ret->cap, ret->nr + 1, sizeof(*ret->v)))
			return false;
		ret->v[ret->nr++] = n;
	}
	if (ret->nr)
		qsort(ret->v, ret->nr, sizeof(*ret->v), by_start);
	for (k = 1; k < ret->nr; k++) {
		if (ret->v[k].start <= ret->v[keep].end)
			ret->v[keep].end = MAX(ret->v[keep].end, ret->v[k].end);
		else
			ret->v[++keep] = ret->v[k];
	}
	ret->nr = ret->nr ? keep + 1 : 0;
	return true;
}

static bool is_in_flight(const struct in_flight *f, uint64_t sector)
{
	size_t lo =
		util_count_until(f->v, f->nr, sizeof(*f->v), offsetof(struct range, start), sector);

	return lo && sector < f->v[lo - 1].end;
}

/* ---- comparing ---------------------------------------------------------------------------- */

/* Sectors in one piece that differ. */
struct change {
	uint64_t start, end;
	const char *what;
};

struct comparison {
	struct check_run *run;
	const struct disk *disk;
	struct in_flight in_flight;
	struct check_witnessed *ret;
	struct change change; /* found, and perhaps going on */
	bool unreadable;
};

static void report_change(struct comparison *c)
{
	if (c->change.end)
		run_broken(c->run, -1, -1,
			"sectors %" PRIu64 " to %" PRIu64
			" of %s (%s) are not what the guest remembers, and no write of it is in "
			"flight there",
			c->change.start, c->change.end - 1, c->disk->path, c->change.what);
	c->change = (struct change){0};
}

static void note_change(struct comparison *c, uint64_t sector, const char *what)
{
	if (c->change.end != sector || c->change.what != what)
		report_change(c);
	if (!c->change.end)
		c->change.start = sector;
	c->change.end = sector + 1;
	c->change.what = what;
}

static void compare_block(
	struct comparison *c, const struct witness *w, const uint8_t *memory, const uint8_t *disk)
{
	uint64_t at, n;
	bool differs = false;

	for (at = 0; at < w->bytes; at += n) {
		uint64_t byte = w->start + at, sector = byte / SECTOR_BYTES;

		n = MIN(SECTOR_BYTES - byte % SECTOR_BYTES, w->bytes - at);
		if (!memcmp(memory + at, disk + at, n) || is_in_flight(&c->in_flight, sector))
			continue;
		note_change(c, sector, w->what);
		differs = true;
	}
	c->ret->differ += differs;
}

static void look_at(struct comparison *c, const struct witness *w)
{
	struct memory_page saved = memory_page(c->run->in->memory, PFN(w->pfn));
	uint8_t disk[PAGE_BYTES];
	struct err why;

	if (saved.state != MEMORY_DATA || memory_is_removed(saved.data) ||
		!num_range_ok(w->offset, w->bytes, PAGE_BYTES) ||
		!num_range_ok(w->start, w->bytes, c->disk->bytes)) /* XB402 */
		return;
	if (disk_read(c->disk, w->start, disk, w->bytes, &why)) {
		if (!c->unreadable)
			run_skip(c->run, "%s", why.text);
		c->unreadable = true;
		return;
	}
	compare_block(c, w, saved.data + w->offset, disk);
	c->ret->blocks++;
	c->ret->bytes += w->bytes;
}

static bool sectors_known(struct check_run *run)
{
	const struct io_request *r;
	size_t i = 0;

	while ((r = run_next(run, &i)))
		if (io_request_changes_disk(r) && r->sector_from == IO_SECTOR_UNKNOWN)
			return false;
	return run->dev->requests_known && run->dev->queued_known;
}

static int by_place(const void *a, const void *b)
{
	const struct witness *x = *(const struct witness *const *)a;
	const struct witness *y = *(const struct witness *const *)b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* In the order of the disk. */
static void compare_all(struct comparison *c, const struct witness_list *l)
{
	CLEANUP_FREE const struct witness **order = calloc(l->nr + 1, sizeof(*order));
	size_t i;

	if (!order) {
		run_no_memory(c->run);
		return;
	}
	for (i = 0; i < l->nr; i++)
		order[i] = &l->v[i];
	qsort(order, l->nr, sizeof(struct witness *), by_place);
	for (i = 0; i < l->nr; i++)
		look_at(c, order[i]);
	report_change(c);
}

static void compare_disk(
	struct check_run *run, const struct check_disk *given, struct check_witnessed *ret)
{
	struct comparison c = {.run = run, .ret = ret, .disk = &given->disk};

	if (gather_in_flight(run, &c.in_flight))
		compare_all(&c, &run->dev->witnesses);
	else
		run_no_memory(run);
	free(c.in_flight.v);
}

void check_witnesses(
	const struct check_input *in, struct check_result *out, struct check_witnessed *v)
{
	static const struct check_rule rule = {.ids = {"XB409"}};
	struct check_run run = {.in = in, .rule = &rule, .out = out};
	size_t i;

	for (i = 0; i < in->nr_disks; i++) {
		const struct blkdev *dev = snapshot_find_device(in->snap, in->disks[i].vdev);

		v[i] = (struct check_witnessed){.dev = dev};
		if (!dev)
			continue;
		v[i].known = dev->witnesses.known;
		v[i].pages = dev->witnesses.pages;
		run.dev = dev;
		if (in->info && !in->info->suspended)
			run_skip_moving(&run);
		else if (!v[i].known)
			run_skip(&run, "the guest's page cache was not found");
		else if (!sectors_known(&run))
			run_skip(&run, "not all that is in flight is known");
		else
			compare_disk(&run, &in->disks[i], &v[i]);
	}
	out->no_memory |= out->findings.lost;
}
