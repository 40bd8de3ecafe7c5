/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_xencore.c - the core dump of a domain: xm, xl and virsh dump-core since Xen 3.1.
 *
 * Format: docs/misc/dump-core-format.txt, tools/libs/guest/xg_core.c. An ELF file of class 64 with
 * sections and no segments:
 *
 *   .note.Xen         notes named "Xen": header, version of Xen, version of the format
 *   .xen_prstatus     vcpu_guest_context of each vcpu, sh_entsize bytes a vcpu; that of a
 *                     32-bit guest is the start of it where the tools have 64 bits
 *   .xen_shared_info  a page; not always there
 *   .xen_pages        nr_pages of 4096 bytes
 *   .xen_p2m          PV: nr_pages of {u64 pfn, u64 machine frame}
 *   .xen_pfn          HVM and PVH: nr_pages of u64 pfn
 *
 * The names of the sections are the last in the file. In a file that was cut they are known by
 * their type and the size of their entries. All ones in a table: the page was gone meanwhile.
 *
 * Page tables, CR3 and the like of a PV guest hold machine frames here.
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/core_notes.h"
#include "checkpoint/xencore.h"

/* public/elfnote.h */
#define NOTE_HEADER	    0x2000001u
#define NOTE_XEN_VERSION    0x2000002u
#define NOTE_FORMAT_VERSION 0x2000003u
#define MAX_NOTE_BYTES	    (64u << 10)

#define CORE_MAGIC     0xf00febedu /* PV */
#define CORE_MAGIC_HVM 0xf00febeeu /* HVM and PVH */

/* struct xen_dumpcore_elfnote_xen_version_desc of tools with 64 bits; for a guest with 32 the last
 * member, the size of a page, stands 4 bytes in front of its place. */
#define VERSION_CAPABILITIES	   176
#define VERSION_CAPABILITIES_BYTES 1024u
#define VERSION_PAGESIZE_32	   1268
#define VERSION_BYTES		   1280u

static enum ckpt_probe probe_xencore(const struct source *src, uint64_t off, struct err *err UNUSED)
{
	return xencore_is_one(src, off) ? CKPT_PROBE_YES : CKPT_PROBE_NO;
}

/* How many of these bytes the file has. */
static uint64_t bytes_there(const struct xencore *x, uint64_t off, uint64_t len)
{
	uint64_t end = source_bytes(x->ck->src);

	return off < end ? MIN(len, end - off) : 0;
}

/* ---- notes ------------------------------------------------------------------------------- */

static int note_header(struct xencore *x, const struct core_note *note, struct err *err)
{
	uint64_t magic, page_size;

	if (note->desc_len < 32)
		return err_set(err, ERR_CORRUPT,
			"the header note at 0x%" PRIx64 " has %u bytes, expected 32", note->off,
			note->desc_len);
	magic = num_le64(note->desc);
	page_size = num_le64(note->desc + 24);
	if (magic != CORE_MAGIC && magic != CORE_MAGIC_HVM)
		return err_set(err, ERR_CORRUPT,
			"the header note at 0x%" PRIx64 " has the magic 0x%" PRIx64
			", expected 0x%x or 0x%x",
			note->off, magic, CORE_MAGIC, CORE_MAGIC_HVM);
	if (page_size != PAGE_BYTES)
		return err_set(err, ERR_UNSUPPORTED,
			"core dump with pages of %" PRIu64 " bytes, expected %u", page_size,
			PAGE_BYTES);
	x->has_header = true;
	x->hvm = magic == CORE_MAGIC_HVM;
	x->nr_vcpus = num_le64(note->desc + 8);
	x->nr_pages = num_le64(note->desc + 16);
	return 0;
}

