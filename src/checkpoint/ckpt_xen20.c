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
#include "checkpoint/ckpt_priv.h"

#define MAGIC		"LinuxGuestRecord"
#define MAGIC_BYTES	16u
#define P2M_LIST_OFF	20u
#define P2M_LIST_BYTES	4096u
#define CONFIG_LEN_OFF	4116u
#define HEADER_BYTES	4120u
#define MAX_PFNS	(1u << 20) /* 4 GiB, what i386 without PAE can have */
#define MAX_BATCH	1024
#define BATCH_END	0
#define BATCH_VERIFY	(-1)
#define WORD_TYPE_SHIFT 28
#define WORD_PFN	((1u << 28) - 1)
#define TYPE_XTAB	15u
/* In the suspend record, behind resume_info (linux-public/suspend.h). */
#define SUSPEND_NR_PFNS 324u

struct xen20 {
	struct ckpt *ck;
	uint64_t off;
	uint32_t nr_pfns;
	uint64_t nr_listed; /* words of all batches that count */
	uint64_t nr_bad_mfns;
	bool verify;
	bool cut; /* the file ended; the checkpoint is marked incomplete */
};

/* xend of 3.x has the configuration's length, big-endian, right behind the magic. */
static enum ckpt_probe probe(const struct source *src, uint64_t off, struct err *err)
{
	const uint8_t *head;
	uint32_t nr_pfns;

	if (!ckpt_has_magic(src, off, MAGIC, MAGIC_BYTES) || ckpt_has_magic(src, off + 20, "(", 1))
		return CKPT_PROBE_NO;
	head = source_at(src, off, P2M_LIST_OFF);
	if (!head) {
		err_set(err, ERR_CORRUPT, "the file ends at 0x%llx, in a LinuxGuestRecord header",
			(unsigned long long)source_bytes(src));
		return CKPT_PROBE_BROKEN;
	}
	nr_pfns = num_le32(head + MAGIC_BYTES);
	if (!nr_pfns || nr_pfns > MAX_PFNS) {
		err_set(err, ERR_CORRUPT,
			"LinuxGuestRecord at 0x%llx: %u pfns, expected 1 to %u, and no "
			"configuration of a later Xen",
			(unsigned long long)off, nr_pfns, MAX_PFNS);
		return CKPT_PROBE_BROKEN;
	}
	if (source_at(src, off + HEADER_BYTES, 1) &&
		!ckpt_has_magic(src, off + HEADER_BYTES, "(", 1)) {
		err_set(err, ERR_CORRUPT,
			"LinuxGuestRecord at 0x%llx: no configuration at 0x%llx, expected '('",
			(unsigned long long)off, (unsigned long long)off + HEADER_BYTES);
		return CKPT_PROBE_BROKEN;
	}
	return CKPT_PROBE_YES;
}

/* The next n bytes, or NULL: then the checkpoint is marked incomplete. */
static const uint8_t *next_bytes(struct xen20 *x, uint64_t n, const char *what)
{
	const uint8_t *p = source_at(x->ck->src, x->off, n);

	if (!p) {
		x->cut = true;
		ckpt_incomplete(x->ck, x->off,
			"the file ends at 0x%llx, in %s (%llu bytes at 0x%llx)",
			(unsigned long long)source_bytes(x->ck->src), what, (unsigned long long)n,
			(unsigned long long)x->off);
		return NULL;
	}
	x->off += n;
	return p;
}

static int read_header(struct xen20 *x, struct err *err)
{
	struct ckpt *ck = x->ck;
	struct ckpt_info *info = &ck->info;
	const uint8_t *head = next_bytes(x, HEADER_BYTES, "the header");
	uint64_t nr_frames;
	uint32_t len;

	if (!head)
		return 0;
	x->nr_pfns = num_le32(head + MAGIC_BYTES);
	info->nr_pfns = x->nr_pfns;
	nr_frames = num_align_up(x->nr_pfns, 1024) / 1024;
	ck->p2m[ck->nr_p2m++] = (struct ckpt_p2m_part){
		.words = head + P2M_LIST_OFF,
		/* The probe has seen at most MAX_PFNS: the list is long enough. */
		.nr = nr_frames,
		.word_bytes = 4,
	};
	len = num_le32(head + CONFIG_LEN_OFF);
	if (len > CKPT_MAX_CONFIG_BYTES)
		return err_set(err, ERR_CORRUPT,
			"the configuration's length at 0x%llx is 0x%x, expected at most 0x%x",
			(unsigned long long)x->off - 4, len, CKPT_MAX_CONFIG_BYTES);
	info->config = (const char *)next_bytes(x, len, "the configuration");
	if (!info->config)
		return 0;
	info->config_bytes = len;
	info->config_kind = CKPT_CONFIG_SXP;
	return config_parse_sxp(ck, err);
}

static int check_word(const struct xen20 *x, uint64_t off, uint32_t word, struct err *err)
{
	unsigned type = word >> WORD_TYPE_SHIFT;

	if (type > 4 && type < 9)
		return err_set(err, ERR_CORRUPT, "page word 0x%08x at 0x%llx: type %u is not one",
			word, (unsigned long long)off, type);
	if (type > 12 && type != TYPE_XTAB)
		return err_set(err, ERR_CORRUPT, "page word 0x%08x at 0x%llx: type %u is not one",
			word, (unsigned long long)off, type);
	if (type != TYPE_XTAB && (word & WORD_PFN) >= x->nr_pfns)
		return err_set(err, ERR_CORRUPT,
			"page word 0x%08x at 0x%llx: expected a pfn below 0x%x", word,
			(unsigned long long)off, x->nr_pfns);
	return 0;
}

