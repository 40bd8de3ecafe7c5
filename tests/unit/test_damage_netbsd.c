/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A real recovery ring with one thing damaged: it is still found, and the rule for it speaks.
 *
 * blkif_request_t of Xen 2.0: operation u8, nr_segments u8, device u16, id u32 at 4, sector u64 at
 * 8, frame_and_sects[11] at 16, 60 bytes; the shared ring has req_prod and resp_prod before 64 of
 * them. struct xbdreq: xr_parent at 4, xr_bdone at 24, xr_breq at 36.
 */
#include "lab.h"

#include <dirent.h>
#include <unistd.h>

#include "frontend/netbsd/scan.h"

#define SLOT	 60u
#define OFF_NSEG 1u
#define OFF_DEV	 2u
#define OFF_ID	 4u
#define OFF_FAS	 16u
#define NIL	 4095u

struct objects {
	uint64_t log, ring, rec_ring;
	uint32_t req_prod;
	unsigned used[64], nr_used, free[64], nr_free;
	/* The newest request that stands in the ring and is not answered: its place and slot. */
	uint64_t newest;
	unsigned newest_slot;
};

static bool is_used(const struct objects *o, uint64_t slot)
{
	unsigned i;

	for (i = 0; i < o->nr_used && o->used[i] != slot; i++)
		;
	return i < o->nr_used;
}

static void find_newest(struct objects *o, const struct io_ring *r)
{
	size_t i;

	for (i = 0; i < r->nr_window; i++)
		if (!r->window[i].is_response && is_used(o, r->window[i].id)) {
			o->newest_slot = (unsigned)r->window[i].id;
			o->newest = o->ring + 8 + SLOT * (r->window[i].index % 64);
		}
}

static struct objects look(struct lab *l)
{
	const struct io_ring *r = &l->snap.devices[0].rings[0];
	struct objects o = {.log = r->shadow_va.v, .ring = r->sring_va.v, .rec_ring = r->va.v};
	unsigned i;

	o.req_prod = r->sring_req_prod;
	for (i = 0; i < 64; i++)
		if (lab_get(l, o.log + SLOT * i + OFF_ID, 4) > NIL)
			o.used[o.nr_used++] = i;
	for (i = (unsigned)r->free_head; i != NIL;
		i = (unsigned)lab_get(l, o.log + SLOT * i + OFF_ID, 4)) {
		assert_true(i < 64 && o.nr_free < 64);
		o.free[o.nr_free++] = i;
	}
	find_newest(&o, r);
	return o;
}

static uint64_t in_log(const struct objects *o, unsigned slot, unsigned off)
{
	return o->log + SLOT * slot + off;
}

static void id_no_pointer(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->used[5], OFF_ID), 200, 4);
}

static void id_of_user(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->used[5], OFF_ID), 0x12345678, 4);
}

static void id_off_the_array(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->used[5], OFF_ID), lab_get(l, in_log(o, o->used[5], OFF_ID), 4) + 2,
		4);
}

static void id_twice(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->used[5], OFF_ID), lab_get(l, in_log(o, o->used[6], OFF_ID), 4), 4);
}

static void id_becomes_a_link(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->used[5], OFF_ID), o->free[3], 4);
}

static void list_in_a_circle(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->free[o->nr_free - 1], OFF_ID), o->free[2], 4);
}

static void list_leads_out(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->free[4], OFF_ID), 99, 4);
}

static void list_leads_to_used(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->free[4], OFF_ID), o->used[1], 4);
}

static void list_leaves_some_out(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->free[4], OFF_ID), o->free[6], 4);
}

static void list_ends_early(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->free[4], OFF_ID), NIL, 4);
}

static void unknown_operation(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->used[5], 0), 9, 1);
}

static void too_many_segments(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->used[5], OFF_NSEG), 200, 1);
}

static void no_segments(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->used[5], OFF_NSEG), 0, 1);
}

static void sectors_descend(struct lab *l, const struct objects *o)
{
	uint64_t fas = in_log(o, o->used[5], OFF_FAS);

	lab_put(l, fas, (lab_get(l, fas, 4) & ~0x3full) | 6 << 3 | 2, 4);
}

