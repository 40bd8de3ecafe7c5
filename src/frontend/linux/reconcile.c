/* SPDX-License-Identifier: BSD-2-Clause
 *
 * reconcile.c - two ways to the same devices: confirm each other, or say where they differ.
 */
#include "frontend/linux/blkfront.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "frontend/agree.h"

#define WHAT_BYTES 160

static bool say_difference(char *what, const char *fmt, ...) PRINTF(2, 3);

static bool say_difference(char *what, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, WHAT_BYTES, fmt, ap);
	va_end(ap);
	return true;
}

static bool segments_differ(const struct io_request *a, const struct io_request *b, char *what)
{
	size_t k;

	if (a->nr_seg != b->nr_seg)
		return say_difference(what, "ring %u slot %u has %zu and %zu segments", a->ring,
			a->slot, a->nr_seg, b->nr_seg);
	for (k = 0; k < a->nr_seg; k++) {
		const struct io_segment *x = &a->seg[k], *y = &b->seg[k];

		/* What the scan does not know contradicts nothing. */
		if (y->frame != x->frame && y->frame != IO_FRAME_UNKNOWN)
			return say_difference(what,
				"ring %u slot %u segment %zu: one frame is unknown", a->ring,
				a->slot, k);
		if (x->frame == y->frame && x->frame != IO_FRAME_UNKNOWN && x->pfn.v != y->pfn.v)
			return say_difference(what,
				"ring %u slot %u segment %zu is pfn 0x%" PRIx64 " and 0x%" PRIx64,
				a->ring, a->slot, k, x->pfn.v, y->pfn.v);
		if (x->offset != y->offset || x->bytes != y->bytes || x->gref != y->gref)
			return say_difference(what, "ring %u slot %u segment %zu: place or grant",
				a->ring, a->slot, k);
	}
	return false;
}

static bool requests_differ(const struct io_request *a, const struct io_request *b, char *what)
{
	if (a->ring != b->ring || a->slot != b->slot)
		return say_difference(what, "ring %u slot %u and ring %u slot %u are pending",
			a->ring, a->slot, b->ring, b->slot);
	if (a->op != b->op || a->wire_op != b->wire_op)
		return say_difference(what, "ring %u slot %u is a %s and a %s", a->ring, a->slot,
			io_op_name(a->op), io_op_name(b->op));
	if (a->sector_from != b->sector_from || a->sector != b->sector ||
		a->nr_sectors != b->nr_sectors)
		return say_difference(what,
			"ring %u slot %u: sectors %" PRIu64 "+%" PRIu64 " and %" PRIu64 "+%" PRIu64,
			a->ring, a->slot, a->sector, a->nr_sectors, b->sector, b->nr_sectors);
	return segments_differ(a, b, what);
}

static bool devices_differ(const struct blkdev *a, const struct blkdev *b, char *what)
{
	size_t i;

	if (a->va.v != b->va.v)
		return say_difference(
			what, "it is at 0x%" PRIx64 " and 0x%" PRIx64, a->va.v, b->va.v);
	if (a->nr_rings != b->nr_rings)
		return say_difference(what, "%zu and %zu rings", a->nr_rings, b->nr_rings);
	for (i = 0; i < a->nr_rings; i++)
		if (a->rings[i].va.v != b->rings[i].va.v ||
			a->rings[i].entries != b->rings[i].entries ||
			a->rings[i].req_prod_pvt != b->rings[i].req_prod_pvt ||
			a->rings[i].rsp_cons != b->rings[i].rsp_cons)
			return say_difference(what, "the indices of ring %zu", i);
	if (a->nr_requests != b->nr_requests)
		return say_difference(
			what, "%zu and %zu pending requests", a->nr_requests, b->nr_requests);
	for (i = 0; i < a->nr_requests; i++)
		if (requests_differ(&a->requests[i], &b->requests[i], what))
			return true;
	return false;
}

/* Did the scan lack frames that the symbols lead to? */
static bool lacks_frames(const struct blkdev *sym, const struct blkdev *scan)
{
	size_t i, k;

	for (i = 0; i < sym->nr_requests; i++)
		for (k = 0; k < sym->requests[i].nr_seg; k++)
			if (sym->requests[i].seg[k].frame != scan->requests[i].seg[k].frame)
				return true;
	return false;
}

/* Every ring was decoded, its free list closes, and it counts as many requests as the indices. */
static bool invariants_hold(const struct blkdev *d)
{
	size_t i;

	if (!d->requests_known)
		return false;
	for (i = 0; i < d->nr_rings; i++)
		if (!io_ring_books_close(&d->rings[i]))
			return false;
	return true;
}

/* The same device: its structure, or its rings when the way to that is damaged. */
static struct blkdev *find_device(struct snapshot *s, const struct blkdev *like)
{
	size_t i;

