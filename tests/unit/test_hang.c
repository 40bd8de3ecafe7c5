/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Who waits for whom, by the indices of a ring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check/hang.h"
#include "xenhost/xenhost.h"

struct row {
	const char *words; /* of the sentence */
	unsigned why;
	uint32_t pvt, req_prod, rsp_prod, cons;
	size_t queued;
	bool moved, unread;
};

static const struct row rows[] = {
	{"nothing is pending", 0, 40, 40, 40, 40, 0, false, false},
	{"the guest waits for the backend: 20 requests are published and not answered",
		HANG_BACKEND, 40, 40, 20, 20, 0, false, false},
	{"the guest waits for the backend: 1 request is published", HANG_BACKEND, 21, 21, 20, 20, 0,
		false, false},
	{"the backend has answered and the guest has not looked: 20 answers", HANG_GUEST, 40, 40,
		40, 20, 0, false, false},
	{"nothing published: 3 in the ring, 0 in the guest's queue", HANG_UNPUBLISHED, 43, 40, 40,
		40, 0, false, false},
	{"nothing published: 0 in the ring, 7 in the guest's queue", HANG_UNPUBLISHED, 40, 40, 40,
		40, 7, false, false},
	/* A full ring: what is queued waits for room. */
	{"the guest waits for the backend: 32 requests", HANG_BACKEND, 52, 52, 20, 20, 9, false,
		false},
	{"not answered; and the backend has answered and the guest has not looked: 5 answers",
		HANG_BACKEND | HANG_GUEST, 40, 40, 25, 20, 0, false, false},
	{"not answered; and not all is published: 2 in the ring", HANG_BACKEND | HANG_UNPUBLISHED,
		42, 40, 38, 38, 0, false, false},
	{"it is moving", HANG_MOVING, 40, 40, 40, 40, 0, true, false},
	/* Indices of two times. */
	{"it is moving", HANG_MOVING | HANG_BACKEND, 40, 40, 20, 40, 0, true, false},
	/* Indices wrap. */
	{"2 requests are published", HANG_BACKEND, 1, 1, UINT32_MAX, UINT32_MAX, 0, false, false},
	/* What cannot be is no reason. */
	{"unknown", HANG_UNKNOWN, 40, 140, 20, 20, 0, false, false},
	{"unknown", HANG_UNKNOWN | HANG_BACKEND, 40, 40, 20, 40, 0, false, false},
	{"unknown", HANG_UNKNOWN, 40, 40, 20, 20, 0, false, true},
};

static void verdicts(void **state UNUSED)
{
	struct io_request queue[9] = {0};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct io_ring ring = {.entries = 32,
			.indices = IO_INDICES_READ,
			.sring_known = !row->unread,
			.req_prod_pvt = row->pvt,
			.rsp_cons = row->cons,
			.sring_req_prod = row->req_prod,
			.sring_rsp_prod = row->rsp_prod,
			.moved = row->moved};
		struct blkdev d = {.rings = &ring,
			.nr_rings = 1,
			.requests_known = true,
			.queued_known = true,
			.queued = queue,
			.nr_queued = row->queued};
		char text[512];
		struct hang h;

		hang_judge(&d, &h);
		hang_sentence(&h, NULL, text, sizeof(text));
		if (h.why != row->why || !strstr(text, row->words))
			fail_msg("row %zu: 0x%x '%s'", i, h.why, text);
	}
}

