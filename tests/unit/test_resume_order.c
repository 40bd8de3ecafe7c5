/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The order in which a restored frontend issues its requests again. Linux 6.12's was seen in dom0
 * (three discards and a flush in one ring); that of 6.1 follows from its sources.
 */
#include "replay/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const struct io_request discard2 = {.slot = 2, .op = IO_DISCARD, .nr_sectors = 64};
static const struct io_request discard5 = {.slot = 5, .op = IO_DISCARD, .nr_sectors = 8};
static const struct io_request flush4 = {.slot = 4, .op = IO_FLUSH};
static const struct io_request fua3 = {
	.slot = 3, .op = IO_WRITE, .nr_sectors = 1, .flags = IO_FLAG_FUA};
static const struct io_request write0 = {.slot = 0, .op = IO_WRITE, .nr_sectors = 1};
static const struct io_request preflush1 = {
	.slot = 1, .op = IO_WRITE, .nr_sectors = 1, .flags = IO_FLAG_PREFLUSH};
static const struct io_request read9 = {.ring = 1, .slot = 0, .op = IO_READ, .nr_sectors = 1};

static void in_order(const struct blkdev *d, const struct io_request *const *v, size_t nr)
{
	size_t i, j;

	for (i = 0; i < nr; i++)
		for (j = 0; j < nr; j++) {
			int c = frontend_resume_of(d)->order(d, v[i], v[j]);

			assert_int_equal(c < 0 ? -1 : c > 0, i < j ? -1 : i > j);
		}
}

static void linux_since_6_5(void **state UNUSED)
{
	static const struct io_request *const v[] = {
		&flush4, &discard2, &fua3, &discard5, &write0, &preflush1, &read9};
	struct blkdev d = {.driver = &frontend_linux_blkfront, .requeue = BLK_REQUEUE_FIRST_FIRST};

	in_order(&d, v, ARRAY_SIZE(v));
}

static void linux_before(void **state UNUSED)
{
	static const struct io_request *const v[] = {
		&flush4, &discard5, &fua3, &discard2, &write0, &preflush1, &read9};
	struct blkdev d = {.driver = &frontend_linux_blkfront, .requeue = BLK_REQUEUE_LAST_FIRST};

	in_order(&d, v, ARRAY_SIZE(v));
}

static void netbsd_by_slot(void **state UNUSED)
{
	static const struct io_request *const v[] = {
		&write0, &preflush1, &discard2, &fua3, &flush4, &discard5, &read9};
	struct blkdev d = {.driver = &frontend_netbsd_xbd};

	in_order(&d, v, ARRAY_SIZE(v));
}

static bool known(const struct blkdev *d, const struct io_request *a, const struct io_request *b)
{
	return frontend_resume_of(d)->order_known(d, a, b);
}

/* What travels by different ways, or through a scheduler, has no certain order. */
static void order_is_known_within_a_way(void **state UNUSED)
{
	struct blkdev d = {.driver = &frontend_linux_blkfront, .requeue = BLK_REQUEUE_FIRST_FIRST};

	assert_false(known(&d, &flush4, &write0));
	assert_false(known(&d, &write0, &discard2));
	assert_true(known(&d, &flush4, &discard2));
	assert_true(known(&d, &discard2, &fua3));
	assert_false(known(&d, &write0, &read9)); /* no scheduler known */
	strcpy(d.scheduler, "none");
	assert_true(known(&d, &write0, &read9));
	assert_false(known(&d, &flush4, &write0));
	strcpy(d.scheduler, "bfq");
	assert_false(known(&d, &write0, &read9));
	d.requeue = BLK_REQUEUE_UNKNOWN;
	assert_false(known(&d, &discard2, &fua3));
	assert_true(known(&d, &flush4, &discard2));
	d.driver = &frontend_netbsd_xbd;
	assert_true(known(&d, &flush4, &write0));
}

