/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_core.c - open any bytes as a core dump, and look at the guest in it: every page, both ways
 * of the table of frames, the page tables from the root on.
 */
#include "guest/guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keeps reads from being optimised away. */
static volatile uint64_t sink;

#define MAX_MAPPINGS 4096u

static int visit_mapping(
	void *arg, gva_t va UNUSED, const struct guest_map *map, uint64_t bytes UNUSED)
{
	unsigned *left = arg;

	sink += map->pfn.v;
	return !--*left;
}

static void visit_guest(struct memory m)
{
	static const uint64_t looked_at[] = {
		0, 0xc0000000, 0xffff800000000000, 0xffff888000000000, 0xffffffff80000000};
	unsigned left = MAX_MAPPINGS;
	struct guest *g;
	struct err err;
	uint8_t b[64];
	size_t i;

	if (guest_open(m, &g, &err))
		return;
	for (i = 0; i < ARRAY_SIZE(looked_at); i++)
		if (!guest_read(g, GVA(looked_at[i]), b, sizeof(b), &err))
			sink += b[0];
	(void)guest_for_each_mapping(g, GVA(0), GVA(UINT64_MAX), visit_mapping, &left);
	(void)guest_for_each_mapping(g, GVA(0), GVA(UINT32_MAX), visit_mapping, &left);
	guest_close(g);
}

/* A frame that leads to a page leads back from it. */
static void visit_frames(struct memory m, uint64_t from, uint64_t nr)
{
	uint64_t i;

	for (i = 0; i < nr; i++) {
		pfn_t back;
		mfn_t mfn;

		if (!memory_to_mfn(m, PFN(from + i), &mfn))
			continue;
		if (memory_to_pfn(m, mfn, &back) && back.v != from + i)
			abort();
	}
}

static void visit_memory(struct memory m)
{
	struct memory_info info = memory_info(m);
	struct memory_run run = {0};
	uint64_t nr = 0, i;

	while (memory_next_run(m, PFN(run.pfn + run.nr), &run)) {
		if (run.pfn + run.nr > info.nr_pfns && info.type != CKPT_GUEST_PV)
			abort();
		for (i = 0; i < run.nr; i++) {
			struct memory_page p = memory_page(m, PFN(run.pfn + i));

			if (!p.data != (p.state != MEMORY_DATA) ||
				(p.state == MEMORY_FAILED && !p.why))
				abort();
			if (p.data)
				sink += p.data[PAGE_BYTES - 1];
		}
		visit_frames(m, run.pfn, run.nr);
		nr += run.nr;
	}
	if (nr != info.nr_data_pages)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct source *src;
	struct ckpt *ck;

	if (source_from_memory(data, size, "fuzz", &src, &err))
		return 0;
	if (ckpt_open_source(src, &ck, &err)) {
		if (err.cls == ERR_NONE || !err.text[0])
			abort();
		return 0;
	}
	visit_memory(memory_of_ckpt(ck));
	visit_guest(memory_of_ckpt(ck));
	ckpt_close(ck);
	return 0;
}