static void frame_below_bias(struct lab *l, const struct objects *o)
{
	uint64_t fas = in_log(o, o->used[5], OFF_FAS);

	lab_put(l, fas, (lab_get(l, fas, 4) & 0xfff) | 0x42000, 4);
}

static void frame_beyond_guest(struct lab *l, const struct objects *o)
{
	uint64_t fas = in_log(o, o->used[5], OFF_FAS);

	lab_put(l, fas, (lab_get(l, fas, 4) & 0xfff) | 0x7f000000, 4);
}

static void frame_is_page_table(struct lab *l, const struct objects *o)
{
	uint64_t fas = in_log(o, o->used[5], OFF_FAS);
	size_t i;

	for (i = 0; i < ckpt_nr_runs(l->ck); i++)
		if (ckpt_run(l->ck, i).type == 1)
			break;
	assert_true(i < ckpt_nr_runs(l->ck));
	lab_put(l, fas, (ckpt_run(l->ck, i).pfn + 0x100) << 12 | (lab_get(l, fas, 4) & 0xfff), 4);
}

static void unknown_device(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->used[5], OFF_DEV), 0x0305, 2);
}

static void impossible_device(struct lab *l, const struct objects *o)
{
	lab_put(l, in_log(o, o->used[5], OFF_DEV), 0xfedc, 2);
}

static void req_prod_ahead(struct lab *l, const struct objects *o)
{
	lab_put(l, o->ring, o->req_prod + 5, 4);
}

static void req_prod_wild(struct lab *l, const struct objects *o)
{
	lab_put(l, o->ring, 0xdeadbeef, 4);
}

static void resp_prod_beyond(struct lab *l, const struct objects *o)
{
	lab_put(l, o->ring + 4, o->req_prod + 3, 4);
}

static void resp_prod_wild(struct lab *l, const struct objects *o)
{
	lab_put(l, o->ring + 4, 0x80000000, 4);
}

static void header_gone(struct lab *l, const struct objects *o)
{
	lab_put(l, o->ring, 0xffffffffffffffff, 8);
}

static void ring_operation(struct lab *l, const struct objects *o)
{
	uint64_t at = o->newest;

	lab_put(l, at, lab_get(l, in_log(o, o->newest_slot, 0), 1) ^ 1, 1);
}

static void ring_segments(struct lab *l, const struct objects *o)
{
	uint64_t at = o->newest;

	lab_put(l, at + OFF_NSEG, lab_get(l, at + OFF_NSEG, 1) % 11 + 1, 1);
}

static void ring_frame(struct lab *l, const struct objects *o)
{
	uint64_t at = o->newest;

	lab_put(l, at + OFF_FAS, lab_get(l, at + OFF_FAS, 4) ^ 0x5000, 4);
}

static void ring_sector(struct lab *l, const struct objects *o)
{
	uint64_t at = o->newest;

	lab_put(l, at + 8, lab_get(l, at + 8, 8) ^ 0x40, 8);
}

static void request_parent(struct lab *l, const struct objects *o)
{
	uint64_t request = lab_get(l, in_log(o, o->used[5], OFF_ID), 4);

	lab_put(l, request + 4, lab_get(l, request + 4, 4) + 4, 4);
}

static void request_length(struct lab *l, const struct objects *o)
{
	uint64_t request = lab_get(l, in_log(o, o->used[5], OFF_ID), 4);

	lab_put(l, request + 36, lab_get(l, request + 36, 4) + 512, 4);
}

static void pointer_to_log(struct lab *l, const struct objects *o)
{
	lab_put(l, o->rec_ring, 0, 4);
}

/* blk_ring is one of the variables beside rec_ring. */
static uint64_t blk_ring(struct lab *l, const struct objects *o)
{
	int i;

	for (i = -64; i < 64; i++)
		if (lab_get(l, o->rec_ring + 4 * (uint64_t)i, 4) == o->ring)
			return o->rec_ring + 4 * (uint64_t)i;
	fail_msg("no blk_ring");
	return 0;
}

/* The log and the place of the ring are found all the same. */
static void pointer_to_ring(struct lab *l, const struct objects *o)
{
	lab_put(l, blk_ring(l, o), 0x1000, 4);
	lab_put(l, o->ring + 4, o->req_prod + 3, 4);
}

