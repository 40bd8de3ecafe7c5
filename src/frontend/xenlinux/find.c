/* SPDX-License-Identifier: BSD-2-Clause
 *
 * find.c - where rec_ring and blk_ring are: by the symbols of a kernel that was named or of the
 * image, or by what only they look like.
 */
#include "frontend/xenlinux/xenlinux.h"

#include <string.h>

#include "base/num.h"

struct xl_slot xl_parse(const uint8_t raw[XL_SLOT_BYTES])
{
	struct xl_slot s = {
		.op = raw[0],
		.nr_seg = raw[1],
		.device = num_le16(raw + 2),
		.id = num_le32(raw + 4),
		.sector = num_le64(raw + 8),
	};
	unsigned i;

	for (i = 0; i < XL_MAX_SEGS; i++)
		s.fas[i] = num_le32(raw + 16 + 4 * i);
	return s;
}

const uint8_t *xl_ring_slot(const uint8_t ring[XL_RING_BYTES], uint32_t index)
{
	return ring + XL_RING_HDR + (size_t)(index % XL_SLOTS) * XL_SLOT_BYTES;
}

bool xl_is_used(const struct xl_slot *s)
{
	return s->id >= XL_KERNEL_LOW;
}

/* From `head` through the free slots: ends at NIL after each of them, once. */
static bool list_closes(const struct xl_slot log[XL_SLOTS], uint32_t head)
{
	unsigned nr = 0, free = 0, i;

	for (i = 0; i < XL_SLOTS; i++)
		free += !xl_is_used(&log[i]);
	for (; head < XL_SLOTS && !xl_is_used(&log[head]) && nr <= XL_SLOTS; nr++)
		head = log[head].id;
	return head == XL_NIL && nr == free;
}

/* The free slot that no other links to. */
static uint32_t head_of(const struct xl_slot log[XL_SLOTS])
{
	bool linked[XL_SLOTS] = {false};
	unsigned i;

	for (i = 0; i < XL_SLOTS; i++)
		if (log[i].id < XL_SLOTS)
			linked[log[i].id] = true;
	for (i = 0; i < XL_SLOTS; i++)
		if (!xl_is_used(&log[i]) && !linked[i])
			return i;
	return XL_NIL;
}

static bool fas_fits(const struct guest *g, uint32_t fas)
{
	return !(fas & 0xfc0) && (fas >> 3 & 7) <= (fas & 7) &&
	       fas >> PAGE_SHIFT < guest_info(g)->nr_pfns;
}

/* Is it a request as the driver logs it? */
static bool used_fits(const struct guest *g, const struct xl_slot *s)
{
	unsigned i;

	if (s->op > XL_OP_PROBE || !s->nr_seg || s->nr_seg > XL_MAX_SEGS || s->id % 4)
		return false;
	for (i = 0; s->op != XL_OP_PROBE && i < s->nr_seg; i++)
		if (!fas_fits(g, s->fas[i]))
			return false;
	return true;
}

static void parse_log(const uint8_t *raw, struct xl_state *st)
{
	unsigned i;

	st->nr_used = 0;
	for (i = 0; i < XL_SLOTS; i++) {
		st->log[i] = xl_parse(raw + (size_t)i * XL_SLOT_BYTES);
		st->nr_used += xl_is_used(&st->log[i]);
	}
}

/* Slots as the driver leaves them: a link that no other slot has, or a request. */
static unsigned log_points(const struct guest *g, const struct xl_state *st)
{
	bool linked[XL_SLOTS] = {false}, ended = false;
	unsigned i, points = 0;

	for (i = 0; i < XL_SLOTS; i++) {
		const struct xl_slot *s = &st->log[i];

		if (xl_is_used(s)) {
			points += used_fits(g, s);
		} else if (s->id < XL_SLOTS) {
			points += !linked[s->id] && s->id != i;
			linked[s->id] = true;
		} else {
			points += s->id == XL_NIL && !ended;
			ended |= s->id == XL_NIL;
		}
	}
	return points;
}

/* One of 64 may be damaged, and with it the list, which has to close where nothing else tells. */
static bool log_fits(const struct guest *g, const struct xl_state *st)
{
	return log_points(g, st) >= XL_SLOTS - 1 &&
	       (st->nr_used || list_closes(st->log, head_of(st->log)));
}

