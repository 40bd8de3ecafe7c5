/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_xccore.c - the core dump of a domain as Xen wrote it before 3.1 (xm dump-core).
 *
 * Format: struct xc_core_header of tools/libxc/xenctrl.h, xc_core.c of 3.0.0 to 3.0.4:
 *
 *   u32 magic, vcpus, pages, offset of contexts, of the list of frames, of pages
 *   vcpu_guest_context of each vcpu, as the tools' own headers have it
 *   the machine frame of each page, words of the tools, in the order of the hypervisor's list
 *   the pages, from the next page of the file on
 *
 * 3.0.0 leaves out the last vcpu. The magic tells HVM guests since 3.0.4; before, a flag of each
 * vcpu does. CR3 names a machine frame, of HVM guests too (arch_getdomaininfo_ctxt()).
 */
#include <inttypes.h>

#include "checkpoint/xccore.h"

#define MAGIC	     0xf00febedu
#define MAGIC_HVM    0xf00febeeu
#define HEADER_BYTES 24u
/* VGCF_HVM_GUEST (VGCF_VMX_GUEST) of public/arch-x86_32.h, in `flags` behind 512 bytes of FPU. */
#define CTX_FLAGS 512
#define FLAG_HVM  2u

static enum ckpt_probe probe_xccore(const struct source *src, uint64_t off, struct err *err UNUSED)
{
	const uint8_t *p = source_at(src, off, 4);

	return p && (num_le32(p) == MAGIC || num_le32(p) == MAGIC_HVM) ? CKPT_PROBE_YES
								       : CKPT_PROBE_NO;
}

/* ---- the header --------------------------------------------------------------------------- */

/* The room between contexts and pages tells the width of a frame, where the contexts do not. */
static bool fits_words(const struct xccore *x, unsigned word_bytes)
{
	return num_align_up(x->index_off - x->off + x->nr_pages * word_bytes, PAGE_BYTES) ==
	       x->pages_off - x->off;
}

/* With words of 4 bytes every other one would be zero. */
static bool looks_wide(const struct xccore *x)
{
	uint64_t n = MIN(x->nr_pages, (uint64_t)64), i;
	const uint8_t *p = source_at(x->ck->src, x->index_off, 8 * n);

	for (i = 0; p && i < n; i++)
		if (num_le32(p + 8 * i + 4))
			return false;
	return p && n > 1;
}

static bool has_wide_contexts(const struct xccore *x)
{
	return x->nr_vcpus && x->kind == CKPT_VCPU_PV64;
}

static int settle_words(struct xccore *x, struct err *err)
{
	bool narrow = fits_words(x, 4), wide = fits_words(x, 8);

	if (!narrow && !wide)
		return err_set(err, ERR_CORRUPT,
			"xc_core header at 0x%" PRIx64 ": %" PRIu64 " frames from 0x%" PRIx64
			" on and pages from 0x%" PRIx64 " on do not fit each other",
			x->off, x->nr_pages, x->index_off, x->pages_off);
	x->word_bytes = wide && (!narrow || has_wide_contexts(x) || looks_wide(x)) ? 8 : 4;
	return 0;
}

static int settle_contexts(struct xccore *x, struct err *err)
{
	uint64_t room = x->index_off - x->ctxt_off;

	if (!x->nr_vcpus)
		return 0;
	x->ctx_bytes = room % x->nr_vcpus ? 0 : (size_t)(room / x->nr_vcpus);
	x->kind = pv_context_of_2005(x->ctx_bytes, CKPT_VCPU_PV64);
	if (x->nr_vcpus > CKPT_MAX_VCPUS || x->ctx_bytes != pv_context_bytes(x->kind))
		return err_set(err, ERR_CORRUPT,
			"xc_core header at 0x%" PRIx64 ": %" PRIu64 " vcpus in %" PRIu64
			" bytes, expected %zu or %zu a vcpu, and at most %u",
			x->off, x->nr_vcpus, room, pv_context_bytes(CKPT_VCPU_PV32),
			pv_context_bytes(CKPT_VCPU_PV64), CKPT_MAX_VCPUS);
	return 0;
}

static int read_header(struct xccore *x, struct err *err)
{
	const uint8_t *p = source_at(x->ck->src, x->off, HEADER_BYTES);

	if (!p)
		return err_set(err, ERR_CORRUPT,
			"xc_core header at 0x%" PRIx64 ": the file ends at 0x%" PRIx64, x->off,
			source_bytes(x->ck->src));
	x->marked_hvm = num_le32(p) == MAGIC_HVM;
	x->nr_vcpus = num_le32(p + 4);
	x->nr_pages = num_le32(p + 8);
	x->ctxt_off = x->off + num_le32(p + 12);
	x->index_off = x->off + num_le32(p + 16);
	x->pages_off = x->off + num_le32(p + 20);
	if (x->ctxt_off != x->off + HEADER_BYTES || x->index_off < x->ctxt_off ||
		x->pages_off < x->index_off)
		return err_set(err, ERR_CORRUPT,
			"xc_core header at 0x%" PRIx64 ": contexts at 0x%" PRIx64
			", frames at 0x%" PRIx64 ", pages at 0x%" PRIx64
			", expected in that order from 0x%" PRIx64 " on",
			x->off, x->ctxt_off, x->index_off, x->pages_off, x->off + HEADER_BYTES);
	return settle_contexts(x, err) || settle_words(x, err) ? -1 : 0;
}

