/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Hazards against a look at every pair, and the plan of replay against the findings of validate:
 * both must judge a snapshot alike, with what the guest's block layer still holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/sweep.h"
#include "check/check.h"
#include "replay/replay.h"
#include "seen.h"

struct dice {
	uint64_t x;
};

static unsigned roll(struct dice *d, unsigned sides)
{
	d->x = d->x * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(d->x >> 33) % sides;
}

static struct io_request any_request(struct dice *d, unsigned slot)
{
	static const enum io_op ops[] = {IO_READ, IO_READ, IO_WRITE, IO_WRITE, IO_WRITE, IO_FLUSH,
		IO_BARRIER, IO_DISCARD, IO_PROBE, IO_UNKNOWN};
	struct io_request r = {.slot = slot,
		.op = ops[roll(d, ARRAY_SIZE(ops))],
		.sector_from = roll(d, 20) ? IO_SECTOR_SHADOW : IO_SECTOR_UNKNOWN,
		.sector = roll(d, 60),
		.nr_sectors = roll(d, 4) ? 1 + roll(d, 9) : 0};

	if (!roll(d, 40))
		r.sector = UINT64_MAX - 2; /* wraps: it goes nowhere */
	return r;
}

/* Said here again, by operation: what an operation does with its sectors. */
static bool writes(const struct io_request *r)
{
	switch (r->op) {
	case IO_WRITE:
		return true;
	case IO_FLUSH:
	case IO_BARRIER:
		return r->nr_sectors > 0;
	default:
		return false;
	}
}

static bool changes(const struct io_request *r)
{
	return writes(r) || r->op == IO_DISCARD;
}

static bool is_placed(const struct io_request *r)
{
	return (r->op == IO_READ || changes(r)) && r->sector_from != IO_SECTOR_UNKNOWN &&
	       r->nr_sectors && r->sector + r->nr_sectors > r->sector;
}

static bool meet(const struct io_request *a, const struct io_request *b)
{
	return is_placed(a) && is_placed(b) && a->sector < b->sector + b->nr_sectors &&
	       b->sector < a->sector + a->nr_sectors;
}

static unsigned pair_hazards(const struct io_request *a, const struct io_request *b)
{
	bool flush_a = a->op == IO_FLUSH || a->op == IO_BARRIER;
	bool flush_b = b->op == IO_FLUSH || b->op == IO_BARRIER;
	unsigned h = 0;

	if (meet(a, b) && changes(a) && changes(b))
		h |= HAZARD_OVERLAP;
	else if (meet(a, b) && (changes(a) || changes(b)))
		h |= HAZARD_RACE;
	if ((flush_a && writes(b)) || (flush_b && writes(a)))
		h |= HAZARD_FLUSH;
	return h;
}

static unsigned all_hazards(const struct hazard_item *v, size_t nr, size_t i)
{
	const struct io_request *r = v[i].req;
	unsigned h = 0;
	size_t k;

	for (k = 0; k < nr; k++)
		if (k != i)
			h |= pair_hazards(r, v[k].req);
	if ((r->op == IO_READ || changes(r)) && r->sector_from == IO_SECTOR_UNKNOWN)
		h |= HAZARD_NOSECTOR;
	return h;
}

struct fixture {
	struct io_request pending[40], queued[40];
	struct blkdev d;
	struct snapshot s;
	struct ckpt_info info;
};

static void make(struct fixture *f, struct dice *dice)
{
	size_t i;

	memset(f, 0, sizeof(*f));
	f->d.driver = roll(dice, 2) ? &frontend_linux_blkfront : NULL;
	f->d.nr_sectors = BLK_UNKNOWN_U64;
	f->d.requests = f->pending;
	f->d.queued = f->queued;
	f->d.nr_requests = roll(dice, roll(dice, 3) ? 5 : 40);
	f->d.nr_queued = roll(dice, roll(dice, 3) ? 3 : 40);
	for (i = 0; i < f->d.nr_requests; i++)
		f->pending[i] = any_request(dice, (unsigned)i);
	for (i = 0; i < f->d.nr_queued; i++) {
		f->queued[i] = any_request(dice, (unsigned)i);
		f->queued[i].state = IO_QUEUED;
	}
	f->s.devices = &f->d;
	f->s.nr_devices = 1;
}

