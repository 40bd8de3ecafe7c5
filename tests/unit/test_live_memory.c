/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The memory of a domain that lives, out of a made-up host whose pages change under the reader.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "base/num.h"
#include "xenhost/live_memory.h"

#define NR_PFNS 4096u
#define BASE	0x70000u /* the machine frame of pfn 0; they descend, and every seventh is missing */

struct host {
	uint64_t generation;	    /* every page holds it, and its frame; the guest runs */
	uint64_t gone;		    /* this frame cannot be mapped any more */
	uint64_t nr_maps, nr;	    /* calls, frames */
	uint64_t highest;	    /* frame that was ever asked for */
	uint8_t (*own)[PAGE_BYTES]; /* contents of frames [0, 4), or NULL */
};

static void host_read(void *arg, const uint64_t *frames, size_t nr, uint8_t *buf, bool *ok)
{
	struct host *h = arg;
	size_t i;

	h->nr_maps++;
	h->nr += nr;
	for (i = 0; i < nr; i++) {
		uint8_t *page = buf + i * PAGE_BYTES;

		ok[i] = frames[i] != h->gone;
		h->highest = MAX(h->highest, frames[i]);
		if (!ok[i])
			continue;
		memset(page, 0, PAGE_BYTES);
		if (h->own && frames[i] < 4)
			memcpy(page, h->own[frames[i]], PAGE_BYTES);
		else
			num_put_le64(page, frames[i]);
		num_put_le64(page + PAGE_BYTES - 8, h->generation);
	}
}

static struct live_memory *open_pv(struct host *h)
{
	static const struct live_facts facts = {
		.type = CKPT_GUEST_PV, .word_bytes = 8, .pt_levels = 4, .nr_pfns = NR_PFNS};
	struct live_frames from = {.arg = h, .read = host_read};
	uint64_t mfn[NR_PFNS], i;
	struct live_memory *m = NULL;
	struct err err;

	for (i = 0; i < NR_PFNS; i++)
		mfn[i] = i % 7 == 3 ? UINT64_MAX : BASE - i;
	assert_int_equal(live_memory_new(&facts, mfn, from, &m, &err), 0);
	return m;
}

static struct live_memory *open_hvm(struct host *h, uint64_t nr_pfns)
{
	const struct live_facts facts = {
		.type = CKPT_GUEST_HVM, .word_bytes = 8, .pt_levels = 4, .nr_pfns = nr_pfns};
	struct live_frames from = {.arg = h, .read = host_read};
	struct live_memory *m = NULL;
	struct err err;

	assert_int_equal(live_memory_new(&facts, NULL, from, &m, &err), 0);
	return m;
}

static uint64_t generation_of(const uint8_t *page)
{
	return num_le64(page + PAGE_BYTES - 8);
}

/* A guest that changes a page between two looks at it, to make a checked value another one. */
static void a_page_is_copied_once(void **state UNUSED)
{
	struct host h = {.generation = 1, .gone = UINT64_MAX};
	struct live_memory *m = open_pv(&h);
	struct memory mem = live_memory_of(m);
	struct memory_page p = memory_page(mem, PFN(8));
	uint64_t i;

	assert_int_equal(p.state, MEMORY_DATA);
	assert_int_equal(num_le64(p.data), BASE - 8);
	h.generation = 2;
	assert_int_equal(generation_of(p.data), 1);
	for (i = 100; i < 2000; i++)
		memory_page(mem, PFN(i));
	assert_int_equal(generation_of(memory_page(mem, PFN(8)).data), 1);
	assert_int_equal(generation_of(memory_page(mem, PFN(1000)).data), 2);
	h.generation = 3;
	assert_true(live_memory_renew(m, NULL) > 1000);
	for (i = 100; i < 2000; i++)
		if (i % 7 != 3)
			assert_int_equal(generation_of(memory_page(mem, PFN(i)).data), 3);
	assert_int_equal(generation_of(memory_page(mem, PFN(8)).data), 3);
	h.generation = 4;
	live_memory_forget(m);
	assert_int_equal(generation_of(memory_page(mem, PFN(8)).data), 4);
	assert_false(live_memory_overflowed(m));
	live_memory_free(m);
}

