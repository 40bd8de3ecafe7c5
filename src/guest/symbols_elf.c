/* SPDX-License-Identifier: BSD-2-Clause
 *
 * symbols_elf.c - symbol tables that the user gives (ELF by libelf, System.map as text), and the
 * ELF symbol array of a loaded module.
 */
#include "guest/symbols_store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/limits.h"
#include "base/num.h"
#include "io/door.h"

/* A System.map of an allyesconfig kernel has about 20 MiB. */
#define MAX_MAP_BYTES	(256u << 20)
#define MAX_LINE	4096
#define MAX_MODULE_NAME 512

static char letter_of(const GElf_Sym *sym)
{
	bool local = GELF_ST_BIND(sym->st_info) == STB_LOCAL;
	char c;

	if (sym->st_shndx == SHN_ABS)
		c = 'A';
	else if (GELF_ST_TYPE(sym->st_info) == STT_FUNC)
		c = 'T';
	else if (GELF_ST_TYPE(sym->st_info) == STT_OBJECT)
		c = 'D';
	else
		c = '?';
	return local ? (char)tolower((unsigned char)c) : c;
}

static bool is_wanted(const GElf_Sym *sym)
{
	unsigned type = GELF_ST_TYPE(sym->st_info);

	return sym->st_shndx != SHN_UNDEF && sym->st_name && type != STT_SECTION &&
	       type != STT_FILE;
}

static int add_section(
	Elf *elf, Elf_Scn *scn, const GElf_Shdr *sh, struct symbols *s, struct err *err)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t i, nr;

	if (!data || !sh->sh_entsize)
		return err_set(err, ERR_CORRUPT, "symbol table: %s", elf_errmsg(-1));
	nr = data->d_size / (size_t)sh->sh_entsize;
	for (i = 0; i < nr && i <= INT32_MAX; i++) {
		GElf_Sym sym;
		const char *name;

		if (!gelf_getsym(data, (int)i, &sym) || !is_wanted(&sym))
			continue;
		name = elf_strptr(elf, sh->sh_link, sym.st_name);
		if (name && symbols_add(s, name, strlen(name), sym.st_value, sym.st_size,
				    letter_of(&sym)))
			return err_nomem(err, "the symbols of the kernel file");
	}
	return 0;
}

/* Elf32_Nhdr and Elf64_Nhdr are the same; name and content are padded to 4 bytes. */
bool build_id_in_notes(const uint8_t *notes, size_t bytes, struct build_id *ret)
{
	struct cursor c = cur_over(notes, bytes, 0, "ELF notes");

	while (cur_left(&c) >= 12) {
		uint32_t name_bytes = cur_u32(&c), id_bytes = cur_u32(&c), type = cur_u32(&c);
		const uint8_t *name, *id;

		if (name_bytes > bytes || id_bytes > bytes)
			return false;
		name = cur_bytes(&c, num_align_up(name_bytes, 4));
		id = cur_bytes(&c, num_align_up(id_bytes, 4));
		if (!cur_ok(&c))
			return false;
		if (type != NT_GNU_BUILD_ID || name_bytes != sizeof(ELF_NOTE_GNU) ||
			memcmp(name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU)))
			continue;
		if (!id_bytes || id_bytes > sizeof(ret->v))
			return false;
		memcpy(ret->v, id, id_bytes);
		ret->bytes = id_bytes;
		return true;
	}
	return false;
}

static void note_build_id(Elf_Scn *scn, struct symbols *s)
{
	Elf_Data *data = elf_rawdata(scn, NULL);
	struct build_id id;

	if (data && data->d_buf && !symbols_build_id(s) &&
		build_id_in_notes(data->d_buf, data->d_size, &id))
		symbols_set_build_id(s, &id);
}

static int add_elf(int fd, struct symbols *s, struct err *err)
{
	Elf_Scn *scn = NULL;
	bool found = false;
	int rc = 0;
	Elf *elf;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return err_set(err, ERR_SYSTEM, "libelf: %s", elf_errmsg(-1));
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF) {
		elf_end(elf);
		return err_set(err, ERR_CORRUPT, "not a usable ELF file: %s", elf_errmsg(-1));
	}
	while (!rc && (scn = elf_nextscn(elf, scn))) {
		GElf_Shdr sh;

		if (!gelf_getshdr(scn, &sh))
			continue;
		if (sh.sh_type == SHT_NOTE)
			note_build_id(scn, s);
		if (sh.sh_type != SHT_SYMTAB)
			continue;
		found = true;
		rc = add_section(elf, scn, &sh, s, err);
	}
	elf_end(elf);
	if (!rc && !found)
		rc = err_set(err, ERR_NOTFOUND, "the ELF file has no symbol table (stripped)");
	return rc;
}

/* "ffffffff81000000 T _text" with an optional "\t[module]" behind. */
static bool parse_map_line(char *line, uint64_t *addr, char *type, char **name)
{
	char *end, *rest;

	if (!isxdigit((unsigned char)line[0]))
		return false;
	errno = 0;
	*addr = strtoull(line, &end, 16);
	if (errno || *end != ' ' || !end[1] || end[2] != ' ' || !end[3])
		return false;
	*type = end[1];
	*name = end + 3;
	rest = *name + strcspn(*name, " \t\r\n");
	*rest = 0;
	return **name;
}

