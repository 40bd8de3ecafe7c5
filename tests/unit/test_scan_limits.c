/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Guests made to keep the structural scan busy: it has to give up, and to say so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "frontend/frontend.h"

/* Enough pages full of anchors for the scan's patience. */
#define HG_PAGES 12300u
#include "hvm_guest.h"
#include "seen.h"

#define DIRECT	0xffff888000000000ull
#define PRESENT 3u
#define LARGE	0x83u

/* Pages of the guest. */
enum {
	L4,
	L3,
	L2,
	SRING,
	DEEP_L3,
	DEEP_L2,
	DEEP_L1,
	FIRST_FREE,
};

static struct hguest guest;

static void fill_table(unsigned page, unsigned first, unsigned nr, uint64_t entry)
{
	unsigned i;

	for (i = first; i < first + nr; i++)
		hg_entry(&guest, page, 8 * i, entry, 8);
}

/* A direct map of large pages. */
static void start(void)
{
	unsigned i;

	hg_init(&guest, 4, 0);
	hg_entry(&guest, L4, 8 * (DIRECT >> 39 & 511), L3 << 12 | PRESENT, 8);
	hg_entry(&guest, L3, 0, L2 << 12 | PRESENT, 8);
	for (i = 0; i < 512; i++)
		hg_entry(&guest, L2, 8 * i, (uint64_t)i << 21 | LARGE, 8);
}

/* An idle ring of 32 entries every 24 bytes. */
static void fill_anchors(unsigned page)
{
	unsigned off;

	for (off = 0; off + 24 <= 4096; off += 24) {
		hg_put(&guest.mem[page][off + 8], 32, 8);
		hg_put(&guest.mem[page][off + 16], DIRECT + SRING * 4096, 8);
	}
}

static uint64_t analyse(void)
{
	const struct frontend_options opt = {.locate = FRONTEND_LOCATE_SCAN};
	struct snapshot s = {0};
	struct err err = ERR_INIT;
	struct source *src;
	struct ckpt *ck;
	struct guest *g;
	uint64_t stopped;

	if (source_from_memory(guest.stream, hg_stream(&guest), "made up", &src, &err) ||
		ckpt_open_source(src, &ck, &err) || guest_open(memory_of_ckpt(ck), &g, &err) ||
		frontend_analyse(g, &opt, &s, &err))
		fail_msg("%s", err.text);
	assert_int_equal(s.nr_devices, 0);
	stopped = finding_seen(&s.findings, "XB311");
	snapshot_fini(&s);
	guest_close(g);
	ckpt_close(ck);
	return stopped;
}

/* The shared page that they name is none, so that no proof is even begun. */
static void memory_full_of_rings(void **state UNUSED)
{
	unsigned i;

	start();
	memset(guest.mem[SRING], 0x55, 4096);
	for (i = FIRST_FREE; i < HG_PAGES; i++)
		fill_anchors(i);
	assert_int_equal(analyse(), 1);
}

static void some_rings(void **state UNUSED)
{
	start();
	memset(guest.mem[SRING], 0x55, 4096);
	fill_anchors(FIRST_FREE);
	assert_int_equal(analyse(), 0);
}

/* One page full of old rings that no mapping explains, and tables that map one page all over the
 * kernel's half: 127 L4 entries times 512 times 512 times 512. */
static void tables_full_of_each_other(void **state UNUSED)
{
	start();
	fill_anchors(FIRST_FREE);
	fill_table(L4, 384, 127, DEEP_L3 << 12 | PRESENT);
	fill_table(DEEP_L3, 0, 512, DEEP_L2 << 12 | PRESENT);
	fill_table(DEEP_L2, 0, 512, DEEP_L1 << 12 | PRESENT);
	fill_table(DEEP_L1, 0, 512, (FIRST_FREE + 1) << 12 | PRESENT);
	assert_int_equal(analyse(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(some_rings),
		cmocka_unit_test(memory_full_of_rings),
		cmocka_unit_test(tables_full_of_each_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
