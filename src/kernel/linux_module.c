/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_module.c - a loaded module: where it is, its symbols, its types.
 */
#include "kernel/linux.h"

#include <inttypes.h>
#include <string.h>

/* Modules of a kernel, and entries of btf_modules: distributions load some hundred. */
#define MAX_MODULES 4096u
/* sizeof(struct module.name): MODULE_NAME_LEN is 64 - sizeof(unsigned long). */
#define NAME_BYTES 64u

struct module_layout {
	/* struct module, mod_kallsyms */
	struct field list, name, kallsyms;
	struct field mem, mem_base, mem_size; /* since 6.4 an array */
	struct field core_base, core_size;    /* until then */
	struct field symtab, num_symtab, strtab;
	/* struct btf_module, btf */
	struct field btf_list, btf_module, btf;
	struct field btf_data, btf_data_size;
};

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct module_layout, dest), false                          \
	}

static const struct field_spec specs[] = {
	MAY("module", "list", list),
	MAY("module", "name", name),
	MAY("module", "kallsyms", kallsyms),
	MAY("module", "mem", mem),
	MAY("module", "core_layout.base", core_base),
	MAY("module", "core_layout.size", core_size),
	MAY("module_memory", "base", mem_base),
	MAY("module_memory", "size", mem_size),
	MAY("mod_kallsyms", "symtab", symtab),
	MAY("mod_kallsyms", "num_symtab", num_symtab),
	MAY("mod_kallsyms", "strtab", strtab),
	MAY("btf_module", "list", btf_list),
	MAY("btf_module", "module", btf_module),
	MAY("btf_module", "btf", btf),
	MAY("btf", "data", btf_data),
	MAY("btf", "data_size", btf_data_size),
};

struct module_search {
	const struct linux_kernel *k;
	struct module_layout l;
	const char *name; /* wanted; NULL: the one with `code` in it */
	uint64_t code;
	uint32_t mem_bytes; /* of an entry of module.mem */
	struct linux_module *m;
	uint64_t btf; /* its struct btf */
};

/*
 * Walk a struct list_head; fn gets each node and stops the walk with a non-zero return. False
 * when the list could not be followed back to its head.
 */
static bool walk_list(
	struct module_search *s, gva_t head, int (*fn)(struct module_search *s, gva_t node))
{
	struct guest *g = s->k->g;
	uint64_t node = head.v;
	unsigned i;

	for (i = 0; i < MAX_MODULES; i++) {
		if (guest_read_word(g, GVA(node), &node, NULL))
			return false;
		if (node == head.v)
			return true;
		if (!guest_is_kernel_addr(g, node))
			return false;
		if (fn(s, GVA(node)))
			return true;
	}
	return false;
}

static bool holds_address(
	struct module_search *s, gva_t at, const struct field *base, const struct field *size)
{
	uint64_t start, bytes;

	return !layout_read(s->k->g, at, base, &start, NULL) &&
	       !layout_read(s->k->g, at, size, &bytes, NULL) && s->code >= start &&
	       s->code - start < bytes;
}

/* Has the module `code` in its memory? */
static bool has_code(struct module_search *s, gva_t mod)
{
	uint32_t off;

	if (s->l.core_base.present)
		return holds_address(s, mod, &s->l.core_base, &s->l.core_size);
	for (off = 0; s->mem_bytes && off + s->mem_bytes <= s->l.mem.bytes; off += s->mem_bytes)
		if (holds_address(
			    s, gva_add(mod, s->l.mem.off + off), &s->l.mem_base, &s->l.mem_size))
			return true;
	return false;
}

static int is_wanted(struct module_search *s, gva_t node)
{
	gva_t mod = GVA(node.v - s->l.list.off);
	char name[NAME_BYTES];

	if (s->name ? guest_read_str(
			      s->k->g, gva_add(mod, s->l.name.off), name, sizeof(name), NULL) ||
				strcmp(name, s->name)
		    : !has_code(s, mod))
		return 0;
	s->m->at = mod;
	return 1;
}

