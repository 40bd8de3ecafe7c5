/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The page walk in every paging mode, on page tables written by hand: large pages, holes, absent
 * tables, attributes, tables that point at themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "guest/guest.h"

#include "hvm_guest.h"

#define P  1ull
#define W  2ull
#define U  4ull
#define PS 0x80ull
#define NX (1ull << 63)

enum {
	TOP = 1, /* frames of the tables, and of a page of data */
	T3,
	T2,
	T1,
	DATA,
	T4,
	GONE = 30,
};

static struct hguest h;
static struct ckpt *ck;

static struct guest *open_guest(void)
{
	struct guest *g = NULL;
	struct source *src;
	struct err err;

	if (source_from_memory(h.stream, hg_stream(&h), "made", &src, &err) ||
		ckpt_open_source(src, &ck, &err) || guest_open(memory_of_ckpt(ck), &g, &err))
		fail_msg("%s", err.text);
	return g;
}

static void close_guest(struct guest *g)
{
	guest_close(g);
	ckpt_close(ck);
}

static uint64_t at(unsigned frame, uint64_t flags)
{
	return (uint64_t)frame << 12 | flags;
}

static void leads_to(struct guest *g, uint64_t va, uint64_t pfn, unsigned level, uint64_t left)
{
	struct guest_map map;
	struct err err;

	if (guest_translate(g, GVA(va), &map, &err))
		fail_msg("%s", err.text);
	assert_true(map.pfn.v == pfn);
	assert_true(map.offset == (va & 0xfff));
	assert_int_equal(map.level, level);
	assert_true(map.left == left);
	assert_false(map.untrusted);
}

static void fails(struct guest *g, uint64_t va, enum err_class cls, const char *text)
{
	struct guest_map map;
	struct err err;

	assert_int_equal(guest_translate(g, GVA(va), &map, &err), -1);
	assert_int_equal(err.cls, cls);
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
}

static void two_levels(void **state UNUSED)
{
	struct guest *g;

	hg_init(&h, 2, at(TOP, 0));
	hg_entry(&h, TOP, 4 * 768, at(T1, P | W), 4);
	hg_entry(&h, TOP, 4 * 769, 0x00400000 | P | PS, 4);
	hg_entry(&h, TOP, 4 * 770, at(GONE, P), 4);
	hg_entry(&h, T1, 4 * 256, at(DATA, P | W), 4);
	h.absent[GONE] = true;
	g = open_guest();
	assert_int_equal(guest_pt_levels(g), 2);
	assert_int_equal(guest_word_bytes(g), 4);
	leads_to(g, 0xc0100123, DATA, 1, 0x1000 - 0x123);
	leads_to(g, 0xc0412345, 0x412, 2, 0x400000 - 0x12345);
	fails(g, 0xc0101000, ERR_NOTFOUND, "level 1");
	fails(g, 0x80000000, ERR_NOTFOUND, "level 2");
	fails(g, 0xc0800000, ERR_NODATA, "level 1 for 0xc0800000: pfn 0x1e ");
	fails(g, 0x1c0100000, ERR_NOTFOUND, "canonical");
	assert_true(guest_is_kernel_addr(g, 0xc0000000));
	assert_false(guest_is_kernel_addr(g, 0xbfffffff));
	assert_false(guest_is_kernel_addr(g, 0x1c0000000));
	close_guest(g);
}

