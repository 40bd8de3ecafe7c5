/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The page walk on real checkpoints: the saved instruction pointer lies in executable kernel text
 * of the guest, and the kernel image is one run of mappings.
 */
#include "real.h"

#include "checkpoint/pagetable.h"

static void rip_is_kernel_text(const char *name, unsigned levels, unsigned leaf)
{
	struct guest_map map;
	struct ckpt *ck;
	struct guest *g = real_open(name, &ck);
	struct err err;
	uint8_t insn[3];

	assert_int_equal(guest_pt_levels(g), levels);
	assert_int_equal(guest_translate(g, GVA(ckpt_vcpu(ck, 0)->ip), &map, &err), 0);
	assert_false(map.no_execute);
	assert_false(map.untrusted);
	assert_int_equal(map.level, leaf);
	assert_int_equal(guest_read(g, GVA(ckpt_vcpu(ck, 0)->ip - 2), insn, 2, &err), 0);
	real_close(g, ck);
}

static void walks_pv64(void **state UNUSED)
{
	rip_is_kernel_text("linux-6.1-base", 4, 1);
}

static void walks_pvh(void **state UNUSED)
{
	rip_is_kernel_text("linux-6.1-pvh", 4, 2);
}

static void reads_a_string_and_tracks_it(void **state UNUSED)
{
	struct ckpt *ck;
	struct guest *g = real_open("linux-6.1-base", &ck);
	pfn_t start_info = PFN(ckpt_vcpu(ck, 0)->dx);
	char magic[16];
	struct err err;

	assert_int_equal(guest_track_reads(g, &err), 0);
	assert_false(guest_was_read(g, start_info));
	assert_int_equal(guest_read_frame(g, start_info, 0, magic, sizeof(magic), &err), 0);
	assert_memory_equal(magic, "xen-3.0-x86_64", 14);
	assert_true(guest_was_read(g, start_info));
	assert_false(guest_was_read(g, PFN(start_info.v + 1)));
	real_close(g, ck);
}

static void unmapped_is_not_found(void **state UNUSED)
{
	struct ckpt *ck;
	struct guest *g = real_open("linux-6.1-base", &ck);
	struct guest_map map;
	struct err err;

	assert_int_equal(guest_translate(g, GVA(0xffffff7fffff0000ull), &map, &err), -1);
	assert_int_equal(err.cls, ERR_NOTFOUND);
	assert_int_equal(guest_translate(g, GVA(0x0001000000000000ull), &map, &err), -1);
	assert_int_equal(err.cls, ERR_NOTFOUND);
	real_close(g, ck);
}

struct count {
	uint64_t first, last, pages;
};

static int count_run(void *arg, gva_t va, const struct guest_map *map UNUSED, uint64_t bytes)
{
	struct count *c = arg;

	if (!c->pages)
		c->first = va.v;
	c->last = va.v;
	c->pages += bytes / PAGE_BYTES;
	return 0;
}

static void enumerates_the_kernel_image(void **state UNUSED)
{
	struct ckpt *ck;
	struct guest *g = real_open("linux-6.1-base", &ck);
	struct count c = {0};

	assert_int_equal(guest_for_each_mapping(g, GVA(0xffffffff80000000ull),
				 GVA(0xffffffffbfffffffull), count_run, &c),
		0);
	/* Figures of an independent walk of the same image. */
	assert_true(c.first == 0xffffffff81000000ull);
	assert_int_equal(c.pages, 10752);
	real_close(g, ck);
}

static void decodes_entries(void **state UNUSED)
{
	const struct pt_mode *m4 = pt_mode_for(4), *pae = pt_mode_for(3), *m2 = pt_mode_for(2);
	struct pt_entry e;

	e = pt_decode(m4, 1, 0x8000000012345067ull);
	assert_true(e.present && e.writable && e.user && e.no_execute && !e.large);
	assert_int_equal(e.frame, 0x12345);
	e = pt_decode(m4, 2, 0x00000000402000e1ull | 1u << 12);
	assert_true(e.large && !e.writable);
	assert_int_equal(e.frame, 0x40200);
	e = pt_decode(m4, 4, 0x12345067ull | 1u << 7);
	assert_false(e.large);
	e = pt_decode(pae, 3, 0x00001001ull);
	assert_true(e.present && e.writable && e.user && !e.no_execute);
	assert_int_equal(pt_entries(pae, 3), 4);
	assert_int_equal(pt_index(pae, 3, 0xc0000000u), 3);
	assert_int_equal(pt_index(m2, 2, 0xc0100000u), 768);
	assert_int_equal(pt_index(m2, 1, 0xc0100000u), 256);
	assert_int_equal(pt_index(pt_mode_for(5), 5, 0xff11000000000000ull), 0x111);
	e = pt_decode(m2, 2, 0x00400083u);
	assert_true(e.large);
	assert_int_equal(e.frame, 0x400);
	assert_null(pt_mode_for(1));
	assert_null(pt_mode_for(6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_entries),
		cmocka_unit_test(walks_pv64),
		cmocka_unit_test(walks_pvh),
		cmocka_unit_test(reads_a_string_and_tracks_it),
		cmocka_unit_test(unmapped_is_not_found),
		cmocka_unit_test(enumerates_the_kernel_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
