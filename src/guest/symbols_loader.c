/* SPDX-License-Identifier: BSD-2-Clause
 *
 * symbols_loader.c - the kernel's own ELF symbols, which the loader of a BSD puts behind the
 * kernel.
 *
 * FreeBSD's loader (stand/common/load_elf.c) writes {size of a pointer: bytes, symbol table, bytes,
 * string table}. That of NetBSD and OpenBSD (libsa/loadfile_elf32.c), and Xen's builder for a guest
 * that asks for it (BSD_SYMTAB), write an ELF header and its section headers, whose offsets count
 * from that header. Neither is found by its own form alone: a name that the caller wants leads to
 * the string table, and what stands before it proves it.
 */
#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "guest/symbols.h"
#include "guest/window.h"

#define MAX_NAME     64u
#define MAX_TABLE    (24u << 20) /* a kernel has up to 200000 symbols */
#define MAX_SECTIONS 64u
#define MAX_HITS     16u /* places of one name that are looked at */
/* What all of them together may cost: one for each symbol that a table may begin with. */
#define MAX_STEPS (1u << 26)

struct table {
	gva_t symbols, strings;
	uint64_t nr;
};

struct name_search {
	struct guest *g;
	unsigned hits_left;
	uint32_t steps_left;
	bool found;
	struct table ret;
	uint8_t *buf; /* MAX_TABLE bytes */
};

static uint64_t word_of(const struct guest *g, const uint8_t *p)
{
	return guest_word_bytes(g) == 8 ? num_le64(p) : num_le32(p);
}

static unsigned symbol_bytes(const struct guest *g)
{
	return guest_word_bytes(g) == 8 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
}

/* Symbols end where `end` bytes of buf do: before them their size, and first the null one. */
static bool find_symbols(struct name_search *s, size_t end, uint64_t *ret_bytes)
{
	unsigned each = symbol_bytes(s->g), word = guest_word_bytes(s->g);
	uint64_t bytes;

	for (bytes = 2 * (uint64_t)each; bytes + word <= end && s->steps_left--; bytes += each) {
		const uint8_t *start = s->buf + end - bytes;

		if (word_of(s->g, start - word) == bytes && util_is_zero(start, each)) {
			*ret_bytes = bytes;
			return true;
		}
	}
	return false;
}

/* `at`: of a name in the string table. Is the table before it, of FreeBSD's form? */
static bool before_name(struct name_search *s, gva_t at)
{
	unsigned word = guest_word_bytes(s->g);
	gva_t start;
	size_t have = window_peek_back(s->g, at, s->buf, MAX_TABLE, &start), off;
	uint64_t bytes;

	for (off = have & ~(size_t)(word - 1); off >= 2 * word; off -= word) {
		uint64_t length = word_of(s->g, s->buf + off - word);

		if (length < have - off || length > MAX_TABLE || s->buf[off] || !s->steps_left ||
			!find_symbols(s, off - word, &bytes))
			continue;
		s->ret = (struct table){.symbols = gva_add(start, off - word - bytes),
			.strings = gva_add(start, off),
			.nr = bytes / symbol_bytes(s->g)};
		return true;
	}
	return false;
}

static bool look_before(void *arg, gva_t at)
{
	struct name_search *s = arg;

	s->found = before_name(s, at);
	return !s->found && s->hits_left-- > 1;
}

struct section {
	uint32_t type;
	uint64_t off, bytes;
};

static struct section section_of(const struct guest *g, const uint8_t *p)
{
	if (guest_word_bytes(g) == 8)
		return (struct section){num_le32(p + 4), num_le64(p + 24), num_le64(p + 32)};
	return (struct section){num_le32(p + 4), num_le32(p + 16), num_le32(p + 20)};
}

/* A symbol table and the string table behind it, among sections that follow the header. */
static bool read_sections(struct name_search *s, gva_t header, uint64_t shoff, unsigned nr)
{
	unsigned each = guest_word_bytes(s->g) == 8 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr), i;
	uint8_t raw[sizeof(Elf64_Shdr)], null[sizeof(Elf64_Sym)];

	s->ret = (struct table){0};
	for (i = 0; i < nr; i++) {
		struct section sec;

		if (guest_read(s->g, gva_add(header, shoff + (uint64_t)i * each), raw, each, NULL))
			return false;
		sec = section_of(s->g, raw);
		if (sec.off > MAX_TABLE || sec.bytes > MAX_TABLE || !sec.bytes)
			continue;
		if (sec.type == SHT_SYMTAB) {
			s->ret.symbols = gva_add(header, sec.off);
			s->ret.nr = sec.bytes / symbol_bytes(s->g);
		} else if (sec.type == SHT_STRTAB && s->ret.nr && !s->ret.strings.v) {
			s->ret.strings = gva_add(header, sec.off);
		}
	}
	return s->ret.strings.v &&
	       !guest_read(s->g, s->ret.symbols, null, symbol_bytes(s->g), NULL) &&
	       util_is_zero(null, symbol_bytes(s->g));
}

static bool look_at_header(void *arg, gva_t at)
{
	struct name_search *s = arg;
	bool wide = guest_word_bytes(s->g) == 8;
	uint8_t raw[sizeof(Elf64_Ehdr)];

	if (!(at.v & 3) && !guest_read(s->g, at, raw, sizeof(raw), NULL) &&
		raw[EI_CLASS] == (wide ? ELFCLASS64 : ELFCLASS32) && raw[EI_DATA] == ELFDATA2LSB) {
		uint64_t shoff = wide ? num_le64(raw + 40) : num_le32(raw + 32);
		unsigned nr = num_le16(raw + (wide ? 60 : 48));

		s->found =
			shoff <= MAX_TABLE && nr <= MAX_SECTIONS && read_sections(s, at, shoff, nr);
	}
	return !s->found && s->hits_left-- > 1;
}

static void search_windows(
	struct name_search *s, const void *needle, size_t len, bool (*fn)(void *arg, gva_t at))
{
	struct window in;
	unsigned i;

	s->hits_left = MAX_HITS;
	for (i = 0; !s->found && s->hits_left && window_at(s->g, i, &in); i++)
		window_search(s->g, in, needle, len, fn, s);
}

int symbols_from_loader(struct guest *g, const char *name, struct symbols **ret, struct err *err)
{
	CLEANUP_FREE uint8_t *buf = malloc(MAX_TABLE);
	struct name_search s = {.g = g, .buf = buf, .steps_left = MAX_STEPS};
	char needle[MAX_NAME + 2] = {0};
	size_t len = strnlen(name, MAX_NAME);

	if (!buf)
		return err_nomem(err, "the kernel's symbols");
	memcpy(needle + 1, name, len);
	search_windows(&s, ELFMAG, SELFMAG, look_at_header);
	if (!s.found)
		search_windows(&s, needle, len + 2, look_before);
	if (!s.found)
		return err_set(err, ERR_NOTFOUND,
			"the loader left no symbol table with %s in memory", name);
	if (symbols_from_elf_table(g, s.ret.symbols, s.ret.nr, s.ret.strings, ret, err))
		return err_in(err, "symbols of the loader at 0x%" PRIx64, s.ret.symbols.v);
	return 0;
}
