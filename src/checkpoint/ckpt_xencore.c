/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_xencore.c - the core dump of a domain: xm, xl and virsh dump-core since Xen 3.1.
 *
 * Format: docs/misc/dump-core-format.txt, tools/libs/guest/xg_core.c. An ELF file of class 64 with
 * sections and no segments:
 *
 *   .note.Xen         notes of the name "Xen": header, version of Xen, version of the format
 *   .xen_prstatus     vcpu_guest_context of each vcpu; the size of one stands in sh_entsize, that
 *                     of a 32-bit guest is at the start of a larger one where the tools have 64
 * bits .xen_shared_info  a page; not always there .xen_pages        nr_pages of 4096 bytes .xen_p2m
 * PV: nr_pages of {u64 pfn, u64 machine frame} .xen_pfn          HVM and PVH: nr_pages of u64 pfn
 *
 * The names of the sections are the last in the file. In a file that was cut they are known by
 * their type and the size of their entries. All ones in a table: the page was gone meanwhile.
 *
 * Page tables, CR3 and the like of a PV guest hold machine frames here.
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/ckpt_priv.h"

#define EHDR_BYTES    64u
#define EHDR_TYPE     16
#define EHDR_SHOFF    40
#define EHDR_PHNUM    56
#define EHDR_SHENT    58
#define EHDR_SHNUM    60
#define EHDR_SHSTRNDX 62
#define ET_CORE	      4u

#define SHDR_BYTES   64u
#define SHDR_TYPE    4
#define SHDR_OFF     24
#define SHDR_SIZE    32
#define SHDR_ENTSIZE 56
#define SHT_NOTE     7u
/* Xen writes 6 or 7. */
#define MAX_SECTIONS 64u

/* public/elfnote.h */
#define NOTE_HEADER	    0x2000001u
#define NOTE_XEN_VERSION    0x2000002u
#define NOTE_FORMAT_VERSION 0x2000003u
#define MAX_NOTES	    64u
#define MAX_NOTE_BYTES	    (64u << 10)

#define CORE_MAGIC     0xf00febedu /* PV */
#define CORE_MAGIC_HVM 0xf00febeeu /* HVM and PVH */

/* struct xen_dumpcore_elfnote_xen_version_desc of tools with 64 bits; for a guest with 32 the last
 * member, the size of a page, stands 4 bytes in front of its place. */
#define VERSION_CAPABILITIES	   176
#define VERSION_CAPABILITIES_BYTES 1024u
#define VERSION_PAGESIZE_32	   1268
#define VERSION_BYTES		   1280u

enum section_kind {
	SECTION_NOTE,
	SECTION_PRSTATUS,
	SECTION_SHARED_INFO,
	SECTION_PAGES,
	SECTION_P2M,
	SECTION_PFN,
	NR_SECTIONS,
};

static const struct {
	const char *name;
	uint32_t type;
	uint64_t entsize[2]; /* of entries of that kind; 0: none */
} kinds[NR_SECTIONS] = {
	[SECTION_NOTE] = {".note.Xen", SHT_NOTE, {0, 0}},
	[SECTION_PRSTATUS] = {".xen_prstatus", 1, {5168, 2800}},
	[SECTION_SHARED_INFO] = {".xen_shared_info", 1, {PAGE_BYTES, 0}},
	[SECTION_PAGES] = {".xen_pages", 1, {PAGE_BYTES, 0}},
	[SECTION_P2M] = {".xen_p2m", 1, {16, 0}},
	[SECTION_PFN] = {".xen_pfn", 1, {8, 0}},
};

struct section {
	uint64_t off, size, entsize; /* off: in the file; size 0: not there */
};

struct xencore {
	struct ckpt *ck;
	uint64_t off; /* of the ELF header */
	struct section s[NR_SECTIONS];
	bool hvm, has_header;
	uint64_t nr_vcpus, nr_pages; /* as the header says */
	unsigned word_bytes;	     /* of a PV guest */
	bool is_pae;		     /* Xen has page tables of three levels for guests of 32 bits */
};

static enum ckpt_probe probe(const struct source *src, uint64_t off, struct err *err UNUSED)
{
	const uint8_t *p = source_at(src, off, EHDR_BYTES);

	return p && ckpt_has_magic(src, off, "\177ELF\2\1", 6) &&
			       num_le16(p + EHDR_TYPE) == ET_CORE && !num_le16(p + EHDR_PHNUM) &&
			       num_le16(p + EHDR_SHNUM)
		       ? CKPT_PROBE_YES
		       : CKPT_PROBE_NO;
}

/* ---- sections ---------------------------------------------------------------------------- */

/* Its name, or NULL: that part of the file is cut off. */
static const char *section_name(const uint8_t *names, uint64_t bytes, const uint8_t *shdr)
{
	uint32_t at = num_le32(shdr);

	return names && at < bytes && memchr(names + at, 0, bytes - at) ? (const char *)names + at
									: NULL;
}

