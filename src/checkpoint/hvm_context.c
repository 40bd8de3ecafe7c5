/* SPDX-License-Identifier: BSD-2-Clause
 *
 * hvm_context.c - the vcpus in the hypervisor's own save records of HVM and PVH guests.
 *
 * Layout: xen/include/public/hvm/save.h and arch-x86/hvm/save.h. A record is {u16 type, u16
 * instance, u32 length} and its body, unaligned; type 0 ends the list. The CPU record grew at its
 * end (1016, 1024, 1032 bytes); what is read here never moved.
 */
#include "checkpoint/ckpt_priv.h"

#include <inttypes.h>

#define HVM_END	       0
#define HVM_HEADER     1
#define HVM_CPU	       2
#define HVM_FILE_MAGIC 0x54381286u

#define HVM_FILE_VERSION 1u
#define HVM_HEADER_BYTES 24u

#define CPU_RSP	      568
#define CPU_RDX	      536
#define CPU_RSI	      552
#define CPU_RIP	      640
#define CPU_CR0	      656
#define CPU_CR3	      672
#define CPU_CR4	      680
#define CPU_EFER      992
#define CPU_MIN_BYTES 1000

#define CR0_PG	 (1u << 31)
#define CR4_PAE	 (1u << 5)
#define CR4_LA57 (1u << 12)
#define EFER_LMA (1u << 10)

#define CR4_PCIDE    (1u << 17)
#define PTE_PRESENT  1u
#define PTE_WRITABLE 2u

/* Bits 63-52 are no part of the address; 31-5 are all that PAE and 2-level paging use. */
static pfn_t root_of(uint64_t cr3)
{
	return PFN((cr3 & ((UINT64_C(1) << 52) - 1)) >> PAGE_SHIFT);
}

/*
 * The four entries of PAE's top table must not have the bit that makes an entry of four levels
 * writable (Intel SDM volume 3, 4.4.1); a kernel without long mode has at least one of them. Names
 * of address spaces (PCID), which change where CR3 seems to point, need long mode.
 */
static bool is_long_mode(const struct ckpt *ck, const struct ckpt_vcpu *v)
{
	unsigned off = v->cr4 & CR4_PCIDE ? 0 : (unsigned)(v->cr3 & 0xfe0), i;
	const uint8_t *top = ckpt_page(ck, v->root).data;

	if (v->cr4 & (CR4_PCIDE | CR4_LA57) || (v->ip | v->sp) >> 32 || !top)
		return true;
	for (i = 0; i < 4; i++) {
		uint64_t entry = num_le64(top + off + 8 * (size_t)i);

		if (entry & PTE_PRESENT)
			return entry & PTE_WRITABLE;
	}
	return true;
}

/* Levels of the paging mode; 0 when paging is off. */
static unsigned paging_levels(const struct ckpt_vcpu *v)
{
	if (!(v->cr0 & CR0_PG))
		return 0;
	if (v->efer & EFER_LMA)
		return v->cr4 & CR4_LA57 ? 5 : 4;
	return v->cr4 & CR4_PAE ? 3 : 2;
}

static int decode_cpu(struct ckpt *ck, unsigned id, const uint8_t *body, size_t len, uint64_t off,
	struct err *err)
{
	struct ckpt_vcpu *v;

	if (len < CPU_MIN_BYTES)
		return err_set(err, ERR_CORRUPT,
			"HVM CPU record at 0x%" PRIx64 ": %zu bytes, expected at least %u", off,
			len, CPU_MIN_BYTES);
	v = ckpt_new_vcpu(ck, id, err);
	if (!v)
		return err_in(err, "HVM CPU record at 0x%" PRIx64, off);
	v->kind = CKPT_VCPU_HVM;
	v->ctx = body;
	v->ctx_bytes = len;
	v->ctx_off = off;
	v->cr0 = num_le64(body + CPU_CR0);
	v->cr3 = num_le64(body + CPU_CR3);
	v->cr4 = num_le64(body + CPU_CR4);
	v->efer = num_le64(body + CPU_EFER);
	v->ip = num_le64(body + CPU_RIP);
	v->sp = num_le64(body + CPU_RSP);
	v->dx = num_le64(body + CPU_RDX);
	v->si = num_le64(body + CPU_RSI);
	v->root = root_of(v->cr3);
	return 0;
}

