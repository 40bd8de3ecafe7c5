/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/changes.h"

#include <inttypes.h>
#include <string.h>

#include "frontend/frontend.h"

const char *change_kind_name(enum change_kind kind)
{
	static const char *const names[] = {
		[CHANGE_STAYED] = "stayed",
		[CHANGE_COMPLETED] = "completed",
		[CHANGE_APPEARED] = "appeared",
	};

	return names[kind];
}

/* ---- requests ----------------------------------------------------------------------------- */

struct found {
	const struct io_request *req;
	bool matched;
};

/* Those of a device, as they stand. NULL device: none. */
static int gather_requests(const struct blkdev *d, struct found **ret, size_t *nr, struct err *err)
{
	size_t n = d ? d->nr_requests + d->nr_queued : 0, i;
	struct found *v = calloc(n + 1, sizeof(*v));

	if (!v)
		return err_nomem(err, "comparing requests");
	for (i = 0; i < n; i++)
		v[i].req = blkdev_request(d, i);
	*ret = v;
	*nr = n;
	return 0;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* The sort order in which the same request of two checkpoints compares equal. */
static int by_identity(const struct io_request *a, const struct io_request *b)
{
	bool timed = a->age_known && b->age_known;
	const uint64_t keys[][2] = {
		{a->age_known, b->age_known},
		{a->request_va.v, b->request_va.v},
		{timed ? a->start_ns : a->id, timed ? b->start_ns : b->id},
		{timed ? 0 : a->slot, timed ? 0 : b->slot},
		{timed ? 0 : a->ring, timed ? 0 : b->ring},
		{a->op, b->op},
		{a->sector_from != IO_SECTOR_UNKNOWN ? a->sector : UINT64_MAX,
			b->sector_from != IO_SECTOR_UNKNOWN ? b->sector : UINT64_MAX},
		{a->nr_sectors, b->nr_sectors},
	};
	size_t i;
	int c = 0;

	for (i = 0; i < ARRAY_SIZE(keys) && !c; i++)
		c = compare_numbers(keys[i][0], keys[i][1]);
	return c;
}

static int found_by_identity(const void *a, const void *b)
{
	const struct found *const *x = a, *const *y = b;

	return by_identity((*x)->req, (*y)->req);
}

static int put_request(struct changes *c, enum change_kind kind, const struct blkdev *dev,
	const struct io_request *before, const struct io_request *after, struct err *err)
{
	if (util_grow(&c->requests, &c->cap_requests, c->nr_requests + 1, sizeof(*c->requests)))
		return err_nomem(err, "comparing requests");
	c->requests[c->nr_requests++] = (struct request_change){kind, dev, before, after};
	return 0;
}

/* Mark what `before` and `after` share; each of them once. */
static int match_requests(struct changes *c, const struct blkdev *dev, struct found *a, size_t nr_a,
	struct found *b, size_t nr_b, struct err *err)
{
	CLEANUP_FREE struct found **order = calloc(nr_b + 1, sizeof(*order));
	size_t i, k;

	if (!order)
		return err_nomem(err, "comparing requests");
	for (i = 0; i < nr_b; i++)
		order[i] = &b[i];
	qsort(order, nr_b, sizeof(struct found *), found_by_identity);
	for (i = 0; i < nr_a; i++) {
		size_t lo = 0, hi = nr_b;

		while (lo < hi) {
			size_t mid = lo + (hi - lo) / 2;

			if (by_identity(order[mid]->req, a[i].req) < 0)
				lo = mid + 1;
			else
				hi = mid;
		}
		for (k = lo; k < nr_b && order[k]->matched && !by_identity(order[k]->req, a[i].req);
			k++)
			;
		if (k == nr_b || by_identity(order[k]->req, a[i].req))
			continue;
		order[k]->matched = a[i].matched = true;
		if (put_request(c, CHANGE_STAYED, dev, a[i].req, order[k]->req, err))
			return -1;
	}
	return 0;
}

static int compare_requests(
	struct changes *c, const struct blkdev *before, const struct blkdev *after, struct err *err)
{
	CLEANUP_FREE struct found *a = NULL;
	CLEANUP_FREE struct found *b = NULL;
	const struct blkdev *dev = after ? after : before;
	size_t nr_a, nr_b, i;

	if (gather_requests(before, &a, &nr_a, err) || gather_requests(after, &b, &nr_b, err) ||
		match_requests(c, dev, a, nr_a, b, nr_b, err))
		return -1;
	for (i = 0; i < nr_a; i++)
		if (!a[i].matched && put_request(c, CHANGE_COMPLETED, dev, a[i].req, NULL, err))
			return -1;
	for (i = 0; i < nr_b; i++)
		if (!b[i].matched && put_request(c, CHANGE_APPEARED, dev, NULL, b[i].req, err))
			return -1;
	c->complete &= (!before || (before->requests_known && before->queued_known)) &&
		       (!after || (after->requests_known && after->queued_known));
	return 0;
}

/* ---- facts -------------------------------------------------------------------------------- */

static char *format_number(uint64_t v)
{
	char *text;

	return asprintf(&text, "%" PRIu64, v) < 0 ? NULL : text;
}

static char *known_number(uint64_t v, uint64_t unknown)
{
	return v == unknown ? NULL : format_number(v);
}

static char *yes_or_no(enum tri v)
{
	return v == TRI_UNKNOWN ? NULL : strdup(v ? "yes" : "no");
}

static char *text_or_null(const char *text)
{
	return text && *text ? strdup(text) : NULL;
}

/* Takes the texts. */
static int put_fact(struct changes *c, const char *device, int ring, const char *what, char *before,
	char *after, struct err *err)
{
	bool same = before == after || (before && after && !strcmp(before, after));
	struct fact_change *f;

	if (same || util_grow(&c->facts, &c->cap_facts, c->nr_facts + 1, sizeof(*c->facts))) {
		free(before);
		free(after);
		return same ? 0 : err_nomem(err, "comparing devices");
	}
	f = &c->facts[c->nr_facts++];
	*f = (struct fact_change){.ring = ring, .what = what, .before = before, .after = after};
	snprintf(f->device, sizeof(f->device), "%s", device);
	return 0;
}

typedef char *device_fact_fn(const struct blkdev *d);
typedef char *ring_fact_fn(const struct io_ring *r);

static char *fact_present(const struct blkdev *d)
{
	return strdup(frontend_name(d->driver));
}

static char *fact_state(const struct blkdev *d)
{
	return text_or_null(d->state);
}

static char *fact_nodename(const struct blkdev *d)
{
	return text_or_null(d->nodename);
}

static char *fact_backend(const struct blkdev *d)
{
	return d->backend_domid < 0 ? NULL : format_number((uint64_t)d->backend_domid);
}

static char *fact_capacity(const struct blkdev *d)
{
	return known_number(d->nr_sectors, BLK_UNKNOWN_U64);
}

static char *fact_logical(const struct blkdev *d)
{
	return known_number(d->logical_block_bytes, 0);
}

static char *fact_physical(const struct blkdev *d)
{
	return known_number(d->physical_block_bytes, 0);
}

static char *fact_scheduler(const struct blkdev *d)
{
	return text_or_null(d->scheduler);
}

static char *fact_flush(const struct blkdev *d)
{
	return yes_or_no(d->feature_flush);
}

static char *fact_fua(const struct blkdev *d)
{
	return yes_or_no(d->feature_fua);
}

static char *fact_discard(const struct blkdev *d)
{
	return yes_or_no(d->feature_discard);
}

static char *fact_secure(const struct blkdev *d)
{
	return yes_or_no(d->feature_secure_discard);
}

static char *fact_persistent(const struct blkdev *d)
{
	return yes_or_no(d->feature_persistent);
}

static char *fact_read_only(const struct blkdev *d)
{
	return yes_or_no(d->read_only);
}

static char *fact_indirect(const struct blkdev *d)
{
	return known_number(d->max_indirect_segments, BLK_UNKNOWN_U64);
}

static char *fact_rings(const struct blkdev *d)
{
	return format_number(d->nr_rings);
}

/* "ext4 f8d1... at 2048; xfs ..." */
static char *fact_mounts(const struct blkdev *d)
{
	char *all = NULL;
	size_t bytes, i;
	FILE *f = d->fs_known ? open_memstream(&all, &bytes) : NULL;

	for (i = 0; f && i < d->nr_fs; i++)
		fprintf(f, "%s%s %s at %" PRIu64 "%s", i ? "; " : "", d->fs[i].type, d->fs[i].uuid,
			d->fs[i].start, d->fs[i].read_only ? " read-only" : "");
	if (f && !d->nr_fs)
		fputs("none", f);
	if (f)
		fclose(f);
	return all;
}

static const struct {
	const char *what;
	device_fact_fn *fn;
} device_facts[] = {
	{"frontend", fact_present},
	{"state", fact_state},
	{"node", fact_nodename},
	{"backend", fact_backend},
	{"capacity", fact_capacity},
	{"logical block size", fact_logical},
	{"physical block size", fact_physical},
	{"scheduler", fact_scheduler},
	{"flush", fact_flush},
	{"fua", fact_fua},
	{"discard", fact_discard},
	{"secure discard", fact_secure},
	{"persistent grants", fact_persistent},
	{"read-only", fact_read_only},
	{"indirect segments", fact_indirect},
	{"rings", fact_rings},
	{"mounted", fact_mounts},
};

static char *fact_entries(const struct io_ring *r)
{
	return known_number(r->entries, 0);
}

static char *fact_issued(const struct io_ring *r)
{
	return r->indices == IO_INDICES_READ ? format_number(r->req_prod_pvt) : NULL;
}

static char *fact_consumed(const struct io_ring *r)
{
	return r->indices == IO_INDICES_READ ? format_number(r->rsp_cons) : NULL;
}

static char *fact_shown(const struct io_ring *r)
{
	return r->sring_known ? format_number(r->sring_req_prod) : NULL;
}

static char *fact_answered(const struct io_ring *r)
{
	return r->sring_known ? format_number(r->sring_rsp_prod) : NULL;
}

static const struct {
	const char *what;
	ring_fact_fn *fn;
} ring_facts[] = {
	{"entries", fact_entries},
	{"requests made", fact_issued},
	{"requests shown", fact_shown},
	{"responses written", fact_answered},
	{"responses consumed", fact_consumed},
};

static const struct io_ring *ring_at(const struct blkdev *d, size_t i)
{
	return d && i < d->nr_rings ? &d->rings[i] : NULL;
}

static int compare_rings(
	struct changes *c, const struct blkdev *a, const struct blkdev *b, struct err *err)
{
	size_t i, k;

	for (i = 0; ring_at(a, i) || ring_at(b, i); i++)
		for (k = 0; k < ARRAY_SIZE(ring_facts); k++) {
			const struct io_ring *x = ring_at(a, i), *y = ring_at(b, i);

			if (put_fact(c, (b ? b : a)->name, (int)i, ring_facts[k].what,
				    x ? ring_facts[k].fn(x) : NULL, y ? ring_facts[k].fn(y) : NULL,
				    err))
				return -1;
		}
	return 0;
}

static int compare_device(
	struct changes *c, const struct blkdev *a, const struct blkdev *b, struct err *err)
{
	const struct blkdev *any = b ? b : a;
	size_t k, nr = a && b ? ARRAY_SIZE(device_facts) : 1;

	/* Of one that is on one side only, that is all there is to say. */
	for (k = 0; k < nr; k++)
		if (put_fact(c, any->name, -1, device_facts[k].what,
			    a ? device_facts[k].fn(a) : NULL, b ? device_facts[k].fn(b) : NULL,
			    err))
			return -1;
	if (a && b && compare_rings(c, a, b, err))
		return -1;
	return compare_requests(c, a, b, err);
}

static const struct blkdev *find_same(const struct snapshot *s, const struct blkdev *d)
{
	size_t i;

	for (i = 0; i < s->nr_devices; i++)
		if (d->handle != BLK_UNKNOWN_U64 && s->devices[i].handle != BLK_UNKNOWN_U64
				? s->devices[i].handle == d->handle
				: !strcmp(s->devices[i].name, d->name))
			return &s->devices[i];
	return NULL;
}

static int compare_guests(struct changes *c, const struct guest_facts *a,
	const struct guest_facts *b, struct err *err)
{
	return put_fact(c, "", -1, "system", text_or_null(a->os), text_or_null(b->os), err) ||
			       put_fact(c, "", -1, "release", text_or_null(a->release),
				       text_or_null(b->release), err) ||
			       put_fact(c, "", -1, "version", text_or_null(a->version),
				       text_or_null(b->version), err) ||
			       put_fact(c, "", -1, "host name", text_or_null(a->hostname),
				       text_or_null(b->hostname), err) ||
			       put_fact(c, "", -1, "command line", text_or_null(a->cmdline),
				       text_or_null(b->cmdline), err)
		       ? -1
		       : 0;
}

int changes_find(const struct snapshot *before, const struct snapshot *after, struct changes *ret,
	struct err *err)
{
	size_t i;

	*ret = (struct changes){.complete = true};
	if (compare_guests(ret, &before->guest, &after->guest, err))
		return -1;
	for (i = 0; i < before->nr_devices; i++)
		if (compare_device(
			    ret, &before->devices[i], find_same(after, &before->devices[i]), err))
			return -1;
	for (i = 0; i < after->nr_devices; i++)
		if (!find_same(before, &after->devices[i]) &&
			compare_device(ret, NULL, &after->devices[i], err))
			return -1;
	return 0;
}

void changes_fini(struct changes *c)
{
	size_t i;

	for (i = 0; i < c->nr_facts; i++) {
		free(c->facts[i].before);
		free(c->facts[i].after);
	}
	free(c->facts);
	free(c->requests);
	*c = (struct changes){0};
}

bool changes_any(const struct changes *c)
{
	size_t i;

	for (i = 0; i < c->nr_requests; i++)
		if (c->requests[i].kind != CHANGE_STAYED)
			return true;
	return c->nr_facts > 0;
}
