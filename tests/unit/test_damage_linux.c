/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A real xen-blkfront with one thing damaged, without symbols and with them: it is still found,
 * and the rule for it speaks.
 *
 * struct blkfront_ring_info has its front ring (req_prod_pvt, rsp_cons, nr_ents, sring at 16)
 * behind a lock; from there shadow_free is at 200, dev_info at 208, the shadow at 216. struct
 * blk_shadow, 160 bytes: the request (operation u8, segments u8, handle u16, id u64 at 8, sector
 * u64 at 16, gref u32, first u8, last u8 at 24 and every 8 bytes), request at 112, grants_used 120,
 * sg 136, num_sg u32 144, status u32 148, associated_id 152. The shared ring: req_prod, req_event,
 * rsp_prod, rsp_event, requests of 112 bytes at 64.
 */
#include "lab.h"

#include <inttypes.h>

#define SLOT	   160u
#define OFF_ID	   8u
#define OFF_SECTOR 16u
#define OFF_SEG	   24u
#define NIL	   0x0fffffffu

struct objects {
	uint64_t info, front, sring, shadow; /* of the ring that is damaged */
	uint64_t rinfo;			     /* the member of info */
	uint32_t entries, pvt, cons;
	unsigned used[512], nr_used, free[512], nr_free;
	unsigned rw; /* a used slot with a read or write of one segment at least */
	unsigned write;
	uint64_t newest; /* the newest request of the ring that is not answered */
	unsigned newest_slot;
};

static uint64_t slot_at(const struct objects *o, unsigned slot, unsigned off)
{
	return o->shadow + SLOT * slot + off;
}

/* The first word of that value in a structure. */
static uint64_t find_word(struct lab *l, uint64_t base, unsigned bytes, uint64_t v)
{
	uint64_t at;

	for (at = base; at < base + bytes; at += 8)
		if (lab_get(l, at, 8) == v)
			return at;
	fail_msg("0x%" PRIx64 " does not hold 0x%" PRIx64, base, v);
	return 0;
}

static void find_slots(struct lab *l, struct objects *o, const struct io_ring *r)
{
	uint64_t i;

	for (i = 0; i < r->entries; i++)
		if (r->slots[i].used)
			o->used[o->nr_used++] = (unsigned)i;
	for (i = r->free_head; i != NIL; i = lab_get(l, slot_at(o, (unsigned)i, OFF_ID), 8)) {
		assert_true(i < r->entries && o->nr_free < r->entries);
		o->free[o->nr_free++] = (unsigned)i;
	}
	assert_true(o->nr_used > 4 && o->nr_free > 4);
}

static void find_requests(struct objects *o, const struct blkdev *d, unsigned ring)
{
	const struct io_ring *r = &d->rings[ring];
	size_t i;

	for (i = 0; i < d->nr_requests; i++) {
		const struct io_request *q = &d->requests[i];

		if (q->ring != ring || !q->nr_seg || q->flags & IO_FLAG_INDIRECT)
			continue;
		o->rw = q->slot;
		if (q->op == IO_WRITE)
			o->write = q->slot;
	}
	for (i = 0; i < r->nr_window; i++)
		if (!r->window[i].is_response && r->window[i].id < r->entries &&
			r->slots[r->window[i].id].used && r->window[i].wire_op <= 1) {
			o->newest_slot = (unsigned)r->window[i].id;
			o->newest = o->sring + 64 + 112 * (r->window[i].index % r->entries);
		}
	assert_true(o->newest);
}

static struct objects look(struct lab *l, unsigned device, unsigned ring)
{
	const struct blkdev *d = &l->snap.devices[device];
	const struct io_ring *r = &d->rings[ring];
	struct objects o = {.info = d->va.v, .sring = r->sring_va.v, .shadow = r->shadow_va.v};

	o.front = o.shadow - 216;
	o.entries = r->entries;
	o.pvt = r->req_prod_pvt;
	o.cons = r->rsp_cons;
	assert_int_equal(lab_get(l, o.front + 8, 4), r->entries);
	assert_int_equal(lab_get(l, o.front + 16, 8), o.sring);
	o.rinfo = find_word(l, o.info, 1024, d->rings[0].va.v);
	find_slots(l, &o, r);
	find_requests(&o, d, ring);
	return o;
}

#define DAMAGE(name) static void name(struct lab *l, const struct objects *o)

