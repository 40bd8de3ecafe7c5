/* SPDX-License-Identifier: BSD-2-Clause
 *
 * layout.c - types by name, from BTF in guest memory (libbpf) or made of DWARF.
 *
 * libbpf copies the blob and checks its sections; ids and nesting come from the guest and are
 * bounded here. Source of the format: Linux Documentation/bpf/btf.rst.
 */
#include "guest/layout.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "guest/layout_dwarf.h"
#include "io/door.h"

#define BTF_HEADER    24u
#define BTF_MAGIC_LE  0xeb9fu
#define FWD_BYTES     12u    /* of a type without members: a struct btf_type alone */
#define MAX_MODIFIERS 32u    /* typedef of const of volatile ..., and arrays of arrays */
#define MAX_NESTING   16u    /* anonymous members inside each other */
#define MEMBER_BUDGET 20000u /* members looked at for one name; anonymous nesting can branch */
/* Definitions of one name that are compared; distribution kernels have three at most. A blob of the
 * greatest size has room for millions, each as costly as the budget above. */
#define MAX_DEFINITIONS 64u

struct layout {
	struct btf *btf;
	const struct layout *base;
	uint32_t first_id, nr_ids;
	uint32_t base_str_bytes; /* names before are the base's */
	uint32_t *heads, *next;	 /* structs and unions by hash of their name: id - first_id + 1 */
	uint32_t nr_heads;
	uint32_t *enums; /* their ids */
	size_t nr_enums, cap_enums;
	char origin[96];
};

/* ---- types and names, the base's too ------------------------------------------------------- */

static const struct btf *holder_of(const struct layout *l, uint32_t id)
{
	return l->base && id < l->first_id ? l->base->btf : l->btf;
}

static const struct btf_type *type_at(const struct layout *l, uint32_t id)
{
	return btf__type_by_id(holder_of(l, id), id);
}

static const char *name_at(const struct layout *l, uint32_t off)
{
	return btf__name_by_offset(off < l->base_str_bytes ? l->base->btf : l->btf, off);
}

/* ---- construction ------------------------------------------------------------------------- */

static int print_nothing(
	enum libbpf_print_level level UNUSED, const char *fmt UNUSED, va_list ap UNUSED)
{
	return 0;
}

static uint32_t hash_name(const struct layout *l, const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return (h ^ h >> 15) & (l->nr_heads - 1);
}

static int append_enum(struct layout *l, uint32_t id)
{
	if (util_grow(&l->enums, &l->cap_enums, l->nr_enums + 1, sizeof(*l->enums)))
		return -1;
	l->enums[l->nr_enums++] = id;
	return 0;
}

static int index_types(struct layout *l, struct err *err)
{
	uint32_t i;

	l->nr_heads = 256;
	while (l->nr_heads < l->nr_ids / 4)
		l->nr_heads *= 2;
	l->heads = calloc(l->nr_heads, sizeof(*l->heads));
	l->next = calloc((size_t)l->nr_ids + 1, sizeof(*l->next));
	if (!l->heads || !l->next)
		return err_nomem(err, "the index of types");
	for (i = l->nr_ids; i--;) {
		const struct btf_type *t = btf__type_by_id(l->btf, l->first_id + i);
		const char *name;
		uint32_t h;

		if (t && btf_is_any_enum(t) && append_enum(l, l->first_id + i))
			return err_nomem(err, "the index of types");
		if (!t || !btf_is_composite(t) || !btf_vlen(t))
			continue;
		name = name_at(l, t->name_off);
		if (!name || !*name)
			continue;
		h = hash_name(l, name);
		l->next[i] = l->heads[h];
		l->heads[h] = i + 1;
	}
	return 0;
}

/* The header, checked before libbpf sees it, so that messages name the guest address. */
static int check_header(const uint8_t *blob, uint64_t bytes, gva_t start, struct err *err)
{
	uint32_t hdr = num_le32(blob + 4), type_off = num_le32(blob + 8);
	uint32_t type_len = num_le32(blob + 12), str_off = num_le32(blob + 16);
	uint32_t str_len = num_le32(blob + 20);

	if (num_le16(blob) != BTF_MAGIC_LE || blob[2] != 1 || hdr < BTF_HEADER || hdr > bytes)
		return err_set(err, ERR_CORRUPT, "no BTF header at 0x%" PRIx64, start.v);
	if (type_off % 4 || !num_range_ok(type_off, type_len, bytes - hdr) ||
		!num_range_ok(str_off, str_len, bytes - hdr) || !str_len ||
		blob[hdr + (uint64_t)str_off + str_len - 1])
		return err_set(err, ERR_CORRUPT,
			"BTF at 0x%" PRIx64 ": sections lie outside its %" PRIu64 " bytes", start.v,
			bytes);
	return 0;
}