/* What the guest is can only be told by what the writer made of the size of a page. */
static void note_xen_version(struct xencore *x, const struct core_note *note)
{
	struct ckpt_info *info = &x->ck->info;
	const uint8_t *desc = note->desc;
	if (note->desc_len < VERSION_CAPABILITIES + VERSION_CAPABILITIES_BYTES)
		return;
	if (num_le64(desc) <= UINT16_MAX && num_le64(desc + 8) <= UINT16_MAX) {
		info->xen_major = (unsigned)num_le64(desc);
		info->xen_minor = (unsigned)num_le64(desc + 8);
	}
	x->is_pae = memmem(desc + VERSION_CAPABILITIES, VERSION_CAPABILITIES_BYTES, "x86_32p", 7);
	if (note->desc_len >= VERSION_BYTES) /* tools of 64 bits */
		x->word_bytes = num_le64(desc + VERSION_PAGESIZE_32) == PAGE_BYTES ? 4 : 8;
}

static int note_format_version(struct ckpt *ck, const struct core_note *note, struct err *err)
{
	uint64_t version = note->desc_len >= 8 ? num_le64(note->desc) : UINT64_MAX;

	if (version >> 32)
		return err_set(err, ERR_UNSUPPORTED,
			"core dump of format version %" PRIu64 ".%u at 0x%" PRIx64 ", expected 0.x",
			version >> 32, (unsigned)version, note->off);
	ckpt_add_layer(ck, "xen core 0.%u", (unsigned)version);
	return 0;
}

static int read_note(void *arg, const struct core_note *note, struct err *err)
{
	struct xencore *x = arg;

	if (!core_note_is_named(note, "Xen"))
		return 0;
	switch (note->type) {
	case NOTE_HEADER:
		return note_header(x, note, err);
	case NOTE_XEN_VERSION:
		note_xen_version(x, note);
		return 0;
	case NOTE_FORMAT_VERSION:
		return note_format_version(x->ck, note, err);
	default:
		return 0;
	}
}

static int read_notes(struct xencore *x, struct err *err)
{
	const struct section *s = &x->s[SECTION_NOTE];
	uint64_t have = bytes_there(x, s->off, MIN(s->size, (uint64_t)MAX_NOTE_BYTES));

	if (core_notes_walk(source_at(x->ck->src, s->off, have), have, s->off, read_note, x, err))
		return -1;
	if (!x->has_header)
		return err_set(err, ERR_CORRUPT,
			"the notes at 0x%" PRIx64 " have no header of a Xen core dump", s->off);
	return 0;
}

/* ---- vcpus ------------------------------------------------------------------------------- */

/* PFN_NONE: the table has no page for that machine frame. */
static pfn_t page_of_frame(const struct ckpt *ck, pfn_t frame)
{
	uint64_t pfn;

	if (!frames_to_pfn(&ck->frames, frame.v, &pfn))
		return PFN_NONE;
	return PFN(pfn);
}

/* Where the version's note does not tell: is there a CR3 of 64 bits that names a page? */
static unsigned width_by_cr3(const struct xencore *x)
{
	const struct section *s = &x->s[SECTION_PRSTATUS];
	struct ckpt_vcpu v = {.kind = CKPT_VCPU_PV64};

	v.ctx = source_at(x->ck->src, s->off, pv_context_bytes(v.kind));
	if (s->entsize < pv_context_bytes(v.kind) || !v.ctx)
		return 4;
	pv_context_decode(&v);
	return page_of_frame(x->ck, v.root).v != PFN_NONE.v ? 8 : 4;
}

static void settle_pv(struct xencore *x)
{
	struct ckpt_info *info = &x->ck->info;

	if (!x->word_bytes)
		x->word_bytes = width_by_cr3(x);
	info->word_bytes = x->word_bytes;
	info->pt_levels = x->word_bytes == 8 ? 4 : x->is_pae ? 3 : 2;
	info->pte_unit = CKPT_PTE_MFN;
}

