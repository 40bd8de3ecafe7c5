/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A driver that no code knows: rules and replay must take it by what it says of itself, as they
 * will take the next one. It issues its requests last slot first, one order for all disks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "check/check.h"
#include "replay/replay.h"
#include "seen.h"

static void place_request(
	const struct blkdev *d UNUSED, const struct io_request *r, struct resume_place *ret)
{
	*ret = (struct resume_place){
		.why = "last slot first", .stream = "log", .order_known = r->op != IO_READ};
}

static int compare_descending(
	const struct blkdev *d UNUSED, const struct io_request *a, const struct io_request *b)
{
	return io_request_by_slot(b, a);
}

static bool is_order_known(const struct blkdev *d UNUSED, const struct io_request *a UNUSED,
	const struct io_request *b UNUSED)
{
	return true;
}

static int make_ring(const struct resume_item *v, size_t nr, bool skip_unknown,
	struct resume_ring *ret, struct err *err)
{
	size_t i;

	if (skip_unknown)
		return err_set(err, ERR_REFUSED, "not with this driver");
	ret->bytes = malloc(nr + 1);
	assert_non_null(ret->bytes);
	for (i = 0; i < nr; i++)
		ret->bytes[i] = (uint8_t)v[i].req->slot;
	ret->nr_bytes = nr;
	return 0;
}

static const struct frontend_resume resume = {.place = place_request,
	.order = compare_descending,
	.order_known = is_order_known,
	.one_log = true,
	.ring_image = make_ring};
static const struct frontend_ops driver = {.name = "made-up", .resume = &resume};

struct guest_of_two {
	struct io_request a[3], b[2];
	struct blkdev d[2];
	struct snapshot s;
	struct ckpt_info info;
};

static struct io_request make_request(unsigned slot, enum io_op op, uint64_t sector)
{
	return (struct io_request){.slot = slot,
		.op = op,
		.sector_from = IO_SECTOR_SHADOW,
		.sector = sector,
		.nr_sectors = 8,
		.status = 77,
		.associated_id = 5,
		.id = 0x1234};
}

static void make_guest(struct guest_of_two *g)
{
	memset(g, 0, sizeof(*g));
	g->a[0] = make_request(1, IO_WRITE, 100);
	g->a[1] = make_request(4, IO_WRITE, 104);
	g->a[2] = make_request(6, IO_READ, 0);
	g->b[0] = make_request(2, IO_WRITE, 100);
	g->b[1] = make_request(5, IO_READ, 900);
	g->d[0] = (struct blkdev){
		.name = "ada0", .driver = &driver, .requests = g->a, .nr_requests = 3};
	g->d[1] = (struct blkdev){
		.name = "ada1", .driver = &driver, .requests = g->b, .nr_requests = 2};
	g->d[0].nr_sectors = g->d[1].nr_sectors = 1000;
	g->d[0].handle = 51712;
	g->s.devices = g->d;
	g->s.nr_devices = 2;
}

static void replay_takes_its_order(void **state UNUSED)
{
	static const unsigned slots[] = {6, 5, 4, 2, 1};
	struct resume_ring ring = {0};
	struct guest_of_two g;
	struct replay_plan plan;
	struct err err = ERR_INIT;
	size_t i;

	make_guest(&g);
	assert_int_equal(replay_plan_build(&g.s, &plan, &err), 0);
	assert_int_equal(plan.nr, 5);
	for (i = 0; i < plan.nr; i++) {
		assert_int_equal(plan.v[i].req->slot, slots[i]);
		assert_string_equal(plan.v[i].why, "last slot first");
		assert_int_equal(plan.v[i].order_known, plan.v[i].req->op == IO_WRITE);
	}
	assert_int_equal(plan.v[2].hazards, HAZARD_OVERLAP);
	assert_int_equal(plan.v[3].hazards, 0); /* the same place of another disk */
	assert_int_equal(replay_ring(&g.s, &plan, false, &ring, &err), 0);
	assert_int_equal(ring.nr_bytes, 5);
	for (i = 0; i < 5; i++)
		assert_int_equal(ring.bytes[i], slots[i]);
	resume_ring_fini(&ring);
	assert_int_equal(replay_ring(&g.s, &plan, true, &ring, &err), -1);
	assert_string_equal(err.text, "not with this driver");
	replay_plan_fini(&plan);
}

/* Nothing of what only one driver's requests can have wrong is said of another's. */
static void rules_take_it_as_it_is(void **state UNUSED)
{
	struct guest_of_two g;
	struct check_input in = {.snap = &g.s, .info = &g.info};
	struct check_result out = {0};
	const struct finding *overlap = NULL;
	size_t i;

	make_guest(&g);
	check_run(&in, &out);
	for (i = 0; i < out.findings.nr; i++) {
		assert_true(out.findings.v[i].rule[2] != '2' && out.findings.v[i].rule[2] != '3');
		if (!strcmp(out.findings.v[i].rule, "XB601"))
			overlap = &out.findings.v[i];
	}
	assert_int_equal(finding_seen(&out.findings, "XB601"), 1);
	assert_non_null(overlap);
	assert_int_equal(overlap->slot, 1); /* slot 4 comes first */
	assert_string_equal(overlap->device, "ada0");
	assert_non_null(strstr(overlap->message, "after the write of ring 0 slot 4"));
	assert_int_equal(finding_seen(&out.findings, "XB126"), 0);
	check_result_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replay_takes_its_order),
		cmocka_unit_test(rules_take_it_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
