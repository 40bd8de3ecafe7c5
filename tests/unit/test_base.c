/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Unit tests of base/: cursor, checked numbers, error text, findings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/cursor.h"
#include "base/finding.h"
#include "base/num.h"

#include "seen.h"

static void cursor_reads_in_order(void **state UNUSED)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct cursor c = cur_over(bytes, sizeof(bytes), 0x100, "box");
	struct err err;

	assert_int_equal(cur_u8(&c), 1);
	assert_int_equal(cur_u16(&c), 0x0302);
	assert_int_equal(cur_u32(&c), 0x07060504);
	assert_int_equal(cur_tell(&c), 0x107);
	assert_int_equal(cur_left(&c), 8);
	assert_ptr_equal(cur_bytes(&c, 8), bytes + 7);
	assert_int_equal(cur_check(&c, &err), 0);
	assert_int_equal(cur_left(&c), 0);
}

static void cursor_fails_once_and_stays_failed(void **state UNUSED)
{
	static const uint8_t bytes[] = {1, 2, 3};
	struct cursor c = cur_over(bytes, sizeof(bytes), 0x40, "stub");
	struct err err;

	assert_int_equal(cur_u32(&c), 0);
	assert_int_equal(cur_u8(&c), 0);
	assert_false(cur_ok(&c));
	assert_int_equal(cur_check(&c, &err), -1);
	assert_int_equal(err.cls, ERR_CORRUPT);
	assert_string_equal(err.text, "stub at 0x40: 3 bytes, too short");
}

static void cursor_swaps(void **state UNUSED)
{
	static const uint8_t bytes[] = {0, 0, 0, 5, 0, 0, 0, 9, 1, 2};
	struct cursor c = cur_over(bytes, sizeof(bytes), 0, "be");

	assert_int_equal(cur_be32(&c), 5);
	c.swap = true;
	assert_int_equal(cur_u32(&c), 9);
	assert_int_equal(cur_u16(&c), 0x0102);
}

