/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What an entry of a p2m means: the same for the checkpoint's own pages, for a live domain's table
 * and for a file.
 */
#include "made.h"

#include "guest/p2m.h"
#include "xenhost/xenhost.h"

/* What a 32-bit guest stores, and the frame that it names; all ones: none. */
static const struct {
	uint32_t stored;
	uint64_t frame;
} narrow[] = {
	{5, 5}, {0x3fffffff, 0x3fffffff}, {0x40000005, UINT64_MAX}, /* identity */
	{0x80000005, UINT64_MAX},				    /* foreign */
	{0xffffffff, UINT64_MAX},				    /* none */
};

static void of_either_width(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(narrow); i++)
		assert_true(p2m_entry_frame(narrow[i].stored, 4) == narrow[i].frame);
	assert_true(p2m_entry_frame(0x40000005, 8) == 0x40000005);
	assert_true(p2m_entry_frame(0x80000005, 8) == 0x80000005);
	assert_true(p2m_entry_frame(UINT64_C(1) << 62 | 5, 8) == UINT64_MAX);
	assert_true(p2m_entry_frame(UINT64_C(1) << 63 | 5, 8) == UINT64_MAX);
	assert_true(p2m_entry_frame(UINT64_MAX, 8) == UINT64_MAX);
}

static void check_lookup(struct p2m *p, uint64_t pfn, uint64_t frame)
{
	mfn_t mfn = MFN(7);

	assert_int_equal(p2m_lookup(p, PFN(pfn), &mfn), frame == UINT64_MAX ? P2M_NONE : P2M_VALID);
	assert_true(mfn.v == (frame == UINT64_MAX ? 7 : frame));
}

/* Every page of its table is frame 8 of the made-up guest. */
static void of_a_32_bit_checkpoint(void **state UNUSED)
{
	struct stream s = make("pv32");
	struct ckpt *ck = open_made(&s, "pv32");
	uint8_t *table = s.bytes + ckpt_page(ck, PFN(8)).off;
	struct guest *g;
	struct p2m *p;
	struct err err;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(narrow); i++)
		num_put_le32(table + 4 * i, narrow[i].stored);
	assert_int_equal(guest_open(memory_of_ckpt(ck), &g, &err), 0);
	assert_int_equal(p2m_from_guest(g, &p, &err), 0);
	for (i = 0; i < ARRAY_SIZE(narrow); i++)
		check_lookup(p, 1024 + i, narrow[i].frame);
	p2m_free(p);
	guest_close(g);
	ckpt_close(ck);
	free(s.bytes);
}

static uint64_t one_frame(void *arg UNUSED, uint64_t va UNUSED)
{
	return 1;
}

static bool read_narrow(void *arg UNUSED, uint64_t frame UNUSED, uint8_t *buf)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(narrow); i++)
		num_put_le32(buf + 4 * i, narrow[i].stored);
	return true;
}

/* The same words in a live domain's table. */
static void of_a_32_bit_domain(void **state UNUSED)
{
	const struct xenhost_memory mem = {NULL, one_frame, read_narrow};
	uint64_t mfn[ARRAY_SIZE(narrow)];
	size_t i;

	assert_int_equal(xenhost_walk_p2m(&mem, 0xf5000000, 4, mfn, ARRAY_SIZE(mfn)), 1);
	for (i = 0; i < ARRAY_SIZE(mfn); i++)
		assert_true(mfn[i] == narrow[i].frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_either_width),
		cmocka_unit_test(of_a_32_bit_checkpoint),
		cmocka_unit_test(of_a_32_bit_domain),
	};

	return cmocka_run_group_tests(tests, make_all, remove_all);
}