/* Four tables of 32 bytes share one page; CR3 names the second. */
static void pae_root_inside_a_page(void **state UNUSED)
{
	struct guest_map map;
	struct guest *g;
	struct err err;

	hg_init(&h, 3, at(TOP, 0x20));
	hg_entry(&h, TOP, 8 * 3, at(GONE, P), 8); /* another process's */
	hg_entry(&h, TOP, 0x20 + 8 * 3, at(T2, P), 8);
	hg_entry(&h, T2, 0, at(T1, P | W), 8);
	hg_entry(&h, T2, 8, 0x00a00000 | P | W | PS | NX, 8);
	hg_entry(&h, T1, 8 * 511, at(DATA, P), 8);
	h.absent[GONE] = true;
	g = open_guest();
	assert_int_equal(guest_pt_levels(g), 3);
	leads_to(g, 0xc01ff008, DATA, 1, 0x1000 - 8);
	leads_to(g, 0xc03ffff0, 0xbff, 2, 0x10);
	assert_int_equal(guest_translate(g, GVA(0xc0200000), &map, &err), 0);
	assert_true(map.writable && map.no_execute);
	fails(g, 0x40000000, ERR_NOTFOUND, "level 3");
	close_guest(g);
	h.cr3 = at(TOP, 0); /* the other process */
	g = open_guest();
	fails(g, 0xc01ff008, ERR_NODATA, "level 2");
	close_guest(g);
}

static void four_levels(void **state UNUSED)
{
	const uint64_t base = 0xffff888000000000ull;
	struct guest_map map;
	struct guest *g;
	struct err err;
	uint8_t b[8];

	hg_init(&h, 4, at(TOP, 0x18)); /* write-through and cache bits are no offset */
	hg_entry(&h, TOP, 8 * 273, at(T3, P | W | U), 8);
	hg_entry(&h, T3, 0, at(T2, P | W), 8);
	hg_entry(&h, T3, 8, 0x140000000 | P | W | PS, 8);
	hg_entry(&h, T2, 0, at(T1, P | W | U | NX), 8);
	hg_entry(&h, T2, 8, 0x00600000 | P | U | PS | 1u << 12, 8); /* bit 12 is PAT */
	hg_entry(&h, T1, 0, at(DATA, P | W | U), 8);
	hg_entry(&h, T1, 8 * 2, at(DATA + 1, P), 8);
	g = open_guest();
	leads_to(g, base, DATA, 1, 0x1000);
	leads_to(g, base + 0x201004, 0x601, 2, 0x200000 - 0x1004);
	leads_to(g, base + 0x40000000 + 0x3fffffff, 0x17ffff, 3, 1);
	assert_int_equal(guest_translate(g, GVA(base), &map, &err), 0);
	assert_true(map.writable && map.no_execute && !map.user); /* T3's entry is not for users */
	assert_int_equal(guest_translate(g, GVA(base + 0x2000), &map, &err), 0);
	assert_false(map.writable);
	/* A read that runs into a hole fails, one that ends before it does not. */
	assert_int_equal(guest_read(g, GVA(base + 0xff8), b, 8, &err), 0);
	assert_int_equal(guest_read(g, GVA(base + 0xff9), b, 8, &err), -1);
	assert_int_equal(err.cls, ERR_NOTFOUND);
	/* Mapped, but not in the checkpoint. */
	assert_int_equal(guest_read(g, GVA(base + 0x201000), b, 8, &err), -1);
	assert_int_equal(err.cls, ERR_NODATA);
	fails(g, 0x0000800000000000ull, ERR_NOTFOUND, "canonical");
	close_guest(g);
}

static void five_levels(void **state UNUSED)
{
	struct guest *g;

	hg_init(&h, 5, at(TOP, 0));
	hg_entry(&h, TOP, 8 * 273, at(T4, P | W), 8);
	hg_entry(&h, T4, 8 * 511, at(T3, P | W), 8);
	hg_entry(&h, T3, 0, at(T2, P | W), 8);
	hg_entry(&h, T2, 0, at(T1, P | W), 8);
	hg_entry(&h, T1, 8, at(DATA, P | W), 8);
	g = open_guest();
	assert_int_equal(guest_pt_levels(g), 5);
	leads_to(g, 0xff11ff8000001010ull, DATA, 1, 0xff0);
	fails(g, 0xff11000000000000ull, ERR_NOTFOUND, "level 4");
	assert_true(guest_is_kernel_addr(g, 0xff11000000000000ull));
	assert_false(guest_is_kernel_addr(g, 0xfe11000000000000ull));
	close_guest(g);
}