static int add_map(int fd, struct symbols *s, struct err *err)
{
	FILE *f = fdopen(dup(fd), "r");
	CLEANUP_FREE char *line = malloc(MAX_LINE);
	unsigned long nr = 0;
	int rc = 0;

	if (!f || !line) {
		if (f)
			fclose(f);
		return err_sys(err, "cannot read");
	}
	while (!rc && fgets(line, MAX_LINE, f)) {
		uint64_t addr;
		char type, *name;

		nr++;
		if (!parse_map_line(line, &addr, &type, &name))
			rc = err_set(err, ERR_CORRUPT, "line %lu is not 'address type name'", nr);
		else if (symbols_add(s, name, strlen(name), addr, 0, type))
			rc = err_nomem(err, "the symbols of the kernel file");
	}
	if (!rc && ferror(f))
		rc = err_sys(err, "cannot read");
	fclose(f);
	return rc;
}

static int add_file(int fd, struct symbols *s, struct err *err)
{
	char magic[4] = {0};
	struct stat st;

	if (fstat(fd, &st))
		return err_sys(err, "cannot examine");
	if (!S_ISREG(st.st_mode) || st.st_size > MAX_MAP_BYTES * 16ll)
		return err_set(err, ERR_USAGE, "not a regular file of a sensible size");
	if (pread(fd, magic, sizeof(magic), 0) < 0)
		return err_sys(err, "cannot read");
	if (!memcmp(magic, ELFMAG, SELFMAG))
		return add_elf(fd, s, err);
	if (st.st_size > MAX_MAP_BYTES || !isxdigit((unsigned char)magic[0]))
		return err_set(err, ERR_CORRUPT, "neither an ELF file nor a System.map");
	return add_map(fd, s, err);
}

int symbols_from_file(const char *path, struct symbols **ret, struct err *err)
{
	CLEANUP_CLOSE int fd = door_open(path, O_RDONLY);
	struct symbols *s;

	if (fd < 0)
		return err_sys(err, "kernel file %s", path);
	s = symbols_new();
	if (!s)
		return err_nomem(err, "the symbols of the kernel file");
	if (add_file(fd, s, err) || (symbols_seal(s) && err_nomem(err, "symbols"))) {
		symbols_free(s);
		return err_in(err, "kernel file %s", path);
	}
	symbols_set_origin(s, "%.100s: %zu symbols", path, symbols_nr(s));
	*ret = s;
	return 0;
}

/* One Elf64_Sym or Elf32_Sym of guest memory. */
static int read_guest_sym(struct guest *g, gva_t at, GElf_Sym *ret, struct err *err)
{
	uint8_t b[24];

	if (guest_word_bytes(g) == 8) {
		if (guest_read(g, at, b, 24, err))
			return -1;
		*ret = (GElf_Sym){.st_name = num_le32(b),
			.st_info = b[4],
			.st_other = b[5],
			.st_shndx = num_le16(b + 6),
			.st_value = num_le64(b + 8),
			.st_size = num_le64(b + 16)};
		return 0;
	}
	if (guest_read(g, at, b, 16, err))
		return -1;
	*ret = (GElf_Sym){.st_name = num_le32(b),
		.st_value = num_le32(b + 4),
		.st_size = num_le32(b + 8),
		.st_info = b[12],
		.st_other = b[13],
		.st_shndx = num_le16(b + 14)};
	return 0;
}

int symbols_from_elf_table(struct guest *g, gva_t symtab, uint64_t nr, gva_t strtab,
	struct symbols **ret, struct err *err)
{
	unsigned each = guest_word_bytes(g) == 8 ? 24 : 16;
	struct symbols *s;
	uint64_t i;

	if (nr > SYMBOLS_MAX_OF_MODULE)
		return err_set(err, ERR_CORRUPT,
			"module symbol table at 0x%" PRIx64 ": %" PRIu64
			" entries, at most %u expected",
			symtab.v, nr, SYMBOLS_MAX_OF_MODULE);
	s = symbols_new();
	if (!s)
		return err_nomem(err, "the symbols of a module");
	/* Entry 0 is the null symbol. */
	for (i = 1; i < nr; i++) {
		char name[MAX_MODULE_NAME];
		GElf_Sym sym;

		if (read_guest_sym(g, gva_add(symtab, i * each), &sym, err) ||
			guest_read_str(g, gva_add(strtab, sym.st_name), name, sizeof(name), err)) {
			symbols_free(s);
			return err_in(err, "module symbol %" PRIu64, i);
		}
		if (*name && symbols_add(s, name, strlen(name), sym.st_value, sym.st_size,
				     letter_of(&sym))) {
			symbols_free(s);
			return err_nomem(err, "the symbols of a module");
		}
	}
	if (symbols_seal(s)) {
		symbols_free(s);
		return err_nomem(err, "the symbols of a module");
	}
	symbols_set_origin(s, "module symbols at 0x%" PRIx64 ": %zu", symtab.v, symbols_nr(s));
	*ret = s;
	return 0;
}
