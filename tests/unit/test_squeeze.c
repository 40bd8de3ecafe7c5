/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Codes of compressed pages: found in pieces of any size, applied, and refused when they make no
 * page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/num.h"
#include "checkpoint/squeeze.h"

/* A file of a plain page at 0 and codes behind it. */
struct made {
	uint8_t *bytes;
	size_t nr, cap;
	struct source *src;
	struct squeeze *s;
	struct pagemap map;
	uint64_t pfn; /* of the next code */
};

static void put(struct made *m, const void *bytes, size_t nr)
{
	assert_int_equal(util_grow(&m->bytes, &m->cap, m->nr + nr, 1), 0);
	memcpy(m->bytes + m->nr, bytes, nr);
	m->nr += nr;
}

static void put_byte(struct made *m, uint8_t byte, size_t nr)
{
	while (nr--)
		put(m, &byte, 1);
}

static void begin(struct made *m)
{
	*m = (struct made){.pfn = 1};
	put_byte(m, 0x11, PAGE_BYTES);
}

static void open_made(struct made *m)
{
	struct ckpt_run plain = {.pfn = 1, .nr = 1};
	struct err err = ERR_INIT;

	assert_int_equal(source_from_memory(m->bytes, m->nr, "made", &m->src, &err), 0);
	m->s = squeeze_new(m->src);
	assert_non_null(m->s);
	assert_int_equal(pagemap_add(&m->map, plain), 0);
}

static void close_made(struct made *m)
{
	squeeze_free(m->s);
	pagemap_fini(&m->map);
	source_close(m->src);
	free(m->bytes);
}

static int add_code(void *arg, const struct squeeze_code *code, struct err *err UNUSED)
{
	struct made *m = arg;
	struct ckpt_run run = {.pfn = m->pfn, .nr = 1, .squeezed = !code->whole};

	run.off = code->off + code->whole;
	return pagemap_add(&m->map, run);
}

static int feed(
	struct made *m, struct squeeze_parser *p, uint64_t off, uint64_t nr, struct err *err)
{
	return squeeze_feed(m->s, p, off, nr, add_code, m, err);
}

static const uint8_t *page_of(struct made *m, uint64_t pfn, const char **why)
{
	const struct ckpt_run *run = pagemap_find(&m->map, pfn);

	assert_non_null(run);
	assert_true(run->squeezed);
	return squeeze_page(m->s, run, why);
}

/* Words 0-9 stay, 10-12 become 0x22, the rest stays. */
static void put_delta(struct made *m)
{
	put_byte(m, 0x80 | 10, 1);
	put_byte(m, 3, 1);
	put_byte(m, 0x22, 12);
	put_byte(m, 0x80 | 127, 7);
	put_byte(m, 0x80 | (1024 - 13 - 7 * 127), 1);
}

static void check_delta(const uint8_t *page)
{
	unsigned i;

	assert_non_null(page);
	for (i = 0; i < PAGE_BYTES; i++)
		assert_int_equal(page[i], i >= 40 && i < 52 ? 0x22 : 0x11);
}

static void a_delta_changes_what_was_there(void **state UNUSED)
{
	struct squeeze_parser p = {0};
	struct err err = ERR_INIT;
	const char *why = NULL;
	struct made m;

	begin(&m);
	put_delta(&m);
	put_byte(&m, 0, 1); /* the same again */
	open_made(&m);
	assert_int_equal(feed(&m, &p, PAGE_BYTES, m.nr - PAGE_BYTES, &err), 0);
	assert_false(p.inside);
	assert_int_equal(m.map.nr, 3);
	assert_int_equal(pagemap_finish(&m.map), 0);
	assert_int_equal(squeeze_finish(m.s, &m.map), 0);
	check_delta(page_of(&m, 1, &why));
	close_made(&m);
}

