/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest/symbols_store.h"

#include <stdarg.h>
#include <string.h>

struct entry {
	uint64_t addr;
	uint32_t bytes;
	uint32_t name; /* offset in names */
	uint32_t next; /* in the hash chain, index + 1 */
	char type;
};

struct symbols {
	struct entry *v;
	size_t nr, cap;
	char *names;
	size_t names_bytes, names_cap;
	uint32_t *heads; /* index + 1, by hash */
	size_t nr_heads;
	uint32_t *by_addr;
	char origin[160];
	const struct symbols_backend *be; /* NULL: the arrays above */
	void *be_data;
	char *be_name; /* what symbols_at() returned last */
};

#define BACKEND_NAME_BYTES 1024

struct symbols *symbols_new(void)
{
	return calloc(1, sizeof(struct symbols));
}

struct symbols *symbols_from_backend(const struct symbols_backend *be, void *data)
{
	struct symbols *s = symbols_new();

	if (!s)
		return NULL;
	s->be_name = malloc(BACKEND_NAME_BYTES);
	if (!s->be_name) {
		free(s);
		return NULL;
	}
	s->be = be;
	s->be_data = data;
	return s;
}

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	free(s->v);
	free(s->names);
	free(s->heads);
	free(s->by_addr);
	if (s->be)
		s->be->free(s->be_data);
	free(s->be_name);
	free(s);
}

void symbols_set_origin(struct symbols *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->origin, sizeof(s->origin), fmt, ap);
	va_end(ap);
}

const char *symbols_origin(const struct symbols *s)
{
	return s->origin;
}

size_t symbols_nr(const struct symbols *s)
{
	return s->be ? s->be->nr(s->be_data) : s->nr;
}

int symbols_add(struct symbols *s, const char *name, size_t name_bytes, uint64_t addr,
	uint64_t bytes, char type)
{
	if (s->nr >= UINT32_MAX - 1 || s->names_bytes + name_bytes + 1 > UINT32_MAX)
		return -1;
	if (util_grow(&s->v, &s->cap, s->nr + 1, sizeof(*s->v)) ||
		util_grow(&s->names, &s->names_cap, s->names_bytes + name_bytes + 1, 1))
		return -1;
	s->v[s->nr++] = (struct entry){.addr = addr,
		.bytes = bytes > UINT32_MAX ? 0 : (uint32_t)bytes,
		.name = (uint32_t)s->names_bytes,
		.type = type};
	memcpy(s->names + s->names_bytes, name, name_bytes);
	s->names[s->names_bytes + name_bytes] = 0;
	s->names_bytes += name_bytes + 1;
	return 0;
}

static size_t hash_of(const struct symbols *s, const char *name)
{
	uint64_t h = 0xcbf29ce484222325ull; /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ull;
	return (size_t)(h ^ h >> 32) & (s->nr_heads - 1);
}

static int compare_addr(const void *a, const void *b, void *arg)
{
	const struct symbols *s = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (s->v[x].addr != s->v[y].addr)
		return s->v[x].addr < s->v[y].addr ? -1 : 1;
	return x < y ? -1 : x > y;
}

static bool ascending(const struct symbols *s)
{
	size_t i;

	for (i = 1; i < s->nr; i++)
		if (s->v[i].addr < s->v[i - 1].addr)
			return false;
	return true;
}

int symbols_seal(struct symbols *s)
{
	size_t i;

	s->nr_heads = 1024;
	while (s->nr_heads < s->nr)
		s->nr_heads *= 2;
	s->heads = calloc(s->nr_heads, sizeof(*s->heads));
	s->by_addr = malloc((s->nr + 1) * sizeof(*s->by_addr));
	if (!s->heads || !s->by_addr)
		return -1;
	/* Backwards, so that a chain keeps the table's order. */
	for (i = s->nr; i--;) {
		size_t h = hash_of(s, s->names + s->v[i].name);

		s->v[i].next = s->heads[h];
		s->heads[h] = (uint32_t)i + 1;
	}
	for (i = 0; i < s->nr; i++)
		s->by_addr[i] = (uint32_t)i;
	if (!ascending(s))
		qsort_r(s->by_addr, s->nr, sizeof(*s->by_addr), compare_addr, s);
	return 0;
}

size_t symbols_lookup(const struct symbols *s, const char *name, struct symbol *ret, size_t max)
{
	size_t n = 0;
	uint32_t i;

	if (s->be)
		return s->be->lookup(s->be_data, name, ret, max);
	for (i = s->heads[hash_of(s, name)]; i; i = s->v[i - 1].next) {
		const struct entry *e = &s->v[i - 1];

		if (strcmp(s->names + e->name, name))
			continue;
		if (n < max)
			ret[n] = (struct symbol){GVA(e->addr), e->bytes, e->type};
		n++;
	}
	return n;
}

int symbols_get(const struct symbols *s, const char *name, gva_t *ret, struct err *err)
{
	struct symbol found[16];
	size_t n = symbols_lookup(s, name, found, ARRAY_SIZE(found)), i;

	if (!n)
		return err_set(err, ERR_NOTFOUND, "no symbol '%s' (%s)", name, s->origin);
	for (i = 1; i < n; i++)
		if (i >= ARRAY_SIZE(found) || found[i].addr.v != found[0].addr.v)
			return err_set(err, ERR_NOTFOUND,
				"symbol '%s' stands %zu times with different addresses (%s)", name,
				n, s->origin);
	*ret = found[0].addr;
	return 0;
}

static uint64_t address_at(const struct symbols *s, size_t index)
{
	struct symbol sym;
	char name[2];

	if (!s->be)
		return s->v[s->by_addr[index]].addr;
	s->be->get(s->be_data, index, &sym, name, sizeof(name));
	return sym.addr.v;
}

const char *symbols_at(const struct symbols *s, gva_t addr, uint64_t *ret_offset)
{
	size_t lo = 0, hi = symbols_nr(s);
	const struct entry *e;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (address_at(s, mid) <= addr.v)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return NULL;
	/* Of several names for one address the first in the table is the customary one. */
	lo--;
	while (lo && address_at(s, lo - 1) == address_at(s, lo))
		lo--;
	*ret_offset = addr.v - address_at(s, lo);
	if (s->be) {
		struct symbol sym;

		s->be->get(s->be_data, lo, &sym, s->be_name, BACKEND_NAME_BYTES);
		return s->be_name;
	}
	e = &s->v[s->by_addr[lo]];
	if (e->bytes && *ret_offset >= e->bytes)
		return NULL;
	return s->names + e->name;
}

int symbols_for_each(const struct symbols *s,
	int (*fn)(void *arg, const char *name, const struct symbol *sym), void *arg)
{
	size_t i, nr = symbols_nr(s);

	for (i = 0; i < nr; i++) {
		struct symbol sym;
		const char *name = s->be_name;
		int rc;

		if (s->be) {
			s->be->get(s->be_data, i, &sym, s->be_name, BACKEND_NAME_BYTES);
		} else {
			const struct entry *e = &s->v[s->by_addr[i]];

			sym = (struct symbol){GVA(e->addr), e->bytes, e->type};
			name = s->names + e->name;
		}
		rc = fn(arg, name, &sym);
		if (rc)
			return rc;
	}
	return 0;
}
