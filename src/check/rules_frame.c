/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Frames and grants that the pending requests name. Xen's restore gives pages new machine frames;
 * the driver finds them by pfn, so each pfn must be a plain data page that the checkpoint holds.
 */
#include "check/run.h"

#include <inttypes.h>
#include <string.h>

#include "base/sweep.h"

#define GNTTAB_NR_RESERVED 8u /* xen/include/public/grant_table.h GNTTAB_NR_RESERVED_ENTRIES */

/* What the requests read and write of the guest's pages, a page a space. A read changes it. */
struct pieces {
	struct sweep_range *v;
	size_t nr, cap;
};

static bool in_table(const struct check_run *run, uint64_t pfn)
{
	const struct ckpt_info *info = run->in->info;

	return !info || !info->nr_pfns || pfn < info->nr_pfns;
}

static bool gather_pieces(struct check_run *run, struct pieces *p)
{
	size_t i, j;

	for (i = 0; i < run->dev->nr_requests; i++) {
		const struct io_request *r = &run->dev->requests[i];

		if (!io_request_moves_data(r))
			continue;
		if (util_grow(&p->v, &p->cap, p->nr + r->nr_seg, sizeof(*p->v))) {
			run_no_memory(run);
			return false;
		}
		for (j = 0; j < r->nr_seg; j++) {
			const struct io_segment *s = &r->seg[j];

			if (s->frame != IO_FRAME_UNKNOWN && s->bytes)
				p->v[p->nr++] = (struct sweep_range){.space = s->pfn.v,
					.start = s->offset,
					.end = (uint64_t)s->offset + s->bytes,
					.changes = r->op == IO_READ,
					.item = r};
		}
	}
	return true;
}

/* How the same bytes are used twice. The same data to two places is fine. */
static void say_shared(void *arg, const struct sweep_range *before, const struct sweep_range *now)
{
	const struct io_request *old = before->item, *new = now->item;

	run_broken_request_as(arg, before->changes && now->changes ? "XB124" : "XB125", new,
		"the %s shares bytes %" PRIu64 " to %" PRIu64 " of page 0x%" PRIx64
		" with the %s of ring %u slot %u",
		io_op_name(new->op), now->start, MIN(before->end, now->end) - 1, now->space,
		io_op_name(old->op), old->ring, old->slot);
}

static void shared_bytes(struct check_run *run)
{
	struct pieces p = {0};

	if (gather_pieces(run, &p))
		sweep_ranges(p.v, p.nr, say_shared, run);
	free(p.v);
}

typedef void segment_fn(
	struct check_run *run, const struct io_request *r, const struct io_segment *s);

static void each_segment(struct check_run *run, segment_fn *fn)
{
	size_t i, j;

	for (i = 0; i < run->dev->nr_requests; i++)
		for (j = 0; j < run->dev->requests[i].nr_seg; j++)
			fn(run, &run->dev->requests[i], &run->dev->requests[i].seg[j]);
}

static void one_bound(struct check_run *run, const struct io_request *r, const struct io_segment *s)
{
	if (s->frame != IO_FRAME_UNKNOWN && !in_table(run, s->pfn.v))
		run_broken_request(run, r, "pfn 0x%" PRIx64 ", the guest has 0x%" PRIx64, s->pfn.v,
			run->in->info->nr_pfns);
	else if (s->grant_pfn.v != UINT64_MAX && !in_table(run, s->grant_pfn.v))
		run_broken_request(run, r,
			"pfn 0x%" PRIx64
			" as the page granted to the backend, the guest has 0x%" PRIx64,
			s->grant_pfn.v, run->in->info->nr_pfns);
}

static void check_bounds(struct check_run *run)
{
	if (!run->in->info || !run->in->info->nr_pfns)
		run_skip(run, "the number of the guest's pages is not known");
	else
		each_segment(run, one_bound);
}

static const char *hole_name(const struct check_run *run, pfn_t pfn)
{
	struct memory_page page = {.state = MEMORY_ABSENT};

	if (run->in->memory.ops)
		page = memory_page(run->in->memory, pfn);
	return memory_lack(&page);
}

static void one_hole(struct check_run *run, const struct io_request *r, const struct io_segment *s)
{
	if (s->frame == IO_FRAME_HOLE && in_table(run, s->pfn.v))
		run_broken_request(run, r, "page 0x%" PRIx64 " of the %s %s", s->pfn.v,
			io_op_name(r->op), hole_name(run, s->pfn));
}

static void check_holes(struct check_run *run)
{
	each_segment(run, one_hole);
}

