/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps of a replay on their way to who writes them: what is read is what was written, and of
 * what somebody else wrote only what is sound. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/num.h"
#include "replay/order.h"

static uint8_t page[PAGE_BYTES], sector[SECTOR_BYTES];

#define NR_DISKS 2u
/* Of the first disk; the second has none. */
#define NR_STEPS 4u

static void fill(struct replay_order_disk v[NR_DISKS], struct replay_op ops[NR_STEPS])
{
	memset(page, 0x5a, sizeof(page));
	memset(sector, 0xa5, sizeof(sector));
	ops[0] = (struct replay_op){
		.kind = REPLAY_OP_WRITE, .off = 4096, .len = PAGE_BYTES, .data = page, .step = 0};
	ops[1] = (struct replay_op){.kind = REPLAY_OP_WRITE,
		.off = 8192,
		.len = SECTOR_BYTES,
		.data = sector,
		.step = 0};
	ops[2] = (struct replay_op){.kind = REPLAY_OP_SYNC, .step = 2};
	ops[3] = (struct replay_op){.kind = REPLAY_OP_DISCARD, .off = 0, .len = 1 << 20, .step = 3};
	v[0] = (struct replay_order_disk){.vdev = "xvda",
		.nr_sectors = 4096,
		.dev = 7,
		.ino = 9,
		.ops = {.v = ops, .nr = NR_STEPS, .nr_left_out = 1, .nr_discards_left_out = 2}};
	v[1] = (struct replay_order_disk){.vdev = "xvdb", .nr_sectors = BLK_UNKNOWN_U64};
}

/* malloc'ed. */
static uint8_t *write_order(size_t *ret)
{
	struct replay_order_disk v[NR_DISKS];
	struct replay_op ops[NR_STEPS];
	const struct replay_order o = {v, NR_DISKS};
	int fd = memfd_create("order", MFD_CLOEXEC);
	struct err err = ERR_INIT;
	uint8_t *bytes;

	fill(v, ops);
	assert_true(fd >= 0);
	assert_int_equal(replay_order_write(&o, fd, &err), 0);
	*ret = (size_t)lseek(fd, 0, SEEK_END);
	bytes = malloc(*ret);
	assert_non_null(bytes);
	assert_int_equal(pread(fd, bytes, *ret, 0), *ret);
	close(fd);
	return bytes;
}

static void what_is_written_is_read(void **state UNUSED)
{
	struct replay_order o;
	struct err err = ERR_INIT;
	size_t len, i;
	uint8_t *bytes = write_order(&len);
	struct replay_order_disk v[NR_DISKS];
	struct replay_op ops[NR_STEPS];

	fill(v, ops);
	assert_int_equal(replay_order_read(bytes, len, NR_DISKS, true, &o, &err), 0);
	assert_int_equal(o.nr, NR_DISKS);
	assert_string_equal(o.v[0].vdev, "xvda");
	assert_string_equal(o.v[1].vdev, "xvdb");
	assert_int_equal(o.v[0].nr_sectors, 4096);
	assert_int_equal(o.v[1].nr_sectors, BLK_UNKNOWN_U64);
	assert_int_equal(o.v[0].dev, 7);
	assert_int_equal(o.v[0].ino, 9);
	assert_int_equal(o.v[0].ops.nr_left_out, 1);
	assert_int_equal(o.v[0].ops.nr_discards_left_out, 2);
	assert_int_equal(o.v[0].ops.nr, NR_STEPS);
	assert_int_equal(o.v[1].ops.nr, 0);
	for (i = 0; i < NR_STEPS; i++) {
		const struct replay_op *a = &o.v[0].ops.v[i], *b = &ops[i];

		assert_int_equal(a->kind, b->kind);
		assert_int_equal(a->off, b->off);
		assert_int_equal(a->len, b->len);
		assert_int_equal(a->step, b->step);
		if (b->kind == REPLAY_OP_WRITE)
			assert_memory_equal(a->data, b->data, b->len);
	}
	/* The discard covers both writes. */
	assert_true(o.v[0].ops.overlap);
	assert_int_equal(o.v[0].ops.nr_places, 3);
	replay_order_fini(&o);
	free(bytes);
}