DAMAGE(list_in_a_circle)
{
	lab_put(l, slot_at(o, o->free[3], OFF_ID), o->free[1], 8);
}

DAMAGE(list_leads_out)
{
	lab_put(l, slot_at(o, o->free[2], OFF_ID), o->entries + 7, 8);
}

DAMAGE(list_without_end)
{
	lab_put(l, slot_at(o, o->free[o->nr_free - 1], OFF_ID), 0x123456789, 8);
}

DAMAGE(head_wild)
{
	lab_put(l, o->front + 200, 0xdeadbeef, 8);
}

DAMAGE(list_leads_to_used)
{
	lab_put(l, slot_at(o, o->free[2], OFF_ID), o->used[2], 8);
}

DAMAGE(list_leaves_some_out)
{
	lab_put(l, o->front + 200, o->free[2], 8);
}

DAMAGE(request_gone)
{
	lab_put(l, slot_at(o, o->used[3], 112), 0, 8);
}

DAMAGE(free_slot_used)
{
	lab_put(l, slot_at(o, o->free[o->nr_free - 1], 112),
		lab_get(l, slot_at(o, o->used[3], 112), 8) + 64, 8);
}

DAMAGE(pvt_ahead)
{
	lab_put(l, o->front, o->pvt + 1, 4);
}

DAMAGE(pvt_wild)
{
	lab_put(l, o->front, 0xdeadbeef, 4);
}

DAMAGE(cons_wild)
{
	lab_put(l, o->front + 4, 0x31415926, 4);
}

DAMAGE(entries_wild)
{
	lab_put(l, o->front + 8, 33, 4);
}

DAMAGE(entries_double)
{
	lab_put(l, o->front + 8, 2 * o->entries, 4);
}

DAMAGE(entries_gone)
{
	lab_put(l, o->front + 8, 0, 4);
}

DAMAGE(sring_pointer_odd)
{
	lab_put(l, o->front + 16, o->sring + 8, 8);
}

DAMAGE(sring_pointer_wild)
{
	lab_put(l, o->front + 16, 0x1234567890, 8);
}

DAMAGE(dev_info_wild)
{
	lab_put(l, o->front + 208, 0x4141414141414141, 8);
}

DAMAGE(dev_info_off)
{
	lab_put(l, o->front + 208, o->info + 8, 8);
}

DAMAGE(rinfo_wild)
{
	lab_put(l, o->rinfo, 0x4242424242424242, 8);
}

DAMAGE(rinfo_off)
{
	lab_put(l, o->rinfo, lab_get(l, o->rinfo, 8) + 4096, 8);
}

DAMAGE(rinfo_gone)
{
	lab_put(l, o->rinfo, 0, 8);
}

DAMAGE(nr_rings_gone)
{
	lab_put(l, o->rinfo + 8, 0, 4);
}

DAMAGE(nr_rings_wild)
{
	lab_put(l, o->rinfo + 8, 0x77777777, 4);
}

DAMAGE(nr_rings_many)
{
	lab_put(l, o->rinfo + 8, lab_get(l, o->rinfo + 8, 4) + 3, 4);
}

DAMAGE(rinfo_size_wild)
{
	lab_put(l, o->rinfo + 12, lab_get(l, o->rinfo + 12, 4) + 24, 4);
}

DAMAGE(req_prod_ahead)
{
	lab_put(l, o->sring, o->pvt + 2, 4);
}

DAMAGE(req_prod_wild)
{
	lab_put(l, o->sring, 0x80001000, 4);
}

DAMAGE(rsp_prod_beyond)
{
	lab_put(l, o->sring + 8, o->pvt + 1, 4);
}

DAMAGE(rsp_prod_wild)
{
	lab_put(l, o->sring + 8, 0xcafe0000, 4);
}

/* An answer appears where the oldest request stood. */
static void answer(struct lab *l, const struct objects *o, uint64_t id, unsigned op)
{
	uint64_t at = o->sring + 64 + 112 * (o->cons % o->entries);

	lab_put(l, o->sring + 8, o->cons + 1, 4);
	lab_put(l, at, id, 8);
	lab_put(l, at + 8, op, 1);
	lab_put(l, at + 10, 0, 2);
}

DAMAGE(answer_for_no_slot)
{
	answer(l, o, o->entries + 9, 0);
}

DAMAGE(answer_for_free_slot)
{
	answer(l, o, o->free[1], 0);
}

DAMAGE(answer_for_other_operation)
{
	answer(l, o, o->rw, 3);
}