/* The words of type 15 hold a machine frame, not a pfn: nothing can be said of any page. */
static int read_batch(struct xen20 *x, uint32_t count, struct err *err)
{
	uint64_t at = x->off, end = source_bytes(x->ck->src);
	const uint8_t *words = next_bytes(x, 4 * (uint64_t)count, "the words of a batch");
	uint32_t i;

	if (!words)
		return 0;
	for (i = 0; i < count; i++)
		if (check_word(x, at + 4 * (uint64_t)i, num_le32(words + 4 * (size_t)i), err))
			return -1;
	for (i = 0; i < count; i++) {
		uint32_t word = num_le32(words + 4 * (size_t)i);
		struct ckpt_run run = {
			.pfn = word & WORD_PFN,
			.type = (uint8_t)(word >> WORD_TYPE_SHIFT),
			.off = x->off,
			.nr = 1,
			.ignored = x->verify,
		};

		if (run.type == TYPE_XTAB)
			continue;
		if (end - x->off < PAGE_BYTES) {
			(void)next_bytes(x, PAGE_BYTES, "a page");
			return 0;
		}
		if (pagemap_add(&x->ck->map, run))
			return err_nomem(err, "the index of pages");
		x->off += PAGE_BYTES;
	}
	if (!x->verify)
		x->nr_listed += count;
	return 0;
}

static int read_batches(struct xen20 *x, struct err *err)
{
	while (!x->cut) {
		const uint8_t *p = next_bytes(x, 4, "the count of a batch");
		int32_t count;

		if (!p)
			return 0;
		count = (int32_t)num_le32(p);
		if (count == BATCH_END)
			return 0;
		if (count == BATCH_VERIFY) {
			x->verify = true;
			continue;
		}
		if (count < 0 || count > MAX_BATCH)
			return err_set(err, ERR_CORRUPT,
				"batch at 0x%llx: count %d, expected -1 or 0 to %d",
				(unsigned long long)x->off - 4, count, MAX_BATCH);
		if (read_batch(x, (uint32_t)count, err))
			return -1;
	}
	return 0;
}

/* The frames that the domain did not have: listed, without data. */
static int read_unmapped(struct xen20 *x, struct err *err)
{
	const uint8_t *p = next_bytes(x, 4, "the count of missing pfns"), *list;
	uint32_t i, nr;

	if (!p)
		return 0;
	nr = num_le32(p);
	if (nr > x->nr_pfns)
		return err_set(err, ERR_CORRUPT,
			"list of missing pfns at 0x%llx: %u entries, expected at most %u",
			(unsigned long long)x->off - 4, nr, x->nr_pfns);
	list = next_bytes(x, 4 * (uint64_t)nr, "the list of missing pfns");
	for (i = 0; list && i < nr; i++) {
		struct ckpt_run run = {.type = TYPE_XTAB, .nr = 1};

		run.pfn = num_le32(list + 4 * (size_t)i);
		if (run.pfn >= x->nr_pfns)
			return err_set(err, ERR_CORRUPT,
				"missing pfn 0x%llx at 0x%llx, expected below 0x%x",
				(unsigned long long)run.pfn,
				(unsigned long long)x->off - 4 * (uint64_t)(nr - i), x->nr_pfns);
		if (pagemap_add(&x->ck->map, run))
			return err_nomem(err, "the index of pages");
	}
	if (list && x->nr_listed + nr != x->nr_pfns)
		finding_add(&x->ck->findings, "XB022", finding_at_offset(x->off),
			"%llu pages listed and %u missing make %llu, expected %u pfns",
			(unsigned long long)x->nr_listed, nr,
			(unsigned long long)(x->nr_listed + nr), x->nr_pfns);
	return 0;
}

static int read_context(struct xen20 *x, struct err *err)
{
	size_t bytes = pv_context_bytes(CKPT_VCPU_XEN20);
	uint64_t off = x->off;
	const uint8_t *ctx = next_bytes(x, bytes, "the vcpu's context");
	struct ckpt_vcpu *v;

	if (!ctx)
		return 0;
	v = ckpt_new_vcpu(x->ck, 0, err);
	if (!v)
		return -1;
	v->kind = CKPT_VCPU_XEN20;
	v->ctx = ctx;
	v->ctx_bytes = bytes;
	v->ctx_off = off;
	pv_context_decode(v);
	x->ck->state.shared_info = next_bytes(x, PAGE_BYTES, "the shared_info page");
	return 0;
}

static int open_xen20(struct ckpt *ck, uint64_t off, struct err *err)
{
	struct xen20 x = {.ck = ck, .off = off};
	struct ckpt_info *info = &ck->info;

	ckpt_add_layer(ck, "xen 2.0");
	info->guest_type = CKPT_GUEST_PV;
	info->word_bytes = 4;
	info->pt_levels = 2;
	info->xen_major = 2;
	info->stream_off = off;
	if (read_header(&x, err))
		return -1;
	if (!x.cut && read_batches(&x, err))
		return -1;
	if (!x.cut && read_unmapped(&x, err))
		return -1;
	if (!x.cut && read_context(&x, err))
		return -1;
	if (!x.cut && x.off < source_bytes(ck->src))
		finding_add(&ck->findings, "XB013", finding_at_offset(x.off),
			"%llu bytes follow the end of the image",
			(unsigned long long)(source_bytes(ck->src) - x.off));
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
			"the suspend record in pfn 0x%llx says %u pfns, the header %llu",
			(unsigned long long)v->si, nr, (unsigned long long)ck->info.nr_pfns);
}

static void verify_xen20(struct ckpt *ck)
{
	ckpt_verify_pv(ck);
	verify_suspend_record(ck);
}

const struct ckpt_format ckpt_format_xen20 = {
	.name = "xen2", .probe = probe, .open = open_xen20, .verify = verify_xen20};
