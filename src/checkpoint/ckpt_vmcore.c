/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_vmcore.c - the memory of a machine as an ELF core file with segments: what QEMU's
 * dump-guest-memory writes of an HVM or PVH guest (and virsh dump --memory-only of one that QEMU
 * runs), and what Linux's kexec kernel offers as /proc/vmcore.
 *
 * Format: the ELF specification; QEMU's dump/dump.c. PT_LOAD segments say where physical memory
 * stands in the file, at any byte; PT_NOTE has the registers (core_notes.h). With more than 65534
 * segments their number stands in the sh_info of section 0. Page tables hold guest frames.
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/core_notes.h"

#define ET_CORE	  4u
#define PT_LOAD	  1u
#define PT_NOTE	  4u
#define PN_XNUM	  0xffffu
#define EHDR_TYPE 16
/* One of a guest has a few for each stretch of its memory; QEMU's with -p one for each mapping. */
#define MAX_SEGMENTS   (1u << 20)
#define MAX_NOTE_BYTES (16u << 20)

/* Where members stand, of files of 64 and of 32 bits. */
static const struct shape {
	unsigned word, ehdr_bytes, phoff, phentsize, phnum, shoff;
	unsigned phdr_bytes, p_offset, p_paddr, p_filesz, sh_info;
} shapes[] = {
	{8, 64, 32, 54, 56, 40, 56, 8, 24, 32, 44},
	{4, 52, 28, 42, 44, 32, 32, 4, 12, 16, 28},
};

struct vmcore {
	struct ckpt *ck;
	uint64_t off; /* of the ELF header */
	const struct shape *shape;
	const uint8_t *phdrs;
	uint32_t nr;
	struct core_notes notes;
};

static const struct shape *shape_of(const struct source *src, uint64_t off)
{
	const uint8_t *p = source_at(src, off, shapes[1].ehdr_bytes);

	if (!p || memcmp(p, "\177ELF", 4) || p[5] != 1 || num_le16(p + EHDR_TYPE) != ET_CORE)
		return NULL;
	return p[4] == 2 ? &shapes[0] : p[4] == 1 ? &shapes[1] : NULL;
}

/* A core file without segments is Xen's own. */
static enum ckpt_probe probe_vmcore(const struct source *src, uint64_t off, struct err *err UNUSED)
{
	const struct shape *s = shape_of(src, off);
	const uint8_t *p = s ? source_at(src, off, s->ehdr_bytes) : NULL;

	return p && num_le16(p + s->phnum) ? CKPT_PROBE_YES : CKPT_PROBE_NO;
}

static uint64_t word_at(const struct vmcore *m, const uint8_t *p)
{
	return m->shape->word == 8 ? num_le64(p) : num_le32(p);
}

static int count_segments(struct vmcore *m, const uint8_t *ehdr, struct err *err)
{
	uint64_t shoff = word_at(m, ehdr + m->shape->shoff);
	const uint8_t *shdr;

	m->nr = num_le16(ehdr + m->shape->phnum);
	if (m->nr != PN_XNUM)
		return 0;
	shdr = num_add(m->off, shoff, &shoff) ? source_at(m->ck->src, shoff, m->shape->sh_info + 4)
					      : NULL;
	if (!shdr)
		return err_set(err, ERR_CORRUPT,
			"the number of segments should stand at 0x%" PRIx64
			", beyond the end of the file at 0x%" PRIx64,
			shoff, source_bytes(m->ck->src));
	m->nr = num_le32(shdr + m->shape->sh_info);
	return 0;
}

static int read_headers(struct vmcore *m, struct err *err)
{
	const uint8_t *ehdr = source_at(m->ck->src, m->off, m->shape->ehdr_bytes);
	uint64_t off = word_at(m, ehdr + m->shape->phoff);

	if (count_segments(m, ehdr, err))
		return -1;
	if (num_le16(ehdr + m->shape->phentsize) != m->shape->phdr_bytes || m->nr > MAX_SEGMENTS)
		return err_set(err, ERR_CORRUPT,
			"ELF header at 0x%" PRIx64 ": %u segments of %u bytes, expected at most %u "
			"of %u",
			m->off, m->nr, num_le16(ehdr + m->shape->phentsize), MAX_SEGMENTS,
			m->shape->phdr_bytes);
	if (!num_add(m->off, off, &off))
		off = UINT64_MAX;
	m->phdrs = source_at(m->ck->src, off, (uint64_t)m->nr * m->shape->phdr_bytes);
	return m->phdrs ? 0
			: err_set(err, ERR_CORRUPT,
				  "the %u program headers at 0x%" PRIx64
				  " are beyond the end of the file at 0x%" PRIx64,
				  m->nr, off, source_bytes(m->ck->src));
}