static void one_source(
	struct check_run *run, const struct io_request *r, const struct io_segment *s)
{
	if (s->frame != IO_FRAME_UNKNOWN && in_table(run, s->pfn.v) &&
		s->source_mfn.v == MFN_NONE.v)
		run_broken_request(run, r,
			"the guest's own table has no machine frame for page 0x%" PRIx64, s->pfn.v);
}

/* The table was found if it gave any answer at all. */
static bool source_known(const struct blkdev *d)
{
	size_t i, j;

	for (i = 0; i < d->nr_rings; i++)
		for (j = 0; d->rings[i].page_source_mfn && j < d->rings[i].nr_pages; j++)
			if (d->rings[i].page_source_mfn[j].v != MFN_NONE.v)
				return true;
	for (i = 0; i < d->nr_requests; i++)
		for (j = 0; j < d->requests[i].nr_seg; j++)
			if (d->requests[i].seg[j].source_mfn.v != MFN_NONE.v)
				return true;
	return false;
}

static void source_frames(struct check_run *run)
{
	if (run->in->info && run->in->info->guest_type != CKPT_GUEST_PV)
		return; /* pfn = gfn */
	if (!run->dev->nr_requests)
		return;
	if (source_known(run->dev))
		each_segment(run, one_source);
	else
		run_skip(run, "the guest's table of machine frames was not found");
}

static void one_type(struct check_run *run, const struct io_request *r, const struct io_segment *s)
{
	struct memory_page page;

	if (s->frame == IO_FRAME_UNKNOWN)
		return;
	page = memory_page(run->in->memory, s->pfn);
	if (page.level)
		run_broken_request(run, r, "page 0x%" PRIx64 " of the %s is a%s page table (L%u)",
			s->pfn.v, io_op_name(r->op), page.pinned ? " pinned" : "", page.level);
}

/* Only a PV guest's tables must not be written, and only a save stream marks them. */
static bool types_known(struct memory m)
{
	struct memory_info info = memory_info(m);

	return info.type != CKPT_GUEST_PV || info.tables_marked;
}

static void check_types(struct check_run *run)
{
	if (run->in->memory.ops && types_known(run->in->memory))
		each_segment(run, one_type);
	else
		run_skip(run, "page types are not known");
}

static int special_cmp(const void *key, const void *elem)
{
	const uint64_t *pfn = key;
	const struct check_special *s = elem;

	return *pfn < s->pfn ? -1 : *pfn > s->pfn;
}

static const char *special_at(const struct check_run *run, uint64_t pfn)
{
	const struct check_special *s = NULL;

	if (run->in->nr_specials)
		s = bsearch(&pfn, run->in->specials, run->in->nr_specials, sizeof(*s), special_cmp);
	if (s)
		return s->what;
	return run_is_ring_page(run, pfn) ? "page of a shared ring" : NULL;
}

static void one_special(
	struct check_run *run, const struct io_request *r, const struct io_segment *s)
{
	const char *what = s->frame == IO_FRAME_UNKNOWN ? NULL : special_at(run, s->pfn.v);

	if (what)
		run_broken_request(run, r, "page 0x%" PRIx64 " of the %s is a %s", s->pfn.v,
			io_op_name(r->op), what);
}

static void check_special_pages(struct check_run *run)
{
	each_segment(run, one_special);
}

struct grant {
	int64_t gref;
	const struct blkdev *dev;
	const struct io_request *r; /* NULL: the ring's own */
};

static int by_gref(const void *a, const void *b)
{
	const struct grant *p = a, *q = b;

	if (p->gref != q->gref)
		return p->gref < q->gref ? -1 : 1;
	return p->dev < q->dev ? -1 : p->dev > q->dev;
}

static bool gather_grants(const struct blkdev *d, struct grant **ret, size_t *nr, size_t *cap)
{
	size_t i, j;

	for (i = 0; i < d->nr_requests; i++) {
		const struct io_request *r = &d->requests[i];

		if (util_grow(ret, cap, *nr + r->nr_seg, sizeof(**ret)))
			return false;
		for (j = 0; j < r->nr_seg; j++)
			if (r->seg[j].gref >= 0)
				(*ret)[(*nr)++] = (struct grant){r->seg[j].gref, d, r};
	}
	for (i = 0; i < d->nr_rings; i++) {
		if (util_grow(ret, cap, *nr + d->rings[i].nr_grefs, sizeof(**ret)))
			return false;
		/* A ring that is not connected has none: each is the invalid one. */
		for (j = 0; strcmp(d->state, "disconnected") != 0 && j < d->rings[i].nr_grefs; j++)
			(*ret)[(*nr)++] = (struct grant){d->rings[i].grefs[j], d, NULL};
	}
	return true;
}