/* The two sections of a blob that stand behind its header, which was checked. */
struct sections {
	const uint8_t *types, *strings;
	uint32_t type_len, str_len;
};

static struct sections sections_of(const uint8_t *blob)
{
	const uint8_t *body = blob + num_le32(blob + 4);

	return (struct sections){body + num_le32(blob + 8), body + num_le32(blob + 16),
		num_le32(blob + 12), num_le32(blob + 20)};
}

static void put_le32(uint8_t *to, uint32_t v)
{
	to[0] = (uint8_t)v;
	to[1] = (uint8_t)(v >> 8);
	to[2] = (uint8_t)(v >> 16);
	to[3] = (uint8_t)(v >> 24);
}

/*
 * The types of a module go on where those of the kernel end, in numbers and in offsets of names.
 * libbpf 1.1 declares btf__new_split() but does not export it from the shared library; what it
 * exports opens a file, which a confined process cannot. So the module's sections stand in a blob
 * of its own behind as many types, and as many bytes of names, as the kernel has; those are empty,
 * for they are looked up in the kernel's blob, and a copy of them is megabytes.
 */
static struct btf *parse_split(const uint8_t *blob, const struct btf *base, uint32_t base_str_bytes)
{
	uint32_t nr = btf__type_cnt(base) - 1, i;
	struct sections s = sections_of(blob);
	uint64_t types = (uint64_t)nr * FWD_BYTES + s.type_len;
	uint64_t strings = (uint64_t)base_str_bytes + s.str_len;
	CLEANUP_FREE uint8_t *both = NULL;
	uint8_t *at;

	if (types + strings > 2ull * LAYOUT_MAX_BTF_BYTES)
		return NULL;
	both = calloc(1, BTF_HEADER + (size_t)(types + strings));
	if (!both)
		return NULL;
	memcpy(both, blob, 4); /* magic, version, flags */
	put_le32(both + 4, BTF_HEADER);
	put_le32(both + 12, (uint32_t)types);
	put_le32(both + 16, (uint32_t)types);
	put_le32(both + 20, (uint32_t)strings);
	at = both + BTF_HEADER;
	for (i = 0; i < nr; i++, at += FWD_BYTES)
		put_le32(at + 4, (uint32_t)BTF_KIND_FWD << 24);
	memcpy(at, s.types, s.type_len);
	memcpy(at + s.type_len + base_str_bytes, s.strings, s.str_len);
	return btf__new(both, BTF_HEADER + (uint32_t)(types + strings));
}

/* How many bytes of names a blob has; 0: it cannot be had. */
static uint32_t string_bytes(const struct btf *btf)
{
	uint32_t bytes;
	const uint8_t *raw = btf__raw_data(btf, &bytes);

	return raw && bytes >= BTF_HEADER ? sections_of(raw).str_len : 0;
}

static struct btf *parse_types(const uint8_t *blob, uint32_t bytes, struct layout *l)
{
	if (!l->base)
		return btf__new(blob, bytes);
	l->base_str_bytes = string_bytes(l->base->btf);
	return l->base_str_bytes ? parse_split(blob, l->base->btf, l->base_str_bytes) : NULL;
}

static int load_types(struct guest *g, const struct layout *base, gva_t start, uint64_t bytes,
	struct layout *l, struct err *err)
{
	CLEANUP_FREE uint8_t *blob = NULL;
	uint64_t most;

