/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/kernel.h"

#include <string.h>

#include "kernel/banner.h"
#include "kernel/linux_facts.h"
#include "kernel/netbsd.h"

/* A BSD's loader leaves the symbols where they can be found. */
static void open_other(struct guest *g, struct kernel *k)
{
	static const struct {
		const char *os, *symbol;
	} bsds[] = {{"FreeBSD", "devclasses"}, {"NetBSD", "xbd_cd"}};
	size_t i;

	banner_read_facts(g, &k->other);
	for (i = 0; i < ARRAY_SIZE(bsds) && !k->file; i++)
		if (!strcmp(k->other.os, bsds[i].os) &&
			symbols_from_loader(g, bsds[i].symbol, &k->own, NULL))
			k->own = NULL;
}

void kernel_open(struct guest *g, const struct symbols *file, bool by_symbols, struct kernel *ret)
{
	*ret = (struct kernel){.file = file, .facts = &ret->other};
	netbsd_read_facts(g, &ret->other);
	if (!by_symbols || *ret->other.os)
		return;
	if (!linux_kernel_open(g, file, &ret->linux_kernel, NULL) || *ret->linux_kernel.facts.os)
		ret->facts = &ret->linux_kernel.facts;
	else
		open_other(g, ret);
}

const struct symbols *kernel_symbols(const struct kernel *k)
{
	return k->file ? k->file : k->own;
}

void kernel_add_types(struct kernel *k, const char *kernel, const char *module)
{
	linux_kernel_add_types(&k->linux_kernel, kernel, module);
}

void kernel_close(struct kernel *k)
{
	symbols_free(k->own);
	linux_kernel_close(&k->linux_kernel);
	guest_facts_fini(&k->other);
	memset(k, 0, sizeof(*k));
}

void kernel_read_clock(struct kernel *k)
{
	if (k->linux_kernel.symbols)
		linux_read_clock(&k->linux_kernel);
}

const struct linux_kernel *kernel_linux(const struct kernel *k)
{
	return k->linux_kernel.symbols ? &k->linux_kernel : NULL;
}
