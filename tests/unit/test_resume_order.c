/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The order in which a restored frontend issues its requests again. Linux 6.12's was seen in dom0
 * (three discards and a flush in one ring); that of 6.1 follows from its sources.
 */
#include "frontend/request.h"

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
			int c = blkdev_resume_order(d, v[i], v[j]);

			assert_int_equal(c < 0 ? -1 : c > 0, i < j ? -1 : i > j);
		}
}

static void linux_since_6_5(void **state UNUSED)
{
	static const struct io_request *const v[] = {
		&flush4, &discard2, &fua3, &discard5, &write0, &preflush1, &read9};
	struct blkdev d = {.frontend = "linux-blkfront", .requeue = BLK_REQUEUE_FIRST_FIRST};

	in_order(&d, v, ARRAY_SIZE(v));
}

static void linux_before(void **state UNUSED)
{
	static const struct io_request *const v[] = {
		&flush4, &discard5, &fua3, &discard2, &write0, &preflush1, &read9};
	struct blkdev d = {.frontend = "linux-blkfront", .requeue = BLK_REQUEUE_LAST_FIRST};

	in_order(&d, v, ARRAY_SIZE(v));
}

static void netbsd_by_slot(void **state UNUSED)
{
	static const struct io_request *const v[] = {
		&write0, &preflush1, &discard2, &fua3, &flush4, &discard5, &read9};
	struct blkdev d = {.frontend = "netbsd-xbd"};

	in_order(&d, v, ARRAY_SIZE(v));
}

/* What travels by different ways, or through a scheduler, has no certain order. */
static void order_is_known_within_a_way(void **state UNUSED)
{
	struct blkdev d = {.frontend = "linux-blkfront", .requeue = BLK_REQUEUE_FIRST_FIRST};

	assert_false(blkdev_resume_order_known(&d, &flush4, &write0));
	assert_false(blkdev_resume_order_known(&d, &write0, &discard2));
	assert_true(blkdev_resume_order_known(&d, &flush4, &discard2));
	assert_true(blkdev_resume_order_known(&d, &discard2, &fua3));
	assert_false(blkdev_resume_order_known(&d, &write0, &read9)); /* no scheduler known */
	strcpy(d.scheduler, "none");
	assert_true(blkdev_resume_order_known(&d, &write0, &read9));
	assert_false(blkdev_resume_order_known(&d, &flush4, &write0));
	strcpy(d.scheduler, "bfq");
	assert_false(blkdev_resume_order_known(&d, &write0, &read9));
	d.requeue = BLK_REQUEUE_UNKNOWN;
	assert_false(blkdev_resume_order_known(&d, &discard2, &fua3));
	assert_true(blkdev_resume_order_known(&d, &flush4, &discard2));
	strcpy(d.frontend, "netbsd-xbd");
	assert_true(blkdev_resume_order_known(&d, &flush4, &write0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(linux_since_6_5),
		cmocka_unit_test(linux_before),
		cmocka_unit_test(order_is_known_within_a_way),
		cmocka_unit_test(netbsd_by_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
