/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux_code.h"

#include <string.h>

/* Functions that are asked for: a kernel has some dozen that end a bio. Each costs a look at every
 * symbol, and a hostile guest could name a new one with every pointer. */
#define MAX_FUNCTIONS 512u
/* Modules with such functions. */
#define MAX_OPEN 64u

void linux_code_init(struct linux_code *c, const struct linux_kernel *k)
{
	*c = (struct linux_code){.k = k};
}

void linux_code_fini(struct linux_code *c)
{
	size_t i;

	for (i = 0; i < c->nr; i++)
		free(c->v[i]);
	for (i = 0; i < c->nr_modules; i++) {
		linux_module_close(c->modules[i]);
		free(c->modules[i]);
	}
	free(c->v);
	free(c->modules);
	*c = (struct linux_code){0};
}

static bool name_in(const struct linux_module *m, struct linux_function *f)
{
	if (!m->symbols || !symbols_at(m->symbols, GVA(f->addr), f->name, sizeof(f->name)))
		return false;
	f->types = m->types;
	return true;
}

static void name_in_modules(struct linux_code *c, struct linux_function *f)
{
	struct linux_module *m;
	size_t i;

	for (i = 0; i < c->nr_modules; i++)
		if (name_in(c->modules[i], f))
			return;
	if (c->nr_modules == MAX_OPEN ||
		util_grow(&c->modules, &c->cap_modules, c->nr_modules + 1, sizeof(*c->modules)))
		return;
	m = calloc(1, sizeof(*m));
	if (!m)
		return;
	if (linux_module_open_at(c->k, GVA(f->addr), m)) {
		c->modules[c->nr_modules++] = m;
		name_in(m, f);
		return;
	}
	linux_module_close(m);
	free(m);
}

const struct linux_function *linux_code_at(struct linux_code *c, uint64_t addr)
{
	struct linux_function *f;
	size_t i;

	for (i = 0; i < c->nr; i++)
		if (c->v[i]->addr == addr)
			return c->v[i];
	if (c->nr == MAX_FUNCTIONS || !guest_is_kernel_addr(c->k->g, addr) ||
		util_grow(&c->v, &c->cap, c->nr + 1, sizeof(struct linux_function *)))
		return &c->none;
	f = calloc(1, sizeof(*f));
	if (!f)
		return &c->none;
	f->addr = addr;
	if (symbols_at(c->k->symbols, GVA(addr), f->name, sizeof(f->name)))
		f->types = c->k->types;
	else
		name_in_modules(c, f);
	c->v[c->nr++] = f;
	return f;
}
