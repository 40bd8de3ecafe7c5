/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Blocks that a guest remembers against a disk: what differs, what a request in flight explains.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "check/disk_facts.h"
#include "check/witness.h"

#define PAGES 4u

static uint8_t pages[PAGES][PAGE_BYTES];

static struct memory_info info(const void *source UNUSED)
{
	return (struct memory_info){.pages_stay = true, .suspended = true};
}

static struct memory_page page(const void *source UNUSED, pfn_t pfn)
{
	if (pfn.v >= PAGES)
		return (struct memory_page){.state = MEMORY_ABSENT};
	return (struct memory_page){.state = MEMORY_DATA, .data = pages[pfn.v]};
}

static bool next_run(const void *source UNUSED, pfn_t from UNUSED, struct memory_run *ret UNUSED)
{
	return false;
}

static const struct memory_ops ops = {.info = info, .page = page, .next_run = next_run};

struct world {
	struct snapshot snap;
	struct ckpt_info info;
	struct check_disk disk;
	struct check_input in;
	struct check_result out;
	struct check_witnessed got;
	char path[32];
	uint8_t image[PAGES * PAGE_BYTES];
};

static void put_witness(
	struct blkdev *d, uint64_t start, uint64_t pfn, uint32_t offset, uint32_t bytes)
{
	struct witness_list *l = &d->witnesses;

	assert_int_equal(util_grow(&l->v, &l->cap, l->nr + 1, sizeof(*l->v)), 0);
	l->v[l->nr++] = (struct witness){
		.start = start, .bytes = bytes, .offset = offset, .pfn = pfn, .what = "file data"};
}

/* Pages 0 to 3 of memory are those of the disk, from its start; all is remembered. */
static void make(struct world *w)
{
	struct blkdev *d;
	size_t i;

	memset(w, 0, sizeof(*w));
	for (i = 0; i < sizeof(w->image); i++)
		w->image[i] = (uint8_t)(i * 7 + i / 512);
	memcpy(pages, w->image, sizeof(pages));
	d = snapshot_add_device(&w->snap);
	assert_non_null(d);
	snprintf(d->name, sizeof(d->name), "xvda");
	d->requests_known = d->queued_known = d->witnesses.known = true;
	for (i = 0; i < PAGES; i++)
		put_witness(d, i * PAGE_BYTES, i, 0, PAGE_BYTES);
	w->info.suspended = true;
	snprintf(w->disk.vdev, sizeof(w->disk.vdev), "xvda");
	snprintf(w->path, sizeof(w->path), "/tmp/xbdsnap-disk-XXXXXX");
}

static void put_write(struct world *w, uint64_t sector, uint64_t nr)
{
	struct blkdev *d = &w->snap.devices[0];
	struct io_request *r = io_request_append(&d->requests, &d->nr_requests);

	assert_non_null(r);
	r->op = IO_WRITE;
	r->sector = sector;
	r->sector_from = IO_SECTOR_SHADOW;
	r->nr_sectors = nr;
	assert_non_null(io_segment_append(r));
	r->seg[0].bytes = (uint32_t)(nr * SECTOR_BYTES);
	r->segs_wanted = 1;
}

static void compare(struct world *w)
{
	int fd = mkstemp(w->path);
	struct err err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, w->image, sizeof(w->image)), (ssize_t)sizeof(w->image));
	close(fd);
	w->disk.path = strdup(w->path);
	assert_int_equal(check_disk_open(&w->disk, &w->snap.devices[0], &err), 0);
	w->in = (struct check_input){.snap = &w->snap,
		.info = &w->info,
		.memory = {.ops = &ops},
		.disks = &w->disk,
		.nr_disks = 1};
	check_witnesses(&w->in, &w->out, &w->got);
	unlink(w->path);
}

static void done(struct world *w)
{
	check_disk_fini(&w->disk);
	check_result_fini(&w->out);
	snapshot_fini(&w->snap);
}

static void all_is_as_remembered(void **state UNUSED)
{
	struct world w;

	make(&w);
	compare(&w);
	assert_int_equal(w.got.blocks, PAGES);
	assert_int_equal(w.got.bytes, PAGES * PAGE_BYTES);
	assert_int_equal(w.got.differ, 0);
	assert_int_equal(w.out.findings.nr, 0);
	assert_int_equal(w.out.nr_skips, 0);
	done(&w);
}

