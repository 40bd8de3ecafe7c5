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

/* ---- tables that hold machine frames ------------------------------------------------------ */

/* Page p has machine frame 0x1000 + 7p mod 32; no page has one of 0x1005 and from 0x1020 on. */
#define FRAME(p) (0x1000 + 7 * (uint64_t)(p) % 32)
#define GRANTED	 0x1005u

static struct memory_page frames_page(const void *source UNUSED, pfn_t pfn)
{
	if (pfn.v >= HG_PAGES || h.absent[pfn.v])
		return (struct memory_page){.state = MEMORY_ABSENT};
	return (struct memory_page){.state = MEMORY_DATA, .data = h.mem[pfn.v]};
}

static bool frames_to_page(const void *source UNUSED, mfn_t mfn, pfn_t *ret)
{
	unsigned p;

	for (p = 0; p < HG_PAGES; p++)
		if (FRAME(p) == mfn.v && mfn.v != GRANTED) {
			*ret = PFN(p);
			return true;
		}
	return false;
}

static struct memory_root frames_root(const void *source UNUSED, size_t index UNUSED)
{
	return (struct memory_root){.paging = true, .table = PFN(TOP)};
}

static unsigned frames_levels;

static struct memory_info frames_info(const void *source UNUSED)
{
	return (struct memory_info){
		.type = CKPT_GUEST_PV,
		.word_bytes = frames_levels == 4 ? 8 : 4,
		.pt_levels = frames_levels,
		.pte_unit = CKPT_PTE_MFN,
		.pages_stay = true,
		.frames_known = true,
		.nr_pfns = HG_PAGES,
		.nr_data_pages = HG_PAGES,
		.nr_roots = 1,
		.suspend_record = PFN(UINT64_MAX),
	};
}

static struct guest *open_frames(unsigned levels)
{
	static const struct memory_ops ops = {
		.info = frames_info,
		.page = frames_page,
		.root = frames_root,
		.to_pfn = frames_to_page,
	};
	struct guest *g = NULL;
	struct err err;

	frames_levels = levels;
	if (guest_open((struct memory){.ops = &ops}, &g, &err))
		fail_msg("%s", err.text);
	return g;
}

static void frame_entry(
	unsigned frame, unsigned index, uint64_t mfn, uint64_t flags, unsigned bytes)
{
	hg_entry(&h, frame, index * bytes, mfn << 12 | flags, bytes);
}

static void machine_frames(void **state UNUSED)
{
	const unsigned levels = 4;
	const uint64_t base = 0xffff888000000000ull;
	struct seen s = {.nr = 0};
	struct guest *g;
	unsigned p;

	hg_init(&h, levels, 0);
	frame_entry(TOP, 273, FRAME(T3), P | W, 8);
	frame_entry(TOP, 258, FRAME(TOP), P | W, 8); /* Xen's: the tables as memory */
	frame_entry(TOP, 511, 0x2000, P | W, 8);     /* of nobody */
	frame_entry(T3, 0, FRAME(T2), P | W, 8);
	frame_entry(T2, 0, FRAME(T1), P | W, 8);
	frame_entry(T2, 1, 0x1000, P | W | PS, 8); /* 512 frames, of which 31 are the guest's */
	frame_entry(T2, 2, GRANTED, P | W, 8);
	frame_entry(T1, 0, FRAME(DATA), P | W, 8);
	frame_entry(T1, 1, GRANTED, P | W, 8);
	g = open_frames(levels);
	leads_to(g, base + 0x123, DATA, 1, 0x1000 - 0x123);
	for (p = 0; p < HG_PAGES; p++)
		if (FRAME(p) != GRANTED)
			leads_to(g, base + 0x200000 + 0x1000 * (FRAME(p) - 0x1000) + 8, p, 2,
				0x1000 - 8);
	fails(g, base + 0x1000, ERR_NODATA, "level 1 entry names machine frame 0x1005");
	fails(g, base + 0x400000, ERR_NODATA, "level 2 entry names machine frame 0x1005");
	fails(g, base + 0x220000, ERR_NODATA, "which is no page of the guest");
	fails(g, UINT64_MAX - 0xfff, ERR_NODATA, "level 4 entry names machine frame 0x2000");
	fails(g, 0xffff810000000000ull, ERR_NOTFOUND, "Xen's own");
	assert_int_equal(guest_for_each_mapping(g, GVA(base), GVA(base + 0x202fff), note, &s), 0);
	assert_int_equal(s.nr, 4);
	assert_true(s.va[0] == base && s.bytes[0] == 4096);
	assert_true(s.va[3] == base + 0x202000 && s.bytes[3] == 4096);
	guest_close(g);
}

static void machine_frames_of_32_bits(void **state UNUSED)
{
	const unsigned pae = 3, two = 2;
	uint64_t nr = 0;
	struct guest *g;

	hg_init(&h, pae, 0);
	frame_entry(TOP, 3, FRAME(T2), P, 8);
	frame_entry(T2, 0, FRAME(T1), P | W, 8);
	frame_entry(T2, 0x1ac, FRAME(T1), P | W, 8); /* 0xf5800000: Xen's */
	frame_entry(T1, 2, FRAME(DATA), P | W, 8);
	g = open_frames(pae);
	leads_to(g, 0xc0002004, DATA, 1, 0x1000 - 4);
	fails(g, 0xf5802000, ERR_NOTFOUND, "Xen's own");
	assert_int_equal(guest_for_each_mapping(g, GVA(0), GVA(UINT32_MAX), count, &nr), 0);
	assert_int_equal(nr, 1);
	guest_close(g);

	hg_init(&h, two, 0);
	frame_entry(TOP, 768, FRAME(T1), P | W, 4);
	frame_entry(T1, 5, FRAME(DATA), P | W, 4);
	g = open_frames(two);
	leads_to(g, 0xc0005000, DATA, 1, 0x1000);
	fails(g, 0xfc005000, ERR_NOTFOUND, "Xen's own");
	guest_close(g);
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
		cmocka_unit_test(machine_frames),
		cmocka_unit_test(machine_frames_of_32_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
