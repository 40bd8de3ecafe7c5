/* SPDX-License-Identifier: BSD-2-Clause
 *
 * legacy_tail.c - what stands behind a body.
 *
 * PV: u32 count, ulong pfn[] of pages that the guest does not have; for each vcpu its context, if
 * announced 128 bytes of extended context, if announced {u64 mask, u64 bytes, xsave state}; then
 * shared_info.
 * HVM: u64 pfn of the rings of ioreq, buffered ioreq, xenstore; u32 bytes, Xen's own context; then
 * what the tool stack adds: a text of 21 bytes and qemu's state.
 */
#include <string.h>

#include "checkpoint/legacy.h"

#define EXTENDED_BYTES 128u
#define XSAVE_HEAD     16u
/* The legacy area and the header of an xsave image (Intel SDM volume 1, 13.4). */
#define XSAVE_MIN 576u
#define XSAVE_MAX (64u << 10)

/* That of the hybrids of 2005 is known by where the file ends: the context and shared_info are its
 * last parts. */
static enum ckpt_vcpu_kind context_kind(const struct legacy *l)
{
	uint64_t left = source_bytes(l->ck->src) - l->off;

	if (l->ck->info.word_bytes == 8)
		return CKPT_VCPU_PV64;
	if (l->form.extended || left < PAGE_BYTES)
		return CKPT_VCPU_PV32;
	return pv_context_of_2005(left - PAGE_BYTES, CKPT_VCPU_PV32);
}

static int take_context(struct legacy *l, uint32_t id, struct err *err)
{
	enum ckpt_vcpu_kind kind = context_kind(l);
	size_t bytes = pv_context_bytes(kind);
	uint64_t off = l->off;
	const uint8_t *ctx = legacy_take(l, bytes, "the context of a vcpu");
	struct ckpt_vcpu *v;

	if (!ctx)
		return 0;
	v = ckpt_new_vcpu(l->ck, id, err);
	if (!v)
		return -1;
	v->kind = kind;
	v->ctx = ctx;
	v->ctx_bytes = bytes;
	v->ctx_off = off;
	pv_context_decode(v);
	return 0;
}

/*
 * The saver leaves the state out for a vcpu that never used any, without saying so, and a vcpu with
 * another set of features may have another size (xc_domain_save.c, XEN_DOMCTL_getvcpuextstate).
 * Xen's own restore reads on as if nothing were wrong and loses its place.
 */
static void take_xsave(struct legacy *l, uint32_t id)
{
	const uint8_t *p = source_at(l->ck->src, l->off, XSAVE_HEAD);
	uint64_t mask = p ? num_le64(p) : 0, bytes = p ? num_le64(p + 8) : 0;

	if (!p || bytes == l->xsave_bytes - XSAVE_HEAD) {
		legacy_take(l, l->xsave_bytes, "the xsave state of a vcpu");
		return;
	}
	finding_add(&l->ck->findings, "XB008", finding_at_offset(l->off),
		"the xsave state of vcpu %u at 0x%" PRIx64
		" is missing or of another size than the %u bytes that the header announces",
		id, l->off, l->xsave_bytes);
	/* x87 state is always on in a mask. */
	if (mask & 1 && bytes >= XSAVE_MIN && bytes <= XSAVE_MAX)
		legacy_take(l, XSAVE_HEAD + bytes, "the xsave state of a vcpu");
}

static int take_vcpu(struct legacy *l, uint32_t id, struct err *err)
{
	if (take_context(l, id, err))
		return -1;
	if (!l->cut && l->extv)
		legacy_take(l, EXTENDED_BYTES, "the extended context of a vcpu");
	if (!l->cut && l->xsave_bytes)
		take_xsave(l, id);
	return 0;
}

int legacy_pv_tail(struct legacy *l, struct err *err)
{
	const uint8_t *shared_info;
	uint32_t id;

	if (legacy_missing(l, err))
		return -1;
	if (l->cut)
		return 0;
	l->ck->state.nr_vcpus = 0;
	l->ck->state.changed = true;
	for (id = 0; id < CKPT_MAX_VCPUS && !l->cut; id++)
		if (l->vcpus[id / 64] >> id % 64 & 1 && take_vcpu(l, id, err))
			return -1;
	if (l->cut)
		return 0;
	shared_info = legacy_take(l, PAGE_BYTES, "the shared_info page");
	if (shared_info)
		l->ck->state.shared_info = shared_info;
	return 0;
}

