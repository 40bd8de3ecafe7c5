/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Names of virtual disks: the examples and the ranges of xen-vbd-interface(7).
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/util.h"
#include "frontend/vdev.h"

static void names(void **state UNUSED)
{
	static const struct {
		const char *name;
		uint64_t number;
	} cases[] = {
		{"xvda", 51712},
		{"xvda1", 51713},
		{"xvdp15", 51967},
		{"xvdq", 268439552},
		{"xvda16", 268435472},
		{"xvdaa", 268442112},
		{"sda", 2048},
		{"sdp15", 2303},
		{"hda", 768},
		{"hda1", 769},
		{"hdb", 832},
		{"hdc", 5632},
		{"hdd3", 5699},
		{"d0", 51712},
		{"d0p1", 51713},
		{"d16", 268439552},
		{"51712", 51712},
		{"0xca00", 51712},
	};
	uint64_t number;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!vdev_number(cases[i].name, &number))
			fail_msg("%s", cases[i].name);
		assert_int_equal(number, cases[i].number);
	}
}

static void no_names(void **state UNUSED)
{
	static const char *const cases[] = {"", "x", "xvd", "xvd1", "xvdA", "xvda1b", "xvda256",
		"xvdzzzzzz", "sdq", "sda16", "hde", "hda64", "d", "dp1", "d0p", "d0p256",
		"d1048576", "12x", "-1", " 1", "fda"};
	uint64_t number;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (vdev_number(cases[i], &number))
			fail_msg("'%s' is %" PRIu64, cases[i], number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(no_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