/* Most places are none at the first or second slot. */
static bool begins_like_log(const uint8_t *raw)
{
	uint32_t a = num_le32(raw + 4), b = num_le32(raw + 4 + XL_SLOT_BYTES);
	bool link_a = a < XL_SLOTS || a == XL_NIL, link_b = b < XL_SLOTS || b == XL_NIL;

	return (link_a || a >= XL_KERNEL_LOW) && (link_b || b >= XL_KERNEL_LOW) && a != b;
}

static bool try_log(struct guest *g, uint32_t va, struct xl_state *st)
{
	uint8_t raw[XL_LOG_BYTES];

	if (guest_read(g, GVA(va), raw, sizeof(raw), NULL))
		return false;
	parse_log(raw, st);
	if (!log_fits(g, st))
		return false;
	st->log_va = va;
	return true;
}

/* How many requests of the log stand on that ring, each under its slot's number and unanswered. */
static unsigned ring_matches(const struct xl_state *st, const uint8_t *ring)
{
	uint32_t req = num_le32(ring), rsp = num_le32(ring + 4), i;
	unsigned nr = 0;

	if (req - rsp > XL_SLOTS)
		return 0;
	for (i = rsp; i != req; i++) {
		struct xl_slot w = xl_parse(xl_ring_slot(ring, i));
		const struct xl_slot *log = &st->log[w.id % XL_SLOTS];

		nr += w.id < XL_SLOTS && xl_is_used(log) && log->op == w.op &&
		      log->nr_seg == w.nr_seg && log->sector == w.sector && log->device == w.device;
	}
	return nr;
}

static void take_ring(struct xl_state *st, uint32_t va, pfn_t pfn, const uint8_t *page)
{
	memcpy(st->ring, page, sizeof(st->ring));
	st->ring_known = true;
	st->ring_va = va;
	st->ring_pfn = pfn;
	st->req_prod = num_le32(page);
	st->resp_prod = num_le32(page + 4);
}

static void scan_rings(struct guest *g, struct xl_state *st)
{
	uint64_t pfn, nr = guest_info(g)->nr_pfns;
	unsigned best = 0;

	st->ring_known = false;
	for (pfn = 0; pfn < nr; pfn++) {
		const uint8_t *page = guest_peek(g, PFN(pfn));
		unsigned matches = page ? ring_matches(st, page) : 0;

		if (matches <= best)
			continue;
		best = matches;
		take_ring(st, XL_KERNEL_LOW + (uint32_t)(pfn << PAGE_SHIFT), PFN(pfn), page);
	}
}

/* With one slot damaged, a log seems to begin a slot early, or late: of the places around, the one
 * that holds together best, and that a ring agrees with. */
static bool settle_log(struct guest *g, uint32_t va, struct xl_state *st)
{
	unsigned best = 0;
	uint32_t at = va, k;

	for (k = 0; k < 3; k++) {
		uint32_t there = va + k * XL_SLOT_BYTES;
		unsigned points;

		if (!try_log(g, there, st))
			continue;
		scan_rings(g, st);
		points = log_points(g, st) + list_closes(st->log, head_of(st->log)) +
			 (st->ring_known ? ring_matches(st, st->ring) : 0);
		if (points <= best)
			continue;
		best = points;
		at = there;
	}
	if (!best || !try_log(g, at, st))
		return false;
	scan_rings(g, st);
	return true;
}

/* All of the kernel's direct map, page by page; a log may begin anywhere in it. */
static bool scan_logs(struct guest *g, struct xl_state *st)
{
	uint64_t pfn, nr = MIN(guest_info(g)->nr_pfns, (UINT32_MAX - XL_KERNEL_LOW) >> PAGE_SHIFT);
	uint8_t raw[2 * PAGE_BYTES] = {0};
	struct guest_map map;
	unsigned off;

	for (pfn = 0; pfn < nr; pfn++) {
		uint32_t va = XL_KERNEL_LOW + (uint32_t)(pfn << PAGE_SHIFT);
		const uint8_t *page = guest_peek(g, PFN(pfn)), *next;

		if (!page)
			continue;
		memcpy(raw, page, PAGE_BYTES);
		next = guest_peek(g, PFN(pfn + 1));
		memset(raw + PAGE_BYTES, 0, PAGE_BYTES);
		if (next)
			memcpy(raw + PAGE_BYTES, next, PAGE_BYTES);
		for (off = 0; off < PAGE_BYTES; off += 4) {
			if (!begins_like_log(raw + off))
				continue;
			parse_log(raw + off, st);
			if (log_fits(g, st) && !guest_translate(g, GVA(va), &map, NULL) &&
				map.pfn.v == pfn && settle_log(g, va + off, st))
				return true;
		}
	}
	return false;
}