/* Each piece has bytes of another kind between it and the next, as chunks do. */
static void a_code_may_come_in_pieces_of_any_size(void **state UNUSED)
{
	size_t size;

	for (size = 1; size < 24; size++) {
		struct squeeze_parser p = {0};
		struct err err = ERR_INIT;
		const char *why = NULL;
		struct made codes, m;
		size_t at, n;

		begin(&codes);
		put_delta(&codes);
		begin(&m);
		for (at = PAGE_BYTES; at < codes.nr; at += n) {
			n = MIN(size, codes.nr - at);
			put_byte(&m, 0xee, 5);
			put(&m, codes.bytes + at, n);
		}
		free(codes.bytes);
		open_made(&m);
		for (at = PAGE_BYTES; at < m.nr; at += n) {
			at += 5;
			n = MIN(size, m.nr - at);
			assert_int_equal(feed(&m, &p, at, n, &err), 0);
		}
		assert_int_equal(m.map.nr, 2);
		assert_int_equal(pagemap_finish(&m.map), 0);
		assert_int_equal(squeeze_finish(m.s, &m.map), 0);
		check_delta(page_of(&m, 1, &why));
		close_made(&m);
	}
}

/* A whole page stands in the file as it is, unless it is cut in two. */
static void a_whole_page_is_found_where_it_stands(void **state UNUSED)
{
	struct squeeze_parser p = {0};
	struct err err = ERR_INIT;
	const char *why = NULL;
	const uint8_t *page;
	struct made m;

	begin(&m);
	put_byte(&m, 0x80, 1);
	put_byte(&m, 0x33, PAGE_BYTES);
	put_byte(&m, 0x80, 1);
	put_byte(&m, 0x44, PAGE_BYTES);
	open_made(&m);
	assert_int_equal(feed(&m, &p, PAGE_BYTES, PAGE_BYTES + 1, &err), 0);
	assert_false(m.map.runs[1].squeezed);
	assert_int_equal(m.map.runs[1].off, PAGE_BYTES + 1);
	m.pfn = 2; /* no page of that number was there before */
	assert_int_equal(feed(&m, &p, 2 * PAGE_BYTES + 1, 77, &err), 0);
	assert_true(p.inside);
	assert_int_equal(feed(&m, &p, 2 * PAGE_BYTES + 78, PAGE_BYTES - 76, &err), 0);
	assert_int_equal(pagemap_finish(&m.map), 0);
	assert_int_equal(squeeze_finish(m.s, &m.map), 0);
	page = page_of(&m, 2, &why);
	assert_non_null(page);
	assert_int_equal(page[0], 0x44);
	assert_int_equal(page[PAGE_BYTES - 1], 0x44);
	close_made(&m);
}

static void a_delta_without_a_page_fails(void **state UNUSED)
{
	struct squeeze_parser p = {0};
	struct err err = ERR_INIT;
	const char *why = NULL;
	struct made m;

	begin(&m);
	put_delta(&m);
	open_made(&m);
	m.pfn = 7;
	assert_int_equal(feed(&m, &p, PAGE_BYTES, m.nr - PAGE_BYTES, &err), 0);
	assert_int_equal(pagemap_finish(&m.map), 0);
	assert_int_equal(squeeze_finish(m.s, &m.map), 0);
	assert_null(page_of(&m, 7, &why));
	assert_string_equal(why, "its delta has no page to apply to");
	close_made(&m);
}

static void codes_that_make_no_page_are_refused(void **state UNUSED)
{
	static const struct {
		uint8_t bytes[12];
		size_t nr;
		const char *text;
	} cases[] = {
		{{0x81, 0x80}, 2, "a run of no words"},
		{{0x81, 0x00}, 2, "a run of no words"},
		{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x89}, 9, "longer than a page"},
		{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x09}, 9, "longer than a page"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct squeeze_parser p = {0};
		struct err err = ERR_INIT;
		struct made m;

		begin(&m);
		put(&m, cases[i].bytes, cases[i].nr);
		open_made(&m);
		assert_int_equal(feed(&m, &p, PAGE_BYTES, cases[i].nr, &err), -1);
		assert_int_equal(err.cls, ERR_CORRUPT);
		assert_non_null(strstr(err.text, cases[i].text));
		assert_non_null(strstr(err.text, "0x1000"));
		close_made(&m);
	}
}

