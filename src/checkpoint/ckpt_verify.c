/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_verify.c - frames on which Xen's restore of a PV guest depends.
 *
 * The rules are those of xg_sr_restore_x86_pv.c (4.6 and newer) and xc_linux_restore.c (2.0): the
 * page tables' root must have been saved as a table of the top level; frames of the GDT,
 * start_info and the p2m must be pages with data.
 */
#include "checkpoint/ckpt_priv.h"

static void need_data(struct ckpt *ck, uint64_t off, uint64_t pfn, const char *what)
{
	struct ckpt_page page = ckpt_page(ck, PFN(pfn));

	if (page.kind != CKPT_PAGE_DATA)
		finding_add(&ck->findings, "XB010", finding_at_offset(off),
			"%s is pfn 0x%llx, which %s", what, (unsigned long long)pfn,
			page.kind == CKPT_PAGE_ABSENT ? "the stream never lists"
						      : "has no data in the stream");
}

static void need_root(
	struct ckpt *ck, const struct ckpt_vcpu *v, uint64_t pfn, unsigned levels, const char *reg)
{
	struct ckpt_page page = ckpt_page(ck, PFN(pfn));

	if (page.kind != CKPT_PAGE_DATA)
		finding_add(&ck->findings, "XB010", finding_at_offset(v->ctx_off),
			"%s of vcpu %u names pfn 0x%llx, which has no data in the stream", reg,
			v->id, (unsigned long long)pfn);
	else if (levels && ckpt_type_level(page.type) != levels)
		finding_add(&ck->findings, "XB010", finding_at_offset(v->ctx_off),
			"%s of vcpu %u names pfn 0x%llx of page type 0x%x, expected an L%u table",
			reg, v->id, (unsigned long long)pfn, page.type, levels);
}

static void verify_vcpu(struct ckpt *ck, const struct ckpt_vcpu *v)
{
	unsigned i, nr = pv_context_nr_gdt_frames(v);
	char what[64];

	need_root(ck, v, v->root.v, ck->info.pt_levels, "CR3");
	if (v->user_root.v != UINT64_MAX)
		need_root(ck, v, v->user_root.v, ck->info.pt_levels, "CR1 (user)");
	for (i = 0; i < nr; i++) {
		snprintf(what, sizeof(what), "GDT frame %u of vcpu %u", i, v->id);
		need_data(ck, v->ctx_off, pv_context_gdt_frame(v, i), what);
	}
	if (v->id == 0)
		need_data(ck, v->ctx_off, v->kind == CKPT_VCPU_XEN20 ? v->si : v->dx,
			v->kind == CKPT_VCPU_XEN20 ? "the suspend record" : "start_info");
}

void ckpt_verify_pv(struct ckpt *ck)
{
	size_t i, nr = ckpt_nr_p2m_frames(ck);
	char what[64];

	for (i = 0; i < ck->state.nr_vcpus; i++)
		verify_vcpu(ck, &ck->state.vcpus[i]);
	/* In a cut stream they may simply not have come yet. */
	for (i = 0; i < nr && ck->info.complete; i++) {
		snprintf(what, sizeof(what), "p2m frame %zu", i);
		need_data(ck, FINDING_NO_OFFSET, ckpt_p2m_frame(ck, i).v, what);
	}
}
