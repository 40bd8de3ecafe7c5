/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_xen20.c - the image of Xen 2.0 (tools/xfrd, tools/libxc/xc_linux_save.c of 2.0.0 to 2.0.6).
 * Only i386 guests with 2-level page tables and one vcpu.
 *
 * offset    bytes
 *  0        16     "LinuxGuestRecord"
 * 16         4     number of pfns
 * 20      4096     pfns of the p2m's pages, u32[1024], as many as are needed
 * 4116       4     n, length of the configuration
 * 4120       n     configuration, an s-expression
 *                  batches: i32 count; u32 word[count]; 4096 for each word not of type 15
 *                  (count -1: the next batches are resent for comparison; 0: the end)
 *            4     count of pfns that are not in the map
 *           4*     those pfns
 *         2516     full_execution_context_t
 *         4096     shared_info; nothing follows
 */
#include <inttypes.h>

#include "checkpoint/config.h"
#include "checkpoint/legacy.h"

#define MAGIC	       "LinuxGuestRecord"
#define MAGIC_BYTES    16u
#define P2M_LIST_OFF   20u
#define P2M_LIST_BYTES 4096u
#define CONFIG_LEN_OFF 4116u
#define HEADER_BYTES   4120u
#define MAX_PFNS       (1u << 20) /* 4 GiB, what i386 without PAE can have */

/* xend of 3.x has the configuration's length, big-endian, right behind the magic. */
static enum ckpt_probe probe_xen20(const struct source *src, uint64_t off, struct err *err)
{
	const uint8_t *head;
	uint32_t nr_pfns;

	if (!ckpt_has_magic(src, off, MAGIC, MAGIC_BYTES) || ckpt_has_magic(src, off + 20, "(", 1))
		return CKPT_PROBE_NO;
	head = source_at(src, off, P2M_LIST_OFF);
	if (!head) {
		err_set(err, ERR_CORRUPT,
			"the file ends at 0x%" PRIx64 ", in a LinuxGuestRecord header",
			source_bytes(src));
		return CKPT_PROBE_BROKEN;
	}
	nr_pfns = num_le32(head + MAGIC_BYTES);
	if (!nr_pfns || nr_pfns > MAX_PFNS) {
		err_set(err, ERR_CORRUPT,
			"LinuxGuestRecord at 0x%" PRIx64
			": %u pfns, expected 1 to %u, and no configuration of a later Xen",
			off, nr_pfns, MAX_PFNS);
		return CKPT_PROBE_BROKEN;
	}
	if (source_at(src, off + HEADER_BYTES, 1) &&
		!ckpt_has_magic(src, off + HEADER_BYTES, "(", 1)) {
		err_set(err, ERR_CORRUPT,
			"LinuxGuestRecord at 0x%" PRIx64 ": no configuration at 0x%" PRIx64
			", expected '('",
			off, off + HEADER_BYTES);
		return CKPT_PROBE_BROKEN;
	}
	return CKPT_PROBE_YES;
}

static int read_header(struct legacy *l, struct err *err)
{
	struct ckpt *ck = l->ck;
	struct ckpt_info *info = &ck->info;
	const uint8_t *head = legacy_take(l, HEADER_BYTES, "the header");
	enum ckpt_guest_type type; /* there is only one */
	uint64_t nr_frames;
	uint32_t len;

	if (!head)
		return 0;
	l->form.p2m_size = num_le32(head + MAGIC_BYTES);
	info->nr_pfns = l->form.p2m_size;
	nr_frames = num_align_up(info->nr_pfns, 1024) / 1024;
	ck->p2m[ck->nr_p2m++] = (struct ckpt_p2m_part){
		.words = head + P2M_LIST_OFF,
		/* The probe has seen at most MAX_PFNS: the list is long enough. */
		.nr = nr_frames,
		.word_bytes = 4,
	};
	len = num_le32(head + CONFIG_LEN_OFF);
	if (len > CKPT_MAX_CONFIG_BYTES)
		return err_set(err, ERR_CORRUPT,
			"the configuration's length at 0x%" PRIx64
			" is 0x%x, expected at most 0x%x",
			l->off - 4, len, CKPT_MAX_CONFIG_BYTES);
	info->config = (const char *)legacy_take(l, len, "the configuration");
	if (!info->config)
		return 0;
	info->config_bytes = len;
	info->config_kind = CKPT_CONFIG_SXP;
	return config_parse_sxp(ck, &type, err);
}