DAMAGE(ring_operation)
{
	lab_put(l, o->newest, lab_get(l, o->newest, 1) ^ 1, 1);
}

DAMAGE(ring_sector)
{
	lab_put(l, o->newest + OFF_SECTOR, lab_get(l, o->newest + OFF_SECTOR, 8) ^ 64, 8);
}

DAMAGE(ring_grant)
{
	lab_put(l, o->newest + OFF_SEG, lab_get(l, o->newest + OFF_SEG, 4) ^ 64, 4);
}

DAMAGE(unknown_operation)
{
	lab_put(l, slot_at(o, o->rw, 0), 9, 1);
}

DAMAGE(too_many_segments)
{
	lab_put(l, slot_at(o, o->rw, 1), 200, 1);
}

DAMAGE(no_segments)
{
	lab_put(l, slot_at(o, o->rw, 1), 0, 1);
}

DAMAGE(sectors_descend)
{
	lab_put(l, slot_at(o, o->rw, OFF_SEG + 4), 5, 1);
	lab_put(l, slot_at(o, o->rw, OFF_SEG + 5), 3, 1);
}

DAMAGE(sectors_beyond_page)
{
	lab_put(l, slot_at(o, o->rw, OFF_SEG + 5), 9, 1);
}

DAMAGE(page_beyond_guest)
{
	uint64_t sg = lab_get(l, slot_at(o, o->rw, 136), 8), page = lab_get(l, sg, 8);

	lab_put(l, sg, page + 64 * ckpt_info(l->ck)->nr_pfns, 8);
}

DAMAGE(page_pointer_wild)
{
	lab_put(l, lab_get(l, slot_at(o, o->rw, 136), 8), 0x1112131415161718, 8);
}

DAMAGE(page_pointer_odd)
{
	uint64_t sg = lab_get(l, slot_at(o, o->rw, 136), 8);

	lab_put(l, sg, lab_get(l, sg, 8) + 8, 8);
}

DAMAGE(sg_wild)
{
	lab_put(l, slot_at(o, o->rw, 136), 0x5151515151515151, 8);
}

DAMAGE(num_sg_wild)
{
	lab_put(l, slot_at(o, o->rw, 144), 0x10000, 4);
}

DAMAGE(num_sg_gone)
{
	lab_put(l, slot_at(o, o->rw, 144), 0, 4);
}

DAMAGE(other_handle)
{
	lab_put(l, slot_at(o, o->rw, 2), 4711, 2);
}

DAMAGE(other_id)
{
	lab_put(l, slot_at(o, o->used[2], OFF_ID), o->used[3], 8);
}

DAMAGE(request_pointer_odd)
{
	lab_put(l, slot_at(o, o->rw, 112), 0x7fff12345677, 8);
}

DAMAGE(request_pointer_twice)
{
	lab_put(l, slot_at(o, o->used[2], 112), lab_get(l, slot_at(o, o->used[3], 112), 8), 8);
}

DAMAGE(reserved_grant)
{
	uint64_t grant = lab_get(l, lab_get(l, slot_at(o, o->rw, 120), 8), 8);

	lab_put(l, slot_at(o, o->rw, OFF_SEG), 3, 4);
	lab_put(l, grant, 3, 4);
}

DAMAGE(associated)
{
	lab_put(l, slot_at(o, o->rw, 152), o->used[1], 8);
}

/* vdevice, handle, connected and nr_ring_pages stand one behind the other. */
static uint64_t vdevice(struct lab *l, const struct objects *o)
{
	uint64_t at;

	for (at = o->info; at < o->info + 256; at += 4)
		if (lab_get(l, at, 4) == 51712 && lab_get(l, at + 4, 2) == 51712)
			return at;
	fail_msg("no vdevice");
	return 0;
}

DAMAGE(disconnected)
{
	lab_put(l, vdevice(l, o) + 8, 0, 4);
}

DAMAGE(state_wild)
{
	lab_put(l, vdevice(l, o) + 8, 0x55aa55aa, 4);
}

DAMAGE(vdevice_wild)
{
	lab_put(l, vdevice(l, o), 0x12345678, 4);
}

DAMAGE(ring_pages_wild)
{
	lab_put(l, vdevice(l, o) + 12, 99, 4);
}

DAMAGE(disk_pointer_wild)
{
	lab_put(l, vdevice(l, o) - 24, 0x6161616161616161, 8);
}

