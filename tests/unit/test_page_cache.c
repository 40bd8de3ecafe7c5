/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The cache of made pages: what was asked for last stays as long as is promised.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/frame.h"
#include "io/page_cache.h"

#define ROOM 8u

static const uint8_t *page_of(struct page_cache *c, uint64_t key)
{
	const uint8_t *have = page_cache_find(c, key);
	uint8_t *to;

	if (have)
		return have;
	to = page_cache_room(c, key);
	assert_non_null(to);
	memset(to, (int)(key & 0xff), PAGE_BYTES);
	return to;
}

/* Keys in any order: each page is its own, and the last ROOM of them are still there. */
static void the_last_ones_stay(void **state UNUSED)
{
	struct page_cache *c = page_cache_new(ROOM);
	uint64_t last[ROOM] = {0}, key;
	uint32_t seed = 1;
	unsigned i, k, nr = 0;

	assert_non_null(c);
	for (i = 0; i < 20000; i++) {
		seed = seed * 1664525u + 1013904223u;
		key = (seed >> 16) % 20 * UINT64_C(0x100000001);
		assert_int_equal(page_of(c, key)[77], key & 0xff);
		/* last[0..nr): the keys asked for last, newest first */
		for (k = 0; k < nr && last[k] != key; k++)
			;
		if (k == nr && nr < ROOM)
			nr++;
		memmove(last + 1, last, MIN(k, ROOM - 1) * sizeof(*last));
		last[0] = key;
	}
	for (k = nr; k--;) {
		assert_non_null(page_cache_find(c, last[k]));
		assert_int_equal(page_cache_find(c, last[k])[1], last[k] & 0xff);
	}
	page_cache_free(c);
}

/* A hit makes the oldest the newest: its page stays through the next misses. */
static void a_hit_renews(void **state UNUSED)
{
	struct page_cache *c = page_cache_new(ROOM);
	const uint8_t *first;
	uint64_t key;

	assert_non_null(c);
	for (key = 0; key < ROOM; key++)
		page_of(c, key);
	first = page_of(c, 0);
	for (; key < 2 * ROOM - 1; key++)
		page_of(c, key);
	assert_ptr_equal(page_cache_find(c, 0), first);
	assert_int_equal(first[9], 0);
	assert_null(page_cache_find(c, 1));
	page_cache_free(c);
}

static void what_was_dropped_is_gone(void **state UNUSED)
{
	struct page_cache *c = page_cache_new(ROOM);
	uint64_t key;

	assert_non_null(c);
	for (key = 0; key < ROOM; key++)
		page_of(c, key);
	page_cache_drop(c, 5);
	page_cache_drop(c, 99);
	assert_null(page_cache_find(c, 5));
	page_of(c, 100); /* in its place */
	for (key = 0; key < ROOM; key++)
		assert_int_equal(page_cache_find(c, key) != NULL, key != 5);
	page_cache_free(c);
}

static void room_for_one(void **state UNUSED)
{
	struct page_cache *c = page_cache_new(1);

	assert_non_null(c);
	page_of(c, 1);
	page_of(c, 2);
	assert_null(page_cache_find(c, 1));
	assert_int_equal(page_of(c, 2)[0], 2);
	page_cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_ones_stay),
		cmocka_unit_test(a_hit_renews),
		cmocka_unit_test(what_was_dropped_is_gone),
		cmocka_unit_test(room_for_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