/* Sectors 3 and 4, and 8 to 16 over the border of a page: two stretches. */
static void each_change_is_found(void **state UNUSED)
{
	struct world w;
	size_t s;

	make(&w);
	for (s = 0; s < PAGES * 8; s++)
		if (s == 3 || s == 4 || (s >= 8 && s <= 16))
			w.image[s * SECTOR_BYTES + 100 + s] ^= 1;
	compare(&w);
	assert_int_equal(w.got.differ, 3);
	assert_int_equal(w.out.findings.nr, 2);
	assert_string_equal(w.out.findings.v[0].rule, "XB409");
	assert_ptr_equal(strstr(w.out.findings.v[0].message, "sectors 3 to 4 of "),
		w.out.findings.v[0].message);
	assert_ptr_equal(strstr(w.out.findings.v[1].message, "sectors 8 to 16 of "),
		w.out.findings.v[1].message);
	done(&w);
}

static void a_write_in_flight_explains_its_sectors_only(void **state UNUSED)
{
	struct world w;

	make(&w);
	put_write(&w, 9, 2);
	put_write(&w, 10, 3);
	w.image[8 * SECTOR_BYTES] ^= 1;
	w.image[9 * SECTOR_BYTES] ^= 1;
	w.image[12 * SECTOR_BYTES + 511] ^= 1;
	w.image[13 * SECTOR_BYTES] ^= 1;
	compare(&w);
	assert_int_equal(w.got.differ, 1);
	assert_int_equal(w.out.findings.nr, 2);
	assert_non_null(strstr(w.out.findings.v[0].message, "sectors 8 to 8 of "));
	assert_non_null(strstr(w.out.findings.v[1].message, "sectors 13 to 13 of "));
	done(&w);
}

/* The end of a file counts to the byte. */
static void a_part_of_a_sector(void **state UNUSED)
{
	struct world w;

	make(&w);
	w.snap.devices[0].witnesses.nr = 0;
	put_witness(&w.snap.devices[0], 2 * PAGE_BYTES, 2, 0, 700);
	w.image[2 * PAGE_BYTES + 700] ^= 1;
	compare(&w);
	assert_int_equal(w.got.bytes, 700);
	assert_int_equal(w.got.differ, 0);
	done(&w);
	make(&w);
	w.snap.devices[0].witnesses.nr = 0;
	put_witness(&w.snap.devices[0], 2 * PAGE_BYTES, 2, 0, 700);
	w.image[2 * PAGE_BYTES + 699] ^= 1;
	compare(&w);
	assert_int_equal(w.got.differ, 1);
	done(&w);
}

/* A witness that lies outside of its page, of the disk or of memory is none. */
static void nonsense_is_no_witness(void **state UNUSED)
{
	struct world w;

	make(&w);
	w.snap.devices[0].witnesses.nr = 0;
	put_witness(&w.snap.devices[0], 0, 1, 1, PAGE_BYTES);
	put_witness(&w.snap.devices[0], PAGES * PAGE_BYTES - 512, 1, 0, 1024);
	put_witness(&w.snap.devices[0], UINT64_MAX - 100, 1, 0, 512);
	put_witness(&w.snap.devices[0], 0, PAGES, 0, 512);
	compare(&w);
	assert_int_equal(w.got.blocks, 0);
	assert_int_equal(w.out.findings.nr, 0);
	done(&w);
}

static void unknown_requests_leave_it_open(void **state UNUSED)
{
	struct world w;

	make(&w);
	w.snap.devices[0].queued_known = false;
	w.image[0] ^= 1;
	compare(&w);
	assert_int_equal(w.out.findings.nr, 0);
	assert_int_equal(w.out.nr_skips, 1);
	assert_string_equal(w.out.skips[0].rule, "XB409");
	done(&w);
	make(&w);
	put_write(&w, 1, 1);
	w.snap.devices[0].requests[0].sector_from = IO_SECTOR_UNKNOWN;
	w.image[0] ^= 1;
	compare(&w);
	assert_int_equal(w.out.findings.nr, 0);
	assert_int_equal(w.out.nr_skips, 1);
	done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_as_remembered),
		cmocka_unit_test(each_change_is_found),
		cmocka_unit_test(a_write_in_flight_explains_its_sectors_only),
		cmocka_unit_test(a_part_of_a_sector),
		cmocka_unit_test(nonsense_is_no_witness),
		cmocka_unit_test(unknown_requests_leave_it_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