static void rings_add_up_and_the_oldest_counts(void **state UNUSED)
{
	struct io_ring rings[2] = {{.entries = 32,
					   .indices = IO_INDICES_READ,
					   .sring_known = true,
					   .req_prod_pvt = 4,
					   .sring_req_prod = 4},
		{.entries = 32,
			.indices = IO_INDICES_READ,
			.sring_known = true,
			.req_prod_pvt = 7,
			.sring_req_prod = 7,
			.sring_rsp_prod = 7}};
	struct io_request requests[3] = {{.age_known = true, .age_ns = 34250000000},
		{.age_known = true, .age_ns = 99000000000, .unsettled = true}, {.age_ns = 5}};
	struct blkdev d = {.rings = rings,
		.nr_rings = 2,
		.requests = requests,
		.nr_requests = 3,
		.requests_known = true};
	struct hang_below below = {true, 4};
	char text[512], cut[20];
	struct hang h;

	hang_judge(&d, &h);
	assert_int_equal(h.why, HANG_BACKEND | HANG_GUEST);
	assert_int_equal(h.unanswered, 4);
	assert_int_equal(h.unseen, 7);
	hang_sentence(&h, &below, text, sizeof(text));
	assert_non_null(strstr(text, "the oldest for 34.2 s; the device below has 4 in flight"));
	below.in_flight = 0;
	hang_sentence(&h, &below, text, sizeof(text));
	assert_non_null(strstr(text, "none in flight, so they are in the backend"));
	hang_sentence(&h, &below, cut, sizeof(cut));
	assert_true(strlen(cut) < sizeof(cut));
	d.nr_rings = 0;
	hang_judge(&d, &h);
	assert_int_equal(h.why, HANG_UNKNOWN);
}

/* What waits in the guest's queue gets old as well; in the ring it is another number. */
static void what_is_held_back_gets_old(void **state UNUSED)
{
	struct io_ring ring = {.entries = 32, .indices = IO_INDICES_READ, .sring_known = true};
	struct io_request queued[3] = {{.age_ns = 99000000000},
		{.age_known = true, .age_ns = 12500000000}, {.age_known = true, .age_ns = 7}};
	struct io_request pending = {.age_known = true, .age_ns = 3000000000};
	struct blkdev d = {.rings = &ring,
		.nr_rings = 1,
		.requests_known = true,
		.queued_known = true,
		.queued = queued,
		.nr_queued = 3};
	char text[512];
	struct hang h;

	hang_judge(&d, &h);
	assert_int_equal(h.why, HANG_UNPUBLISHED);
	assert_true(hang_oldest(&h).known);
	assert_int_equal(hang_oldest(&h).ns, 12500000000);
	hang_sentence(&h, NULL, text, sizeof(text));
	assert_string_equal(text,
		"nothing published: 0 in the ring, 3 in the guest's queue, the oldest for 12.5 s; "
		"the backend cannot see them");
	d.requests = &pending;
	d.nr_requests = 1;
	ring.req_prod_pvt = ring.sring_req_prod = 1;
	hang_judge(&d, &h);
	hang_sentence(&h, NULL, text, sizeof(text));
	assert_string_equal(text, "the guest waits for the backend: 1 request is published and not "
				  "answered, the oldest for 3.0 s");
	assert_int_equal(hang_oldest(&h).ns, 12500000000);
	d.queued_known = false;
	hang_judge(&d, &h);
	assert_int_equal(hang_oldest(&h).ns, 3000000000);
}

static void put_inflight(const char *dir, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/dev/block/253:18/inflight", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void what_the_device_below_holds(void **state UNUSED)
{
	static const char *const folders[] = {"/dev", "/dev/block", "/dev/block/253:18"};
	char dir[] = "/tmp/xbdsnap-sysfs-XXXXXX", path[128];
	uint64_t reads = 1, writes = 1;
	size_t i;

	assert_non_null(mkdtemp(dir));
	for (i = 0; i < ARRAY_SIZE(folders); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, folders[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	put_inflight(dir, "       5       17\n");
	assert_true(xenhost_in_flight(dir, "fd:12", &reads, &writes));
	assert_int_equal(reads, 5);
	assert_int_equal(writes, 17);
	assert_false(xenhost_in_flight(dir, "fd:13", &reads, &writes));
	assert_false(xenhost_in_flight(dir, "", &reads, &writes));
	assert_false(xenhost_in_flight(dir, "fd", &reads, &writes));
	assert_false(xenhost_in_flight(dir, "fd:12/../x", &reads, &writes));
	put_inflight(dir, "five");
	assert_false(xenhost_in_flight(dir, "fd:12", &reads, &writes));
	snprintf(path, sizeof(path), "%s/dev/block/253:18/inflight", dir);
	unlink(path);
	for (i = ARRAY_SIZE(folders); i-- > 0;) {
		snprintf(path, sizeof(path), "%s%s", dir, folders[i]);
		rmdir(path);
	}
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(rings_add_up_and_the_oldest_counts),
		cmocka_unit_test(what_is_held_back_gets_old),
		cmocka_unit_test(what_the_device_below_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