struct segment {
	uint32_t type;
	uint64_t off, paddr, bytes; /* off: in the file */
	uint64_t there;		    /* how many of the bytes the file has */
};

static struct segment segment_at(const struct vmcore *m, uint32_t i)
{
	const uint8_t *p = m->phdrs + (size_t)i * m->shape->phdr_bytes;
	uint64_t end = source_bytes(m->ck->src);
	struct segment s = {
		.type = num_le32(p),
		.paddr = word_at(m, p + m->shape->p_paddr),
		.bytes = word_at(m, p + m->shape->p_filesz),
	};

	if (!num_add(m->off, word_at(m, p + m->shape->p_offset), &s.off))
		s.off = UINT64_MAX;
	s.there = s.off < end ? MIN(s.bytes, end - s.off) : 0;
	return s;
}

static int read_notes(struct vmcore *m, struct err *err)
{
	uint32_t i;

	for (i = 0; i < m->nr; i++) {
		struct segment s = segment_at(m, i);
		size_t len = (size_t)MIN(s.there, (uint64_t)MAX_NOTE_BYTES);

		if (s.type == PT_NOTE)
			m->ck->end = MAX(m->ck->end, s.off + s.there);
		if (s.type == PT_NOTE && len &&
			core_notes_read(m->ck, source_at(m->ck->src, s.off, len), len, s.off,
				&m->notes, err))
			return -1;
	}
	return core_notes_settle(m->ck, &m->notes, err);
}

/* Whole pages; the ends of firmware and the like may be none. */
static int index_segment(struct vmcore *m, const struct segment *s, struct err *err)
{
	uint64_t skip = -s->paddr & PAGE_OFFSET_MASK, left, max = (uint64_t)UINT32_MAX;
	struct ckpt_run run = {.pfn = (s->paddr + skip) >> PAGE_SHIFT, .off = s->off + skip};

	if (s->there < skip || s->paddr > UINT64_MAX - PAGE_BYTES)
		return 0;
	left = (s->there - skip) / PAGE_BYTES;
	if (left && run.pfn + left - 1 > CKPT_MAX_PFN)
		return err_set(err, ERR_CORRUPT,
			"a segment of 0x%" PRIx64 " bytes for address 0x%" PRIx64
			", expected addresses of at most 52 bits",
			s->bytes, s->paddr);
	for (; left; left -= run.nr, run.pfn += run.nr, run.off += (uint64_t)run.nr * PAGE_BYTES) {
		run.nr = (uint32_t)MIN(left, max);
		if (pagemap_add(&m->ck->map, run))
			return err_nomem(err, "the index of pages");
	}
	return 0;
}

static int index_segments(struct vmcore *m, struct err *err)
{
	bool cut = false;
	uint32_t i;

	for (i = 0; i < m->nr; i++) {
		struct segment s = segment_at(m, i);

		if (s.type != PT_LOAD || !s.bytes)
			continue;
		if (index_segment(m, &s, err))
			return -1;
		m->ck->end = MAX(m->ck->end, s.off + s.there);
		if (s.there < s.bytes && !cut)
			ckpt_incomplete(m->ck, s.off,
				"the file ends at 0x%" PRIx64 ", in memory from address 0x%" PRIx64
				" on",
				source_bytes(m->ck->src), s.paddr);
		cut |= s.there < s.bytes;
	}
	return 0;
}

static int open_vmcore(struct ckpt *ck, uint64_t off, struct err *err)
{
	struct vmcore m = {.ck = ck, .off = off, .shape = shape_of(ck->src, off)};

	ck->info.stream_off = off;
	if (read_headers(&m, err) || read_notes(&m, err))
		return -1;
	ckpt_add_layer(ck, "%s", m.notes.nr_qemu ? "qemu elf" : "vmcore elf");
	return index_segments(&m, err);
}

const struct ckpt_format ckpt_format_vmcore = {
	.name = "vmcore", .probe = probe_vmcore, .open = open_vmcore, .verify = ckpt_verify_core};