	/* Nor more than there is memory: a few frames can be mapped all over an address space. */
	most = MIN((uint64_t)LAYOUT_MAX_BTF_BYTES, guest_info(g)->nr_data_pages * PAGE_BYTES);
	if (bytes < BTF_HEADER || bytes > most)
		return err_set(err, ERR_CORRUPT,
			"BTF at 0x%" PRIx64 ": %" PRIu64 " bytes, expected %u to %" PRIu64, start.v,
			bytes, BTF_HEADER, most);
	blob = malloc((size_t)bytes);
	if (!blob)
		return err_nomem(err, "BTF");
	if (guest_read(g, start, blob, (size_t)bytes, err))
		return err_in(err, "BTF");
	if (check_header(blob, bytes, start, err))
		return -1;
	libbpf_set_print(print_nothing);
	l->base = base;
	l->btf = parse_types(blob, (uint32_t)bytes, l);
	if (!l->btf)
		return err_set(
			err, ERR_CORRUPT, "BTF at 0x%" PRIx64 ": %s", start.v, strerror(errno));
	free(take(blob)); /* libbpf has a copy */
	if (btf__set_pointer_size(l->btf, guest_word_bytes(g)))
		return err_set(
			err, ERR_UNSUPPORTED, "BTF of pointers of %u bytes", guest_word_bytes(g));
	l->first_id = base ? base->first_id + base->nr_ids : 1;
	l->nr_ids = btf__type_cnt(l->btf) - l->first_id;
	return index_types(l, err);
}

static int new_layout(struct guest *g, const struct layout *base, gva_t start, uint64_t bytes,
	struct layout **ret, struct err *err)
{
	struct layout *l = calloc(1, sizeof(*l));

	if (!l)
		return err_nomem(err, "types");
	if (load_types(g, base, start, bytes, l, err)) {
		layout_free(l);
		return -1;
	}
	snprintf(
		l->origin, sizeof(l->origin), "btf at 0x%" PRIx64 ": %u types", start.v, l->nr_ids);
	*ret = l;
	return 0;
}

int layout_from_btf(
	struct guest *g, gva_t start, uint64_t bytes, struct layout **ret, struct err *err)
{
	return new_layout(g, NULL, start, bytes, ret, err);
}

int layout_from_split_btf(struct guest *g, const struct layout *base, gva_t start, uint64_t bytes,
	struct layout **ret, struct err *err)
{
	return new_layout(g, base, start, bytes, ret, err);
}

static int adopt_btf(struct btf *btf, const char *kernel, unsigned word_bytes, struct layout **ret,
	struct err *err)
{
	struct layout *l = calloc(1, sizeof(*l));

	if (!l) {
		btf__free(btf);
		return err_nomem(err, "types");
	}
	l->btf = btf;
	l->first_id = 1;
	l->nr_ids = btf__type_cnt(btf) - 1;
	if (btf__set_pointer_size(btf, word_bytes) || index_types(l, err)) {
		layout_free(l);
		return err_set(err, ERR_UNSUPPORTED, "types of pointers of %u bytes", word_bytes);
	}
	snprintf(l->origin, sizeof(l->origin), "DWARF of %s: %u types", kernel, l->nr_ids);
	*ret = l;
	return 0;
}

int layout_from_dwarf(const char *kernel, const char *module, unsigned word_bytes,
	struct layout **ret, struct err *err)
{
	CLEANUP_CLOSE int own = door_open(kernel, O_RDONLY | O_CLOEXEC);
	CLEANUP_CLOSE int more = module ? door_open(module, O_RDONLY | O_CLOEXEC) : -1;
	const struct dwarf_file files[] = {{kernel, own}, {module, more}};
	unsigned word = 0;
	struct btf *btf;

	if (own < 0 || (module && more < 0))
		return err_sys(err, "%s", own < 0 ? kernel : module);
	libbpf_set_print(print_nothing);
	btf = dwarf_to_btf(files, module ? 2 : 1, &word, err);
	if (!btf)
		return -1;
	if (word == word_bytes)
		return adopt_btf(btf, kernel, word_bytes, ret, err);
	btf__free(btf);
	return err_set(err, ERR_UNSUPPORTED, "%s: of %u bits, the guest has %u", kernel, word * 8,
		word_bytes * 8);
}

void layout_free(struct layout *l)
{
	if (!l)
		return;
	btf__free(l->btf);
	free(l->heads);
	free(l->next);
	free(l->enums);
	free(l);
}

const char *layout_origin(const struct layout *l)
{
	return l->origin;
}

/* ---- looking up --------------------------------------------------------------------------- */

/* Skip typedefs and qualifiers; NULL when the chain is broken or endless. */
static const struct btf_type *strip_qualifiers(const struct layout *l, uint32_t id)
{
	const struct btf_type *t = type_at(l, id);
	unsigned n;

	for (n = 0; t && (btf_is_mod(t) || btf_is_typedef(t)); n++) {
		if (n == MAX_MODIFIERS)
			return NULL;
		t = type_at(l, t->type);
	}
	return t;
}