static int read_vcpu(struct xencore *x, uint32_t id, uint64_t off, struct err *err)
{
	bool wide = x->hvm ? x->s[SECTION_PRSTATUS].entsize >= pv_context_bytes(CKPT_VCPU_PV64)
			   : x->word_bytes == 8;
	struct ckpt_vcpu *v = ckpt_new_vcpu(x->ck, id, err);

	if (!v)
		return -1;
	v->kind = wide ? CKPT_VCPU_PV64 : CKPT_VCPU_PV32;
	v->ctx_bytes = pv_context_bytes(v->kind);
	v->ctx = source_at(x->ck->src, off, v->ctx_bytes);
	v->ctx_off = off;
	pv_context_decode(v);
	if (x->hvm) {
		hvm_context_from_core(v);
		return 0;
	}
	v->root = page_of_frame(x->ck, v->root);
	v->user_root = PFN_NONE; /* no dump says whether CR1 counts */
	return 0;
}

static int read_vcpus(struct xencore *x, struct err *err)
{
	const struct section *s = &x->s[SECTION_PRSTATUS];
	size_t least = pv_context_bytes(x->word_bytes == 8 ? CKPT_VCPU_PV64 : CKPT_VCPU_PV32);
	uint64_t nr, i;

	if (!s->size)
		return 0;
	if (s->entsize < least || s->entsize > PAGE_BYTES * 2)
		return err_set(err, ERR_CORRUPT,
			".xen_prstatus at 0x%" PRIx64 ": %" PRIu64
			" bytes a vcpu, expected at least %zu",
			s->off, s->entsize, least);
	nr = s->size / s->entsize;
	if (nr != x->nr_vcpus)
		finding_add(&x->ck->findings, "XB019", finding_at_offset(s->off),
			"the registers of %" PRIu64 " vcpus are there, the header says %" PRIu64,
			nr, x->nr_vcpus);
	if (nr > CKPT_MAX_VCPUS)
		return err_set(err, ERR_CORRUPT,
			".xen_prstatus at 0x%" PRIx64 ": %" PRIu64 " vcpus, expected at most %u",
			s->off, nr, CKPT_MAX_VCPUS);
	for (i = 0; i < bytes_there(x, s->off, s->size) / s->entsize; i++)
		if (read_vcpu(x, (uint32_t)i, s->off + i * s->entsize, err))
			return -1;
	return 0;
}

/* ---- pages ------------------------------------------------------------------------------- */

static int bad_entry(
	const struct section *s, uint64_t i, uint64_t pfn, uint64_t mfn, struct err *err)
{
	return err_set(err, ERR_CORRUPT,
		"entry %" PRIu64 " of the table at 0x%" PRIx64 ": pfn 0x%" PRIx64
		", frame 0x%" PRIx64 ", expected frames of at most 52 bits",
		i, s->off, pfn, mfn);
}

static int index_page(struct xencore *x, uint64_t pfn, uint64_t mfn, uint64_t i, struct err *err)
{
	struct ckpt_run run = {
		.pfn = pfn, .nr = 1, .off = x->s[SECTION_PAGES].off + i * PAGE_BYTES};

	if (pagemap_add(&x->ck->map, run) || (!x->hvm && frames_add(&x->ck->frames, pfn, mfn)))
		return err_nomem(err, "the index of pages");
	return 0;
}

/* Entries whose page is not in the file count for the frames alone: page tables may lead there. */
static int index_pages(struct xencore *x, const struct section *s, uint64_t nr, struct err *err)
{
	unsigned each = x->hvm ? 8 : 16;
	const uint8_t *table = source_at(x->ck->src, s->off, nr * each);
	uint64_t i;

	for (i = 0; table && i < nr; i++, table += each) {
		uint64_t pfn = num_le64(table), mfn = x->hvm ? pfn : num_le64(table + 8);

		if (pfn == UINT64_MAX || mfn == UINT64_MAX) /* the domain shrank meanwhile */
			continue;
		if (pfn > CKPT_MAX_PFN || mfn > CKPT_MAX_PFN)
			return bad_entry(s, i, pfn, mfn, err);
		if (index_page(x, pfn, mfn, i, err))
			return -1;
	}
	return 0;
}

