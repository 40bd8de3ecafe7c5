/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Two looks at a guest that runs: what is told of the difference, and what is no longer claimed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "check/check.h"
#include "frontend/settle.h"

static struct io_request *add_request(struct blkdev *d, unsigned ring, unsigned slot)
{
	struct io_request *r = io_request_append(&d->requests, &d->nr_requests);
	struct io_segment *seg;

	assert_non_null(r);
	r->ring = ring;
	r->slot = slot;
	r->op = IO_WRITE;
	r->sector_from = IO_SECTOR_SHADOW;
	r->sector = 8 * slot;
	r->nr_sectors = 8;
	r->request_va = GVA(0xffff888001000000 + slot * 0x200);
	r->start_ns = 1000 + slot;
	seg = io_segment_append(r);
	assert_non_null(seg);
	seg->pfn = PFN(0x100 + slot);
	seg->bytes = 4096;
	return r;
}

static struct blkdev *add_device(struct snapshot *s)
{
	struct blkdev *d = snapshot_add_device(s);
	unsigned i;

	assert_non_null(d);
	strcpy(d->name, "xvda");
	strcpy(d->state, "connected");
	d->rings = calloc(2, sizeof(*d->rings));
	assert_non_null(d->rings);
	d->nr_rings = 2;
	d->rings[1].index = 1;
	for (i = 0; i < 4; i++)
		add_request(d, i / 2, i);
	return d;
}

static void two(struct snapshot *a, struct snapshot *b)
{
	add_device(a);
	add_device(b);
}

static void the_same_is_consistent(void **state UNUSED)
{
	CLEANUP(snapshot_fini) struct snapshot a = {0};
	CLEANUP(snapshot_fini) struct snapshot b = {0};
	CLEANUP(settle_fini) struct settle st = {0};
	struct err err;

	two(&a, &b);
	/* Ages grow, and the pages' data is not compared. */
	b.devices[0].requests[1].age_ns = 77;
	assert_int_equal(settle_compare(&a, &b, &st, &err), 0);
	assert_true(st.consistent);
	assert_int_equal(st.nr_changes, 0);
	assert_false(a.devices[0].requests[1].unsettled);
}

static void answered_replaced_and_new(void **state UNUSED)
{
	CLEANUP(snapshot_fini) struct snapshot a = {0};
	CLEANUP(snapshot_fini) struct snapshot b = {0};
	CLEANUP(settle_fini) struct settle st = {0};
	struct blkdev *d;
	struct err err;

	two(&a, &b);
	d = &b.devices[0];
	d->requests[0].start_ns++; /* another one in its place, for the same sector */
	d->requests[1].state = IO_RESPONDED;
	io_request_fini(&d->requests[3]);
	d->nr_requests = 3;
	add_request(d, 1, 9);
	assert_int_equal(settle_compare(&a, &b, &st, &err), 0);
	assert_false(st.consistent);
	assert_int_equal(st.nr_changes, 5);
	assert_int_equal(st.v[0].kind, SETTLE_GONE);
	assert_int_equal(st.v[0].slot, 0);
	assert_int_equal(st.v[1].kind, SETTLE_CHANGED);
	assert_int_equal(st.v[1].slot, 1);
	assert_int_equal(st.v[2].kind, SETTLE_GONE);
	assert_int_equal(st.v[2].slot, 3);
	assert_int_equal(st.v[3].kind, SETTLE_NEW);
	assert_int_equal(st.v[3].slot, 0);
	assert_int_equal(st.v[4].kind, SETTLE_NEW);
	assert_int_equal(st.v[4].slot, 9);
	assert_int_equal(st.v[4].ring, 1);
	assert_true(a.devices[0].requests[0].unsettled);
	assert_true(a.devices[0].requests[1].unsettled);
	assert_false(a.devices[0].requests[2].unsettled);
	assert_true(a.devices[0].requests[3].unsettled);
}

static void rings_queues_and_devices_move(void **state UNUSED)
{
	unsigned what;

	for (what = 0; what < 4; what++) {
		CLEANUP(snapshot_fini) struct snapshot a = {0};
		CLEANUP(snapshot_fini) struct snapshot b = {0};
		CLEANUP(settle_fini) struct settle st = {0};
		struct blkdev *d;
		struct err err;

		two(&a, &b);
		d = &b.devices[0];
		if (what == 0)
			d->rings[1].sring_rsp_prod++;
		if (what == 1)
			assert_non_null(io_request_append(&d->queued, &d->nr_queued));
		if (what == 2)
			strcpy(d->name, "xvdb");
		if (what == 3)
			strcpy(d->state, "suspended");
		assert_int_equal(settle_compare(&a, &b, &st, &err), 0);
		assert_false(st.consistent);
		assert_int_equal(st.nr_moved, what == 0 ? 1 : what == 2 ? 2 : 0);
		assert_int_equal(a.devices[0].rings[1].moved, what == 0 || what == 2);
		assert_int_equal(a.devices[0].rings[0].moved, what == 2);
	}
}

