/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xencore_sections.c - where the parts of a Xen core dump stand.
 */
#include "checkpoint/xencore.h"

#include <inttypes.h>
#include <string.h>

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

const char *xencore_section_name(enum section_kind kind)
{
	return kinds[kind].name;
}

bool xencore_is_one(const struct source *src, uint64_t off)
{
	const uint8_t *p = source_at(src, off, EHDR_BYTES);

	return p && ckpt_has_magic(src, off, "\177ELF\2\1", 6) &&
	       num_le16(p + EHDR_TYPE) == ET_CORE && !num_le16(p + EHDR_PHNUM) &&
	       num_le16(p + EHDR_SHNUM);
}

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

int xencore_read_sections(struct xencore *x, struct err *err)
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
