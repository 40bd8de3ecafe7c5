/* SPDX-License-Identifier: BSD-2-Clause
 *
 * symbols.h - names to addresses: from a file that the user gives (ELF symbol table, System.map),
 * or from the guest's own memory (kallsyms of the kernel, mod_kallsyms of a module).
 */
#ifndef XB_GUEST_SYMBOLS_H
#define XB_GUEST_SYMBOLS_H

#include "guest/guest.h"

struct symbols;

struct symbol {
	gva_t addr;
	uint64_t bytes; /* 0 unknown */
	char type;	/* as nm prints it; '?' unknown */
};

/* What the linker made of all that it linked, in the note NT_GNU_BUILD_ID. */
struct build_id {
	uint8_t v[32];
	uint32_t bytes;
};
/* The one among these ELF notes; false: there is none. */
bool build_id_in_notes(const uint8_t *notes, size_t bytes, struct build_id *ret);

/* ELF (any class) or System.map, told apart by content. */
int symbols_from_file(const char *path, struct symbols **ret, struct err *err) MUST_CHECK;
/* Find and decode the kernel's kallsyms tables in memory. ERR_NOTFOUND when there are none. */
int symbols_from_kallsyms(struct guest *g, struct symbols **ret, struct err *err) MUST_CHECK;
/* A module's mod_kallsyms: an array of nr Elf64_Sym (or Elf32_Sym) and its string table. */
int symbols_from_elf_table(struct guest *g, gva_t symtab, uint64_t nr, gva_t strtab,
	struct symbols **ret, struct err *err) MUST_CHECK;
/* The ELF symbols that the loader of a BSD leaves behind the kernel; `name` is one of them.
 * ERR_NOTFOUND when there are none. */
int symbols_from_loader(
	struct guest *g, const char *name, struct symbols **ret, struct err *err) MUST_CHECK;
/* The symbols `of` a file, those from `from` to `to` moved by `by`. Borrows `of`. */
int symbols_moved(const struct symbols *of, uint64_t by, uint64_t from, uint64_t to,
	struct symbols **ret, struct err *err) MUST_CHECK;
void symbols_free(struct symbols *s);

size_t symbols_nr(const struct symbols *s);
/* How the table was found, one clause for -v output ("kallsyms at 0x...: 87347 symbols"). */
const char *symbols_origin(const struct symbols *s);

/* The build id of the ELF file that they are from; NULL: not known, or none. */
const struct build_id *symbols_build_id(const struct symbols *s);

/* All symbols of that exact name: writes at most max, returns how many there are. */
size_t symbols_lookup(const struct symbols *s, const char *name, struct symbol *ret, size_t max);
/* The one symbol of that name. ERR_NOTFOUND when it is missing or stands more than once with
 * different addresses. */
int symbols_get(const struct symbols *s, const char *name, gva_t *ret, struct err *err) MUST_CHECK;
/* The name of what starts exactly there, a function before anything else; cut to cap. False:
 * nothing does. Looks at every symbol: who asks often remembers the answers. */
bool symbols_at(const struct symbols *s, gva_t addr, char *buf, size_t cap);
#endif
