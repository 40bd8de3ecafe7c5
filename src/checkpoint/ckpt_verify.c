/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_verify.c - frames on which Xen's restore of a PV guest depends.
 *
 * The rules are those of xg_sr_restore_x86_pv.c (4.6 and newer) and xc_linux_restore.c (2.0): the
 * page tables' root must have been saved as a table of the top level; frames of the GDT,
 * start_info and the p2m must be pages with data.
 */
#include "checkpoint/ckpt_priv.h"

#include <inttypes.h>

/* FIRST_RESERVED_GDT_ENTRY: 14 pages (arch-x86/xen.h). Xen's own entries stand behind. */
#define GDT_MAX_ENTS 7168u

/* The restorer wants them to be of no special type. */
static void need_data(struct ckpt *ck, uint64_t off, uint64_t pfn, const char *what, size_t index)
{
	struct ckpt_page page = ckpt_page(ck, PFN(pfn));

	if (page.kind == CKPT_PAGE_DATA && page.type == 0)
		return;
	if (page.kind == CKPT_PAGE_DATA) {
		finding_add(&ck->findings, "XB010", finding_at_offset(off),
			"%s %zu is pfn 0x%" PRIx64 " of page type 0x%x, expected an ordinary page",
			what, index, pfn, page.type);
		return;
	}
	finding_add(&ck->findings, "XB010", finding_at_offset(off),
		"%s %zu is pfn 0x%" PRIx64 ", which %s", what, index, pfn,
		page.kind == CKPT_PAGE_ABSENT ? "the stream never lists"
					      : "has no data in the stream");
}

static void need_root(
	struct ckpt *ck, const struct ckpt_vcpu *v, uint64_t pfn, unsigned levels, const char *reg)
{
	struct ckpt_page page = ckpt_page(ck, PFN(pfn));

	if (page.kind != CKPT_PAGE_DATA)
		finding_add(&ck->findings, "XB010", finding_at_offset(v->ctx_off),
			"%s of vcpu %u names pfn 0x%" PRIx64 ", which has no data in the stream",
			reg, v->id, pfn);
	else if (levels && ckpt_type_level(page.type) != levels)
		finding_add(&ck->findings, "XB010", finding_at_offset(v->ctx_off),
			"%s of vcpu %u names pfn 0x%" PRIx64
			" of page type 0x%x, expected an L%u table",
			reg, v->id, pfn, page.type, levels);
}

/* The restorer looks up the frame that the domain has for it; one that is listed as unmapped or
 * broken, or never, has none. */
static void need_frame(struct ckpt *ck, uint64_t off, uint64_t pfn, const char *what)
{
	struct ckpt_page page = ckpt_page(ck, PFN(pfn));

	if (page.kind == CKPT_PAGE_DATA || page.type == CKPT_TYPE_XALLOC)
		return;
	finding_add(&ck->findings, "XB010", finding_at_offset(off),
		"start_info names pfn 0x%" PRIx64 " as the ring of %s, which %s", pfn, what,
		page.kind == CKPT_PAGE_ABSENT ? "the stream never lists"
					      : "has no memory in the stream");
}

static void verify_start_info(struct ckpt *ck)
{
	struct ckpt_start_info si;

	if (!ckpt_start_info(ck, &si)) /* said */
		return;
	need_frame(ck, si.store_off, si.store, "xenstore");
	need_frame(ck, si.console_off, si.console, "the console");
}

static void verify_vcpu(struct ckpt *ck, const struct ckpt_vcpu *v)
{
	unsigned i, nr = pv_context_nr_gdt_frames(v);
	uint64_t ents = pv_context_gdt_ents(v);

	if (ents > GDT_MAX_ENTS)
		finding_add(&ck->findings, "XB010", finding_at_offset(v->ctx_off),
			"the GDT of vcpu %u has %" PRIu64 " entries, expected at most %u", v->id,
			ents, GDT_MAX_ENTS);
	need_root(ck, v, v->root.v, ck->info.pt_levels, "CR3");
	if (v->user_root.v != UINT64_MAX)
		need_root(ck, v, v->user_root.v, ck->info.pt_levels, "CR1 (user)");
	for (i = 0; i < nr; i++)
		need_data(ck, v->ctx_off, pv_context_gdt_frame(v, i), "GDT frame", i);
	/* The guest named it when it asked to be suspended. */
	if (v->id == 0 && v->kind == CKPT_VCPU_XEN20) {
		need_data(ck, v->ctx_off, v->si, "the suspend record of vcpu", 0);
	} else if (v->id == 0) {
		need_data(ck, v->ctx_off, v->dx, "start_info of vcpu", 0);
		verify_start_info(ck);
	}
}

