/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Where a limit of 11 pages cuts a request: the numbers of a real guest. Linux 6.1, on a backend
 * without indirect segments, was given six requests through O_DIRECT; what stands here as the parts
 * are the requests that its shadow ring then held.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "replay/replay.h"

struct one {
	uint64_t sector, nr_sectors;
	uint32_t offset; /* of the buffer in its first page */
	struct replay_part parts[8];
};

static const struct one seen[] = {
	{64, 88, 0, {{64, 88}}},
	{512, 512, 0, {{512, 88}, {600, 88}, {688, 88}, {776, 88}, {864, 88}, {952, 72}}},
	{4096, 256, 512, {{4096, 87}, {4183, 88}, {4271, 81}}},
	{8192, 8, 0, {{8192, 8}}},
	{9000, 89, 0, {{9000, 88}, {9088, 1}}},
	{12000, 300, 3584, {{12000, 81}, {12081, 88}, {12169, 88}, {12257, 43}}},
};

static struct blkdev linux_device(void)
{
	struct blkdev d = {.driver = &frontend_linux_blkfront,
		.requeue = BLK_REQUEUE_FIRST_FIRST,
		.logical_block_bytes = 512,
		.physical_block_bytes = 512};

	return d;
}

static void fill(struct io_request *r, const struct one *o)
{
	uint64_t left = o->nr_sectors * 512;
	uint32_t offset = o->offset;

	*r = (struct io_request){.op = IO_WRITE,
		.sector = o->sector,
		.sector_from = IO_SECTOR_SHADOW,
		.nr_sectors = o->nr_sectors};
	while (left) {
		struct io_segment *s = io_segment_append(r);

		assert_non_null(s);
		s->offset = offset;
		s->bytes = (uint32_t)MIN(left, (uint64_t)(PAGE_BYTES - offset));
		left -= s->bytes;
		offset = 0;
	}
	r->segs_wanted = r->nr_seg;
}

static size_t split(const struct blkdev *d, const struct io_request *r, bool queued, uint64_t max,
	struct replay_part **ret)
{
	struct io_request asked = *r;
	struct replay_item it = {.dev = d, .req = &asked};
	struct err err;
	size_t nr;

	asked.state = queued ? IO_QUEUED : IO_PENDING;
	assert_int_equal(replay_split(&it, max, ret, &nr, &err), 0);
	return nr;
}

static void as_a_real_guest(void **state UNUSED)
{
	struct blkdev d = linux_device();
	size_t i, k, nr;

	for (i = 0; i < ARRAY_SIZE(seen); i++) {
		struct replay_part *v;
		struct io_request r;

		fill(&r, &seen[i]);
		nr = split(&d, &r, false, 11, &v);
		for (k = 0; k < nr; k++) {
			assert_int_equal(v[k].sector, seen[i].parts[k].sector);
			assert_int_equal(v[k].nr_sectors, seen[i].parts[k].nr_sectors);
		}
		assert_int_equal(nr < 8 ? seen[i].parts[nr].nr_sectors : 0, 0);
		free(v);
		free(r.seg);
	}
}

static void not_known(void **state UNUSED)
{
	struct blkdev d = linux_device();
	struct replay_part *v;
	struct io_request r;

	fill(&r, &seen[1]);
	assert_int_equal(split(&d, &r, true, 11, &v), 0);
	r.segs_wanted++;
	assert_int_equal(split(&d, &r, false, 11, &v), 0);
	r.segs_wanted--;
	r.flags = IO_FLAG_FUA;
	assert_int_equal(split(&d, &r, false, 11, &v), 0);
	r.flags = 0;
	r.op = IO_DISCARD;
	assert_int_equal(split(&d, &r, false, 11, &v), 0);
	r.op = IO_READ;
	r.sector_from = IO_SECTOR_UNKNOWN;
	assert_int_equal(split(&d, &r, false, 11, &v), 0);
	r.sector_from = IO_SECTOR_SHADOW;
	d.requeue = BLK_REQUEUE_UNKNOWN; /* an older kernel, which clones bios */
	assert_int_equal(split(&d, &r, false, 11, &v), 0);
	d.requeue = BLK_REQUEUE_LAST_FIRST;
	r.sector = 513;
	d.physical_block_bytes = 4096;
	assert_int_equal(split(&d, &r, false, 11, &v), 0);
	r.sector = 512;
	r.seg[3].bytes -= 512; /* now it has not the sectors that it says */
	assert_int_equal(split(&d, &r, false, 11, &v), 0);
	r.seg[3].bytes = 0;
	assert_int_equal(split(&d, &r, false, 11, &v), 0);
	assert_int_equal(split(&d, &r, false, 0, &v), 0);
	free(r.seg);
}

/* Blocks of 4096 bytes, and a buffer that starts inside a page: parts end on whole blocks. */
static void whole_blocks(void **state UNUSED)
{
	static const struct one o = {800, 256, 512, {{0}}};
	struct blkdev d = linux_device();
	struct replay_part *v;
	struct io_request r;

	fill(&r, &o);
	d.logical_block_bytes = d.physical_block_bytes = 4096;
	assert_int_equal(split(&d, &r, false, 11, &v), 4);
	assert_int_equal(v[0].nr_sectors, 80);
	assert_int_equal(v[1].sector, 880);
	assert_int_equal(v[1].nr_sectors, 80);
	assert_int_equal(v[2].nr_sectors, 80);
	assert_int_equal(v[3].sector, 1040);
	assert_int_equal(v[3].nr_sectors, 16);
	free(v);
	free(r.seg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_a_real_guest),
		cmocka_unit_test(not_known),
		cmocka_unit_test(whole_blocks),
	};

	return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