	for (i = 0; i < s->nr_devices; i++)
		if (s->devices[i].va.v == like->va.v)
			return &s->devices[i];
	for (i = 0; like->nr_rings && i < s->nr_devices; i++)
		if (s->devices[i].nr_rings && s->devices[i].rings[0].va.v == like->rings[0].va.v)
			return &s->devices[i];
	return NULL;
}

static int keep_device(struct snapshot *s, struct blkdev *d, struct err *err)
{
	struct blkdev *to = snapshot_add_device(s);

	if (!to)
		return err_nomem(err, "a device");
	*to = *d;
	memset(d, 0, sizeof(*d)); /* the structures moved; nothing is left to free */
	return 0;
}

static int keep_one(struct snapshot *s, struct blkdev *sym, struct blkdev *scan, struct err *err)
{
	char what[WHAT_BYTES];

	if (!devices_differ(sym, scan, what)) {
		if (lacks_frames(sym, scan)) {
			snapshot_how(
				s, "%s: the scan agrees, but does not know all frames", sym->name);
		} else {
			sym->confirmed_by |= BLK_CONFIRMED_SCAN;
			sym->confirmed = true;
		}
		return keep_device(s, sym, err);
	}
	sym->confirmed = false;
	finding_add(&s->findings, "XB310", finding_at_device(sym->name),
		"symbols and the structural scan differ on %s: %s", sym->name, what);
	if (!invariants_hold(sym) && invariants_hold(scan))
		return keep_device(s, scan, err);
	return keep_device(s, sym, err);
}

static int by_handle(const void *a, const void *b)
{
	const struct blkdev *x = a, *y = b;

	return x->handle < y->handle ? -1 : x->handle > y->handle;
}

static void say_which(struct snapshot *s, const struct snapshot *sym, const struct snapshot *scan)
{
	if (!sym->nr_devices && scan->nr_devices)
		snapshot_how(s, "found by the structural scan only");
	else if (sym->nr_devices && !scan->nr_devices)
		snapshot_how(s, "found by symbols only");
	else if (sym->nr_devices)
		snapshot_how(s, "symbols and structural scan compared");
}

static void take_common(struct snapshot *s, struct snapshot *from)
{
	if (from->how) {
		size_t len = strlen(from->how);

		snapshot_how(s, "%.*s", (int)(len ? len - 1 : 0), from->how);
	}
	finding_append(&s->findings, &from->findings);
	if (!s->doubt)
		s->doubt = take(from->doubt);
	if (s->guest.os[0] || !from->guest.os[0])
		return;
	guest_facts_fini(&s->guest);
	s->guest = from->guest;
	from->guest.cmdline = NULL;
}

static int keep_all(struct snapshot *s, struct snapshot *from, struct err *err)
{
	size_t i;

	for (i = 0; i < from->nr_devices; i++)
		if (keep_device(s, &from->devices[i], err))
			return -1;
	return 0;
}

/* Those that symbols led to, beside what the scan makes of them. */
static int keep_compared(
	struct snapshot *s, struct snapshot *sym, struct snapshot *scan, struct err *err)
{
	size_t i;

	for (i = 0; i < sym->nr_devices; i++) {
		struct blkdev *a = &sym->devices[i], *b = find_device(scan, a);

		if (scan->nr_devices && !b && a->nr_rings) {
			finding_add(&s->findings, "XB310", finding_at_device(a->name),
				"the structural scan does not find %s", a->name);
			a->confirmed = false;
		}
		if (b ? keep_one(s, a, b, err) : keep_device(s, a, err))
			return -1;
	}
	return 0;
}

/* Those that only the scan finds. */
static int keep_new(
	struct snapshot *s, const struct snapshot *sym, struct snapshot *scan, struct err *err)
{
	size_t i;

	for (i = 0; i < scan->nr_devices; i++) {
		struct blkdev *b = &scan->devices[i];

		if (!b->driver || find_device(s, b))
			continue;
		if (sym->nr_devices)
			finding_add(&s->findings, "XB310", finding_at_device(b->name),
				"the structural scan finds %s, the driver's list does not",
				b->name);
		if (keep_device(s, b, err))
			return -1;
	}
	return 0;
}

static int compare_ways(
	struct snapshot *s, struct snapshot *sym, struct snapshot *scan, struct err *err)
{
	if (!sym->nr_devices)
		take_common(s, scan);
	else if (scan->how)
		snapshot_how(s, "%.*s", (int)strlen(scan->how) - 1, scan->how);
	s->every_page |= scan->every_page;
	say_which(s, sym, scan);
	return keep_compared(s, sym, scan, err) || keep_new(s, sym, scan, err) ? -1 : 0;
}

int linux_reconcile(
	struct snapshot *s, struct snapshot *sym, struct snapshot *scan, struct err *err)
{
	take_common(s, sym);
	if (scan ? compare_ways(s, sym, scan, err) : keep_all(s, sym, err))
		return -1;
	if (s->nr_devices)
		qsort(s->devices, s->nr_devices, sizeof(*s->devices), by_handle);
	return 0;
}
