/* SPDX-License-Identifier: BSD-2-Clause
 *
 * layout_dwarf.h - the types of ELF files with DWARF, as BTF. Private to layout.c.
 */
#ifndef XB_GUEST_LAYOUT_DWARF_H
#define XB_GUEST_LAYOUT_DWARF_H

#include "base/err.h"

struct btf;

struct dwarf_file {
	const char *path; /* for messages */
	int fd;
};

/* Of all files together; the first definition of a name counts. NULL and ERR_NOTFOUND: one of them
 * has none. *ret_word: bytes of a pointer, as the last one says. */
struct btf *dwarf_to_btf(
	const struct dwarf_file *files, size_t nr, unsigned *ret_word, struct err *err);

#endif
