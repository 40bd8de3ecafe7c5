/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "frontend/blkif_abi.h"

/* The public header's structures, written out, so that a compiler places the members. */
#define GRANTS 8
struct seg {
	uint32_t gref;
	uint8_t first, last;
};
#define WIRE(name, align64)                                                                        \
	struct name {                                                                              \
		uint8_t op, nr_seg;                                                                \
		uint16_t handle;                                                                   \
		uint64_t id __attribute__((aligned(align64)));                                     \
		uint64_t sector __attribute__((aligned(align64)));                                 \
		struct seg seg[11];                                                                \
	};                                                                                         \
	struct name##_discard {                                                                    \
		uint8_t op, flag;                                                                  \
		uint16_t handle;                                                                   \
		uint64_t id __attribute__((aligned(align64)));                                     \
		uint64_t sector __attribute__((aligned(align64)));                                 \
		uint64_t nr_sectors __attribute__((aligned(align64)));                             \
	};                                                                                         \
	struct name##_indirect {                                                                   \
		uint8_t op, indirect_op;                                                           \
		uint16_t nr_seg;                                                                   \
		uint64_t id __attribute__((aligned(align64)));                                     \
		uint64_t sector __attribute__((aligned(align64)));                                 \
		uint16_t handle;                                                                   \
		uint32_t gref[GRANTS];                                                             \
	}
#pragma pack(push, 4)
WIRE(wire32, 4);
#pragma pack(pop)
WIRE(wire64, 8);

#define CHECK_PLACES(abi, w)                                                                       \
	do {                                                                                       \
		assert_int_equal((abi).request_bytes, sizeof(struct w));                           \
		assert_int_equal((abi).id, offsetof(struct w, id));                                \
		assert_int_equal((abi).sector, offsetof(struct w, sector));                        \
		assert_int_equal((abi).seg, offsetof(struct w, seg));                              \
		assert_int_equal(                                                                  \
			(abi).discard_nr_sectors, offsetof(struct w##_discard, nr_sectors));       \
		assert_int_equal((abi).indirect_handle, offsetof(struct w##_indirect, handle));    \
		assert_int_equal((abi).indirect_grefs, offsetof(struct w##_indirect, gref));       \
	} while (0)

static void places_are_the_compilers(void **state)
{
	(void)state;
	CHECK_PLACES(blkif_abi_x86_64, wire64);
	CHECK_PLACES(blkif_abi_x86_32, wire32);
}

static void decodes_rw(void **state)
{
	struct wire64 w = {.op = 1, .nr_seg = 2, .handle = 0xca00, .id = 7, .sector = 1 << 20};
	struct blkif_wire_request r;

	(void)state;
	w.seg[0] = (struct seg){.gref = 48, .first = 1, .last = 7};
	w.seg[10] = (struct seg){.gref = 99, .first = 0, .last = 3};
	blkif_decode_request(&blkif_abi_x86_64, (const uint8_t *)&w, &r);
	assert_int_equal(r.op, BLKIF_OP_WRITE);
	assert_int_equal(r.data_op, BLKIF_OP_WRITE);
	assert_int_equal(r.nr_seg, 2);
	assert_int_equal(r.handle, 0xca00);
	assert_int_equal(r.id, 7);
	assert_int_equal(r.sector, 1 << 20);
	assert_int_equal(r.seg[0].gref, 48);
	assert_int_equal(r.seg[0].first, 1);
	assert_int_equal(r.seg[10].gref, 99);
	assert_int_equal(r.seg[10].last, 3);
}

static void decodes_discard_and_indirect(void **state)
{
	struct wire32_discard d = {
		.op = 5, .flag = 1, .handle = 5, .id = 3, .sector = 9, .nr_sectors = 1ull << 33};
	struct wire32_indirect i = {
		.op = 6, .indirect_op = 1, .nr_seg = 300, .id = 4, .sector = 11, .handle = 6};
	struct blkif_wire_request r;

	(void)state;
	blkif_decode_request(&blkif_abi_x86_32, (const uint8_t *)&d, &r);
	assert_int_equal(r.flag, 1);
	assert_int_equal(r.nr_seg, 0);
	assert_int_equal(r.id, 3);
	assert_true(r.nr_sectors == 1ull << 33);
	i.gref[7] = 0x1234;
	blkif_decode_request(&blkif_abi_x86_32, (const uint8_t *)&i, &r);
	assert_int_equal(r.op, BLKIF_OP_INDIRECT);
	assert_int_equal(r.data_op, BLKIF_OP_WRITE);
	assert_int_equal(r.nr_seg, 300);
	assert_int_equal(r.handle, 6);
	assert_int_equal(r.sector, 11);
	assert_int_equal(r.indirect_gref[7], 0x1234);
}

static void decodes_response(void **state)
{
	static const uint8_t raw[16] = {9, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0xfe, 0xff};
	struct blkif_wire_response r;

	(void)state;
	blkif_decode_response(&blkif_abi_x86_64, raw, &r);
	assert_int_equal(r.id, 9);
	assert_int_equal(r.op, 3);
	assert_int_equal(r.status, -2);
}

static void counts_entries(void **state)
{
	static const unsigned pages[] = {1, 2, 4, 8, 16};
	unsigned i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		assert_int_equal(blkif_ring_entries(&blkif_abi_x86_64, pages[i]), 32 * pages[i]);
		assert_int_equal(blkif_ring_entries(&blkif_abi_x86_32, pages[i]), 32 * pages[i]);
	}
	assert_int_equal(blkif_ring_entries(&blkif_abi_x86_64, 0), 0);
	assert_int_equal(blkif_ring_entries(&blkif_abi_x86_64, 17), 0);
	assert_int_equal(blkif_ring_off(&blkif_abi_x86_64, 32, 0xffffffffu), 64 + 31 * 112);
	assert_int_equal(blkif_ring_off(&blkif_abi_x86_32, 32, 33), 64 + 108);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_are_the_compilers),
		cmocka_unit_test(decodes_rw),
		cmocka_unit_test(decodes_discard_and_indirect),
		cmocka_unit_test(decodes_response),
		cmocka_unit_test(counts_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
