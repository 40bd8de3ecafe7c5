/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Unit tests of checkpoint/pagemap: which copy of a page is the current one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "checkpoint/pagemap.h"

#define XTAB 15

static void add(struct pagemap *pm, uint64_t pfn, uint32_t nr, uint8_t type, uint64_t off)
{
	struct ckpt_run run = {.pfn = pfn, .nr = nr, .type = type, .off = off};

	assert_int_equal(pagemap_add(pm, run), 0);
}

static uint64_t off_of(const struct pagemap *pm, uint64_t pfn)
{
	const struct ckpt_run *r = pagemap_find(pm, pfn);

	assert_non_null(r);
	return ckpt_type_has_data(r->type) ? r->off + (pfn - r->pfn) * PAGE_BYTES : 0;
}

static void ordered_runs_are_used_in_place(void **state UNUSED)
{
	struct pagemap pm = {0};

	add(&pm, 0, 4, 0, 0x1000);
	add(&pm, 4, 2, 0, 0x5000); /* goes on where the last one ended */
	add(&pm, 6, 1, 0, 0x9000);
	add(&pm, 10, 5, XTAB, 0x777);
	add(&pm, 15, 1000000, XTAB, 0);
	assert_int_equal(pagemap_finish(&pm), 0);
	assert_ptr_equal(pm.current, pm.runs);
	assert_int_equal(pm.nr, 3);
	assert_int_equal(pm.nr_data_pages, 7);
	assert_int_equal(pm.nr_repeats, 0);
	assert_int_equal(pm.end_pfn, 1000015);
	assert_int_equal(off_of(&pm, 5), 0x6000);
	assert_int_equal(off_of(&pm, 6), 0x9000);
	assert_null(pagemap_find(&pm, 7));
	assert_null(pagemap_find(&pm, 9));
	assert_int_equal(pagemap_find(&pm, 1000014)->type, XTAB);
	assert_null(pagemap_find(&pm, 1000015));
	pagemap_fini(&pm);
}

static void a_later_run_cuts_out_of_an_earlier_one(void **state UNUSED)
{
	struct pagemap pm = {0};

	add(&pm, 0, 100, 0, 0x10000);
	add(&pm, 40, 10, 0, 0x900000);
	add(&pm, 45, 2, XTAB, 0);
	assert_int_equal(pagemap_finish(&pm), 0);
	assert_int_equal(pm.nr, 3);
	assert_int_equal(pm.nr_current, 5);
	assert_int_equal(off_of(&pm, 39), 0x10000 + 39 * PAGE_BYTES);
	assert_int_equal(off_of(&pm, 44), 0x900000 + 4 * PAGE_BYTES);
	assert_int_equal(pagemap_find(&pm, 46)->type, XTAB);
	assert_int_equal(off_of(&pm, 47), 0x900000 + 7 * PAGE_BYTES);
	assert_int_equal(off_of(&pm, 50), 0x10000 + 50 * PAGE_BYTES);
	assert_int_equal(pm.nr_repeats, 12);
	assert_int_equal(pm.nr_data_pages, 98);
	pagemap_fini(&pm);
}

static void ignored_runs_do_not_count(void **state UNUSED)
{
	struct pagemap pm = {0};

	add(&pm, 0, 4, 0, 0x1000);
	add(&pm, 2, 9, 0, 0x100000);
	pagemap_ignore_from(&pm, 1);
	assert_int_equal(pagemap_finish(&pm), 0);
	assert_int_equal(pm.nr_current, 1);
	assert_int_equal(off_of(&pm, 3), 0x4000);
	assert_null(pagemap_find(&pm, 4));
	assert_int_equal(pm.nr_repeats, 0);
	pagemap_fini(&pm);
}

/* The last run of a good epoch must not grow into the first of a bad one. */
static void a_closed_run_does_not_grow(void **state UNUSED)
{
	struct pagemap pm = {0};

	add(&pm, 0, 4, XTAB, 0);
	pagemap_close_run(&pm);
	add(&pm, 4, 4, XTAB, 0);
	add(&pm, 8, 4, XTAB, 0);
	assert_int_equal(pm.nr, 2);
	pagemap_ignore_from(&pm, 1);
	assert_int_equal(pagemap_finish(&pm), 0);
	assert_non_null(pagemap_find(&pm, 3));
	assert_null(pagemap_find(&pm, 4));
	pagemap_fini(&pm);
}

static void an_empty_map_finds_nothing(void **state UNUSED)
{
	struct pagemap pm = {0};

	assert_int_equal(pagemap_finish(&pm), 0);
	assert_null(pagemap_find(&pm, 0));
	assert_int_equal(pm.end_pfn, 0);
	pagemap_fini(&pm);
}

/* Against the plain way: an array in which each later entry overwrites. */
static void random_runs_equal_an_array(void **state UNUSED)
{
	enum { FRAMES = 512, ROUNDS = 300 };
	static uint64_t off[FRAMES];
	static int type[FRAMES];
	uint32_t seed = 12345;
	unsigned round, i, j;

	for (round = 0; round < ROUNDS; round++) {
		struct pagemap pm = {0};
		uint64_t listed = 0, distinct = 0;

		memset(off, 0, sizeof(off));
		memset(type, -1, sizeof(type));
		for (i = 0; i < 1 + round % 60; i++) {
			uint32_t pfn, nr, kind;

			seed = seed * 1664525 + 1013904223; /* Numerical Recipes */
			pfn = (seed >> 8) % (FRAMES - 32);
			nr = 1 + (seed >> 20) % 32;
			kind = seed >> 28 & 1 ? XTAB : 0;
			add(&pm, pfn, nr, (uint8_t)kind, (i + 1) * UINT64_C(0x1000000));
			listed += nr;
			for (j = 0; j < nr; j++) {
				type[pfn + j] = (int)kind;
				off[pfn + j] = kind ? 0 : (i + 1) * 0x1000000 + j * PAGE_BYTES;
			}
		}
		assert_int_equal(pagemap_finish(&pm), 0);
		for (i = 0; i < FRAMES; i++) {
			const struct ckpt_run *r = pagemap_find(&pm, i);

			distinct += type[i] >= 0;
			assert_int_equal(r ? r->type : -1, type[i]);
			if (r)
				assert_int_equal(off_of(&pm, i), off[i]);
		}
		assert_int_equal(pm.nr_repeats, listed - distinct);
		for (i = 1; i < pm.nr_current; i++)
			assert_true(
				pm.current[i - 1].pfn + pm.current[i - 1].nr <= pm.current[i].pfn);
		pagemap_fini(&pm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordered_runs_are_used_in_place),
		cmocka_unit_test(a_later_run_cuts_out_of_an_earlier_one),
		cmocka_unit_test(ignored_runs_do_not_count),
		cmocka_unit_test(a_closed_run_does_not_grow),
		cmocka_unit_test(an_empty_map_finds_nothing),
		cmocka_unit_test(random_runs_equal_an_array),
	};

	return cmocka_run_group_tests_name("pagemap", tests, NULL, NULL);
}
