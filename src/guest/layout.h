/* SPDX-License-Identifier: BSD-2-Clause
 *
 * layout.h - offsets of members of foreign structures, by type and member name.
 *
 * Source: BTF in guest memory, the kernel's, and a module's on top of it; or DWARF in files.
 * Whoever reads a structure has the rows that it wants beside it, and may fill `struct field` from
 * a table of its own where the types are not there. Code never branches on a kernel version, only
 * on `present`.
 */
#ifndef XB_GUEST_LAYOUT_H
#define XB_GUEST_LAYOUT_H

#include "base/limits.h"
#include "guest/guest.h"

struct layout; /* a set of types */

struct field {
	bool present;
	uint32_t off;	   /* bytes from the start of the type */
	uint32_t bytes;	   /* size of the member (an array: all of it); 0 for a flexible array */
	uint8_t bit_off;   /* bitfield: first bit within the byte at `off` */
	uint8_t bit_width; /* 0: not a bitfield */
};

/* One row a wanted member; `dest` is offsetof() of a `struct field` in the caller's table. A
 * member path may name nested members ("ring.sring") and passes through anonymous ones. */
struct field_spec {
	const char *type, *member;
	size_t dest;
	bool required;
};

/* vmlinux BTF between two addresses of guest memory. */
int layout_from_btf(struct guest *g, gva_t start, uint64_t bytes, struct layout **ret,
	struct err *err) MUST_CHECK;
/* A module's split BTF on top of `base`, which must outlive it. */
int layout_from_split_btf(struct guest *g, const struct layout *base, gva_t start, uint64_t bytes,
	struct layout **ret, struct err *err) MUST_CHECK;

/* Of an ELF file with DWARF, and of a module's (NULL: none), for a guest whose pointers have that
 * many bytes. ERR_NOTFOUND: one of them has none; ERR_UNSUPPORTED: it is of another size. */
int layout_from_dwarf(const char *kernel, const char *module, unsigned word_bytes,
	struct layout **ret, struct err *err) MUST_CHECK;

void layout_free(struct layout *l);

/* Fill every `struct field` that spec names; ERR_NOTFOUND names the first required member that is
 * missing. Looks in the split types first. */
int layout_fill(const struct layout *l, const struct field_spec *spec, size_t nr, void *dest,
	struct err *err) MUST_CHECK;
/* The same when what is missing may be missing, whatever the rows say. */
void layout_fill_known(
	const struct layout *l, const struct field_spec *spec, size_t nr, void *dest);
/* Size of a type in bytes; -1 and ERR_NOTFOUND when it is unknown. */
int layout_type_bytes(
	const struct layout *l, const char *type, uint32_t *ret, struct err *err) MUST_CHECK;
/* The value of an enumerator by name ("REQ_WAITING"). */
int layout_enum_value(
	const struct layout *l, const char *name, int64_t *ret, struct err *err) MUST_CHECK;
/* How they were found, one clause: "btf at 0x...: 12345 types". */
const char *layout_origin(const struct layout *l);

/* Value of a member of the structure at `base`: 1, 2, 4 or 8 bytes, or a bit field. ERR_NOTFOUND
 * when the layout does not have it. */
int layout_read(struct guest *g, gva_t base, const struct field *f, uint64_t *ret,
	struct err *err) MUST_CHECK;
/* The same for who has something to say when it cannot be read. */
uint64_t layout_read_or(struct guest *g, gva_t base, const struct field *f, uint64_t otherwise);
/* The same from bytes already read. 0 when it is absent or outside. */
uint64_t layout_value(const uint8_t *buf, size_t len, const struct field *f);
/* The member of the kernel's structure at `base` that points into the kernel; 0: it points
 * elsewhere, or cannot be read. */
uint64_t layout_pointer(struct guest *g, uint64_t base, const struct field *f);

#endif