static void findings_count_when_both_saw_them(void **state UNUSED)
{
	CLEANUP(snapshot_fini) struct snapshot a = {0};
	CLEANUP(snapshot_fini) struct snapshot b = {0};
	CLEANUP(settle_fini) struct settle st = {0};
	struct err err;

	two(&a, &b);
	finding_add(&a.findings, "XB301", finding_at_slot("xvda", 0, 1), "one");
	finding_add(&a.findings, "XB301", finding_at_slot("xvda", 0, 2), "two");
	finding_add(&b.findings, "XB301", finding_at_slot("xvda", 0, 1), "one, told otherwise");
	finding_add(&b.findings, "XB302", finding_at_slot("xvda", 0, 2), "three");
	snapshot_doubt(&a, "torn");
	assert_int_equal(settle_compare(&a, &b, &st, &err), 0);
	assert_int_equal(a.findings.nr, 1);
	assert_string_equal(a.findings.v[0].message, "one");
	assert_null(a.doubt);
}

/* A guest that uses a slot all the time was seen in the middle of it twice; its other slots stand.
 */
static void findings_do_not_count_where_the_guest_went_on(void **state UNUSED)
{
	static const struct {
		int ring, slot;
		bool stays;
	} at[] = {{0, 0, true}, {0, 1, false}, {0, 9, true}, {0, -1, true}, {1, 2, true},
		{1, 9, false}, {1, -1, false}, {-1, -1, true}};
	CLEANUP(snapshot_fini) struct snapshot a = {0};
	CLEANUP(snapshot_fini) struct snapshot b = {0};
	CLEANUP(settle_fini) struct settle st = {0};
	struct snapshot *both[] = {&a, &b};
	size_t i, k, n = 0;
	struct err err;

	two(&a, &b);
	for (k = 0; k < ARRAY_SIZE(at); k++)
		for (i = 0; i < 2; i++)
			finding_add(&both[i]->findings, "XB307",
				finding_at_slot("xvda", at[k].ring, at[k].slot), "torn");
	for (i = 0; i < 2; i++)
		finding_add(
			&both[i]->findings, "XB307", finding_at_slot("xvdb", 0, 1), "another's");
	b.devices[0].requests[1].start_ns++;
	b.devices[0].rings[1].req_prod_pvt++;
	assert_int_equal(settle_compare(&a, &b, &st, &err), 0);
	for (k = 0; k < ARRAY_SIZE(at); k++) {
		if (!at[k].stays)
			continue;
		assert_true(n < a.findings.nr);
		assert_int_equal(a.findings.v[n].ring, at[k].ring);
		assert_int_equal(a.findings.v[n++].slot, at[k].slot);
	}
	assert_int_equal(a.findings.nr, n + 1);
	assert_string_equal(a.findings.v[n].device, "xvdb");
}

/* A request that asks for nothing, which XB126 says; unless it may have been read in two pieces. */
static void rules_do_not_judge_what_changed(void **state UNUSED)
{
	unsigned settled;

	for (settled = 0; settled < 2; settled++) {
		CLEANUP(snapshot_fini) struct snapshot a = {0};
		struct ckpt_info info = {.complete = true};
		struct check_input in = {.snap = &a, .info = &info};
		struct check_result out = {0};
		size_t i, broken = 0, skipped = 0;

		add_device(&a);
		a.devices[0].nr_sectors = 4; /* every request reaches beyond the end */
		a.devices[0].requests[2].unsettled = !settled;
		check_run(&in, &out);
		for (i = 0; i < out.findings.nr; i++)
			broken += out.findings.v[i].slot == 2;
		for (i = 0; i < out.nr_skips; i++)
			skipped += !strcmp(
				out.skips[i].reason, "the guest changed it while it was looked at");
		assert_int_equal(broken > 0, settled);
		assert_int_equal(skipped > 0, !settled);
		check_result_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_consistent),
		cmocka_unit_test(answered_replaced_and_new),
		cmocka_unit_test(rings_queues_and_devices_move),
		cmocka_unit_test(findings_count_when_both_saw_them),
		cmocka_unit_test(findings_do_not_count_where_the_guest_went_on),
		cmocka_unit_test(rules_do_not_judge_what_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