static bool is_of_kind(const uint8_t *shdr, enum section_kind kind, bool pages_seen)
{
	uint64_t entsize = num_le64(shdr + SHDR_ENTSIZE);

	if (num_le32(shdr + SHDR_TYPE) != kinds[kind].type)
		return false;
	if (kind == SECTION_NOTE)
		return true;
	/* Of two with pages for entries the first is one page, or the only one. */
	if (kind == SECTION_SHARED_INFO && (pages_seen || num_le64(shdr + SHDR_SIZE) != PAGE_BYTES))
		return false;
	return entsize && (entsize == kinds[kind].entsize[0] || entsize == kinds[kind].entsize[1]);
}

static void note_section(struct xencore *x, const uint8_t *shdr, const char *name)
{
	uint64_t end;
	unsigned kind;

	if (num_add(num_le64(shdr + SHDR_OFF), num_le64(shdr + SHDR_SIZE), &end) &&
		num_add(x->off, end, &end))
		x->ck->end = MAX(x->ck->end, end);
	for (kind = 0; kind < NR_SECTIONS; kind++)
		if (name ? !strcmp(name, kinds[kind].name)
			 : is_of_kind(shdr, kind, x->s[SECTION_PAGES].size))
			break;
	if (kind == NR_SECTIONS || x->s[kind].size)
		return;
	x->s[kind] = (struct section){
		.off = num_le64(shdr + SHDR_OFF),
		.size = num_le64(shdr + SHDR_SIZE),
		.entsize = num_le64(shdr + SHDR_ENTSIZE),
	};
	if (!num_add(x->off, x->s[kind].off, &x->s[kind].off))
		x->s[kind].off = UINT64_MAX;
}

static const uint8_t *section_names(
	const struct xencore *x, const uint8_t *shdrs, unsigned nr, uint64_t *ret_bytes)
{
	const uint8_t *ehdr = source_at(x->ck->src, x->off, EHDR_BYTES);
	unsigned index = num_le16(ehdr + EHDR_SHSTRNDX);
	uint64_t off;

	*ret_bytes = 0;
	if (!index || index >= nr ||
		!num_add(x->off, num_le64(shdrs + index * SHDR_BYTES + SHDR_OFF), &off))
		return NULL;
	*ret_bytes = num_le64(shdrs + index * SHDR_BYTES + SHDR_SIZE);
	return *ret_bytes ? source_at(x->ck->src, off, *ret_bytes) : NULL;
}

static int read_sections(struct xencore *x, struct err *err)
{
	const struct source *src = x->ck->src;
	const uint8_t *ehdr = source_at(src, x->off, EHDR_BYTES), *shdrs, *names;
	unsigned i, nr = num_le16(ehdr + EHDR_SHNUM);
	uint64_t off = num_le64(ehdr + EHDR_SHOFF), name_bytes;

	if (nr > MAX_SECTIONS || num_le16(ehdr + EHDR_SHENT) != SHDR_BYTES)
		return err_set(err, ERR_CORRUPT,
			"ELF header at 0x%" PRIx64 ": %u sections of %u bytes, expected at most %u "
			"of %u",
			x->off, nr, num_le16(ehdr + EHDR_SHENT), MAX_SECTIONS, SHDR_BYTES);
	shdrs = num_add(x->off, off, &off) ? source_at(src, off, (uint64_t)nr * SHDR_BYTES) : NULL;
	if (!shdrs)
		return err_set(err, ERR_CORRUPT,
			"the section headers at 0x%" PRIx64 " are beyond the end of the file at "
			"0x%" PRIx64,
			off, source_bytes(src));
	names = section_names(x, shdrs, nr, &name_bytes);
	for (i = 0; i < nr; i++) {
		const uint8_t *shdr = shdrs + (size_t)i * SHDR_BYTES;
		const char *name = section_name(names, name_bytes, shdr);

		if (names ? name != NULL : true)
			note_section(x, shdr, name);
	}
	if (!x->s[SECTION_NOTE].size)
		return err_set(err, ERR_UNSUPPORTED,
			"ELF core dump without segments and without a section .note.Xen: it is not "
			"one of a Xen domain");
	return 0;
}

/* How many of these bytes the file has. */
static uint64_t bytes_there(const struct xencore *x, uint64_t off, uint64_t len)
{
	uint64_t end = source_bytes(x->ck->src);

	return off < end ? MIN(len, end - off) : 0;
}

/* ---- notes ------------------------------------------------------------------------------- */

static int note_header(
	struct xencore *x, const uint8_t *desc, uint32_t len, uint64_t off, struct err *err)
{
	uint64_t magic, page_size;

	if (len < 32)
		return err_set(err, ERR_CORRUPT,
			"the header note at 0x%" PRIx64 " has %u bytes, expected 32", off, len);
	magic = num_le64(desc);
	page_size = num_le64(desc + 24);
	if (magic != CORE_MAGIC && magic != CORE_MAGIC_HVM)
		return err_set(err, ERR_CORRUPT,
			"the header note at 0x%" PRIx64 " has the magic 0x%" PRIx64
			", expected 0x%x or 0x%x",
			off, magic, CORE_MAGIC, CORE_MAGIC_HVM);
	if (page_size != PAGE_BYTES)
		return err_set(err, ERR_UNSUPPORTED,
			"core dump with pages of %" PRIu64 " bytes, expected %u", page_size,
			PAGE_BYTES);
	x->has_header = true;
	x->hvm = magic == CORE_MAGIC_HVM;
	x->nr_vcpus = num_le64(desc + 8);
	x->nr_pages = num_le64(desc + 16);
	return 0;
}

