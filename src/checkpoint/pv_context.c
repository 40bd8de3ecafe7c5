/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pv_context.c - registers in the saved contexts of PV vcpus.
 *
 * Layouts: struct vcpu_guest_context of Xen's public headers (arch-x86/xen-x86_{32,64}.h, the same
 * from 3.0.0 on), and full_execution_context_t of Xen 2.0 (arch-x86_32.h).
 */
#include "checkpoint/ckpt_priv.h"

struct context_layout {
	size_t bytes;
	unsigned word_bytes;
	uint16_t cr0, cr1, cr3, cr4; /* 0: not there */
	uint16_t ip, sp, dx, si;
	uint16_t gdt_frames, gdt_ents;
};

static const struct context_layout layouts[] = {
	[CKPT_VCPU_PV64] = {.bytes = 5168,
		.word_bytes = 8,
		.cr0 = 4984,
		.cr1 = 4992,
		.cr3 = 5008,
		.cr4 = 5016,
		.ip = 648,
		.sp = 672,
		.dx = 616,
		.si = 624,
		.gdt_frames = 4832,
		.gdt_ents = 4960},
	[CKPT_VCPU_PV32] = {.bytes = 2800,
		.word_bytes = 4,
		.cr0 = 2716,
		.cr3 = 2728,
		.cr4 = 2732,
		.ip = 548,
		.sp = 560,
		.dx = 524,
		.si = 528,
		.gdt_frames = 2640,
		.gdt_ents = 2704},
	/* Registers that moved between 2.0.0 and 2.0.1 are decoded below. */
	[CKPT_VCPU_XEN20] = {.bytes = 2516,
		.word_bytes = 4,
		.cr3 = 2464,
		.dx = 12,
		.si = 16,
		.gdt_frames = 2388,
		.gdt_ents = 2452},
	[CKPT_VCPU_2005_SPRING] = {.bytes = 2784,
		.word_bytes = 4,
		.cr3 = 2724,
		.ip = 36,
		.sp = 48,
		.dx = 12,
		.si = 16,
		.gdt_frames = 2648,
		.gdt_ents = 2712},
	[CKPT_VCPU_2005_SUMMER] = {.bytes = 2816,
		.word_bytes = 4,
		.cr0 = 2724,
		.cr3 = 2736,
		.cr4 = 2740,
		.ip = 36,
		.sp = 48,
		.dx = 12,
		.si = 16,
		.gdt_frames = 2648,
		.gdt_ents = 2712},
};

/* arch-x86_32.h as of 2005-05-20 and 2005-06-24. */
static const enum ckpt_vcpu_kind of_2005[] = {
	CKPT_VCPU_2005_SPRING, CKPT_VCPU_2005_SUMMER, CKPT_VCPU_PV32};

enum ckpt_vcpu_kind pv_context_of_2005(uint64_t bytes, enum ckpt_vcpu_kind otherwise)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(of_2005); i++)
		if (bytes == layouts[of_2005[i]].bytes)
			return of_2005[i];
	return otherwise;
}

#define GDT_FRAMES	   16u
#define GDT_ENTS_PER_FRAME 512u

size_t pv_context_bytes(enum ckpt_vcpu_kind kind)
{
	return layouts[kind].bytes;
}

static uint64_t word_at(const struct ckpt_vcpu *v, size_t off)
{
	return layouts[v->kind].word_bytes == 8 ? num_le64(v->ctx + off) : num_le32(v->ctx + off);
}

static uint64_t optional_word(const struct ckpt_vcpu *v, size_t off)
{
	return off ? word_at(v, off) : 0;
}

/* 2.0.1 put the data segments behind the frame that the CPU pushes; a code selector of ring 1
 * stands at 40 since then, and at 56 in 2.0.0. */
static void decode_xen20_moved(struct ckpt_vcpu *v)
{
	uint32_t cs_new = num_le32(v->ctx + 40), cs_old = num_le32(v->ctx + 56);
	bool old = (cs_new & 3) != 1 && (cs_old & 3) == 1;

	v->ip = num_le32(v->ctx + (old ? 52 : 36));
	v->sp = num_le32(v->ctx + (old ? 64 : 48));
}