static void paging_off(void **state UNUSED)
{
	struct guest *g;

	hg_init(&h, 0, 0);
	g = open_guest();
	leads_to(g, 0x5123, DATA, 1, 0x1000 - 0x123);
	close_guest(g);
}

struct seen {
	unsigned nr;
	uint64_t va[8], bytes[8];
};

static int note(void *arg, gva_t va, const struct guest_map *map UNUSED, uint64_t bytes)
{
	struct seen *s = arg;

	assert_in_range(s->nr, 0, 7);
	s->va[s->nr] = va.v;
	s->bytes[s->nr++] = bytes;
	return 0;
}

static void enumerates_in_order(void **state UNUSED)
{
	const uint64_t base = 0xffff888000000000ull;
	struct seen s = {.nr = 0};
	struct guest *g;

	hg_init(&h, 4, at(TOP, 0));
	hg_entry(&h, TOP, 0, at(T4, P), 8); /* a user mapping, and a table that is not there */
	hg_entry(&h, T4, 0, at(GONE, P), 8);
	hg_entry(&h, TOP, 8 * 273, at(T3, P), 8);
	hg_entry(&h, T3, 0, at(T2, P), 8);
	hg_entry(&h, T3, 8, 0x40000000 | P | PS, 8);
	hg_entry(&h, T2, 0, at(T1, P), 8);
	hg_entry(&h, T2, 8, 0x00200000 | P | PS, 8);
	hg_entry(&h, T1, 0, at(DATA, P), 8);
	hg_entry(&h, T1, 8 * 511, at(DATA, P), 8);
	h.absent[GONE] = true;
	g = open_guest();
	assert_int_equal(guest_for_each_mapping(g, GVA(0), GVA(UINT64_MAX), note, &s), 0);
	assert_int_equal(s.nr, 4);
	assert_true(s.va[0] == base && s.bytes[0] == 4096);
	assert_true(s.va[1] == base + 0x1ff000 && s.bytes[1] == 4096);
	assert_true(s.va[2] == base + 0x200000 && s.bytes[2] == 2u << 20);
	assert_true(s.va[3] == base + 0x40000000 && s.bytes[3] == 1u << 30);
	s.nr = 0;
	assert_int_equal(
		guest_for_each_mapping(g, GVA(base + 0x1000), GVA(base + 0x1ff000), note, &s), 0);
	assert_int_equal(s.nr, 1);
	assert_true(s.va[0] == base + 0x1ff000);
	close_guest(g);
}

static int count(
	void *arg, gva_t va UNUSED, const struct guest_map *map UNUSED, uint64_t bytes UNUSED)
{
	++*(uint64_t *)arg;
	return 0;
}

/* Every entry of a table leads back to it: 512 to the fourth paths, and one page of memory. */
static void a_table_of_itself(void **state UNUSED)
{
	uint64_t nr = 0;
	struct guest *g;
	unsigned i;

	hg_init(&h, 4, at(TOP, 0));
	for (i = 0; i < 512; i++)
		hg_entry(&h, TOP, 8 * i, at(TOP, P | W), 8);
	g = open_guest();
	leads_to(g, 0xffffffff81000000ull, TOP, 1, 0x1000);
	assert_int_equal(guest_for_each_mapping(g, GVA(0), GVA(UINT64_MAX), count, &nr), -1);
	assert_true(nr > 0 && nr <= 512u * (HG_PAGES + 1));
	close_guest(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_levels),
		cmocka_unit_test(pae_root_inside_a_page),
		cmocka_unit_test(four_levels),
		cmocka_unit_test(five_levels),
		cmocka_unit_test(paging_off),
		cmocka_unit_test(enumerates_in_order),
		cmocka_unit_test(a_table_of_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