/* ---- frames and pages --------------------------------------------------------------------- */

static uint64_t bytes_there(const struct xccore *x, uint64_t off, uint64_t bytes)
{
	uint64_t end = source_bytes(x->ck->src);

	return off < end ? MIN(bytes, end - off) : 0;
}

uint64_t xccore_frame(const struct xccore *x, uint64_t i)
{
	const uint8_t *p = source_at(x->ck->src, x->index_off + i * x->word_bytes, x->word_bytes);

	return x->word_bytes == 8 ? num_le64(p) : num_le32(p);
}

const uint8_t *xccore_page(struct xccore *x, uint64_t i)
{
	uint64_t off = x->pages_off + i * PAGE_BYTES;

	if (i >= x->nr_there)
		return NULL;
	if (x->recording && ckpt_add_needed(x->ck, off))
		x->recording = false; /* out of memory: redact says so when the copy differs */
	return source_at(x->ck->src, off, PAGE_BYTES);
}

static int read_frames(struct xccore *x, struct err *err)
{
	uint64_t i;

	x->nr_listed = bytes_there(x, x->index_off, x->nr_pages * x->word_bytes) / x->word_bytes;
	x->nr_there = bytes_there(x, x->pages_off, x->nr_pages * PAGE_BYTES) / PAGE_BYTES;
	x->nr_there = MIN(x->nr_there, x->nr_listed);
	for (i = 0; i < x->nr_listed; i++) {
		uint64_t frame = xccore_frame(x, i);

		if (frame == (x->word_bytes == 8 ? UINT64_MAX : UINT32_MAX)) /* none */
			continue;
		if (frame > CKPT_MAX_PFN)
			return err_set(err, ERR_CORRUPT,
				"frame %" PRIu64 " of the list at 0x%" PRIx64 " is 0x%" PRIx64
				", expected at most 40 bits",
				i, x->index_off, frame);
		if (frames_add(&x->place, i, frame))
			return err_nomem(err, "the list of frames");
	}
	if (frames_finish(&x->place))
		return err_nomem(err, "the list of frames");
	if (x->place.nr_mfn_twice)
		finding_add(&x->ck->findings, "XB019", finding_at_offset(x->index_off),
			"%" PRIu64 " machine frames stand in the list more than once",
			x->place.nr_mfn_twice);
	return 0;
}

/* Content of which nobody knows whose it is must not get into a copy for others. */
static int keep_nameless(struct xccore *x, struct err *err)
{
	struct pagemap *pm = &x->ck->map;
	CLEANUP_FREE uint8_t *named = calloc(x->nr_there + 1, 1);
	uint64_t i, k;

	if (!named)
		return err_nomem(err, "the list of pages");
	for (i = 0; i < pm->nr; i++)
		for (k = 0; k < pm->runs[i].nr; k++)
			named[(pm->runs[i].off - x->pages_off) / PAGE_BYTES + k] = 1;
	for (i = 0; i < x->ck->nr_needed; i++)
		named[(x->ck->needed[i] - x->pages_off) / PAGE_BYTES] = 1;
	for (i = 0; i < x->nr_there; i++)
		if (!named[i] &&
			ckpt_add_extra(x->ck, x->pages_off + i * PAGE_BYTES, PAGE_BYTES, err))
			return -1;
	return 0;
}

/* ---- vcpus -------------------------------------------------------------------------------- */

static int read_vcpus(struct xccore *x, struct err *err)
{
	uint64_t nr =
		x->nr_vcpus ? bytes_there(x, x->ctxt_off, x->nr_vcpus * x->ctx_bytes) / x->ctx_bytes
			    : 0;
	uint32_t i;

	for (i = 0; i < nr; i++) {
		struct ckpt_vcpu *v = ckpt_new_vcpu(x->ck, i, err);

		if (!v)
			return -1;
		v->kind = x->kind;
		v->ctx_bytes = x->ctx_bytes;
		v->ctx_off = x->ctxt_off + i * x->ctx_bytes;
		v->ctx = source_at(x->ck->src, v->ctx_off, v->ctx_bytes);
		pv_context_decode(v);
		v->user_root = PFN_NONE; /* no dump says whether CR1 counts */
	}
	return 0;
}

