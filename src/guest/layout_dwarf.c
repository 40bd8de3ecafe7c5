/* SPDX-License-Identifier: BSD-2-Clause
 *
 * layout_dwarf.c - the types of a kernel file (and of a module's), from DWARF (libdw).
 *
 * They are made into BTF, so that who looks up a member does not care whence it is. Structures are
 * converted once a name, with what they hold by value; what is behind a pointer is not followed.
 * Modules are relocatable files; libdwfl relocates their sections. No other file is looked for.
 */
#include "guest/layout_dwarf.h"

#include <bpf/btf.h>
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define MAX_DEPTH   24u	     /* structures in structures, typedefs of typedefs */
#define MAX_TYPES   2000000u /* made from one kernel; distributions have some ten thousand */
#define MAX_MEMBERS 4096u    /* of one structure */

struct known { /* what was made of a key; 0: nothing */
	uint64_t key;
	int32_t id;
};

struct converter {
	struct btf *btf;
	struct known *known;
	size_t nr_known, cap_known; /* cap: a power of two */
	int32_t ints[17], pointer;
	unsigned word;
	bool no_memory;
};

struct member {
	const char *name;
	int32_t type;
	uint32_t bit_off, bit_size;
};

static int32_t convert_die(struct converter *v, Dwarf_Die *die, unsigned depth);

/* ---- what was made already ----------------------------------------------------------------- */

static struct known *slot_of(struct known *t, size_t cap, uint64_t key)
{
	size_t i = (size_t)(key * 0x9e3779b97f4a7c15ull >> 20) & (cap - 1);

	while (t[i].key && t[i].key != key)
		i = (i + 1) & (cap - 1);
	return &t[i];
}

static bool grow_known(struct converter *v)
{
	size_t cap = v->cap_known ? v->cap_known * 2 : 4096, i;
	struct known *t;

	if (v->nr_known * 2 < v->cap_known)
		return true;
	t = calloc(cap, sizeof(*t));
	if (!t) {
		v->no_memory = true;
		return false;
	}
	for (i = 0; i < v->cap_known; i++)
		if (v->known[i].key)
			*slot_of(t, cap, v->known[i].key) = v->known[i];
	free(v->known);
	v->known = t;
	v->cap_known = cap;
	return true;
}

static int32_t find_known(const struct converter *v, uint64_t key)
{
	return v->cap_known ? slot_of(v->known, v->cap_known, key)->id : 0;
}

static int32_t remember_type(struct converter *v, uint64_t key, int32_t id)
{
	struct known *k;

	if (id <= 0 || !grow_known(v))
		return 0;
	k = slot_of(v->known, v->cap_known, key);
	v->nr_known += !k->key;
	*k = (struct known){key, id};
	return id;
}

/* Of a name, apart from those of other kinds of types. */
static uint64_t key_of(const char *name, unsigned tag)
{
	uint64_t h = 14695981039346656037ull ^ tag;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 1099511628211ull;
	return h | 1;
}

/* ---- types --------------------------------------------------------------------------------- */

static uint32_t attr_number(Dwarf_Die *die, unsigned name, uint32_t otherwise)
{
	Dwarf_Attribute a;
	Dwarf_Word v;

	if (!dwarf_attr_integrate(die, name, &a) || dwarf_formudata(&a, &v) || v > INT32_MAX)
		return otherwise;
	return (uint32_t)v;
}

static int32_t convert_target(struct converter *v, Dwarf_Die *die, unsigned depth)
{
	Dwarf_Attribute a;
	Dwarf_Die target;

	if (!dwarf_attr_integrate(die, DW_AT_type, &a) || !dwarf_formref_die(&a, &target))
		return 0;
	return convert_die(v, &target, depth + 1);
}

static int32_t make_int(struct converter *v, uint32_t bytes)
{
	if (!bytes || bytes > 16 || (bytes & (bytes - 1)))
		return 0;
	if (!v->ints[bytes]) {
		char name[8];

		snprintf(name, sizeof(name), "u%u", bytes * 8);
		v->ints[bytes] = btf__add_int(v->btf, name, bytes, 0);
	}
	return v->ints[bytes] > 0 ? v->ints[bytes] : 0;
}

static int32_t make_pointer(struct converter *v)
{
	if (!v->pointer)
		v->pointer = btf__add_ptr(v->btf, 0);
	return v->pointer > 0 ? v->pointer : 0;
}

