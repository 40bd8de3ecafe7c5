/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The table of machine frames of a core dump, against the plainest thing that can be right: a list
 * that is searched from end to end. Tables are made at random, with stretches, holes, pages listed
 * again and frames claimed by several pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "checkpoint/frames.h"

#define ENTRIES 200u
#define FRAMES	64u

struct entry {
	uint64_t pfn, mfn;
};

struct table {
	struct entry v[ENTRIES];
	unsigned nr;
};

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void make_table(struct table *t, uint32_t seed, bool sorted)
{
	uint64_t pfn = 0;

	t->nr = 0;
	while (t->nr < ENTRIES && next_random(&seed) % 40) {
		uint64_t mfn = next_random(&seed) % FRAMES;
		unsigned n = 1 + next_random(&seed) % 8;

		pfn = sorted ? pfn + next_random(&seed) % 3 : next_random(&seed) % FRAMES;
		for (; n && t->nr < ENTRIES; n--)
			t->v[t->nr++] = (struct entry){pfn++, mfn++};
	}
}

/* What was said last of a page counts; how often a frame is claimed is counted over those. */
static bool plain_to_mfn(const struct table *t, uint64_t pfn, uint64_t *ret)
{
	unsigned i;

	for (i = t->nr; i--;)
		if (t->v[i].pfn == pfn) {
			*ret = t->v[i].mfn;
			return true;
		}
	return false;
}

static unsigned claims(const struct table *t, uint64_t mfn, uint64_t *ret)
{
	uint64_t pfn, found;
	unsigned nr = 0;

	for (pfn = 0; pfn < 8 * (uint64_t)ENTRIES; pfn++)
		if (plain_to_mfn(t, pfn, &found) && found == mfn) {
			*ret = pfn;
			nr++;
		}
	return nr;
}

static void compare_table(const struct table *t, uint32_t seed)
{
	struct frame_map fm = {0};
	uint64_t i, a = 0, b = 0;

	for (i = 0; i < t->nr; i++)
		assert_int_equal(frames_add(&fm, t->v[i].pfn, t->v[i].mfn), 0);
	assert_int_equal(frames_finish(&fm), 0);
	for (i = 0; i < 3 * FRAMES + ENTRIES; i++) {
		bool known = plain_to_mfn(t, i, &a);

		if (known != frames_to_mfn(&fm, i, &b) || (known && a != b))
			fail_msg("seed %u: pfn %u", seed, (unsigned)i);
		known = claims(t, i, &a) == 1;
		if (known != frames_to_pfn(&fm, i, &b) || (known && a != b))
			fail_msg("seed %u: frame %u", seed, (unsigned)i);
	}
	frames_fini(&fm);
}

static void both_ways(void **state UNUSED)
{
	struct table t;
	uint32_t seed;

	for (seed = 0; seed < 60; seed++) {
		make_table(&t, seed, seed % 2);
		compare_table(&t, seed);
	}
}

static void repeats_are_counted(void **state UNUSED)
{
	struct frame_map fm = {0};
	uint64_t i, v;

	for (i = 0; i < 100; i++)
		assert_int_equal(frames_add(&fm, i, 0x1000 + i), 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(frames_add(&fm, 200 + i, 0x1005 + i), 0);
	assert_int_equal(frames_add(&fm, 3, 0x9000), 0);
	assert_int_equal(frames_finish(&fm), 0);
	assert_true(fm.nr_mfn_twice == 10 && fm.nr_pfn_twice == 1);
	assert_true(frames_to_mfn(&fm, 3, &v) && v == 0x9000);
	assert_true(frames_to_mfn(&fm, 205, &v) && v == 0x100a);
	assert_false(frames_to_pfn(&fm, 0x1005, &v));
	assert_false(frames_to_pfn(&fm, 0x100e, &v));
	assert_true(frames_to_pfn(&fm, 0x1004, &v) && v == 4);
	assert_true(frames_to_pfn(&fm, 0x100f, &v) && v == 15);
	assert_true(frames_to_pfn(&fm, 0x9000, &v) && v == 3);
	assert_false(frames_to_pfn(&fm, 0x1003, &v));
	frames_fini(&fm);
}

static void nothing_at_all(void **state UNUSED)
{
	struct frame_map fm = {0};
	uint64_t v;

	assert_int_equal(frames_finish(&fm), 0);
	assert_false(frames_to_pfn(&fm, 0, &v));
	assert_false(frames_to_mfn(&fm, 0, &v));
	frames_fini(&fm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(repeats_are_counted),
		cmocka_unit_test(nothing_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