static int is_module_btf(struct module_search *s, gva_t node)
{
	gva_t entry = GVA(node.v - s->l.btf_list.off);

	if (layout_read_or(s->k->g, entry, &s->l.btf_module, 0) != s->m->at.v)
		return 0;
	s->btf = layout_read_or(s->k->g, entry, &s->l.btf, 0);
	return s->btf != 0;
}

static void find_symbols(struct module_search *s)
{
	struct guest *g = s->k->g;
	struct linux_module *m = s->m;
	struct err why = ERR_INIT;
	uint64_t kallsyms, symtab, nr, strtab;

	if (layout_read(g, m->at, &s->l.kallsyms, &kallsyms, &why) ||
		layout_read(g, GVA(kallsyms), &s->l.symtab, &symtab, &why) ||
		layout_read(g, GVA(kallsyms), &s->l.num_symtab, &nr, &why) ||
		layout_read(g, GVA(kallsyms), &s->l.strtab, &strtab, &why) ||
		symbols_from_elf_table(g, GVA(symtab), nr, GVA(strtab), &m->symbols, &why))
		util_note(&m->how, "module symbols: %s", why.text);
	else
		util_note(&m->how, "module symbols: %s", symbols_origin(m->symbols));
}

/*
 * struct module.btf_data is NULL once the module runs (the loader drops the section); the living
 * copy hangs on the list btf_modules.
 */
static void find_types(struct module_search *s)
{
	struct guest *g = s->k->g;
	struct linux_module *m = s->m;
	struct err why = ERR_INIT;
	uint64_t data, bytes;
	gva_t head;

	if (!s->l.btf_module.present || symbols_get(s->k->symbols, "btf_modules", &head, NULL))
		return;
	walk_list(s, head, is_module_btf);
	if (!s->btf)
		util_note(&m->how, "module types: it is not on the list btf_modules");
	else if (layout_read(g, GVA(s->btf), &s->l.btf_data, &data, &why) ||
		 layout_read(g, GVA(s->btf), &s->l.btf_data_size, &bytes, &why) ||
		 layout_from_split_btf(g, s->k->types, GVA(data), bytes, &m->types, &why))
		util_note(&m->how, "module types: %s", why.text);
	else
		util_note(&m->how, "module types: %s", layout_origin(m->types));
}

static void open_module(struct module_search *s)
{
	const struct linux_kernel *k = s->k;
	gva_t head;

	*s->m = (struct linux_module){0};
	if (!k->types)
		return;
	layout_fill_known(k->types, specs, ARRAY_SIZE(specs), &s->l);
	if (!s->l.list.present || symbols_get(k->symbols, "modules", &head, NULL))
		return;
	if (layout_type_bytes(k->types, "module_memory", &s->mem_bytes, NULL))
		s->mem_bytes = 0;
	if (!walk_list(s, head, is_wanted))
		util_note(&s->m->how, "modules: the list at 0x%" PRIx64 " is broken", head.v);
	if (!s->m->at.v)
		return;
	util_note(&s->m->how, "module: %s at 0x%" PRIx64, s->name ? s->name : "found", s->m->at.v);
	find_symbols(s);
	find_types(s);
}

void linux_module_open(const struct linux_kernel *k, const char *name, struct linux_module *ret)
{
	struct module_search s = {.k = k, .name = name, .m = ret};

	open_module(&s);
}

bool linux_module_open_at(const struct linux_kernel *k, gva_t code, struct linux_module *ret)
{
	struct module_search s = {.k = k, .code = code.v, .m = ret};

	open_module(&s);
	return ret->at.v;
}

void linux_module_close(struct linux_module *m)
{
	layout_free(m->types);
	symbols_free(m->symbols);
	free(m->how);
	memset(m, 0, sizeof(*m));
}