static void several_words(struct lab *l, const struct objects *o)
{
	header_gone(l, o);
	id_no_pointer(l, o);
	list_leads_out(l, o);
	lab_put(l, in_log(o, o->used[8], 0), 0xffffffff, 4);
	lab_put(l, blk_ring(l, o), 0xffffffff, 4);
}

static const struct row {
	const char *what;
	void (*damage)(struct lab *l, const struct objects *o);
	const char *rule;
	unsigned hidden; /* requests that are none any more */
} rows[] = {
	{"H.1-1 id neither link nor pointer", id_no_pointer, "XB102", 1},
	{"H.1-1 id becomes a link", id_becomes_a_link, "XB105", 1},
	{"H.1-1 circle", list_in_a_circle, "XB101", 0},
	{"H.1-1 out of range", list_leads_out, "XB102", 0},
	{"H.1-2 used and on the list", list_leads_to_used, "XB103", 0},
	{"H.1-2 free and not on the list", list_leaves_some_out, "XB104", 0},
	{"H.1-2 early end", list_ends_early, "XB104", 0},
	{"H.1-4 req_prod too high", req_prod_ahead, "XB107", 0},
	{"H.1-4 req_prod wild", req_prod_wild, "XB107", 0},
	{"H.1-4 resp_prod beyond req_prod", resp_prod_beyond, "XB107", 0},
	{"H.1-4 resp_prod wild", resp_prod_wild, "XB107", 0},
	{"H.1-4 no header at all", header_gone, "XB107", 0},
	{"H.1-6 operation in the ring", ring_operation, "XB113", 0},
	{"H.1-6 segment count in the ring", ring_segments, "XB113", 0},
	{"H.1-6 frame in the ring", ring_frame, "XB211", 0},
	{"H.1-6 sector in the ring", ring_sector, "XB211", 0},
	{"H.1-7 operation", unknown_operation, "XB114", 0},
	{"H.1-7 too many segments", too_many_segments, "XB115", 0},
	{"H.1-7 no segments", no_segments, "XB117", 0},
	{"H.1-7 sectors descend", sectors_descend, "XB116", 0},
	{"H.1-8 frame beyond the guest", frame_beyond_guest, "XB119", 0},
	{"H.1-9 page table", frame_is_page_table, "XB122", 0},
	{"H.1-12 disk that the driver lacks", unknown_device, "XB215", 0},
	{"H.1-12 no disk at all", impossible_device, "XB215", 0},
	{"H.1-13 id of no kernel", id_of_user, "XB203", 0},
	{"H.1-13 id between two requests", id_off_the_array, "XB203", 0},
	{"H.1-13 id twice", id_twice, "XB203", 0},
	{"H.2-20 below the bias", frame_below_bias, "XB206", 0},
	{"H.2-21 parent", request_parent, "XB212", 0},
	{"H.2-21 length", request_length, "XB212", 0},
	{"pointer to the log", pointer_to_log, "XB213", 0},
	{"pointer to the ring, and resp_prod", pointer_to_ring, "XB107", 0},
	{"eight words", several_words, "XB102", 1},
};

/* The rule speaks, every request is still there, and no status says that all is well. */
static unsigned judge(struct lab *l, const struct row *row, size_t pending)
{
	int status = lab_status(l);

	if (lab_seen(l, row->rule) && lab_pending(l) == pending - row->hidden && status &&
		status != 4)
		return 0;
	lab_print(l, row->what);
	print_error("%s: no %s, or %zu pending requests\n", row->what, row->rule, lab_pending(l));
	return 1;
}

static void each_row(const char *kernel)
{
	struct objects o;
	size_t i, pending;
	unsigned bad = 0;
	struct lab l;

	if (kernel) /* the reduced image lacks variables that only symbols lead to */
		lab_load_real(&l, "xen2-netbsd", FRONTEND_LOCATE_AUTO);
	else
		lab_load(&l, "xen2-netbsd", FRONTEND_LOCATE_AUTO);
	l.opt.kernel_path = kernel;
	lab_run(&l);
	o = look(&l);
	pending = lab_pending(&l);
	assert_int_equal(pending, 30);
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(lab_seen(&l, rows[i].rule), 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		rows[i].damage(&l, &o);
		lab_run(&l);
		bad += judge(&l, &rows[i], pending);
		lab_mend(&l);
	}
	lab_close(&l);
	assert_int_equal(bad, 0);
}