/* Elements of all dimensions; a dimension without a bound has none. */
static uint32_t array_length(Dwarf_Die *die)
{
	uint64_t nr = 1;
	Dwarf_Die dim;

	if (dwarf_child(die, &dim))
		return 0;
	do {
		uint32_t n;

		if (dwarf_tag(&dim) != DW_TAG_subrange_type)
			continue;
		n = attr_number(&dim, DW_AT_count, UINT32_MAX);
		if (n == UINT32_MAX)
			n = attr_number(&dim, DW_AT_upper_bound, UINT32_MAX) + 1;
		nr *= n;
		if (nr > INT32_MAX)
			return 0;
	} while (!dwarf_siblingof(&dim, &dim));
	return (uint32_t)nr;
}

static int32_t convert_array(struct converter *v, Dwarf_Die *die, unsigned depth)
{
	int32_t element = convert_target(v, die, depth), index = make_int(v, 4);

	return element && index ? btf__add_array(v->btf, index, element, array_length(die)) : 0;
}

static int32_t convert_enum(struct converter *v, Dwarf_Die *die)
{
	const char *name = dwarf_diename(die);
	uint32_t bytes = attr_number(die, DW_AT_byte_size, 4);
	int32_t id = btf__add_enum(v->btf, name ? name : "", bytes);
	Dwarf_Die child;

	if (id <= 0 || dwarf_child(die, &child))
		return id > 0 ? id : make_int(v, bytes);
	do {
		const char *word = dwarf_diename(&child);
		Dwarf_Attribute a;
		Dwarf_Sword value;

		if (dwarf_tag(&child) == DW_TAG_enumerator && word &&
			dwarf_attr(&child, DW_AT_const_value, &a) && !dwarf_formsdata(&a, &value) &&
			value >= INT32_MIN && value <= UINT32_MAX)
			btf__add_enum_value(v->btf, word, value);
	} while (!dwarf_siblingof(&child, &child));
	return id;
}

/* Where a member begins: since DWARF 4 bits from the start, before a storage unit, from whose end
 * bits were counted. */
static void place_member(Dwarf_Die *die, struct member *m)
{
	uint32_t loc = attr_number(die, DW_AT_data_member_location, 0), storage, from_end;

	m->bit_size = attr_number(die, DW_AT_bit_size, 0);
	m->bit_off = attr_number(die, DW_AT_data_bit_offset, loc * 8);
	from_end = attr_number(die, DW_AT_bit_offset, UINT32_MAX);
	storage = attr_number(die, DW_AT_byte_size, 4);
	if (m->bit_size && from_end != UINT32_MAX && from_end + m->bit_size <= storage * 8)
		m->bit_off = loc * 8 + storage * 8 - from_end - m->bit_size;
}

static size_t gather_members(
	struct converter *v, Dwarf_Die *die, struct member *ret, unsigned depth)
{
	size_t nr = 0;
	Dwarf_Die child;

	if (dwarf_child(die, &child))
		return 0;
	do {
		if (dwarf_tag(&child) != DW_TAG_member)
			continue;
		ret[nr].name = dwarf_diename(&child);
		ret[nr].type = convert_target(v, &child, depth);
		place_member(&child, &ret[nr]);
		nr++;
	} while (nr < MAX_MEMBERS && !dwarf_siblingof(&child, &child));
	return nr;
}

static int32_t make_composite(
	struct converter *v, Dwarf_Die *die, const struct member *m, size_t nr)
{
	const char *name = dwarf_diename(die);
	uint32_t bytes = attr_number(die, DW_AT_byte_size, 0);
	int32_t id = dwarf_tag(die) == DW_TAG_union_type
			     ? btf__add_union(v->btf, name ? name : "", bytes)
			     : btf__add_struct(v->btf, name ? name : "", bytes);
	size_t i;

	for (i = 0; id > 0 && i < nr; i++)
		btf__add_field(
			v->btf, m[i].name ? m[i].name : "", m[i].type, m[i].bit_off, m[i].bit_size);
	return id;
}

/* A named one is the same in all units. */
static int32_t convert_composite(struct converter *v, Dwarf_Die *die, unsigned depth)
{
	const char *name = dwarf_diename(die);
	uint64_t key = name ? key_of(name, (unsigned)dwarf_tag(die)) : 0;
	int32_t id = name ? find_known(v, key) : 0;
	CLEANUP_FREE struct member *m = NULL;
	size_t nr;

	if (id || dwarf_hasattr_integrate(die, DW_AT_declaration))
		return id;
	m = calloc(MAX_MEMBERS, sizeof(*m));
	if (!m) {
		v->no_memory = true;
		return 0;
	}
	nr = gather_members(v, die, m, depth);
	id = make_composite(v, die, m, nr);
	return name ? remember_type(v, key, id) : id;
}