static void check_counts(struct xencore *x, const struct section *table, uint64_t entries)
{
	uint64_t pages = x->s[SECTION_PAGES].size / PAGE_BYTES;

	if (pages != x->nr_pages || entries != x->nr_pages)
		finding_add(&x->ck->findings, "XB019", finding_at_offset(table->off),
			"%" PRIu64 " pages and a table of %" PRIu64
			" entries, the header says %" PRIu64,
			pages, entries, x->nr_pages);
}

/* Pages are numbered by the table behind them: where that is cut off, nothing can be said of any.
 */
static int read_pages(struct xencore *x, struct err *err)
{
	const struct section *s = &x->s[x->hvm ? SECTION_PFN : SECTION_P2M];
	const struct section *pages = &x->s[SECTION_PAGES];
	unsigned each = x->hvm ? 8 : 16;
	uint64_t nr = s->size / each;

	if (!s->size || !pages->size)
		return ckpt_incomplete(x->ck, x->off, "the core dump has no section %s",
			!pages->size ? xencore_section_name(SECTION_PAGES)
			: x->hvm     ? xencore_section_name(SECTION_PFN)
				     : xencore_section_name(SECTION_P2M));
	check_counts(x, s, nr);
	nr = MIN(nr, bytes_there(x, s->off, s->size) / each);
	nr = MIN(nr, bytes_there(x, pages->off, pages->size) / PAGE_BYTES);
	if (index_pages(x, s, nr, err))
		return -1;
	if (frames_finish(&x->ck->frames))
		return err_nomem(err, "the table of frames");
	if (x->ck->frames.nr_mfn_twice || x->ck->frames.nr_pfn_twice)
		finding_add(&x->ck->findings, "XB019", finding_at_offset(s->off),
			"%" PRIu64 " machine frames and %" PRIu64
			" pages stand in the table more than once",
			x->ck->frames.nr_mfn_twice, x->ck->frames.nr_pfn_twice);
	return 0;
}

static int find_end(struct xencore *x)
{
	uint64_t end = source_bytes(x->ck->src);
	unsigned i;

	for (i = 0; i < NR_SECTIONS; i++) {
		const struct section *s = &x->s[i];

		if (s->size && !num_range_ok(s->off, s->size, end))
			return ckpt_incomplete(x->ck, s->off,
				"the file ends at 0x%" PRIx64 ", before the end of its section %s",
				end, xencore_section_name(i));
	}
	if (x->ck->end > end)
		return ckpt_incomplete(x->ck, end,
			"the file ends at 0x%" PRIx64 ", its last section at 0x%" PRIx64, end,
			x->ck->end);
	return 0;
}

static int open_xencore(struct ckpt *ck, uint64_t off, struct err *err)
{
	struct xencore x = {.ck = ck, .off = off};
	struct ckpt_info *info = &ck->info;

	info->stream_off = off;
	info->suspended = false;
	if (xencore_read_sections(&x, err) || read_notes(&x, err))
		return -1;
	info->guest_type = x.hvm ? CKPT_GUEST_HVM : CKPT_GUEST_PV;
	if (x.s[SECTION_SHARED_INFO].size == PAGE_BYTES)
		ck->state.shared_info =
			source_at(ck->src, x.s[SECTION_SHARED_INFO].off, PAGE_BYTES);
	if (read_pages(&x, err))
		return -1;
	if (!x.hvm)
		settle_pv(&x);
	if (read_vcpus(&x, err))
		return -1;
	return info->complete ? find_end(&x) : 0;
}

const struct ckpt_format ckpt_format_xencore = {.name = "xen-core",
	.probe = probe_xencore,
	.open = open_xencore,
	.verify = ckpt_verify_core};
