/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/image.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

/* Modules of a kernel, and entries of btf_modules: distributions load some hundred. */
#define MAX_MODULES 4096u
/* A module has some thousand symbols; the largest in the tree (amdgpu) some ten thousand. */
#define MAX_MODULE_SYMBOLS 1000000u
/* vmlinux BTF has 4 to 8 MiB. */
#define MAX_BTF_BYTES (32u << 20)

/* Start of the struct page array without randomisation: arch/x86/include/asm/pgtable_64_types.h. */
#define VMEMMAP_4LEVEL 0xffffea0000000000ull
#define VMEMMAP_5LEVEL 0xffd4000000000000ull

static bool symbol_get(const struct symbols *s, const char *name, gva_t *ret)
{
	struct err ignored = ERR_INIT;

	return s && !symbols_get(s, name, ret, &ignored);
}

/* linux_banner, as `file` has it and moved by `slide`, must hold the banner. */
static int check_banner(
	struct guest *g, const struct symbols *file, uint64_t slide, struct err *err)
{
	static const char banner[] = "Linux version ";
	char text[sizeof(banner)];
	gva_t at;

	if (symbols_get(file, "linux_banner", &at, err))
		return -1;
	at = gva_add(at, slide);
	if (guest_read(g, at, text, sizeof(banner) - 1, err))
		return -1;
	if (memcmp(text, banner, sizeof(banner) - 1))
		return err_set(err, ERR_NOTFOUND, "no banner at linux_banner, 0x%" PRIx64, at.v);
	return 0;
}

/*
 * A file whose addresses do not fit: of another kernel, or of this one, which was moved when it
 * booted (KASLR). The image's own symbols have the moved addresses, so they serve for both.
 */
static void explain_misfit(struct linux_image *im, struct linux_ctx *c, const struct symbols *file,
	const struct err *why)
{
	struct err ignored = ERR_INIT;
	gva_t here, there;

	if (symbol_get(im->kallsyms, "_stext", &here) && symbol_get(file, "_stext", &there) &&
		!check_banner(c->g, file, here.v - there.v, &ignored)) {
		snapshot_how(c->s,
			"symbols: the kernel was moved by 0x%" PRIx64
			", so the image's own are used instead of the file's",
			here.v - there.v);
		return;
	}
	finding_add(&c->s->findings, "XB312", finding_anywhere(),
		"the file given with --kernel does not belong to this guest and was not used: %s",
		why->text);
}

static void find_symbols(
	struct linux_image *im, struct linux_ctx *c, const struct symbols *file, struct err *why)
{
	struct err misfit = ERR_INIT;

	if (file && !check_banner(c->g, file, 0, &misfit)) {
		im->symbols = file;
		im->from_file = true;
		snapshot_how(c->s, "symbols: %s", symbols_origin(file));
		return;
	}
	if (symbols_from_kallsyms(c->g, &im->kallsyms, why)) {
		snapshot_how(c->s, "symbols: %s", why->text);
	} else {
		im->symbols = im->kallsyms;
		snapshot_how(c->s, "symbols: %s", symbols_origin(im->symbols));
	}
	if (file)
		explain_misfit(im, c, file, &misfit);
}

static void find_btf(struct linux_image *im, struct linux_ctx *c, struct err *why)
{
	gva_t start, stop;

	if (!symbol_get(im->symbols, "__start_BTF", &start) ||
		!symbol_get(im->symbols, "__stop_BTF", &stop)) {
		err_set(why, ERR_NOTFOUND, "the kernel has no symbols __start_BTF and __stop_BTF");
	} else if (stop.v <= start.v || stop.v - start.v > MAX_BTF_BYTES) {
		err_set(why, ERR_CORRUPT, "BTF from 0x%" PRIx64 " to 0x%" PRIx64 " cannot be",
			start.v, stop.v);
	} else if (!layout_from_btf(c->g, start, stop.v - start.v, &im->btf, why)) {
		if (!linux_layout_kernel(im->btf, &c->l, why)) {
			snapshot_how(c->s, "types: %s", layout_origin(im->btf));
			return;
		}
		layout_free(take(im->btf));
	}
	linux_layout_bare(&c->l);
	snapshot_how(c->s, "types: %s", why->text);
}

/*
 * Walk a struct list_head; fn gets each node and stops the walk with a non-zero return. False
 * when the list could not be followed back to its head.
 */
static bool walk_list(
	struct guest *g, gva_t head, unsigned max, int (*fn)(void *arg, gva_t node), void *arg)
{
	struct err ignored = ERR_INIT;
	uint64_t node = head.v;
	unsigned i;

	for (i = 0; i < max; i++) {
		if (guest_read_u64(g, GVA(node), &node, &ignored))
			return false;
		if (node == head.v)
			return true;
		if (!guest_is_kernel_addr(g, node))
			return false;
		if (fn(arg, GVA(node)))
			return true;
	}
	return false;
}

struct module_walk {
	struct linux_ctx *c;
	gva_t found;
	uint64_t btf; /* struct btf, when the walk is over btf_modules */
};

static int is_blkfront(void *arg, gva_t node)
{
	struct module_walk *w = arg;
	struct err ignored = ERR_INIT;
	gva_t mod = GVA(node.v - w->c->l.mod_list.off);
	char name[LINUX_MODULE_NAME];

	if (guest_read_str(
		    w->c->g, gva_add(mod, w->c->l.mod_name.off), name, sizeof(name), &ignored) ||
		strcmp(name, "xen_blkfront"))
		return 0;
	w->found = mod;
	return 1;
}