static uint32_t bytes_of(const struct layout *l, uint32_t id)
{
	const struct btf_type *t = type_at(l, id);
	uint64_t nr = 1;
	unsigned n;
	int64_t one;

	for (n = 0; t && (btf_is_mod(t) || btf_is_typedef(t) || btf_is_array(t)); n++) {
		if (n == MAX_MODIFIERS)
			return 0;
		if (btf_is_array(t) && (!num_mul(nr, btf_array(t)->nelems, &nr) || nr > INT32_MAX))
			return 0;
		id = btf_is_array(t) ? btf_array(t)->type : t->type;
		t = type_at(l, id);
	}
	one = t ? btf__resolve_size(holder_of(l, id), id) : 0;
	if (one <= 0 || one > INT32_MAX || nr * (uint64_t)one > INT32_MAX)
		return 0;
	return (uint32_t)(nr * (uint64_t)one);
}

struct member_search {
	const struct layout *l;
	unsigned budget;
	/* result */
	uint64_t bit_off;
	uint32_t type;
	uint8_t bit_width;
};

static bool find_member(struct member_search *s, const struct btf_type *t, const char *name,
	size_t len, uint64_t base_bits, unsigned depth)
{
	const struct btf_member *m = btf_members(t);
	uint32_t i;

	if (depth > MAX_NESTING)
		return false;
	for (i = 0; i < btf_vlen(t); i++, m++) {
		uint64_t at = base_bits + btf_member_bit_offset(t, i);
		const char *n = name_at(s->l, m->name_off);
		const struct btf_type *inner;

		if (!s->budget)
			return false;
		s->budget--;
		if (n && *n) {
			if (strncmp(n, name, len) || n[len])
				continue;
			s->bit_off = at;
			s->type = m->type;
			s->bit_width = (uint8_t)btf_member_bitfield_size(t, i);
			return true;
		}
		inner = strip_qualifiers(s->l, m->type);
		if (inner && btf_is_composite(inner) &&
			find_member(s, inner, name, len, at, depth + 1))
			return true;
	}
	return false;
}

/* "ring.sring": one component after the other. */
static bool resolve_path(
	const struct layout *l, const struct btf_type *t, const char *path, struct field *ret)
{
	struct member_search s = {.l = l, .budget = MEMBER_BUDGET};
	uint64_t bits = 0;

	for (;;) {
		size_t len = strcspn(path, ".");

		if (!t || !btf_is_composite(t) || !find_member(&s, t, path, len, bits, 0))
			return false;
		bits = s.bit_off;
		if (!path[len])
			break;
		path += len + 1;
		t = strip_qualifiers(l, s.type);
	}
	if (bits / 8 > UINT32_MAX)
		return false;
	*ret = (struct field){.present = true,
		.off = (uint32_t)(bits / 8),
		.bytes = bytes_of(l, s.type),
		.bit_off = (uint8_t)(bits % 8),
		.bit_width = s.bit_width};
	return true;
}

/* How many members of `type` that spec wants does this definition have? */
static size_t count_present(const struct layout *l, const struct btf_type *t, const char *type,
	const struct field_spec *spec, size_t nr)
{
	struct field f;
	size_t i, n = 0;

	for (i = 0; i < nr; i++)
		n += !strcmp(spec[i].type, type) && resolve_path(l, t, spec[i].member, &f);
	return n;
}

/* Of several definitions with one name, the one that has most of the members asked for. */
static const struct btf_type *find_type(const struct layout *l, const char *type,
	const struct field_spec *spec, size_t nr, const struct layout **ret_in)
{
	const struct btf_type *best = NULL;
	unsigned left = MAX_DEFINITIONS;
	size_t best_n = 0;

	for (; l && !best; l = l->base) {
		uint32_t i;

		for (i = l->heads[hash_name(l, type)]; i && left; i = l->next[i - 1]) {
			const struct btf_type *t = btf__type_by_id(l->btf, l->first_id + i - 1);
			const char *name = name_at(l, t->name_off);
			size_t n;

			if (!name || strcmp(name, type))
				continue;
			left--;
			n = count_present(l, t, type, spec, nr);
			if (best && n <= best_n)
				continue;
			best = t;
			best_n = n;
			*ret_in = l;
		}
	}
	return best;
}