/* What the guest is can only be told by what the writer made of the size of a page. */
static void note_xen_version(struct xencore *x, const uint8_t *desc, uint32_t len)
{
	struct ckpt_info *info = &x->ck->info;
	bool narrow = len < VERSION_BYTES; /* tools of 32 bits */

	if (len < VERSION_CAPABILITIES + VERSION_CAPABILITIES_BYTES)
		return;
	if (num_le64(desc) <= UINT16_MAX && num_le64(desc + 8) <= UINT16_MAX) {
		info->xen_major = (unsigned)num_le64(desc);
		info->xen_minor = (unsigned)num_le64(desc + 8);
	}
	x->is_pae = memmem(desc + VERSION_CAPABILITIES, VERSION_CAPABILITIES_BYTES, "x86_32p", 7);
	x->word_bytes = 8;
	if (narrow || num_le64(desc + VERSION_PAGESIZE_32) == PAGE_BYTES)
		x->word_bytes = 4;
}

static int note_format_version(
	const uint8_t *desc, uint32_t len, uint64_t off, struct ckpt *ck, struct err *err)
{
	uint64_t version = len >= 8 ? num_le64(desc) : UINT64_MAX;

	if (version >> 32)
		return err_set(err, ERR_UNSUPPORTED,
			"core dump of format version %" PRIu64 ".%u at 0x%" PRIx64 ", expected 0.x",
			version >> 32, (unsigned)version, off);
	ckpt_add_layer(ck, "xen core 0.%u", (unsigned)version);
	return 0;
}

static int read_note(struct xencore *x, uint32_t type, const uint8_t *desc, uint32_t len,
	uint64_t off, struct err *err)
{
	switch (type) {
	case NOTE_HEADER:
		return note_header(x, desc, len, off, err);
	case NOTE_XEN_VERSION:
		note_xen_version(x, desc, len);
		return 0;
	case NOTE_FORMAT_VERSION:
		return note_format_version(desc, len, off, x->ck, err);
	default:
		return 0;
	}
}

/* {u32 bytes of the name, u32 bytes of the descriptor, u32 type, name, descriptor}; both padded to
 * 4 bytes. */
static int read_notes(struct xencore *x, struct err *err)
{
	const struct section *s = &x->s[SECTION_NOTE];
	uint64_t have = bytes_there(x, s->off, MIN(s->size, (uint64_t)MAX_NOTE_BYTES));
	struct cursor c = cur_over(source_at(x->ck->src, s->off, have), have, s->off, ".note.Xen");
	unsigned nr;

	for (nr = 0; nr < MAX_NOTES && cur_left(&c); nr++) {
		uint32_t name_bytes = cur_u32(&c), len = cur_u32(&c), type = cur_u32(&c);
		const uint8_t *name = cur_bytes(&c, num_align_up(name_bytes, 4)), *desc;
		uint64_t off;

		off = cur_tell(&c);
		desc = cur_bytes(&c, num_align_up(len, 4));
		if (!desc)
			break;
		if (name_bytes == 4 && !memcmp(name, "Xen", 4) &&
			read_note(x, type, desc, len, off, err))
			return -1;
	}
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
			!pages->size ? kinds[SECTION_PAGES].name
			: x->hvm     ? kinds[SECTION_PFN].name
				     : kinds[SECTION_P2M].name);
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
				end, kinds[i].name);
	}
	return 0;
}

static int open_xencore(struct ckpt *ck, uint64_t off, struct err *err)
{
	struct xencore x = {.ck = ck, .off = off};
	struct ckpt_info *info = &ck->info;

	info->stream_off = off;
	info->suspended = false;
	if (read_sections(&x, err) || read_notes(&x, err))
		return -1;
	if (!x.hvm && !x.word_bytes)
		x.word_bytes =
			x.s[SECTION_PRSTATUS].entsize >= pv_context_bytes(CKPT_VCPU_PV64) ? 8 : 4;
	info->guest_type = x.hvm ? CKPT_GUEST_HVM : CKPT_GUEST_PV;
	if (!x.hvm) {
		info->word_bytes = x.word_bytes;
		info->pt_levels = x.word_bytes == 8 ? 4 : x.is_pae ? 3 : 2;
		info->pte_unit = CKPT_PTE_MFN;
	}
	if (x.s[SECTION_SHARED_INFO].size == PAGE_BYTES)
		ck->state.shared_info =
			source_at(ck->src, x.s[SECTION_SHARED_INFO].off, PAGE_BYTES);
	if (read_pages(&x, err) || read_vcpus(&x, err))
		return -1;
	return info->complete ? find_end(&x) : 0;
}

const struct ckpt_format ckpt_format_xencore = {
	.name = "xen-core", .probe = probe, .open = open_xencore, .verify = ckpt_verify_core};