static void refuse(const uint8_t *bytes, size_t len, size_t nr, bool discard, const char *what)
{
	/* At the end of its memory, where a sanitizer sees whoever reads on. */
	uint8_t *copy = malloc(len ? len : 1);
	struct err err = ERR_INIT;
	struct replay_order o;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	assert_int_equal(replay_order_read(copy, len, nr, discard, &o, &err), -1);
	assert_int_equal(err.cls, ERR_REFUSED);
	if (!strstr(err.text, what))
		fail_msg("'%s' does not say '%s'", err.text, what);
	replay_order_fini(&o);
	free(copy);
}

static void what_is_cut_or_longer_is_refused(void **state UNUSED)
{
	size_t len, i;
	uint8_t *bytes = write_order(&len), *more = calloc(1, len + 1);

	for (i = 0; i < len; i++)
		refuse(bytes, i, NR_DISKS, true, i < 24 ? "disks" : "early");
	memcpy(more, bytes, len);
	refuse(more, len + 1, NR_DISKS, true, "something follows");
	refuse(bytes, len, 1, true, "not for the disks that were named");
	refuse(bytes, len, 3, true, "not for the disks that were named");
	refuse(bytes, len, NR_DISKS, false, "nobody asked for discards");
	free(more);
	free(bytes);
}

#define FIRST_DISK 24u
#define FIRST_STEP (FIRST_DISK + 80u)

static void each_field_is_checked(void **state UNUSED)
{
	static const struct {
		size_t at;
		uint64_t value;
		const char *what;
	} bad[] = {
		{0, 0, "disks"},
		{FIRST_DISK, 0, "no name"},
		{FIRST_DISK, UINT64_C(0x2020202020202020), "no name"},
		{FIRST_DISK + 72, UINT64_MAX, "early"},
		{FIRST_DISK + 72, 1000, "early"},
		{FIRST_STEP, 3, "no known kind"},
		{FIRST_STEP, UINT64_C(1) << 32, "no known kind"},
		{FIRST_STEP, REPLAY_OP_SYNC, "a sync has a place"},
		{FIRST_STEP + 8, 99, "not in order"},
		{FIRST_STEP + 16, 1, "whole sectors"},
		{FIRST_STEP + 24, 0, "whole sectors"},
		{FIRST_STEP + 24, 8192, "whole sectors"},
		{FIRST_STEP + 24, UINT64_MAX - 511, "whole sectors"},
		{FIRST_STEP + 24, 100, "whole sectors"},
	};
	size_t len, i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t *bytes = write_order(&len);

		num_put_le64(bytes + bad[i].at, bad[i].value);
		refuse(bytes, len, NR_DISKS, true, bad[i].what);
		free(bytes);
	}
}

/* Whatever comes of it: what is read is inside of what was given. */
static void damage_is_survived(void **state UNUSED)
{
	uint64_t seed = 7;
	size_t len, n, i, k;

	for (n = 0; n < 3000; n++) {
		uint8_t *bytes = write_order(&len);
		struct replay_order o;

		for (i = 0; i <= n % 3; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
			k = (seed >> 33) % (n % 2 ? len : FIRST_STEP + 32);
			bytes[k] = (uint8_t)(seed >> 20);
		}
		if (!replay_order_read(bytes, len, NR_DISKS, n % 5, &o, NULL))
			for (i = 0; i < o.nr; i++)
				for (k = 0; k < o.v[i].ops.nr; k++) {
					const struct replay_op *op = &o.v[i].ops.v[k];

					if (op->kind == REPLAY_OP_WRITE)
						assert_true(op->data >= bytes &&
							    op->data + op->len <= bytes + len);
				}
		replay_order_fini(&o);
		free(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(what_is_cut_or_longer_is_refused),
		cmocka_unit_test(each_field_is_checked),
		cmocka_unit_test(damage_is_survived),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