static bool is_flagged_hvm(const struct xccore *x)
{
	const struct ckpt_state *s = &x->ck->state;

	return s->nr_vcpus && (x->kind == CKPT_VCPU_PV64 || x->kind == CKPT_VCPU_PV32) &&
	       num_le32(s->vcpus[0].ctx + CTX_FLAGS) & FLAG_HVM;
}

/* The frame that vcpu 0 has for its root, where another one led to the guest's table. */
static int use_found_root(struct xccore *x, const struct xccore_guest *g, struct err *err)
{
	struct ckpt_vcpu *v = ckpt_new_vcpu(x->ck, 0, err);

	if (!v)
		return -1;
	v->kind = g->word_bytes == 8 ? CKPT_VCPU_PV64 : CKPT_VCPU_PV32;
	v->ctx = g->start_info;
	v->ctx_bytes = PAGE_BYTES;
	v->ctx_off = g->start_info_off;
	v->root = PFN(g->root);
	finding_add(&x->ck->findings, "XB019", finding_at_offset(x->ctxt_off),
		"no registers of a vcpu lead to page tables (Xen 3.0.0 leaves out the last vcpu): "
		"those of frame 0x%" PRIx64 " are used, which map the kernel",
		g->root);
	return 0;
}

static void root_to_page(struct ckpt *ck, struct ckpt_vcpu *v)
{
	uint64_t pfn;

	v->root = frames_to_pfn(&ck->frames, v->root.v, &pfn) ? PFN(pfn) : PFN_NONE;
}

/* Does a vcpu's own register name that frame? */
static bool is_root_of_vcpu(const struct ckpt_state *s, uint64_t frame)
{
	return s->nr_vcpus && s->vcpus[0].root.v == frame;
}

/* ---- the two kinds of guests -------------------------------------------------------------- */

static int settle_pv(struct xccore *x, const struct xccore_guest *g, struct err *err)
{
	struct ckpt_info *info = &x->ck->info;
	size_t i;

	info->guest_type = CKPT_GUEST_PV;
	info->word_bytes = g->word_bytes;
	info->pt_levels = g->pt_levels;
	info->pte_unit = CKPT_PTE_MFN;
	if (!is_root_of_vcpu(&x->ck->state, g->root) && use_found_root(x, g, err))
		return -1;
	for (i = 0; i < x->ck->state.nr_vcpus; i++)
		root_to_page(x->ck, &x->ck->state.vcpus[i]);
	return 0;
}

static int open_pv(struct xccore *x, enum xccore_found *ret, struct err *err)
{
	struct xccore_guest g = {0};

	*ret = xccore_number_pv(x, &g, err);
	if (*ret != XCCORE_FOUND)
		return *ret == XCCORE_FAILED ? -1 : 0;
	return settle_pv(x, &g, err);
}

static int number_pages(struct xccore *x, struct err *err)
{
	enum xccore_found found = XCCORE_NOTHING;

	x->ck->info.guest_type = CKPT_GUEST_PV;
	if (!x->hvm && open_pv(x, &found, err))
		return -1;
	if (x->hvm) {
		x->ck->info.guest_type = CKPT_GUEST_HVM;
		found = xccore_number_hvm(x, err);
	}
	if (found == XCCORE_FAILED)
		return -1;
	if (found == XCCORE_NOTHING)
		return ckpt_incomplete(x->ck, x->pages_off,
			"the file names machine frames only, and the guest's own table of them "
			"was not found: which page is which is unknown");
	return 0;
}

static int open_xccore(struct ckpt *ck, uint64_t off, struct err *err)
{
	struct xccore x = {.ck = ck, .off = off, .kind = CKPT_VCPU_PV64};
	int rc;

	ck->info.stream_off = off;
	ck->info.suspended = false;
	ckpt_add_layer(ck, "xc_core");
	if (read_header(&x, err))
		return -1;
	ck->end = x.pages_off + x.nr_pages * PAGE_BYTES;
	rc = read_frames(&x, err) || read_vcpus(&x, err) ? -1 : 0;
	x.hvm = x.marked_hvm || is_flagged_hvm(&x);
	if (!rc)
		rc = number_pages(&x, err) || keep_nameless(&x, err) ? -1 : 0;
	if (!rc && ck->info.complete && ck->end > source_bytes(ck->src))
		rc = ckpt_incomplete(ck, source_bytes(ck->src),
			"the file ends at 0x%" PRIx64 ", its pages at 0x%" PRIx64,
			source_bytes(ck->src), ck->end);
	frames_fini(&x.place);
	return rc;
}

const struct ckpt_format ckpt_format_xccore = {
	.name = "xc-core", .probe = probe_xccore, .open = open_xccore, .verify = ckpt_verify_core};
