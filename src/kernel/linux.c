/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux.h"

#include <inttypes.h>
#include <string.h>

#include "kernel/linux_facts.h"
#include "kernel/linux_slide.h"

static bool symbol_get(const struct symbols *s, const char *name, gva_t *ret)
{
	return s && !symbols_get(s, name, ret, NULL);
}

/*
 * A file whose addresses do not fit: of another kernel, or of this one, which was moved when it
 * booted (KASLR). The image's own symbols have the moved addresses; where they leave no doubt of by
 * how much, the file's serve, which may name more. Where nothing is Linux, neither guest nor file,
 * there is nothing to complain of.
 */
static int use_moved(struct linux_kernel *k, const struct symbols *file, const struct err *misfit,
	struct err *err)
{
	struct err why = *misfit;
	struct linux_slide slide;
	gva_t banner;

	if (k->kallsyms && !linux_find_slide(k->g, file, k->kallsyms, &slide, &why)) {
		if (symbols_moved(file, slide.by, slide.from, slide.to, &k->moved, err))
			return -1;
		k->symbols = k->moved;
		k->from_file = true;
		util_note(&k->how,
			"symbols: %s, moved by 0x%" PRIx64
			": %u functions are as far from where the image has them, none is not; %s",
			symbols_origin(file), slide.by, slide.functions,
			slide.by_build_id ? "the build id is the same" : "the banner is there");
		return 0;
	}
	if (!k->kallsyms && symbols_get(file, "linux_banner", &banner, NULL)) {
		util_note(&k->how, "symbols: the file given is of no Linux kernel");
	} else if (k->kallsyms && why.cls == ERR_NOTFOUND) {
		util_note(&k->how,
			"symbols: the image's own are used instead of the file's, which may be of "
			"this kernel, moved: %s",
			why.text);
		return 0;
	} else {
		finding_add(&k->findings, "XB312", finding_anywhere(),
			"the kernel that was named does not belong to this guest and was not used: "
			"%s",
			why.text);
	}
	k->file_is_foreign = true;
	return 0;
}

static int find_symbols(struct linux_kernel *k, const struct symbols *file, struct err *err)
{
	struct err misfit = ERR_INIT, why = ERR_INIT;

	if (file && !linux_check_file(k->g, file, 0, NULL, &misfit)) {
		k->symbols = file;
		k->from_file = true;
		util_note(&k->how, "symbols: %s", symbols_origin(file));
		return 0;
	}
	if (symbols_from_kallsyms(k->g, &k->kallsyms, &why)) {
		util_note(&k->how, "symbols: %s", why.text);
	} else {
		k->symbols = k->kallsyms;
		util_note(&k->how, "symbols: %s", symbols_origin(k->symbols));
	}
	if (file && use_moved(k, file, &misfit, err))
		return -1;
	return k->symbols ? 0 : err_set(err, why.cls, "%s", why.text);
}

static void find_types(struct linux_kernel *k)
{
	struct err why = ERR_INIT;
	gva_t start, stop;

	if (!symbol_get(k->symbols, "__start_BTF", &start) ||
		!symbol_get(k->symbols, "__stop_BTF", &stop))
		err_set(&why, ERR_NOTFOUND, "the kernel has no symbols __start_BTF and __stop_BTF");
	else if (stop.v <= start.v || stop.v - start.v > LAYOUT_MAX_BTF_BYTES)
		err_set(&why, ERR_CORRUPT, "BTF from 0x%" PRIx64 " to 0x%" PRIx64 " is impossible",
			start.v, stop.v);
	else if (!layout_from_btf(k->g, start, stop.v - start.v, &k->types, &why))
		util_note(&k->how, "types: %s", layout_origin(k->types));
	if (!k->types)
		util_note(&k->how, "types: %s", why.text);
}

int linux_kernel_open(
	struct guest *g, const struct symbols *file, struct linux_kernel *ret, struct err *why)
{
	struct linux_facts_layout facts = {0};

	*ret = (struct linux_kernel){.g = g};
	if (find_symbols(ret, file, why)) {
		linux_read_facts(ret, &facts);
		return -1;
	}
	find_types(ret);
	linux_pages_by_symbols(g, ret->symbols, ret->types, &ret->pages);
	if (ret->pages.known)
		util_note(&ret->how, "struct page array at 0x%" PRIx64, ret->pages.start);
	linux_facts_layout(ret->types, &facts);
	linux_read_facts(ret, &facts);
	return 0;
}

void linux_kernel_add_types(struct linux_kernel *k, const char *kernel, const char *module)
{
	struct linux_facts_layout facts;
	struct err why = ERR_INIT;

	if (!k->symbols || k->types || k->file_is_foreign)
		return;
	if (layout_from_dwarf(kernel, module, guest_word_bytes(k->g), &k->types, &why)) {
		util_note(&k->how, "types: %s", why.text);
		return;
	}
	k->types_from_file = true;
	util_note(&k->how, "types: %s", layout_origin(k->types));
	linux_pages_by_symbols(k->g, k->symbols, k->types, &k->pages);
	linux_facts_layout(k->types, &facts);
	linux_read_facts(k, &facts);
}

void linux_kernel_close(struct linux_kernel *k)
{
	layout_free(k->types);
	symbols_free(k->moved);
	symbols_free(k->kallsyms);
	guest_facts_fini(&k->facts);
	finding_fini(&k->findings);
	free(k->how);
	memset(k, 0, sizeof(*k));
}
