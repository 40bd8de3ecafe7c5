/* SPDX-License-Identifier: BSD-2-Clause
 *
 * rings.c - the ring structures of a device by what most words say.
 */
#include "frontend/linux/rings.h"

#include <inttypes.h>
#include <stdarg.h>

#include "base/num.h"
#include "frontend/blkif_abi.h"

/* More queues than any guest has vcpus. */
#define MAX_COUNTED 1024u
/* enum blkif_state: requests can be issued. */
#define BLKIF_STATE_CONNECTED 1u

static bool entries_possible(uint64_t n)
{
	return n && n <= BLKIF_MAX_RING_ENTRIES && !(n & (n - 1));
}

/* 0: it does not say. */
static uint32_t entries_by_size(struct linux_ctx *c, gva_t info)
{
	const struct linux_layout *l = &c->l;
	uint64_t size;

	if (!l->info_rinfo_size.present || !l->slot_bytes ||
		layout_read(c->g, info, &l->info_rinfo_size, &size, NULL) ||
		size < l->ring_shadow.off || (size - l->ring_shadow.off) % l->slot_bytes)
		return 0;
	size = (size - l->ring_shadow.off) / l->slot_bytes;
	return entries_possible(size) ? (uint32_t)size : 0;
}

static uint32_t entries_by_pages(struct linux_ctx *c, gva_t info)
{
	uint64_t pages;

	if (layout_read(c->g, info, &c->l.info_nr_ring_pages, &pages, NULL) || !pages ||
		pages > BLKIF_MAX_RING_PAGES)
		return 0;
	return blkif_ring_entries(c->abi, (unsigned)pages);
}

static uint32_t entries_of(struct linux_ctx *c, gva_t ring)
{
	uint64_t own;

	if (layout_read(c->g, ring, &c->l.ring_nr_ents, &own, NULL) || !entries_possible(own))
		return 0;
	return (uint32_t)own;
}

static uint32_t settle_entries(struct linux_ctx *c, gva_t info, gva_t ring)
{
	uint32_t own = entries_of(c, ring), size = entries_by_size(c, info);
	uint32_t pages = entries_by_pages(c, info);

	if (own && (own == size || own == pages))
		return own;
	if (size && size == pages)
		return size;
	/* No two agree: a ring alone, or one word alone, when there is no other. */
	return own ? (size || pages ? 0 : own) : MAX(size, pages);
}

unsigned linux_ring_points(struct linux_ctx *c, gva_t info, gva_t va, uint32_t entries)
{
	uint64_t back, sring;
	uint32_t own = entries_of(c, va);
	unsigned points = 0;

	points += !c->l.ring_dev_info.present ||
		  (!layout_read(c->g, va, &c->l.ring_dev_info, &back, NULL) && back == info.v);
	points += own && (!entries || own == entries);
	points += !layout_read(c->g, va, &c->l.ring_sring, &sring, NULL) &&
		  guest_is_kernel_addr(c->g, sring) && !(sring & PAGE_OFFSET_MASK);
	return points;
}

/* Rings that stand one behind the other. */
static uint64_t count_rings(struct linux_ctx *c, gva_t info, const struct linux_rings *r)
{
	uint64_t nr = 0, most = MIN((uint64_t)MAX_COUNTED, c->left.rings);

	while (nr < most && linux_ring_points(c, info, gva_add(r->first, nr * r->stride),
				    r->entries) >= LINUX_RING_POINTS)
		nr++;
	return nr;
}

static void PRINTF(3, 4) say(struct linux_ctx *c, const struct blkdev *d, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	if (!d)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	finding_add(&c->s->findings, "XB311", finding_at_device(d->name), "%s: %s", d->name, text);
}

static bool is_connected(struct linux_ctx *c, gva_t info)
{
	uint64_t state;

	return !layout_read(c->g, info, &c->l.info_connected, &state, NULL) &&
	       state == BLKIF_STATE_CONNECTED;
}

/* The stored number when it can be, or else as many as there are. */
static void settle_number(
	struct linux_ctx *c, gva_t info, const struct blkdev *d, struct linux_rings *r)
{
	uint64_t counted = count_rings(c, info, r), stored = r->nr;

	if (stored && stored <= MAX_COUNTED && stored <= c->left.rings && stored >= counted)
		return;
	/* A ring that no more than two things speak for is no reason to doubt the number. */
	if (stored && stored < counted &&
		linux_ring_points(c, info, gva_add(r->first, stored * r->stride), r->entries) < 3)
		return;
	r->nr = MIN(MAX(counted, 1u), c->left.rings);
	say(c, d, "it claims %" PRIu64 " rings at 0x%" PRIx64 ", %" PRIu64 " stand there", stored,
		r->first.v, counted);
}

bool linux_find_rings(
	struct linux_ctx *c, gva_t info, const struct blkdev *d, struct linux_rings *ret)
{
	const struct linux_layout *l = &c->l;
	struct err why = ERR_INIT;
	uint64_t rinfo, size;

	*ret = (struct linux_rings){0};
	if (!l->info_rinfo.present) {
		*ret = (struct linux_rings){
			.first = info, .nr = 1, .entries = settle_entries(c, info, info)};
		return true;
	}
	if (layout_read(c->g, info, &l->info_rinfo, &rinfo, &why) ||
		layout_read(c->g, info, &l->info_nr_rings, &ret->nr, &why)) {
		say(c, d, "its rings cannot be found: %s", why.text);
		return false;
	}
	if (c->rinfo && c->rinfo != rinfo) {
		say(c, d, "it has its rings at 0x%" PRIx64 ", but they are at 0x%" PRIx64, rinfo,
			c->rinfo);
		rinfo = c->rinfo;
	}
	if (!rinfo) {
		ret->nr = 0;
		if (is_connected(c, info))
			say(c, d, "it is connected, but has no rings");
		return !is_connected(c, info);
	}
	if (!ret->nr && !is_connected(c, info)) /* being torn down */
		return true;
	ret->first = GVA(rinfo);
	ret->entries = settle_entries(c, info, ret->first);
	ret->stride = l->info_rinfo_size.present
			      ? l->ring_shadow.off + (uint64_t)ret->entries * l->slot_bytes
			      : l->ring_bytes;
	if (l->info_rinfo_size.present &&
		!layout_read(c->g, info, &l->info_rinfo_size, &size, NULL) && size != ret->stride)
		say(c, d,
			"its rings would be %" PRIu64
			" bytes apart, for %u entries it takes %" PRIu64,
			size, ret->entries, ret->stride);
	settle_number(c, info, d, ret);
	return true;
}
