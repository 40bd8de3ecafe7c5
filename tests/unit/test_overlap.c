/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Steps that change the same sectors: replay refuses where the guest counted on their order, and
 * only there. No guest whose driver is decoded here does; so one is made up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "replay/write.h"

#include "made_up.h"

static struct memory_info info_of(const void *source UNUSED)
{
	return (struct memory_info){.pages_stay = true};
}

static const struct memory_ops nothing = {.info = info_of};

/* Discards need no data: sectors 64 to 127 and 100 to 163, and what stands in slot 2. */
static int build(const struct frontend_ops *driver, enum io_op third, unsigned allow, bool *overlap,
	struct err *err)
{
	struct io_request v[] = {
		{.slot = 0, .op = IO_DISCARD, .sector = 64, .nr_sectors = 64},
		{.slot = 1, .op = IO_DISCARD, .sector = 100, .nr_sectors = 64},
		{.slot = 2, .op = third},
	};
	struct blkdev d = {.driver = driver, .requests = v, .nr_requests = ARRAY_SIZE(v)};
	struct snapshot s = {.devices = &d, .nr_devices = 1};
	struct replay_plan plan;
	struct replay_ops ops;
	int rc;

	v[0].sector_from = v[1].sector_from = IO_SECTOR_SHADOW;
	assert_int_equal(replay_plan_build(&s, &plan, err), 0);
	rc = replay_ops_build(
		(struct memory){.ops = &nothing}, &plan, &d, 1 << 20, allow, true, &ops, err);
	*overlap = ops.overlap;
	if (!rc)
		assert_int_equal(ops.nr_places, 2);
	replay_ops_fini(&ops);
	replay_plan_fini(&plan);
	return rc;
}

static void an_order_that_counts_refuses(void **state UNUSED)
{
	struct err err = ERR_INIT;
	bool overlap;

	assert_int_equal(build(&made_up, IO_BARRIER, 0, &overlap, &err), -1);
	assert_int_equal(err.cls, ERR_REFUSED);
	assert_non_null(
		strstr(err.text, "ring 0 slot 0 and ring 0 slot 1 change the same sectors"));
	assert_string_equal(err.override, "overlap");
	assert_int_equal(build(&made_up, IO_BARRIER, REPLAY_ALLOW_OVERLAP, &overlap, &err), 0);
	assert_true(overlap);
	/* A driver that is not known may be of that kind. */
	assert_int_equal(build(NULL, IO_BARRIER, 0, &overlap, &err), -1);
}

static void no_order_is_no_refusal(void **state UNUSED)
{
	struct err err = ERR_INIT;
	bool overlap;

	assert_int_equal(build(&made_up, IO_FLUSH, 0, &overlap, &err), 0);
	assert_true(overlap);
	assert_int_equal(build(&frontend_linux_blkfront, IO_BARRIER, 0, &overlap, &err), 0);
	assert_true(overlap);
	assert_int_equal(build(&frontend_netbsd_xbd, IO_FLUSH, 0, &overlap, &err), 0);
	assert_true(overlap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_order_that_counts_refuses),
		cmocka_unit_test(no_order_is_no_refusal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