static void frames_of_a_pv_domain(void **state UNUSED)
{
	struct host h = {.gone = BASE - 9};
	struct live_memory *m = open_pv(&h);
	struct memory mem = live_memory_of(m);
	struct memory_run run = {0};
	struct memory_page p;
	uint64_t nr = 0;
	pfn_t pfn;
	mfn_t mfn;

	assert_int_equal(memory_info(mem).pte_unit, CKPT_PTE_MFN);
	assert_true(memory_info(mem).frames_known);
	assert_true(memory_to_pfn(mem, MFN(BASE - 5), &pfn) && pfn.v == 5);
	assert_true(memory_to_mfn(mem, PFN(5), &mfn) && mfn.v == BASE - 5);
	assert_false(memory_to_pfn(mem, MFN(BASE - 3), &pfn));
	assert_false(memory_to_mfn(mem, PFN(3), &mfn));
	/* No frame, beyond the table, and one that is gone meanwhile. */
	assert_int_equal(memory_page(mem, PFN(3)).state, MEMORY_FAILED);
	assert_int_equal(memory_page(mem, PFN(NR_PFNS)).state, MEMORY_FAILED);
	assert_int_equal(memory_page(mem, PFN(UINT64_MAX)).state, MEMORY_FAILED);
	p = memory_page(mem, PFN(9));
	assert_int_equal(p.state, MEMORY_FAILED);
	assert_non_null(p.why);
	h.gone = UINT64_MAX;
	assert_int_equal(memory_page(mem, PFN(9)).state, MEMORY_DATA);
	/* What was there and is gone when all is copied again. */
	h.gone = BASE - 9;
	assert_true(live_memory_renew(m, NULL) > 0);
	assert_int_equal(memory_page(mem, PFN(9)).state, MEMORY_FAILED);
	while (memory_next_run(mem, PFN(run.pfn + run.nr), &run))
		nr += run.nr;
	assert_int_equal(nr, NR_PFNS - NR_PFNS / 7);
	assert_int_equal(memory_info(mem).nr_data_pages, nr);
	assert_true(h.highest <= BASE);
	live_memory_free(m);
}

struct sweep {
	struct memory mem;
	uint64_t nr, elsewhere;
};

static int count_page(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct sweep *s = arg;
	const uint8_t *held[MEMORY_HELD];
	uint64_t i, other;

	assert_int_equal(num_le64(page), BASE - pfn.v);
	/* Whoever looks elsewhere meanwhile has his pages as long as he must. */
	for (i = 0; i < MEMORY_HELD && pfn.v % 97 == 0; i++) {
		other = (pfn.v * 31 + i * 577) % NR_PFNS;
		held[i] = memory_page(s->mem, PFN(other)).data;
	}
	for (i = 0; i < MEMORY_HELD && pfn.v % 97 == 0; i++) {
		other = (pfn.v * 31 + i * 577) % NR_PFNS;
		if (held[i])
			assert_int_equal(num_le64(held[i]), BASE - other);
		s->elsewhere++;
	}
	s->nr++;
	return 0;
}

static void every_page_is_swept(void **state UNUSED)
{
	struct host h = {.gone = UINT64_MAX};
	struct live_memory *m = open_pv(&h);
	struct sweep s = {.mem = live_memory_of(m)};

	memory_page(s.mem, PFN(20));
	assert_int_equal(memory_for_each_page(s.mem, count_page, &s), 0);
	assert_int_equal(s.nr, NR_PFNS - NR_PFNS / 7);
	assert_true(s.elsewhere > 100);
	live_memory_free(m);
}