/* u32 magic, u32 version, u64 changeset, u32 cpuid, u32 TSC frequency */
static void check_header(struct ckpt *ck, const uint8_t *body, size_t len, uint64_t off)
{
	if (len != HVM_HEADER_BYTES)
		finding_add(&ck->findings, "XB021", finding_at_offset(off),
			"the HVM context's header has %zu bytes, expected %u", len,
			HVM_HEADER_BYTES);
	else if (num_le32(body) != HVM_FILE_MAGIC)
		finding_add(&ck->findings, "XB021", finding_at_offset(off),
			"the HVM context's header does not hold its magic 0x%x", HVM_FILE_MAGIC);
	else if (num_le32(body + 4) != HVM_FILE_VERSION)
		finding_add(&ck->findings, "XB021", finding_at_offset(off + 4),
			"the HVM context is of version %u, expected %u", num_le32(body + 4),
			HVM_FILE_VERSION);
}

int hvm_context_decode(
	struct ckpt *ck, const uint8_t *blob, size_t len, uint64_t off, struct err *err)
{
	struct cursor c = cur_over(blob, len, off, "HVM context");

	ck->state.nr_vcpus = 0;
	for (;;) {
		uint64_t at = cur_tell(&c);
		unsigned type = cur_u16(&c), instance = cur_u16(&c);
		uint32_t bytes = cur_u32(&c);
		const uint8_t *body = cur_bytes(&c, bytes);

		if (!body) {
			finding_add(&ck->findings, "XB021", finding_at_offset(at),
				"the HVM context ends in the middle of a record, without its end "
				"marker");
			break;
		}
		if (at == off && type != HVM_HEADER)
			finding_add(&ck->findings, "XB021", finding_at_offset(at),
				"the HVM context begins with record %u, not with its header", type);
		if (type == HVM_HEADER)
			check_header(ck, body, bytes, at + 8);
		if (type == HVM_CPU && decode_cpu(ck, instance, body, bytes, at + 8, err))
			return -1;
		if (type == HVM_END)
			break;
	}
	return 0;
}

void hvm_context_from_core(struct ckpt_vcpu *v)
{
	v->kind = CKPT_VCPU_HVM;
	v->root = root_of(v->cr3);
	v->user_root = PFN_NONE;
	v->efer_unknown = true;
}

void hvm_context_mode(struct ckpt *ck)
{
	struct ckpt_vcpu *v = ck->state.nr_vcpus ? &ck->state.vcpus[0] : NULL;

	if (!v || v->kind != CKPT_VCPU_HVM)
		return;
	if (v->efer_unknown && v->cr4 & CR4_PAE && is_long_mode(ck, v))
		v->efer |= EFER_LMA;
	ck->info.pt_levels = paging_levels(v);
	ck->info.word_bytes = ck->info.pt_levels == 2 || ck->info.pt_levels == 3 ? 4 : 8;
}

void ckpt_set_hvm_param(struct ckpt *ck, unsigned index, uint64_t value)
{
	ck->state.param[index] = value;
	ck->state.param_set |= UINT64_C(1) << index;
	ck->state.changed = true;
}

bool ckpt_hvm_param(const struct ckpt *ck, uint64_t index, uint64_t *ret)
{
	uint32_t i;

	if (index < CKPT_NR_SINGLE_PARAMS && ck->state.param_set >> index & 1) {
		*ret = ck->state.param[index];
		return true;
	}

	/* They are set one after the other: the last one stands. */
	for (i = ck->state.nr_hvm_params; i--;) {
		const uint8_t *entry = ck->state.hvm_params + 16 * (size_t)i;

		if (num_le64(entry) != index)
			continue;
		*ret = num_le64(entry + 8);
		return true;
	}
	return false;
}