void ckpt_verify_vcpus(struct ckpt *ck)
{
	const struct ckpt_vcpu *last;

	if (!ck->state.nr_vcpus || !ck->info.config_vcpus)
		return;
	last = &ck->state.vcpus[ck->state.nr_vcpus - 1];
	if (last->id >= ck->info.config_vcpus)
		finding_add(&ck->findings, "XB024", finding_at_offset(last->ctx_off),
			"the stream has a vcpu %u, the configuration allows %u vcpus", last->id,
			ck->info.config_vcpus);
}

/* There may be millions: the first one that is wrong stands for all. */
static void verify_p2m_frames(struct ckpt *ck)
{
	size_t i, first = 0, nr_bad = 0, nr = ckpt_nr_p2m_frames(ck);

	for (i = 0; i < nr; i++) {
		struct ckpt_page page = ckpt_page(ck, ckpt_p2m_frame(ck, i));

		if (page.kind == CKPT_PAGE_DATA && page.type == 0)
			continue;
		if (!nr_bad++)
			first = i;
	}
	if (!nr_bad)
		return;
	need_data(ck, FINDING_NO_OFFSET, ckpt_p2m_frame(ck, first).v, "p2m frame", first);
	if (nr_bad > 1)
		finding_add(&ck->findings, "XB010", finding_anywhere(),
			"%zu of %zu p2m frames are not ordinary pages with data", nr_bad, nr);
}

#define TABLE_ENTRIES 512u
#define ENTRY_PRESENT 1u
#define ENTRY_FRAME   ((UINT64_C(1) << 40) - 1) /* bits 51-12 */

/* The highest frame that a present entry names. No branches: there are hundreds of millions of
 * entries in a large guest. */
static uint64_t highest_frame(const uint8_t *table)
{
	uint64_t highest = 0;
	unsigned i;

	for (i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t entry = num_le64(table + 8 * (size_t)i);
		uint64_t frame = (entry >> PAGE_SHIFT & ENTRY_FRAME) & -(entry & ENTRY_PRESENT);

		highest = MAX(highest, frame);
	}
	return highest;
}

/* The same of a table with entries of 4 bytes. */
static uint64_t highest_frame_short(const uint8_t *table)
{
	uint64_t highest = 0;
	unsigned i;

	for (i = 0; i < PAGE_BYTES / 4; i++) {
		uint32_t entry = num_le32(table + 4 * (size_t)i);

		if (entry & ENTRY_PRESENT)
			highest = MAX(highest, (uint64_t)(entry >> PAGE_SHIFT));
	}
	return highest;
}

static void verify_table(
	const struct ckpt *ck, const struct ckpt_run *run, uint32_t index, struct finding_list *ret)
{
	uint64_t off = run->off + (uint64_t)index * PAGE_BYTES, frame;
	const uint8_t *table = source_at(ck->src, off, PAGE_BYTES);

	if (!table)
		return;
	frame = ck->info.pt_levels == 2 ? highest_frame_short(table) : highest_frame(table);
	if (frame >= ck->info.nr_pfns)
		finding_add(ret, "XB027", finding_at_offset(off),
			"the L%u page table in page 0x%" PRIx64 " names pfn 0x%" PRIx64
			", the guest has 0x%" PRIx64,
			ckpt_type_level(run->type), run->pfn + index, frame, ck->info.nr_pfns);
}

/* A later copy of a page does not save an earlier one: the restorer translates each as it comes. */
uint64_t ckpt_verify_tables(const struct ckpt *ck, ckpt_wanted_fn *wanted, const void *arg,
	struct finding_list *findings)
{
	const struct ckpt_state *s = &ck->state;
	uint64_t nr_left = 0;
	size_t i;
	uint32_t k;

	if (!s->nr_vcpus || !ck->info.nr_pfns ||
		(s->vcpus[0].kind != CKPT_VCPU_PV64 && s->vcpus[0].kind != CKPT_VCPU_PV32))
		return 0;
	for (i = 0; i < ck->map.nr; i++) {
		const struct ckpt_run *run = &ck->map.runs[i];

		/* Page tables are never sent as what changed in them. */
		if (run->squeezed)
			continue;
		for (k = 0; ckpt_type_level(run->type) && k < run->nr; k++)
			if (wanted(arg, PFN(run->pfn + k)))
				verify_table(ck, run, k, findings);
			else
				nr_left++;
	}
	return nr_left;
}

void ckpt_verify_pv(struct ckpt *ck)
{
	size_t i;

	if (ck->info.guest_type != CKPT_GUEST_PV)
		return;
	for (i = 0; i < ck->state.nr_vcpus; i++)
		verify_vcpu(ck, &ck->state.vcpus[i]);
	/* In a cut stream they may simply not have come yet. */
	if (ck->info.complete)
		verify_p2m_frames(ck);
}

void ckpt_verify_core(struct ckpt *ck)
{
	finding_add(&ck->findings, "XB018", finding_anywhere(),
		"this is a core dump, not a saved guest: its drivers may have been in the middle "
		"of a "
		"change");
}