/* GRUB, for one, does not. */
static bool reserves_grants(const struct blkdev *d)
{
	const struct frontend_resume *resume = frontend_resume_of(d);

	return resume != &frontend_resume_unknown && resume->suspend != FRONTEND_LOSES;
}

static void one_grant(struct check_run *run, const struct grant *g, const struct grant *before)
{
	int ring = g->r ? (int)g->r->ring : -1, slot = g->r ? (int)g->r->slot : -1;

	if (g->gref < GNTTAB_NR_RESERVED && reserves_grants(g->dev))
		run_broken_as(run, "XB127", ring, slot,
			"grant %" PRId64 " is one of the reserved ones", g->gref);
	if (before && before->gref == g->gref)
		run_broken_as(run, "XB128", ring, slot, "grant %" PRId64 " is in use twice%s%s",
			g->gref, before->dev == g->dev ? "" : ", here and by ",
			before->dev == g->dev ? "" : before->dev->name);
}

/* The references are the domain's: one look at all disks, in the turn of the first. */
static void check_grants(struct check_run *run)
{
	const struct snapshot *s = run->in->snap;
	const struct blkdev *turn = run->dev;
	CLEANUP_FREE struct grant *v = NULL;
	size_t nr = 0, cap = 0, i;

	if (turn != s->devices)
		return;
	for (i = 0; i < s->nr_devices; i++)
		if (!gather_grants(&s->devices[i], &v, &nr, &cap)) {
			run_no_memory(run);
			return;
		}
	if (nr)
		qsort(v, nr, sizeof(*v), by_gref);
	for (i = 0; i < nr; i++) {
		run->dev = v[i].dev;
		one_grant(run, &v[i], i ? &v[i - 1] : NULL);
	}
	run->dev = turn;
}

/* ---- the data of writes and their copies --------------------------------------------------- */

/* Segments of one write beside the copies that the backend was given. */
struct copies {
	size_t nr, changed;
	const struct io_segment *first; /* that was changed */
};

static bool has_copy(const struct io_segment *s)
{
	return s->frame == IO_FRAME_OK && s->grant_pfn.v != UINT64_MAX &&
	       s->grant_pfn.v != s->pfn.v &&
	       (uint64_t)s->offset + s->bytes <= PAGE_BYTES; /* XB118 */
}

static void compare_copy(struct check_run *run, const struct io_segment *s, struct copies *c)
{
	struct memory_page own = memory_page(run->in->memory, s->pfn);
	const uint8_t *copy = memory_page(run->in->memory, s->grant_pfn).data;

	if (own.level) /* XB122 */
		return;
	if (!copy) {
		run_skip_as(run, "XB304",
			"page 0x%" PRIx64 ", which was granted to the backend, is missing",
			s->grant_pfn.v);
		return;
	}
	c->nr++;
	if (own.data && memcmp(own.data + s->offset, copy + s->offset, s->bytes) && !c->changed++)
		c->first = s;
}

/* A page cache, swap and direct I/O all let a page be written to while it is on its way. */
static void compare_copies(struct check_run *run, const struct io_request *r)
{
	struct resume_place place;
	struct copies c = {0};
	size_t i;

	for (i = 0; i < r->nr_seg; i++)
		if (has_copy(&r->seg[i]))
			compare_copy(run, &r->seg[i], &c);
	if (!c.changed)
		return;
	frontend_resume_of(run->dev)->place(run->dev, r, &place);
	run_broken_request_as(run, place.copied_anew ? "XB304" : "XB316", r,
		"%zu of %zu pages were changed since they were copied for the backend, page "
		"0x%" PRIx64 " (copy 0x%" PRIx64 ") first: %s",
		c.changed, c.nr, c.first->pfn.v, c.first->grant_pfn.v,
		place.copied_anew ? "replay and resume write what they hold now"
				  : "resume writes the copies, replay what they hold now");
}

static void check_copies(struct check_run *run)
{
	size_t i;

	if (!run->in->memory.ops) {
		run_skip(run, "page data is not at hand");
		return;
	}
	for (i = 0; i < run->dev->nr_requests; i++)
		if (io_request_writes_data(&run->dev->requests[i]))
			compare_copies(run, &run->dev->requests[i]);
}

static const struct check_rule rules[] = {
	{{"XB119"}, check_bounds},
	{{"XB120"}, check_holes},
	{{"XB121"}, source_frames},
	{{"XB122"}, check_types},
	{{"XB123"}, check_special_pages},
	{{"XB124", "XB125"}, shared_bytes},
	{{"XB127", "XB128"}, check_grants},
	{{"XB304", "XB316"}, check_copies},
};

const struct check_rules check_rules_frame = {NULL, rules, ARRAY_SIZE(rules)};
