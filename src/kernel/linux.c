/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux.h"

#include <inttypes.h>
#include <string.h>

#include "kernel/linux_facts.h"

static bool symbol_get(const struct symbols *s, const char *name, gva_t *ret)
{
	return s && !symbols_get(s, name, ret, NULL);
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
 * booted (KASLR). The image's own symbols have the moved addresses, so they serve for both. Where
 * nothing is Linux, neither guest nor file, there is nothing to complain of.
 */
static void explain_misfit(
	struct linux_kernel *k, const struct symbols *file, const struct err *why)
{
	gva_t here, there;

	if (symbol_get(k->kallsyms, "_stext", &here) && symbol_get(file, "_stext", &there) &&
		!check_banner(k->g, file, here.v - there.v, NULL)) {
		util_note(&k->how,
			"symbols: the kernel was moved by 0x%" PRIx64
			", so the image's own are used instead of the file's",
			here.v - there.v);
		return;
	}
	if (!k->kallsyms && !symbol_get(file, "linux_banner", &there)) {
		util_note(&k->how, "symbols: the file given is of no Linux kernel");
		return;
	}
	finding_add(&k->findings, "XB312", finding_anywhere(),
		"the kernel that was named does not belong to this guest and was not used: %s",
		why->text);
}

static int find_symbols(struct linux_kernel *k, const struct symbols *file, struct err *err)
{
	struct err misfit = ERR_INIT, why = ERR_INIT;

	if (file && !check_banner(k->g, file, 0, &misfit)) {
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
	if (file)
		explain_misfit(k, file, &misfit);
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

	if (!k->symbols || k->types)
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
	symbols_free(k->kallsyms);
	guest_facts_fini(&k->facts);
	finding_fini(&k->findings);
	free(k->how);
	memset(k, 0, sizeof(*k));
}