static bool get_word(struct guest *g, const struct symbols *syms, const char *name, uint32_t *ret)
{
	gva_t at;

	return !symbols_get(syms, name, &at, NULL) && !guest_read_u32(g, at, ret, NULL);
}

/* The private variables are static; a table that has them tells more. */
static void read_statics(struct guest *g, const struct symbols *syms, struct xl_state *st)
{
	uint32_t ring, word;
	struct guest_map map;
	const uint8_t *page;

	st->indices_read = get_word(g, syms, "req_prod", &st->pvt_prod) &&
			   get_word(g, syms, "resp_cons", &st->rsp_cons);
	if (get_word(g, syms, "recovery", &word))
		st->recovering = word ? TRI_YES : TRI_NO;
	if (!get_word(g, syms, "blk_ring", &ring) || ring % PAGE_BYTES ||
		guest_translate(g, GVA(ring), &map, NULL))
		return;
	page = guest_page(g, map.pfn);
	if (page)
		take_ring(st, ring, map.pfn, page);
}

static bool by_symbols(
	struct guest *g, const struct symbols *syms, bool from_file, struct xl_state *st)
{
	gva_t log;
	uint8_t raw[XL_LOG_BYTES];

	if (!syms || symbols_get(syms, "rec_ring", &log, NULL) ||
		!get_word(g, syms, "rec_ring_free", &st->free_head) ||
		guest_read(g, log, raw, sizeof(raw), NULL))
		return false;
	parse_log(raw, st);
	/* NetBSD's variable of that name is a pointer: what stands there is no log. */
	if (log_points(g, st) < XL_SLOTS * 3 / 4)
		return false;
	st->log_va = (uint32_t)log.v;
	st->by = from_file ? BLK_BY_ELF_SYMBOLS : BLK_BY_KALLSYMS_BTF;
	read_statics(g, syms, st);
	return true;
}

/* Without the private indices: each used slot is a request whose answer was not consumed. */
static void settle_found(struct xl_state *st)
{
	if (st->by == BLK_BY_SCAN)
		st->free_head = head_of(st->log);
	st->free_list_ok = list_closes(st->log, st->free_head);
	if (st->indices_read)
		return;
	st->pvt_prod = st->req_prod;
	st->rsp_cons = st->pvt_prod - st->nr_used;
}

bool xl_find(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct xl_state *ret)
{
	const struct linux_kernel *own = kernel_linux(k);
	bool found = false;

	*ret = (struct xl_state){
		.by = BLK_BY_SCAN, .ring_pfn = PFN(UINT64_MAX), .recovering = TRI_UNKNOWN};
	/* Of Xen 2.0: the only images that have its record. A guest runs one driver. */
	if (s->nr_devices || guest_info(g)->suspend_record.v == UINT64_MAX ||
		guest_pt_levels(g) != 2)
		return false;
	if (opt->locate != FRONTEND_LOCATE_SCAN)
		found = by_symbols(g, k->file, true, ret) ||
			by_symbols(g, own ? own->symbols : NULL, false, ret);
	if (!found && opt->locate != FRONTEND_LOCATE_SYMBOLS) {
		s->every_page = true;
		found = scan_logs(g, ret);
	}
	if (!found)
		return false;
	if (!ret->ring_known && opt->locate == FRONTEND_LOCATE_AUTO)
		scan_rings(g, ret);
	settle_found(ret);
	snapshot_how(s, "xenlinux: rec_ring at 0x%x, %u of %u slots in use, the shared ring %s",
		ret->log_va, ret->nr_used, XL_SLOTS, ret->ring_known ? "found" : "not found");
	return true;
}
