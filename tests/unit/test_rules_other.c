/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Rules of frontends that keep no shadow to resume from, and of unknown ones: a device that breaks
 * one of them makes exactly that one speak.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "check/check.h"
#include "frontend/frontend.h"
#include "seen.h"

struct other {
	const struct frontend_ops *driver;
	struct io_request r[2];
	struct io_ring ring;
	struct blkdev d;
	struct snapshot s;
	struct ckpt_info info;
	struct check_result out;
};

static void make_good(struct other *o, const struct frontend_ops *driver)
{
	memset(o, 0, sizeof(*o));
	o->info.suspended = true;
	o->ring = (struct io_ring){.entries = 32, .sring_known = true};
	o->d = (struct blkdev){.name = "xvda",
		.driver = driver,
		.state = "unknown",
		.handle = 51712,
		.nr_sectors = BLK_UNKNOWN_U64,
		.max_indirect_segments = BLK_UNKNOWN_U64,
		.recovering = TRI_UNKNOWN,
		.read_only = TRI_UNKNOWN,
		.requests = o->r,
		.requests_known = true,
		.rings = &o->ring,
		.nr_rings = 1};
	o->r[0] = (struct io_request){.op = IO_WRITE,
		.sector_from = IO_SECTOR_RING,
		.sector = 8,
		.nr_sectors = 8,
		.status = UINT32_MAX,
		.associated_id = UINT64_MAX};
	o->s = (struct snapshot){.devices = &o->d, .nr_devices = 1};
}

static void a_request_is_pending(struct other *o)
{
	o->d.nr_requests = 1;
}

static void a_flush_is_pending(struct other *o)
{
	o->d.nr_requests = 1;
	o->r[0].op = IO_FLUSH;
	o->r[0].sector_from = IO_SECTOR_UNKNOWN;
	o->r[0].nr_sectors = 0;
}

static void one_more_is_counted(struct other *o)
{
	o->d.claimed_known = true;
	o->d.claimed = 1;
}

struct other_case {
	const char *rule;
	const struct frontend_ops *driver;
	void (*mutate)(struct other *o);
};

static const struct other_case cases[] = {
	{"XB801", &frontend_ring_only, a_request_is_pending},
	{"XB801", &frontend_windows_xenvbd, a_request_is_pending},
	{"XB803", &frontend_freebsd_blkfront, a_request_is_pending},
	{"XB803", &frontend_freebsd_blkfront, a_flush_is_pending},
	{"XB803", &frontend_netbsd_xenbus, a_request_is_pending},
	{"XB804", &frontend_minios_blkfront, a_request_is_pending},
	{"XB804", &frontend_grub_xendisk, a_request_is_pending},
	{"XB804", &frontend_unikraft_blkfront, a_request_is_pending},
	{"XB804", &frontend_openbsd_xbf, a_request_is_pending},
	{"XB805", &frontend_netbsd_xenbus, a_flush_is_pending},
	{"XB806", &frontend_freebsd_blkfront, one_more_is_counted},
};

static void run_rules(struct other *o)
{
	const struct check_input in = {.snap = &o->s, .info = &o->info};

	check_run(&in, &o->out);
	assert_false(o->out.no_memory);
}

static void each_speaks_alone(void **state UNUSED)
{
	struct other o;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		make_good(&o, cases[i].driver);
		run_rules(&o);
		assert_int_equal(o.out.findings.nr, 0);
		check_result_fini(&o.out);
		make_good(&o, cases[i].driver);
		cases[i].mutate(&o);
		run_rules(&o);
		assert_int_equal(finding_seen(&o.out.findings, cases[i].rule), 1);
		/* That a flush is pending is always noted. */
		assert_int_equal(o.out.findings.nr - finding_seen(&o.out.findings, "XB131"), 1);
		check_result_fini(&o.out);
	}
}

static void none_without_a_case(void **state UNUSED)
{
	const char *id;
	size_t i, k;

	for (i = 0; (id = check_rule_id(i)); i++) {
		if (strncmp(id, "XB8", 3) != 0)
			continue;
		for (k = 0; k < ARRAY_SIZE(cases) && strcmp(cases[k].rule, id) != 0; k++)
			;
		if (k == ARRAY_SIZE(cases))
			fail_msg("no test breaks %s", id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_speaks_alone),
		cmocka_unit_test(none_without_a_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