DAMAGE(sring_gone)
{
	lab_put(l, o->sring, ~0ull, 8);
	lab_put(l, o->sring + 8, ~0ull, 8);
}

DAMAGE(ring_and_shadow)
{
	entries_wild(l, o);
	list_without_end(l, o);
}

/* A rule: "" any finding that is no note. */
static const struct row {
	const char *what;
	void (*damage)(struct lab *l, const struct objects *o);
	const char *rule, * or ;
	int pending; /* more or fewer of them than there were */
} rows[] = {
	{"H.1-1 circle", list_in_a_circle, "XB101", NULL, 0},
	{"H.1-1 out of range", list_leads_out, "XB102", NULL, 0},
	{"H.1-1 no end", list_without_end, "XB102", NULL, 0},
	{"H.1-1 head", head_wild, "XB102", NULL, 0},
	{"H.1-2 used and on the list", list_leads_to_used, "XB103", NULL, 0},
	{"H.1-2 free and not on the list", list_leaves_some_out, "XB104", NULL, 0},
	{"H.1-2 a request vanished", request_gone, "XB105", NULL, -1},
	{"H.1-2 a request appeared", free_slot_used, "XB105", NULL, 1},
	{"H.1-3 pvt ahead", pvt_ahead, "XB105", NULL, 0},
	{"H.1-3 pvt wild", pvt_wild, "XB106", NULL, 0},
	{"H.1-3 cons wild", cons_wild, "XB106", NULL, 0},
	{"entries no power of two", entries_wild, "XB311", NULL, 0},
	{"entries doubled", entries_double, "XB311", NULL, 0},
	{"entries gone", entries_gone, "XB311", NULL, 0},
	{"sring not at a page", sring_pointer_odd, "XB311", NULL, 0},
	{"sring wild", sring_pointer_wild, "XB311", NULL, 0},
	{"rinfo wild", rinfo_wild, "XB311", NULL, 0},
	{"rinfo off", rinfo_off, "XB311", NULL, 0},
	{"rinfo gone", rinfo_gone, "XB311", NULL, 0},
	{"nr_rings gone", nr_rings_gone, "XB311", NULL, 0},
	{"nr_rings wild", nr_rings_wild, "XB311", NULL, 0},
	{"nr_rings too many", nr_rings_many, "XB311", NULL, 0},
	{"rinfo_size", rinfo_size_wild, "XB311", NULL, 0},
	{"H.1-4 req_prod ahead", req_prod_ahead, "XB107", NULL, 0},
	{"H.1-4 req_prod wild", req_prod_wild, "XB107", NULL, 0},
	{"H.1-4 rsp_prod beyond", rsp_prod_beyond, "XB107", NULL, 0},
	{"H.1-4 rsp_prod wild", rsp_prod_wild, "XB107", NULL, 0},
	{"H.1-4 no header", sring_gone, "XB107", NULL, 0},
	{"H.1-5 answer for no slot", answer_for_no_slot, "XB109", NULL, 0},
	{"H.1-5 answer for a free slot", answer_for_free_slot, "XB108", NULL, 0},
	{"H.1-5 answer for another operation", answer_for_other_operation, "XB110", NULL, 0},
	{"H.1-6 operation in the ring", ring_operation, "XB113", NULL, 0},
	{"H.1-6 sector in the ring", ring_sector, "XB113", NULL, 0},
	{"H.1-6 grant in the ring", ring_grant, "XB113", NULL, 0},
	{"H.1-7 operation", unknown_operation, "XB114", NULL, 0},
	{"H.1-7 too many segments", too_many_segments, "XB115", NULL, 0},
	{"H.1-7 no segments", no_segments, "XB117", "XB306", 0},
	{"H.1-7 sectors descend", sectors_descend, "XB116", NULL, 0},
	{"H.1-7 sectors beyond the page", sectors_beyond_page, "XB116", NULL, 0},
	{"H.1-8 page beyond the guest", page_beyond_guest, "XB119", "XB132", 0},
	{"H.1-8 page pointer wild", page_pointer_wild, "XB132", NULL, 0},
	{"H.1-8 page pointer odd", page_pointer_odd, "XB132", NULL, 0},
	{"H.1-12 other device", other_handle, "XB309", NULL, 0},
	{"H.1-13 other id", other_id, "XB126", NULL, 0},
	{"H.1-13 request pointer", request_pointer_odd, "XB308", NULL, 0},
	{"H.1-14 reserved grant", reserved_grant, "XB127", NULL, 0},
	{"H.1-15 disconnected", disconnected, "XB130", NULL, 0},
	{"H.1-15 state wild", state_wild, "XB311", NULL, 0},
	{"H.2-27 scatter list wild", sg_wild, "XB132", NULL, 0},
	{"H.2-27 num_sg wild", num_sg_wild, "XB132", "XB115", 0},
	{"H.2-27 num_sg gone", num_sg_gone, "XB132", "XB306", 0},
	{"H.2-29 request pointer twice", request_pointer_twice, "XB303", NULL, 0},
	{"H.2-29 associated", associated, "XB302", NULL, 0},
	{"vdevice", vdevice_wild, "", NULL, 0},
	{"nr_ring_pages", ring_pages_wild, "", NULL, 0},
	{"gendisk", disk_pointer_wild, "", NULL, 0},
};