#define LONG_CHAIN 50000u
#define MANY_PAGES 1100u /* more than the cache has */
#define LATE_PAGES 16u

/* A page that changed in each of very many epochs is made once and kept; when others push it out of
 * the cache again and again that ends. */
static void work_is_bounded(void **state UNUSED)
{
	struct ckpt_run plain = {.pfn = 10, .nr = MANY_PAGES};
	struct squeeze_parser p = {0};
	struct err err = ERR_INIT;
	const char *why = NULL;
	struct made m;
	unsigned i, k;

	begin(&m);
	put_byte(&m, 0x11, MANY_PAGES * PAGE_BYTES);
	put_byte(&m, 0, LONG_CHAIN + MANY_PAGES);
	open_made(&m);
	assert_int_equal(pagemap_add(&m.map, plain), 0);
	for (i = 0; i < LONG_CHAIN + MANY_PAGES; i++) {
		m.pfn = i < LONG_CHAIN ? 1 : 10 + i - LONG_CHAIN;
		assert_int_equal(feed(&m, &p, (MANY_PAGES + 1) * PAGE_BYTES + i, 1, &err), 0);
	}
	assert_int_equal(pagemap_finish(&m.map), 0);
	assert_int_equal(squeeze_finish(m.s, &m.map), 0);
	for (i = 0; i < 1000; i++)
		assert_non_null(page_of(&m, 1, &why));
	for (k = 0; k < 1000 && page_of(&m, 1, &why); k++)
		for (i = 0; i < MANY_PAGES; i++)
			assert_non_null(page_of(&m, 10 + i, &why));
	assert_in_range(k, 50, 500);
	assert_string_equal(why, "its deltas are too many to be applied this often");
	close_made(&m);
}

/* A page that is asked for late in its life stands as long from then on as a new one. */
static void a_page_stands_as_long_as_promised(void **state UNUSED)
{
	struct ckpt_run plain = {.pfn = 10, .nr = MANY_PAGES, .off = PAGE_BYTES};
	struct squeeze_parser p = {0};
	const uint8_t *late[LATE_PAGES];
	struct err err = ERR_INIT;
	const char *why = NULL;
	struct made m;
	unsigned i, k;

	begin(&m);
	for (i = 0; i < MANY_PAGES; i++)
		put_byte(&m, (uint8_t)(i % 251), PAGE_BYTES);
	put_byte(&m, 0, MANY_PAGES);
	open_made(&m);
	assert_int_equal(pagemap_add(&m.map, plain), 0);
	for (i = 0; i < MANY_PAGES; i++) {
		m.pfn = 10 + i;
		assert_int_equal(feed(&m, &p, (MANY_PAGES + 1) * PAGE_BYTES + i, 1, &err), 0);
	}
	assert_int_equal(pagemap_finish(&m.map), 0);
	assert_int_equal(squeeze_finish(m.s, &m.map), 0);
	for (i = 0; i < 1000; i++)
		assert_non_null(page_of(&m, 10 + i, &why));
	for (k = 0; k < LATE_PAGES; k++)
		late[k] = page_of(&m, 10 + k, &why);
	for (i = 0; i < SQUEEZE_HELD - LATE_PAGES; i++)
		assert_non_null(page_of(&m, 10 + MANY_PAGES - 1 - i, &why));
	for (k = 0; k < LATE_PAGES; k++)
		for (i = 0; i < PAGE_BYTES; i++)
			assert_int_equal(late[k][i], k);
	close_made(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_delta_changes_what_was_there),
		cmocka_unit_test(a_code_may_come_in_pieces_of_any_size),
		cmocka_unit_test(a_whole_page_is_found_where_it_stands),
		cmocka_unit_test(a_delta_without_a_page_fails),
		cmocka_unit_test(codes_that_make_no_page_are_refused),
		cmocka_unit_test(work_is_bounded),
		cmocka_unit_test(a_page_stands_as_long_as_promised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