static void damage_is_judged_without_symbols(void **state UNUSED)
{
	each_row(NULL);
}

static void damage_is_judged_with_symbols(void **state UNUSED)
{
	const char *cache = getenv("XBDSNAP_CACHE");
	char path[4096];

	if (!cache)
		skip();
	snprintf(path, sizeof(path), "%s/xen2-netbsd/netbsd.syms", cache);
	if (access(path, R_OK))
		skip();
	each_row(path);
}

/* The same guest when all is answered: nothing pends, and nothing is wrong. */
static void make_idle(struct lab *l, const struct objects *o)
{
	uint32_t next = o->free[0];
	unsigned i;
	int k;

	for (i = 0; i < o->nr_used; i++) {
		lab_put(l, in_log(o, o->used[i], OFF_ID), next, 4);
		next = o->used[i];
	}
	lab_put(l, o->ring + 4, o->req_prod, 4);
	for (k = -64; k < 64; k++)
		if (lab_get(l, o->rec_ring + 4 * (uint64_t)k, 4) == o->req_prod - o->nr_used)
			lab_put(l, o->rec_ring + 4 * (uint64_t)k, o->req_prod, 4);
	memcpy(l->good, l->bytes, l->nr);
	lab_run(l);
}

static void idle_guests_are_judged(void **state UNUSED)
{
	static const struct row idle[] = {
		{"resp_prod beyond req_prod", resp_prod_beyond, "XB107", 0},
		{"resp_prod wild", resp_prod_wild, "XB107", 0},
		{"req_prod wild", req_prod_wild, "XB107", 0},
		{"no header", header_gone, "XB107", 0},
		{"circle", list_in_a_circle, "XB101", 0},
		{"out of range", list_leads_out, "XB102", 0},
		{"left out", list_leaves_some_out, "XB104", 0},
		{"pointer to the log", pointer_to_log, "XB213", 0},
		{"pointer to the ring and resp_prod", pointer_to_ring, "XB107", 0},
	};
	struct objects o;
	unsigned bad = 0;
	struct lab l;
	size_t i;

	lab_load(&l, "xen2-netbsd", FRONTEND_LOCATE_AUTO);
	o = look(&l);
	make_idle(&l, &o);
	o = look(&l);
	assert_int_equal(o.nr_free, 64);
	if (lab_status(&l))
		lab_print(&l, "idle");
	assert_int_equal(lab_status(&l), 0);
	assert_true(l.snap.devices[0].rings[0].sring_known);
	assert_int_equal(l.snap.devices[0].rings[0].indices, IO_INDICES_READ);
	for (i = 0; i < ARRAY_SIZE(idle); i++) {
		idle[i].damage(&l, &o);
		lab_run(&l);
		bad += judge(&l, &idle[i], 0);
		lab_mend(&l);
	}
	lab_close(&l);
	assert_int_equal(bad, 0);
}

static int count_logs(void *arg, pfn_t pfn UNUSED, const uint8_t *page)
{
	struct nb_wire log[NB_SLOTS];
	struct nb_log_points points;

	*(unsigned *)arg += nb_page_is_log(page, log, &points);
	return 0;
}

/* Points are given freely: no other memory must come near to enough of them. */
static void other_memory_is_no_log(void **state UNUSED)
{
	const char *cache = getenv("XBDSNAP_CACHE");
	unsigned images = 0, logs = 0;
	char path[4096];
	DIR *dir;

	if (!cache)
		skip();
	dir = opendir(cache);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));) {
		struct ckpt *ck;

		snprintf(path, sizeof(path), "%s/%s/image.save", cache, e->d_name);
		if (strncmp(e->d_name, "linux", 5) || ckpt_open(path, &ck, NULL))
			continue;
		memory_for_each_page(memory_of_ckpt(ck), count_logs, &logs);
		ckpt_close(ck);
		images++;
	}
	closedir(dir);
	assert_true(images > 0);
	assert_int_equal(logs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_is_judged_without_symbols),
		cmocka_unit_test(damage_is_judged_with_symbols),
		cmocka_unit_test(idle_guests_are_judged),
		cmocka_unit_test(other_memory_is_no_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