/* What takes a second ring of the device, or symbols. */
static const struct row harder[] = {
	{"dev_info wild", dev_info_wild, "XB311", NULL, 0},
	{"dev_info off", dev_info_off, "XB311", NULL, 0},
	{"entries and the list's end", ring_and_shadow, "XB311", NULL, 0},
};

static bool speaks(const struct lab *l, const struct row *row)
{
	size_t i;

	for (i = 0; i < lab_nr_findings(l); i++) {
		const struct finding *f = lab_finding(l, i);

		if (!*row->rule ? catalogue_find(f->rule)->severity != SEVERITY_NOTE &&
					  strcmp(f->rule, "XB010")
				: !strcmp(f->rule, row->rule) ||
					  (row->or &&!strcmp(f->rule, row->or)))
			return true;
	}
	return false;
}

static unsigned judge(struct lab *l, const struct row *row, size_t pending, const char *where)
{
	int status = lab_status(l);

	if (speaks(l, row) && status && status != 4 &&
		lab_pending(l) == pending + (size_t)(int64_t)row->pending)
		return 0;
	lab_print(l, row->what);
	print_error("%s, %s: no %s, or %zu pending requests of %zu, status %d\n", where, row->what,
		row->rule, lab_pending(l), pending, status);
	return 1;
}

static unsigned each_row(
	struct lab *l, const struct objects *o, const struct row *row, size_t nr, const char *where)
{
	size_t i, pending = lab_pending(l);
	unsigned bad = 0;

	for (i = 0; i < nr; i++) {
		row[i].damage(l, o);
		lab_run(l);
		bad += judge(l, &row[i], pending, where);
		lab_mend(l);
	}
	lab_run(l);
	return bad;
}

static unsigned all_rows(struct lab *l, unsigned ring, bool harder_too, const char *where)
{
	struct objects o = look(l, 0, ring);
	unsigned bad;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (*rows[i].rule)
			assert_int_equal(lab_seen(l, rows[i].rule), 0);
	bad = each_row(l, &o, rows, ARRAY_SIZE(rows), where);
	return bad + (harder_too ? each_row(l, &o, harder, ARRAY_SIZE(harder), where) : 0);
}

static const struct {
	const char *fixture;
	unsigned ring;
} images[] = {
	{"linux-6.1-base", 0},
	{"linux-6.1-pvh", 0},
	{"linux-7.3-mq", 1},
};

static void damage_is_judged_without_symbols(void **state UNUSED)
{
	unsigned bad = 0;
	struct lab l;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(images); i += test_sample()) {
		lab_load(&l, images[i].fixture, FRONTEND_LOCATE_AUTO);
		lab_strip_symbols(&l);
		assert_int_equal(l.snap.devices[0].located_by, BLK_BY_SCAN);
		bad += all_rows(&l, images[i].ring, images[i].ring > 0, images[i].fixture);
		lab_close(&l);
	}
	assert_int_equal(bad, 0);
}

static void damage_is_judged_with_symbols(void **state UNUSED)
{
	unsigned bad = 0;
	struct lab l;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(images); i += test_sample()) {
		lab_load(&l, images[i].fixture, FRONTEND_LOCATE_AUTO);
		assert_int_equal(l.snap.devices[0].located_by, BLK_BY_KALLSYMS_BTF);
		bad += all_rows(&l, images[i].ring, true, images[i].fixture);
		lab_close(&l);
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_is_judged_without_symbols),
		cmocka_unit_test(damage_is_judged_with_symbols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