/* What finds no room on the ring waits where it may be sorted: no order of the data is known. */
static void an_overfull_ring_has_no_order(void **state UNUSED)
{
	struct io_ring ring = {.entries = 2};
	struct blkdev d = {.driver = &frontend_linux_blkfront,
		.scheduler = "none",
		.rings = &ring,
		.nr_rings = 1,
		.nr_requests = 2};
	struct resume_place p;

	assert_true(known(&d, &write0, &read9));
	frontend_resume_of(&d)->place(&d, &write0, &p);
	assert_true(p.order_known);
	d.nr_queued = 1;
	assert_false(known(&d, &write0, &read9));
	frontend_resume_of(&d)->place(&d, &write0, &p);
	assert_false(p.order_known);
}

/* A driver that nobody knows, or one that never says more than its name, is no Linux. */
static void an_unknown_driver_has_no_order(void **state UNUSED)
{
	struct io_request pending[] = {write0, flush4}, queued[] = {read9};
	struct blkdev d = {.name = "ada0",
		.requeue = BLK_REQUEUE_FIRST_FIRST,
		.scheduler = "none",
		.requests = pending,
		.nr_requests = 2,
		.queued = queued,
		.nr_queued = 1};
	struct snapshot s = {.devices = &d, .nr_devices = 1};
	struct replay_plan plan;
	struct resume_ring ring = {0};
	struct err err = ERR_INIT;
	size_t i;

	queued[0].state = IO_QUEUED;
	assert_false(known(&d, &flush4, &discard2));
	assert_int_equal(replay_plan_build(&s, &plan, &err), 0);
	assert_int_equal(plan.nr, 3);
	assert_ptr_equal(plan.v[0].req, &pending[0]);
	assert_ptr_equal(plan.v[1].req, &pending[1]);
	assert_ptr_equal(plan.v[2].req, &queued[0]);
	for (i = 0; i < plan.nr; i++) {
		assert_false(plan.v[i].order_known);
		assert_string_equal(plan.v[i].stream, "unknown");
		assert_string_equal(plan.v[i].why, "its driver is not known");
	}
	assert_int_equal(replay_ring(&s, &plan, false, &ring, &err), -1);
	assert_int_equal(err.cls, ERR_UNSUPPORTED);
	assert_non_null(strstr(err.text, "ada0"));
	replay_plan_fini(&plan);
}

/* One log for two disks: its slots are one order, and a Linux disk beside them has its own. */
static void one_log_is_one_order(void **state UNUSED)
{
	struct io_request a[] = {write0, discard5}, b[] = {discard2}, other[] = {write0};
	struct blkdev d[] = {
		{.driver = &frontend_netbsd_xbd, .requests = a, .nr_requests = 2},
		{.driver = &frontend_linux_blkfront, .requests = other, .nr_requests = 1},
		{.driver = &frontend_netbsd_xbd, .requests = b, .nr_requests = 1},
	};
	struct snapshot s = {.devices = d, .nr_devices = 3};
	struct replay_plan plan;
	struct err err = ERR_INIT;

	assert_int_equal(replay_plan_build(&s, &plan, &err), 0);
	assert_int_equal(plan.nr, 4);
	assert_ptr_equal(plan.v[0].req, &a[0]);
	assert_ptr_equal(plan.v[1].req, &b[0]);
	assert_ptr_equal(plan.v[2].req, &a[1]);
	assert_ptr_equal(plan.v[3].req, &other[0]);
	assert_true(plan.v[2].order_known && !plan.v[3].order_known);
	replay_plan_fini(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_since_6_5),
		cmocka_unit_test(linux_before),
		cmocka_unit_test(order_is_known_within_a_way),
		cmocka_unit_test(netbsd_by_slot),
		cmocka_unit_test(an_overfull_ring_has_no_order),
		cmocka_unit_test(an_unknown_driver_has_no_order),
		cmocka_unit_test(one_log_is_one_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
