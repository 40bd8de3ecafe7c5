/* SPDX-License-Identifier: BSD-2-Clause
 *
 * From a disk's nodes in xenstore to the features that the rules ask for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "cmd/live.h"

/* What xenstore has when no key is there. */
static struct xenhost_vbd silent(uint64_t handle)
{
	struct xenhost_vbd v = {.handle = handle, .backend_state = 2};
	unsigned i;

	for (i = 0; i < BACKEND_NR_NUMBERS; i++)
		v.feature[i] = XENHOST_UNKNOWN;
	return v;
}

static void one_device(struct snapshot *s)
{
	struct blkdev *d = snapshot_add_device(s);

	assert_non_null(d);
	strcpy(d->name, "xvda");
	d->handle = 51712;
}

static void silence_is_not_a_no(void **state UNUSED)
{
	CLEANUP(snapshot_fini) struct snapshot s = {0};
	struct xenhost_vbd v = silent(51712);
	struct check_caps c;

	one_device(&s);
	assert_true(live_caps_of(&v, &s, &c));
	assert_true(c.partial);
	assert_int_equal(c.flush, TRI_UNKNOWN);
	assert_int_equal(c.discard, TRI_UNKNOWN);
	assert_true(c.max_queues == BLK_UNKNOWN_U64 && c.sectors == BLK_UNKNOWN_U64);
	assert_false(c.read_only_known);
}

static void features_are_taken_over(void **state UNUSED)
{
	CLEANUP(snapshot_fini) struct snapshot s = {0};
	struct xenhost_vbd v = silent(51712);
	struct check_caps c;

	one_device(&s);
	v.backend_state = 4;
	v.feature[BACKEND_FLUSH] = 1;
	v.feature[BACKEND_BARRIER] = 0;
	v.feature[BACKEND_SECTORS] = 65536;
	v.feature[BACKEND_MAX_QUEUES] = 4;
	strcpy(v.mode, "r");
	assert_true(live_caps_of(&v, &s, &c));
	assert_string_equal(c.device, "xvda");
	assert_false(c.partial);
	assert_int_equal(c.flush, TRI_YES);
	assert_int_equal(c.barrier, TRI_NO);
	assert_true(c.sectors == 65536 && c.max_queues == 4);
	assert_true(c.read_only_known && c.read_only);
}

static void devices_are_matched(void **state UNUSED)
{
	CLEANUP(snapshot_fini) struct snapshot s = {0};
	struct xenhost_vbd v = silent(51728);
	struct check_caps c;

	one_device(&s);
	assert_false(live_caps_of(&v, &s, &c));
	strcpy(v.vdev, "xvda"); /* the number is not known to every frontend */
	assert_true(live_caps_of(&v, &s, &c));
}

static void without_a_domain_there_is_an_error(void **state UNUSED)
{
	struct err err = ERR_INIT;
	struct xenhost *x = NULL;
	struct live l = {0};

	if (xenhost_open(&x, &err) || live_open(&l, x, 0x7fef, NULL, &err))
		assert_true(err.cls == ERR_UNSUPPORTED || err.cls == ERR_SYSTEM ||
			    err.cls == ERR_NOTFOUND);
	live_fini(&l);
	xenhost_close(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(silence_is_not_a_no),
		cmocka_unit_test(features_are_taken_over),
		cmocka_unit_test(devices_are_matched),
		cmocka_unit_test(without_a_domain_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