/* The frames that the domain did not have: listed, without data. */
static int read_missing(struct legacy *l, struct err *err)
{
	uint64_t before = l->off, nr;

	if (legacy_missing(l, err))
		return -1;
	nr = (l->off - before) / 4 - 1;
	if (!l->cut && l->nr_listed + nr != l->form.p2m_size)
		finding_add(&l->ck->findings, "XB022", finding_at_offset(l->off),
			"%" PRIu64 " pages listed and %" PRIu64 " missing make %" PRIu64
			", expected %" PRIu64 " pfns",
			l->nr_listed, nr, l->nr_listed + nr, l->form.p2m_size);
	return 0;
}

static int read_context(struct legacy *l, struct err *err)
{
	uint64_t left = source_bytes(l->ck->src) - l->off;
	/* Xen-unstable kept the rest of the format until June 2005. */
	enum ckpt_vcpu_kind kind =
		pv_context_of_2005(left - MIN(left, (uint64_t)PAGE_BYTES), CKPT_VCPU_XEN20);
	size_t bytes = pv_context_bytes(kind);
	uint64_t off = l->off;
	const uint8_t *ctx = legacy_take(l, bytes, "the vcpu's context");
	struct ckpt_vcpu *v;

	if (!ctx)
		return 0;
	v = ckpt_new_vcpu(l->ck, 0, err);
	if (!v)
		return -1;
	v->kind = kind;
	v->ctx = ctx;
	v->ctx_bytes = bytes;
	v->ctx_off = off;
	pv_context_decode(v);
	l->ck->state.shared_info = legacy_take(l, PAGE_BYTES, "the shared_info page");
	return 0;
}

static int open_xen20(struct ckpt *ck, uint64_t off, struct err *err)
{
	struct legacy l = {.ck = ck, .off = off, .form = {.tools = 4}, .old = true};
	struct ckpt_info *info = &ck->info;

	ckpt_add_layer(ck, "xen 2.0");
	info->guest_type = CKPT_GUEST_PV;
	info->word_bytes = 4;
	info->pt_levels = 2;
	info->xen_major = 2;
	info->stream_off = off;
	if (read_header(&l, err) || (!l.cut && legacy_body(&l, err)) ||
		(!l.cut && read_missing(&l, err)) || (!l.cut && read_context(&l, err)))
		return -1;
	ck->end = l.off;
	return 0;
}

/* ESI names the suspend record, which repeats the number of pfns: the strongest check there is. */
static void verify_suspend_record(struct ckpt *ck)
{
	const struct ckpt_vcpu *v = ck->state.nr_vcpus ? &ck->state.vcpus[0] : NULL;
	struct ckpt_page page;
	uint32_t nr;

	if (!v || v->kind != CKPT_VCPU_XEN20)
		return;
	page = ckpt_page(ck, PFN(v->si));
	if (!page.data)
		return;
	nr = num_le32(page.data + SUSPEND_NR_PFNS);
	if (nr != ck->info.nr_pfns)
		finding_add(&ck->findings, "XB020", finding_at_offset(page.off + SUSPEND_NR_PFNS),
			"the suspend record in pfn 0x%" PRIx64 " says %u pfns, the header %" PRIu64,
			v->si, nr, ck->info.nr_pfns);
}

static void verify_xen20(struct ckpt *ck)
{
	ckpt_verify_pv(ck);
	verify_suspend_record(ck);
}

const struct ckpt_format ckpt_format_xen20 = {
	.name = "xen2", .probe = probe_xen20, .open = open_xen20, .verify = verify_xen20};