static void every_pair_is_seen(void **state UNUSED)
{
	struct dice dice = {1};
	struct fixture f;
	unsigned n;

	for (n = 0; n < 3000; n++) {
		struct hazard_item *v;
		struct err err;
		size_t nr, i;

		make(&f, &dice);
		assert_int_equal(hazard_items(&f.d, &v, &nr, &err), 0);
		assert_int_equal(nr, f.d.nr_requests + f.d.nr_queued);
		assert_int_equal(hazard_mark(v, nr, &err), 0);
		for (i = 0; i < nr; i++)
			assert_int_equal(v[i].hazards, all_hazards(v, nr, i));
		free(v);
	}
}

static bool is_skipped(const struct check_result *out, const char *rule)
{
	size_t i;

	for (i = 0; i < out->nr_skips; i++)
		if (!strcmp(out->skips[i].rule, rule))
			return true;
	return false;
}

static void replay_and_validate_agree(void **state UNUSED)
{
	struct dice dice = {2};
	struct fixture f;
	unsigned n, seen = 0;

	for (n = 0; n < 1000; n++) {
		struct check_input in = {.snap = &f.s, .info = &f.info};
		struct check_result out = {0};
		struct replay_plan plan;
		unsigned marks = 0;
		struct err err;
		size_t i;

		make(&f, &dice);
		assert_int_equal(replay_plan_build(&f.s, &plan, &err), 0);
		for (i = 0; i < plan.nr; i++)
			marks |= plan.v[i].hazards;
		check_run(&in, &out);
		assert_int_equal(finding_seen(&out.findings, "XB601") +
						 finding_seen(&out.findings, "XB605") >
					 0,
			(marks & HAZARD_OVERLAP) != 0);
		assert_int_equal(
			finding_seen(&out.findings, "XB602") > 0, (marks & HAZARD_RACE) != 0);
		assert_int_equal(finding_seen(&out.findings, "XB603") +
						 finding_seen(&out.findings, "XB604") >
					 0,
			(marks & HAZARD_FLUSH) != 0);
		assert_int_equal(is_skipped(&out, "XB601"), (marks & HAZARD_NOSECTOR) != 0);
		seen |= marks;
		check_result_fini(&out);
		replay_plan_fini(&plan);
	}
	assert_int_equal(
		seen & ~HAZARD_HOLE, HAZARD_OVERLAP | HAZARD_RACE | HAZARD_FLUSH | HAZARD_NOSECTOR);
}

/* Two flushes are no hazard, nor is one with data by itself; beside a queued write it is. */
static void a_flush_beside_a_queued_write(void **state UNUSED)
{
	struct io_request pending[] = {{.op = IO_FLUSH}, {.op = IO_FLUSH, .slot = 1}};
	struct io_request queued = {.op = IO_WRITE,
		.state = IO_QUEUED,
		.sector_from = IO_SECTOR_REQUEST,
		.nr_sectors = 8};
	struct hazard_item v[] = {{.req = &pending[0]}, {.req = &pending[1]}, {.req = &queued}};
	struct err err;

	assert_null(hazard_crossing(v, 2).flush);
	pending[0].nr_sectors = 8;
	assert_null(hazard_crossing(v, 1).flush);
	assert_ptr_equal(hazard_crossing(v, 3).flush, &pending[0]);
	assert_int_equal(hazard_crossing(v, 3).nr_writes, 1);
	assert_int_equal(hazard_mark(v, 3, &err), 0);
	assert_int_equal(v[0].hazards & HAZARD_FLUSH, HAZARD_FLUSH);
	assert_int_equal(v[2].hazards & HAZARD_FLUSH, HAZARD_FLUSH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_is_seen),
		cmocka_unit_test(replay_and_validate_agree),
		cmocka_unit_test(a_flush_beside_a_queued_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