/* Every row; returns the first required one that is missing, or NULL. */
static const struct field_spec *fill_rows(
	const struct layout *l, const struct field_spec *spec, size_t nr, void *dest)
{
	const struct field_spec *missing = NULL;
	const struct btf_type *t = NULL;
	const struct layout *in = NULL;
	size_t i;

	for (i = 0; i < nr; i++) {
		struct field f = {.present = false};

		if (!i || strcmp(spec[i - 1].type, spec[i].type))
			t = find_type(l, spec[i].type, spec, nr, &in);
		if (!(t && resolve_path(in, t, spec[i].member, &f)) && spec[i].required && !missing)
			missing = &spec[i];
		memcpy((uint8_t *)dest + spec[i].dest, &f, sizeof(f));
	}
	return missing;
}

int layout_fill(const struct layout *l, const struct field_spec *spec, size_t nr, void *dest,
	struct err *err)
{
	const struct field_spec *missing = fill_rows(l, spec, nr, dest);

	if (!missing)
		return 0;
	return err_set(err, ERR_NOTFOUND, "%s has no member %s.%s", l->origin, missing->type,
		missing->member);
}

void layout_fill_known(const struct layout *l, const struct field_spec *spec, size_t nr, void *dest)
{
	fill_rows(l, spec, nr, dest);
}

int layout_type_bytes(const struct layout *l, const char *type, uint32_t *ret, struct err *err)
{
	const struct layout *in = NULL;
	const struct btf_type *t = find_type(l, type, NULL, 0, &in);

	if (!t)
		return err_set(err, ERR_NOTFOUND, "%s has no type %s", l->origin, type);
	*ret = t->size;
	return 0;
}

static bool enum_in(const struct layout *l, const char *name, int64_t *ret)
{
	size_t k = l->nr_enums;
	uint32_t i;

	while (k--) { /* in the order of their ids: they were found from the end on */
		const struct btf_type *t = btf__type_by_id(l->btf, l->enums[k]);

		for (i = 0; t && i < btf_vlen(t); i++) {
			bool wide = btf_is_enum64(t);
			uint32_t off = wide ? btf_enum64(t)[i].name_off : btf_enum(t)[i].name_off;
			const char *n = name_at(l, off);

			if (!n || *n != *name || strcmp(n, name))
				continue;
			*ret = wide ? (int64_t)btf_enum64_value(&btf_enum64(t)[i])
				    : btf_enum(t)[i].val;
			return true;
		}
	}
	return false;
}

int layout_enum_value(const struct layout *l, const char *name, int64_t *ret, struct err *err)
{
	const struct layout *in;

	for (in = l; in; in = in->base)
		if (enum_in(in, name, ret))
			return 0;
	return err_set(err, ERR_NOTFOUND, "%s has no enumerator %s", l->origin, name);
}

/* ---- reading a member --------------------------------------------------------------------- */

static unsigned stored_bytes(const struct field *f)
{
	return f->bit_width ? (f->bit_off + f->bit_width + 7u) / 8 : f->bytes;
}

uint64_t layout_value(const uint8_t *buf, size_t len, const struct field *f)
{
	unsigned i, bytes = stored_bytes(f);
	uint64_t v = 0;

	if (!f->present || bytes > 8 || !num_range_ok(f->off, bytes, len))
		return 0;
	for (i = 0; i < bytes; i++)
		v |= (uint64_t)buf[f->off + i] << (8 * i);
	if (!f->bit_width)
		return v;
	return v >> f->bit_off & (f->bit_width >= 64 ? UINT64_MAX : (1ull << f->bit_width) - 1);
}

int layout_read(struct guest *g, gva_t base, const struct field *f, uint64_t *ret, struct err *err)
{
	struct field here = *f;
	uint8_t buf[8];
	unsigned bytes = stored_bytes(f);

	if (!f->present || !bytes || bytes > sizeof(buf))
		return err_set(err, ERR_NOTFOUND, "the member's place is not known");
	if (guest_read(g, gva_add(base, f->off), buf, bytes, err))
		return -1;
	here.off = 0;
	*ret = layout_value(buf, bytes, &here);
	return 0;
}

uint64_t layout_read_or(struct guest *g, gva_t base, const struct field *f, uint64_t otherwise)
{
	uint64_t v;

	return layout_read(g, base, f, &v, NULL) ? otherwise : v;
}

uint64_t layout_pointer(struct guest *g, uint64_t base, const struct field *f)
{
	uint64_t v = layout_read_or(g, GVA(base), f, 0);

	return guest_is_kernel_addr(g, v) ? v : 0;
}