static int32_t convert_new(struct converter *v, Dwarf_Die *die, unsigned depth)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_base_type:
		return make_int(v, attr_number(die, DW_AT_byte_size, 0));
	case DW_TAG_pointer_type:
	case DW_TAG_subroutine_type:
		return make_pointer(v);
	case DW_TAG_typedef:
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
		return convert_target(v, die, depth);
	case DW_TAG_enumeration_type:
		return convert_enum(v, die);
	case DW_TAG_array_type:
		return convert_array(v, die, depth);
	case DW_TAG_structure_type:
	case DW_TAG_union_type:
		return convert_composite(v, die, depth);
	default:
		return 0;
	}
}

static int32_t convert_die(struct converter *v, Dwarf_Die *die, unsigned depth)
{
	uint64_t key = (uint64_t)(uintptr_t)die->addr;
	int32_t id = find_known(v, key);

	if (id || depth > MAX_DEPTH || v->no_memory || btf__type_cnt(v->btf) > MAX_TYPES)
		return id;
	return remember_type(v, key, convert_new(v, die, depth));
}

/* ---- units --------------------------------------------------------------------------------- */

/* What stands at the top of a unit; constants of enumerations are looked for by name, too. */
static void convert_unit(struct converter *v, Dwarf_Die *unit)
{
	Dwarf_Die die;

	if (dwarf_child(unit, &die))
		return;
	do {
		int tag = dwarf_tag(&die);

		if ((tag == DW_TAG_structure_type || tag == DW_TAG_union_type) &&
			dwarf_diename(&die))
			convert_die(v, &die, 0);
		else if (tag == DW_TAG_enumeration_type)
			convert_die(v, &die, 0);
	} while (!v->no_memory && !dwarf_siblingof(&die, &die));
}

static int convert_module(Dwfl_Module *mod, void **user UNUSED, const char *name UNUSED,
	Dwarf_Addr at UNUSED, void *arg)
{
	struct converter *v = arg;
	Dwarf_Die *unit = NULL;
	Dwarf_Addr bias;
	GElf_Addr elf_bias;
	Elf *elf = dwfl_module_getelf(mod, &elf_bias);

	if (elf)
		v->word = gelf_getclass(elf) == ELFCLASS32 ? 4 : 8;
	while (!v->no_memory && (unit = dwfl_module_nextcu(mod, unit, &bias)))
		convert_unit(v, unit);
	return DWARF_CB_OK;
}

static int find_no_file(Dwfl_Module *mod UNUSED, void **user UNUSED, const char *name UNUSED,
	Dwarf_Addr at UNUSED, const char *file UNUSED, const char *link UNUSED,
	GElf_Word crc UNUSED, char **ret UNUSED)
{
	return -1;
}

static void end_dwfl(Dwfl **dwfl)
{
	if (*dwfl)
		dwfl_end(*dwfl);
}

static int convert_file(struct converter *v, const char *path, int fd, struct err *err)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = find_no_file,
		.section_address = dwfl_offline_section_address,
	};
	CLEANUP(end_dwfl) Dwfl *dwfl = dwfl_begin(&callbacks);
	unsigned before = btf__type_cnt(v->btf);
	int own;

	if (!dwfl)
		return err_nomem(err, "reading DWARF");
	own = dup(fd); /* libdwfl keeps it when it takes the file */
	if (own < 0 || !dwfl_report_offline(dwfl, path, path, own)) {
		if (own >= 0)
			close(own);
		return err_set(err, ERR_NOTFOUND, "%s: no ELF file: %s", path, dwfl_errmsg(-1));
	}
	dwfl_report_end(dwfl, NULL, NULL);
	dwfl_getmodules(dwfl, convert_module, v, 0);
	if (v->no_memory)
		return err_nomem(err, "types");
	if (btf__type_cnt(v->btf) == before)
		return err_set(err, ERR_NOTFOUND, "%s: no DWARF in it", path);
	return 0;
}

static void free_converter(struct converter *v)
{
	btf__free(v->btf);
	free(v->known);
}

struct btf *dwarf_to_btf(
	const struct dwarf_file *files, size_t nr, unsigned *ret_word, struct err *err)
{
	CLEANUP(free_converter) struct converter v = {.btf = btf__new_empty()};
	struct btf *btf;
	size_t i;

	if (!v.btf) {
		err_nomem(err, "types");
		return NULL;
	}
	for (i = 0; i < nr; i++)
		if (convert_file(&v, files[i].path, files[i].fd, err))
			return NULL;
	*ret_word = v.word;
	btf = v.btf;
	v.btf = NULL;
	return btf;
}