static int is_module_btf(void *arg, gva_t node)
{
	struct module_walk *w = arg;
	struct err ignored = ERR_INIT;
	gva_t entry = GVA(node.v - w->c->l.bm_list.off);
	uint64_t module;

	if (linux_get(w->c->g, entry, &w->c->l.bm_module, &module, &ignored) ||
		module != w->found.v)
		return 0;
	return !linux_get(w->c->g, entry, &w->c->l.bm_btf, &w->btf, &ignored);
}

static void find_module_symbols(struct linux_image *im, struct linux_ctx *c)
{
	struct err why = ERR_INIT;
	uint64_t kallsyms, symtab, nr, strtab;

	if (linux_get(c->g, im->module, &c->l.mod_kallsyms, &kallsyms, &why) ||
		linux_get(c->g, GVA(kallsyms), &c->l.mk_symtab, &symtab, &why) ||
		linux_get(c->g, GVA(kallsyms), &c->l.mk_num_symtab, &nr, &why) ||
		linux_get(c->g, GVA(kallsyms), &c->l.mk_strtab, &strtab, &why)) {
		snapshot_how(c->s, "module symbols: %s", why.text);
		return;
	}
	if (nr > MAX_MODULE_SYMBOLS) {
		snapshot_how(c->s, "module symbols: %" PRIu64 " of them cannot be", nr);
		return;
	}
	if (symbols_from_elf_table(c->g, GVA(symtab), nr, GVA(strtab), &im->module_symbols, &why))
		snapshot_how(c->s, "module symbols: %s", why.text);
	else
		snapshot_how(c->s, "module symbols: %s", symbols_origin(im->module_symbols));
}

/*
 * struct module.btf_data is NULL once the module runs (the loader drops the section); the living
 * copy hangs on the list btf_modules.
 */
static void find_module_btf(struct linux_image *im, struct linux_ctx *c)
{
	struct module_walk w = {.c = c, .found = im->module};
	struct err why = ERR_INIT;
	uint64_t data, bytes;
	gva_t head;

	if (!im->btf || !c->l.bm_module.present || !symbol_get(im->symbols, "btf_modules", &head))
		return;
	walk_list(c->g, head, MAX_MODULES, is_module_btf, &w);
	if (!w.btf) {
		snapshot_how(c->s, "module types: xen_blkfront is not on the list btf_modules");
		return;
	}
	if (linux_get(c->g, GVA(w.btf), &c->l.btf_data, &data, &why) ||
		linux_get(c->g, GVA(w.btf), &c->l.btf_data_size, &bytes, &why) ||
		(bytes > MAX_BTF_BYTES && err_set(&why, ERR_CORRUPT, "%" PRIu64 " bytes", bytes)) ||
		layout_from_split_btf(c->g, im->btf, GVA(data), bytes, &im->module_btf, &why))
		snapshot_how(c->s, "module types: %s", why.text);
	else
		snapshot_how(c->s, "module types: %s", layout_origin(im->module_btf));
}

static void find_module(struct linux_image *im, struct linux_ctx *c)
{
	struct module_walk w = {.c = c};
	gva_t head;

	if (!c->l.mod_list.present || !symbol_get(im->symbols, "modules", &head))
		return;
	if (!walk_list(c->g, head, MAX_MODULES, is_blkfront, &w))
		snapshot_how(c->s, "modules: the list at 0x%" PRIx64 " is broken", head.v);
	if (!w.found.v)
		return;
	im->module = w.found;
	snapshot_how(c->s, "module: xen_blkfront at 0x%" PRIx64, im->module.v);
	find_module_symbols(im, c);
	find_module_btf(im, c);
}

/* The array of struct page: a variable where the kernel can move it, else where it always is. */
static void find_vmemmap(struct linux_image *im, struct linux_ctx *c)
{
	struct err ignored = ERR_INIT;
	gva_t var;

	if (symbol_get(im->symbols, "vmemmap_base", &var) &&
		!guest_read_u64(c->g, var, &c->vmemmap, &ignored) &&
		guest_is_kernel_addr(c->g, c->vmemmap))
		c->vmemmap_known = true;
	else if (im->symbols && !symbol_get(im->symbols, "vmemmap_base", &var)) {
		c->vmemmap = guest_pt_levels(c->g) == 5 ? VMEMMAP_5LEVEL : VMEMMAP_4LEVEL;
		c->vmemmap_known = true;
	}
	if (c->vmemmap_known)
		snapshot_how(c->s, "struct page array at 0x%" PRIx64, c->vmemmap);
}

void linux_image_open(
	struct linux_image *im, struct linux_ctx *c, const struct symbols *file, struct err *why)
{
	memset(im, 0, sizeof(*im));
	linux_layout_bare(&c->l);
	find_symbols(im, c, file, why);
	if (!im->symbols)
		return;
	find_btf(im, c, why);
	find_vmemmap(im, c);
	linux_read_facts(im, c);
	find_module(im, c);
}

void linux_image_close(struct linux_image *im)
{
	layout_free(im->module_btf);
	layout_free(im->btf);
	symbols_free(im->module_symbols);
	symbols_free(im->kallsyms);
	memset(im, 0, sizeof(*im));
}
