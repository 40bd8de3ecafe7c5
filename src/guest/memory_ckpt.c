/* SPDX-License-Identifier: BSD-2-Clause
 *
 * memory_ckpt.c - the memory that a checkpoint holds. Its pages are where the file is mapped, but
 * for those that are made of deltas.
 */
#include "guest/memory.h"

/*
 * The top table of PAE paging has 32 bytes and may stand anywhere in its page: CR3 bits 11-5 (Intel
 * SDM volume 3, 4.4.1). Linux packs several into one page since 4.0 (pgd_cache). Under PV it
 * starts the page.
 */
static unsigned root_offset(const struct ckpt_vcpu *v, unsigned levels)
{
	return v->kind == CKPT_VCPU_HVM && levels == 3 ? (unsigned)(v->cr3 & 0xfe0) : 0;
}

#define CR0_PG (1ull << 31)

static struct memory_root ckpt_root(const void *source, size_t index)
{
	const struct ckpt_vcpu *v = ckpt_vcpu(source, index);

	return (struct memory_root){
		.vcpu = v->id,
		.paging = v->kind != CKPT_VCPU_HVM || (v->cr0 & CR0_PG),
		.table = v->root,
		.offset = root_offset(v, ckpt_info(source)->pt_levels),
	};
}

static struct memory_info info_of_ckpt(const void *source)
{
	const struct ckpt_info *ci = ckpt_info(source);
	struct memory_info info = {
		.type = ci->guest_type,
		.word_bytes = ci->word_bytes,
		.pt_levels = ci->pt_levels,
		.pte_unit = ci->pte_unit,
		.frames_known = ckpt_has_frames(source),
		.tables_marked = ci->guest_type == CKPT_GUEST_PV && ci->pte_unit == CKPT_PTE_PFN,
		.suspended = ci->suspended,
		.pages_stay = ckpt_pages_stay(source),
		.nr_pfns = ci->nr_pfns,
		.nr_data_pages = ci->nr_data_pages,
		.nr_roots = ckpt_nr_vcpus(source),
		.nr_p2m_frames = ckpt_nr_p2m_frames(source),
		.suspend_record = PFN(UINT64_MAX),
	};
	pfn_t record;

	if (ckpt_suspend_record(source, &record))
		info.suspend_record = record;
	info.start_info_known = ckpt_start_info(source, &info.start_info);
	return info;
}

static struct memory_page page_of_ckpt(const void *source, pfn_t pfn)
{
	static const enum memory_state states[] = {
		[CKPT_PAGE_ABSENT] = MEMORY_ABSENT,
		[CKPT_PAGE_DATA] = MEMORY_DATA,
		[CKPT_PAGE_NO_DATA] = MEMORY_NO_DATA,
		[CKPT_PAGE_BROKEN] = MEMORY_BROKEN,
		[CKPT_PAGE_FAILED] = MEMORY_FAILED,
	};
	struct ckpt_page p = ckpt_page(source, pfn);

	return (struct memory_page){
		.state = states[p.kind],
		.level = (uint8_t)ckpt_type_level(p.type),
		.pinned = p.kind == CKPT_PAGE_DATA && p.type & 8,
		.data = p.data,
		.why = p.why,
	};
}

static bool next_run_of_ckpt(const void *source, pfn_t from, struct memory_run *ret)
{
	size_t i = ckpt_run_from(source, from);

	for (; i < ckpt_nr_runs(source); i++) {
		struct ckpt_run run = ckpt_run(source, i);
		uint64_t past = from.v > run.pfn ? from.v - run.pfn : 0;

		if (!ckpt_type_has_data(run.type))
			continue;
		*ret = (struct memory_run){
			.pfn = run.pfn + past,
			.nr = run.nr - past,
			.level = (uint8_t)ckpt_type_level(run.type),
		};
		if (!run.squeezed && !run.packed)
			ret->data = source_at(ckpt_source(source), run.off + past * PAGE_BYTES,
				ret->nr * PAGE_BYTES);
		return true;
	}
	return false;
}

static pfn_t p2m_frame_of_ckpt(const void *source, size_t index)
{
	return ckpt_p2m_frame(source, index);
}

static bool hvm_param_of_ckpt(const void *source, uint64_t index, uint64_t *ret)
{
	return ckpt_hvm_param(source, index, ret);
}

static bool to_pfn_of_ckpt(const void *source, mfn_t mfn, pfn_t *ret)
{
	return ckpt_to_pfn(source, mfn, ret);
}

static bool to_mfn_of_ckpt(const void *source, pfn_t pfn, mfn_t *ret)
{
	return ckpt_to_mfn(source, pfn, ret);
}

static const struct finding_list *findings_of_ckpt(const void *source)
{
	return ckpt_findings(source);
}

static void advise_ckpt(const void *source, bool sequential)
{
	source_advise_sequential(ckpt_source(source), sequential);
}

struct memory memory_of_ckpt(const struct ckpt *ck)
{
	static const struct memory_ops ops = {
		.info = info_of_ckpt,
		.page = page_of_ckpt,
		.next_run = next_run_of_ckpt,
		.root = ckpt_root,
		.p2m_frame = p2m_frame_of_ckpt,
		.hvm_param = hvm_param_of_ckpt,
		.to_pfn = to_pfn_of_ckpt,
		.to_mfn = to_mfn_of_ckpt,
		.findings = findings_of_ckpt,
		.advise = advise_ckpt,
	};

	return (struct memory){.ops = &ops, .source = ck};
}