void pv_context_decode(struct ckpt_vcpu *v)
{
	const struct context_layout *l = &layouts[v->kind];
	uint64_t cr1;

	v->cr0 = optional_word(v, l->cr0);
	v->cr3 = word_at(v, l->cr3);
	v->cr4 = optional_word(v, l->cr4);
	v->dx = word_at(v, l->dx);
	v->si = word_at(v, l->si);
	v->ip = optional_word(v, l->ip);
	v->sp = optional_word(v, l->sp);
	switch (v->kind) {
	case CKPT_VCPU_PV64:
		v->root = PFN(v->cr3 >> PAGE_SHIFT);
		cr1 = word_at(v, l->cr1);
		/* Bit 0 says that there is a user half (xg_sr_save_x86_pv.c, 4.6). */
		if (cr1 & 1)
			v->user_root = PFN(cr1 >> PAGE_SHIFT);
		break;
	case CKPT_VCPU_PV32:
		/* "Folded": the frame's bits 20 and up stand in CR3's low 12 bits
		 * (xen_pfn_to_cr3() in arch-x86/xen-x86_32.h). */
		v->root = PFN(v->cr3 >> PAGE_SHIFT | (v->cr3 & PAGE_OFFSET_MASK) << 20);
		break;
	case CKPT_VCPU_XEN20:
		v->root = PFN(v->cr3 >> PAGE_SHIFT);
		decode_xen20_moved(v);
		break;
	case CKPT_VCPU_2005_SPRING:
	case CKPT_VCPU_2005_SUMMER:
		v->root = PFN(v->cr3 >> PAGE_SHIFT);
		break;
	case CKPT_VCPU_HVM:
		break;
	}
}

uint64_t pv_context_gdt_ents(const struct ckpt_vcpu *v)
{
	return num_le32(v->ctx + layouts[v->kind].gdt_ents);
}

unsigned pv_context_nr_gdt_frames(const struct ckpt_vcpu *v)
{
	uint64_t ents = pv_context_gdt_ents(v);

	return (unsigned)MIN(
		(ents + GDT_ENTS_PER_FRAME - 1) / GDT_ENTS_PER_FRAME, (uint64_t)GDT_FRAMES);
}

uint64_t pv_context_gdt_frame(const struct ckpt_vcpu *v, unsigned index)
{
	const struct context_layout *l = &layouts[v->kind];

	return word_at(v, l->gdt_frames + (size_t)index * l->word_bytes);
}

/* ESI names it, in xen-unstable of 2005 too, which already saved the vcpu as Xen 3.0 does. There it
 * is one only if it repeats the number of the guest's pages. */
bool ckpt_suspend_record(const struct ckpt *ck, pfn_t *ret)
{
	const struct ckpt_vcpu *v = ck->state.nr_vcpus ? &ck->state.vcpus[0] : NULL;
	struct ckpt_page page;

	if (!v || v->kind == CKPT_VCPU_PV64 || v->kind == CKPT_VCPU_HVM)
		return false;
	*ret = PFN(v->si);
	if (v->kind == CKPT_VCPU_XEN20)
		return true;
	page = ckpt_page(ck, *ret);
	return ck->info.pt_levels == 2 && page.data &&
	       num_le32(page.data + SUSPEND_NR_PFNS) == ck->info.nr_pfns;
}

/* Offsets: store_mfn and console.domU.mfn in struct start_info of public/xen.h. */
bool ckpt_start_info(const struct ckpt *ck, struct ckpt_start_info *ret)
{
	const struct ckpt_vcpu *v = ck->state.nr_vcpus ? &ck->state.vcpus[0] : NULL;
	bool wide = v && v->kind == CKPT_VCPU_PV64;
	unsigned store = wide ? 56 : 44, console = wide ? 72 : 52;
	struct ckpt_page page;
	pfn_t record;

	/* The guest puts it there when it asks to be suspended. */
	if ((!wide && !(v && v->kind == CKPT_VCPU_PV32)) || !ck->info.suspended)
		return false;
	/* A start_info of Xen 2.0 names no rings. */
	if (ckpt_suspend_record(ck, &record) && record.v == v->dx)
		return false;
	page = ckpt_page(ck, PFN(v->dx));
	if (!page.data)
		return false;
	*ret = (struct ckpt_start_info){
		.page = PFN(v->dx),
		.store_off = page.off + store,
		.console_off = page.off + console,
		.store = wide ? num_le64(page.data + store) : num_le32(page.data + store),
		.console = wide ? num_le64(page.data + console) : num_le32(page.data + console),
	};
	return true;
}