/* ---- HVM ---------------------------------------------------------------------------------- */

#define SIGNATURE_BYTES 21u
#define QEMU_MAGIC	"QEVM"

enum qemu_form {
	QEMU_TO_END, /* of the file */
	QEMU_LE32,   /* u32 bytes */
	QEMU_BE32,   /* newline, big-endian u32 bytes */
};

#define SIGNATURE_0002 2u /* the one that convert-legacy-stream knows */

static const struct {
	const char *text;
	enum qemu_form form;
	unsigned since;
} signatures[] = {
	/* XenServer's own (xenopsd, suspend_image.ml); its first 21 bytes are those of the next. */
	{"QemuDeviceModelRecord\n", QEMU_BE32, 0x0301},
	{"QemuDeviceModelRecord", QEMU_TO_END, 0x0301},
	{"DeviceModelRecord0002", QEMU_LE32, 0x0401},
	{"RemusDeviceModelState", QEMU_LE32, 0x0400},
};

/* Does the file end inside what may become a signature? */
static bool signature_is_cut(const struct legacy *l)
{
	uint64_t left = source_bytes(l->ck->src) - l->off;
	const uint8_t *p = source_at(l->ck->src, l->off, left);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signatures); i++)
		if (left && left < SIGNATURE_BYTES && !memcmp(p, signatures[i].text, left))
			return true;
	return false;
}

static void take_emulator(struct legacy *l, uint64_t bytes)
{
	uint64_t off = l->off;
	const uint8_t *p = legacy_take(l, bytes, "the state of qemu");

	if (!p)
		return;
	l->ck->info.nr_emulator_records++;
	if (bytes < 4 || memcmp(p, QEMU_MAGIC, 4))
		finding_add(&l->ck->findings, "XB023", finding_at_offset(off),
			"the emulator's state at 0x%" PRIx64 " does not begin with " QEMU_MAGIC,
			off);
}

static void take_qemu(struct legacy *l)
{
	const struct source *src = l->ck->src;
	const uint8_t *p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(signatures); i++)
		if (ckpt_has_magic(src, l->off, signatures[i].text, strlen(signatures[i].text)))
			break;
	if (i == ARRAY_SIZE(signatures)) {
		/* xc_save writes none; every tool stack around it does. */
		if (l->wrapped || signature_is_cut(l))
			legacy_take(l, source_bytes(src) - l->off + 1, "the state of qemu");
		return;
	}
	legacy_not_before(l, signatures[i].since);
	l->wrapped = true; /* so it is in every epoch */
	if (i == SIGNATURE_0002)
		l->ck->origin.skip_qemu = false;
	l->off += strlen(signatures[i].text);
	if (signatures[i].form == QEMU_TO_END) {
		take_emulator(l, MAX(source_bytes(src) - l->off, UINT64_C(4)));
		return;
	}
	p = legacy_take(l, 4, "the length of qemu's state");
	if (p)
		take_emulator(l, signatures[i].form == QEMU_LE32 ? num_le32(p) : num_be32(p));
}

/* Indices of public/hvm/params.h, in the order of the file. */
static const uint8_t special_params[] = {5, 6, 1};

int legacy_hvm_tail(struct legacy *l, struct err *err)
{
	const uint8_t *p = legacy_take(l, 8 * ARRAY_SIZE(special_params), "the special pfns");
	uint32_t bytes;
	size_t i;

	l->ck->origin.skip_qemu = true;
	if (!p)
		return 0;
	for (i = 0; i < ARRAY_SIZE(special_params); i++)
		ckpt_set_hvm_param(l->ck, special_params[i], num_le64(p + 8 * i));
	p = legacy_take(l, 4, "the length of the HVM context");
	if (!p)
		return 0;
	bytes = num_le32(p);
	p = legacy_take(l, bytes, "the HVM context");
	if (!p)
		return 0;
	if (hvm_context_decode(l->ck, p, bytes, l->off - bytes, err))
		return -1;
	l->ck->state.changed = true;
	take_qemu(l);
	return 0;
}