/* More than can be held: the pages are those of different times, and that is said. */
static void the_cache_is_bounded(void **state UNUSED)
{
	struct host h = {.gone = UINT64_MAX};
	struct live_memory *m = open_hvm(&h, 4 * LIVE_HELD);
	struct memory mem = live_memory_of(m);
	uint64_t i;

	for (i = 0; i < 2 * LIVE_HELD; i++)
		assert_int_equal(num_le64(memory_page(mem, PFN(i)).data), i);
	/* In their order they were copied many at once. */
	assert_true(h.nr_maps < LIVE_HELD / 8);
	assert_true(live_memory_overflowed(m));
	assert_int_equal(live_memory_renew(m, NULL), LIVE_HELD);
	assert_false(live_memory_overflowed(m));
	live_memory_free(m);
}

/* Two top tables as Linux makes them with page-table isolation, in frames 2 and 3. */
static void user_tables_are_not_the_kernels(void **state UNUSED)
{
	static uint8_t own[4][PAGE_BYTES];
	struct host h = {.gone = UINT64_MAX, .own = own};
	struct live_memory *m = open_hvm(&h, 4);
	struct live_cpu cpu = {.vcpu = 0, .paging = true, .user = true, .cr3_frame = 3};
	struct live_cpu both[2] = {cpu, {.vcpu = 1, .paging = true, .cr3_frame = 1}};

	memset(own, 0, sizeof(own));
	num_put_le64(own[2] + 8, UINT64_C(0x8000000012345067));
	num_put_le64(own[3] + 8, UINT64_C(0x12345067));
	num_put_le64(own[2] + 256 * 8, 0x777063); /* the kernel's half */
	assert_int_equal(live_memory_set_cpus(m, &cpu, 1), 0);
	assert_int_equal(memory_root(live_memory_of(m), 0).table.v, 2);
	/* Another process' table in front of it is no such thing. */
	num_put_le64(own[2] + 16, 0x999067);
	assert_int_equal(live_memory_set_cpus(m, &cpu, 1), 0);
	assert_int_equal(memory_root(live_memory_of(m), 0).table.v, 3);
	/* Nor is an empty one; nor what the kernel itself pages with. */
	memset(own, 0, sizeof(own));
	assert_int_equal(live_memory_set_cpus(m, &cpu, 1), 0);
	assert_int_equal(memory_root(live_memory_of(m), 0).table.v, 3);
	/* A vcpu that is in the kernel comes first. */
	assert_int_equal(live_memory_set_cpus(m, both, 2), 0);
	assert_int_equal(memory_info(live_memory_of(m)).nr_roots, 2);
	assert_int_equal(memory_root(live_memory_of(m), 0).vcpu, 1);
	live_memory_free(m);
}

/* A PV vcpu whose top table is no frame of the domain's has none. */
static void foreign_tables_do_not_count(void **state UNUSED)
{
	struct host h = {.gone = UINT64_MAX};
	struct live_memory *m = open_pv(&h);
	struct live_cpu cpus[2] = {{.vcpu = 0, .paging = true, .cr3_frame = BASE + 1},
		{.vcpu = 1, .paging = true, .cr3_frame = BASE - 12}};

	assert_int_equal(live_memory_set_cpus(m, cpus, 2), 0);
	assert_int_equal(memory_info(live_memory_of(m)).nr_roots, 1);
	assert_int_equal(memory_root(live_memory_of(m), 0).vcpu, 1);
	assert_int_equal(memory_root(live_memory_of(m), 0).table.v, 12);
	live_memory_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_is_copied_once),
		cmocka_unit_test(frames_of_a_pv_domain),
		cmocka_unit_test(every_page_is_swept),
		cmocka_unit_test(the_cache_is_bounded),
		cmocka_unit_test(user_tables_are_not_the_kernels),
		cmocka_unit_test(foreign_tables_do_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