static void numbers_are_strict(void **state UNUSED)
{
	uint64_t v = 77;

	assert_true(num_parse_u64("0x1F", UINT64_MAX, &v));
	assert_true(v == 31);
	assert_true(num_parse_u64("18446744073709551615", UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
	v = 77;
	assert_false(num_parse_u64("18446744073709551616", UINT64_MAX, &v));
	assert_false(num_parse_u64("", UINT64_MAX, &v));
	assert_false(num_parse_u64("0x", UINT64_MAX, &v));
	assert_false(num_parse_u64("-1", UINT64_MAX, &v));
	assert_false(num_parse_u64(" 1", UINT64_MAX, &v));
	assert_false(num_parse_u64("1 ", UINT64_MAX, &v));
	assert_false(num_parse_u64("12a", UINT64_MAX, &v));
	assert_false(num_parse_u64("11", 10, &v));
	assert_true(v == 77);
}

static void ranges_do_not_wrap(void **state UNUSED)
{
	assert_true(num_range_ok(0, 10, 10));
	assert_true(num_range_ok(10, 0, 10));
	assert_false(num_range_ok(10, 1, 10));
	assert_false(num_range_ok(5, UINT64_MAX, 10));
	assert_false(num_range_ok(UINT64_MAX, 1, 10));
}

static void bytes_are_found_where_they_first_are(void **state UNUSED)
{
	static const char hay[] = "NNNetNetBNetBSD NetBSD N";
	size_t bytes = sizeof(hay) - 1;

	assert_ptr_equal(util_find(hay, bytes, "NetBSD ", 7), hay + 9);
	assert_ptr_equal(util_find(hay + 10, bytes - 10, "NetBSD ", 7), hay + 16);
	assert_null(util_find(hay + 17, bytes - 17, "NetBSD ", 7));
	assert_ptr_equal(util_find(hay, 16, "NetBSD ", 7), hay + 9);
	assert_null(util_find(hay, 15, "NetBSD ", 7));
	assert_ptr_equal(util_find(hay, 3, "NNN", 3), hay);
	assert_null(util_find(hay, 2, "NNN", 3));
	assert_null(util_find(hay, 0, "N", 1));
	assert_ptr_equal(util_find(hay + bytes - 1, 1, "N", 1), hay + bytes - 1);
}

static void numbers_of_bytes_are_little_endian(void **state UNUSED)
{
	static const uint8_t b[] = {0xff, 1, 0x82, 3, 0x84, 5, 0x86, 7, 0x88};

	assert_int_equal(num_le16(b + 1), 0x8201);
	assert_int_equal(num_le32(b + 1), 0x84038201);
	assert_int_equal(num_be32(b + 1), 0x01820384);
	assert_true(num_le64(b + 1) == 0x8807860584038201);
}

static void error_context_goes_outside_in(void **state UNUSED)
{
	struct err err;

	assert_int_equal(err_set(&err, ERR_NODATA, "pfn 0x%x is not in the checkpoint", 0x1a), -1);
	err_in(&err, "page table level %d", 2);
	assert_string_equal(err.text, "page table level 2: pfn 0x1a is not in the checkpoint");
	assert_int_equal(err.cls, ERR_NODATA);
}

static void error_keeps_the_cause_when_long(void **state UNUSED)
{
	struct err err;
	int i;

	err_set(&err, ERR_CORRUPT, "the cause");
	for (i = 0; i < 100; i++)
		err_in(&err, "context number %d that is rather long", i);
	assert_true(strlen(err.text) < ERR_TEXT_BYTES);
	assert_string_equal(err.text + strlen(err.text) - 9, "the cause");
	assert_non_null(strstr(err.text, "\xe2\x80\xa6"));
}

static void sizes_have_units(void **state UNUSED)
{
	static const char *const bad[] = {
		"", "K", "1KK", "1k", "-1", "16777216T", "1.5G", "111111111111111111111111111K"};
	uint64_t v = 7;
	size_t i;

	assert_true(num_parse_bytes("300", &v));
	assert_int_equal(v, 300);
	assert_true(num_parse_bytes("0x10K", &v));
	assert_int_equal(v, 16384);
	assert_true(num_parse_bytes("16777215T", &v));
	assert_int_equal(v, 0xffffff0000000000);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(num_parse_bytes(bad[i], &v));
	assert_int_equal(v, 0xffffff0000000000);
}

static void findings_of_one_rule_are_bounded(void **state UNUSED)
{
	struct finding_list list = {0}, copy = {0};
	int i;

	for (i = 0; i < 1000; i++)
		finding_add(&list, "XB101", finding_at_slot("xvda", -1, i), "slot %d", i);
	finding_add(&list, "XB102", finding_anywhere(), "other");
	assert_int_equal(list.nr, FINDING_MAX_PER_RULE + 1);
	assert_int_equal(finding_seen(&list, "XB101"), 1000);
	assert_int_equal(finding_seen(&list, "XB103"), 0);
	assert_int_equal(list.v[3].slot, 3);
	assert_int_equal(list.v[3].ring, -1);
	finding_append(&copy, &list);
	assert_int_equal(finding_seen(&copy, "XB101"), 1000);
	assert_string_equal(copy.v[copy.nr - 1].message, "other");
	finding_fini(&list);
	finding_fini(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cursor_reads_in_order),
		cmocka_unit_test(cursor_fails_once_and_stays_failed),
		cmocka_unit_test(cursor_swaps),
		cmocka_unit_test(numbers_are_strict),
		cmocka_unit_test(ranges_do_not_wrap),
		cmocka_unit_test(bytes_are_found_where_they_first_are),
		cmocka_unit_test(numbers_of_bytes_are_little_endian),
		cmocka_unit_test(error_context_goes_outside_in),
		cmocka_unit_test(error_keeps_the_cause_when_long),
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(findings_of_one_rule_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
