/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What guard keeps a stream in: places of pages, room that comes and goes, a source in pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/frame.h"
#include "guard/place_map.h"
#include "io/source.h"
#include "io/spool.h"

#define MIB (UINT64_C(1) << 20)

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Frames near and far, set again and again: what stood there is what was set last. */
static void a_place_is_what_was_set_last(void **state UNUSED)
{
	enum { FRAMES = 500 };
	static uint64_t have[FRAMES];
	struct place_map *m = place_map_new(NULL);
	uint32_t seed = 3;
	unsigned i;

	assert_non_null(m);
	for (i = 0; i < 20000; i++) {
		unsigned k = next_random(&seed) % FRAMES;
		uint64_t pfn = k < 250 ? k : (uint64_t)k << 30, before, place = i + 1;

		assert_int_equal(place_map_set(m, pfn, place, &before, NULL), 0);
		assert_int_equal(before, have[k]);
		have[k] = place;
	}
	/* No hardware has such a frame: it is not noted, and costs nothing. */
	assert_int_equal(place_map_set(m, UINT64_C(1) << 40, 1, &have[0], NULL), 0);
	assert_int_equal(place_map_set(m, UINT64_C(1) << 40, 2, &have[0], NULL), 0);
	assert_int_equal(have[0], 0);
	place_map_free(m);
}

static void a_source_may_stand_in_pieces(void **state UNUSED)
{
	static const uint8_t base[] = "abcd....efgh..ij";
	static const struct source_piece v[] = {{0, 0}, {4, 8}, {8, 14}};
	struct source *src;

	assert_int_equal(source_from_pieces(base, v, 3, 10, "made", &src, NULL), 0);
	assert_int_equal(source_bytes(src), 10);
	assert_memory_equal(source_at(src, 0, 4), "abcd", 4);
	assert_memory_equal(source_at(src, 4, 4), "efgh", 4);
	assert_memory_equal(source_at(src, 6, 2), "gh", 2);
	assert_memory_equal(source_at(src, 8, 2), "ij", 2);
	assert_null(source_at(src, 3, 2));
	assert_null(source_at(src, 0, 10));
	assert_null(source_at(src, 9, 2));
	assert_non_null(source_at(src, 10, 0));
	assert_int_equal(source_stretch(src, 1), 3);
	assert_int_equal(source_stretch(src, 9), 1);
	source_close(src);
}

static uint8_t byte_at(uint64_t at)
{
	return (uint8_t)(at >> 12 ^ at ^ 0x5a);
}

/* Through a pipe, as much as it takes at once. */
static void put(struct spool *s, uint64_t from, uint64_t to)
{
	uint8_t buf[4096];
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	while (from < to) {
		uint64_t n = to - from < sizeof(buf) ? to - from : sizeof(buf), got, i;

		for (i = 0; i < n; i++)
			buf[i] = byte_at(from + i);
		if (from / sizeof(buf) % 3) {
			assert_int_equal(write(ends[1], buf, n), n);
			assert_int_equal(spool_take(s, from, ends[0], n, &got, NULL), 0);
			assert_int_equal(got, n);
		} else {
			assert_int_equal(spool_write(s, from, buf, n, NULL), 0);
		}
		from += n;
	}
	close(ends[1]);
	assert_int_equal(spool_take(s, to, ends[0], 10, &from, NULL), 0);
	assert_int_equal(from, 0);
	close(ends[0]);
}

static void check(const uint8_t *p, uint64_t from, uint64_t to)
{
	for (; from < to; from++)
		if (p[from] != byte_at(from))
			fail_msg("byte 0x%" PRIx64, from);
}

/* All in the file, the first blocks in memory, all in memory: it reads alike. */
static void what_is_kept_comes_back(void **state UNUSED)
{
	static const uint64_t limits[] = {0, 33 * MIB, 1000 * MIB};
	static const uint8_t zeros[PAGE_BYTES];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		struct spool *s = spool_new(limits[i], NULL);
		const uint8_t *p;

		assert_non_null(s);
		put(s, 100, 50 * MIB + 77);
		spool_drop(s, 2 * PAGE_BYTES, PAGE_BYTES);
		spool_drop(s, 16 * MIB - PAGE_BYTES, 2 * PAGE_BYTES);
		spool_drop(s, 40 * MIB, PAGE_BYTES);
		spool_drop(s, 900 * MIB, PAGE_BYTES); /* nothing is there */
		assert_int_equal(spool_map(s, &p, NULL), 0);
		check(p, 100, 2 * PAGE_BYTES);
		check(p, 3 * PAGE_BYTES, 16 * MIB - PAGE_BYTES);
		check(p, 16 * MIB + PAGE_BYTES, 40 * MIB);
		check(p, 40 * MIB + PAGE_BYTES, 50 * MIB + 77);
		assert_memory_equal(p + 2 * PAGE_BYTES, zeros, PAGE_BYTES);
		assert_memory_equal(p + 16 * MIB, zeros, PAGE_BYTES);
		assert_memory_equal(p + 40 * MIB, zeros, PAGE_BYTES);
		spool_free(s);
	}
}

/* What is dropped makes room for what comes: an endless stream of a small guest stays small. */
static void dropped_memory_is_used_again(void **state UNUSED)
{
	struct spool *s = spool_new(48 * MIB, NULL);
	uint64_t at;

	setenv("TMPDIR", "/nowhere", 1); /* so that the file cannot help out */
	for (at = 0; at < 200 * MIB; at += 16 * MIB) {
		put(s, at, at + 16 * MIB);
		if (at)
			spool_drop(s, at - 16 * MIB, 16 * MIB);
	}
	unsetenv("TMPDIR");
	spool_free(s);
}

static uint64_t own_memory(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	uint64_t kib = 0;
	char line[128];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "RssAnon: %" SCNu64, &kib) == 1)
			break;
	fclose(f);
	return kib << 10;
}

static void no_more_memory_than_the_limit(void **state UNUSED)
{
	uint64_t before = own_memory(), had;
	struct spool *s = spool_new(32 * MIB, NULL);

	put(s, 0, 96 * MIB);
	had = own_memory() - before;
	assert_in_range(had, 31 * MIB, 33 * MIB);
	spool_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_place_is_what_was_set_last),
		cmocka_unit_test(a_source_may_stand_in_pieces),
		cmocka_unit_test(what_is_kept_comes_back),
		cmocka_unit_test(dropped_memory_is_used_again),
		cmocka_unit_test(no_more_memory_than_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
