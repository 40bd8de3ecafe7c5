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
	char origin[160];
	struct build_id build_id;	  /* of no bytes: unknown */
	const struct symbols_backend *be; /* NULL: the arrays above */
	void *be_data;
};

struct symbols *symbols_new(void)
{
	return calloc(1, sizeof(struct symbols));
}

struct symbols *symbols_from_backend(const struct symbols_backend *be, void *data)
{
	struct symbols *s = symbols_new();

	if (!s)
		return NULL;
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
	if (s->be)
		s->be->free(s->be_data);
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

void symbols_set_build_id(struct symbols *s, const struct build_id *id)
{
	s->build_id = *id;
}

const struct build_id *symbols_build_id(const struct symbols *s)
{
	return s->build_id.bytes ? &s->build_id : NULL;
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

int symbols_seal(struct symbols *s)
{
	size_t i;

	s->nr_heads = 1024;
	while (s->nr_heads < s->nr)
		s->nr_heads *= 2;
	s->heads = calloc(s->nr_heads, sizeof(*s->heads));
	if (!s->heads)
		return -1;
	/* Backwards, so that a chain keeps the table's order. */
	for (i = s->nr; i--;) {
		size_t h = hash_of(s, s->names + s->v[i].name);

		s->v[i].next = s->heads[h];
		s->heads[h] = (uint32_t)i + 1;
	}
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

bool symbols_is_code(char type)
{
	return strchr("tTwWi", type) && type;
}

bool symbols_at(const struct symbols *s, gva_t addr, char *buf, size_t cap)
{
	const struct entry *found = NULL;
	size_t i;

	if (s->be)
		return s->be->at(s->be_data, addr.v, buf, cap);
	for (i = 0; i < s->nr; i++) {
		const struct entry *e = &s->v[i];

		if (e->addr == addr.v && (!found || !symbols_is_code(found->type)))
			found = e;
	}
	if (found)
		snprintf(buf, cap, "%s", s->names + found->name);
	return found;
}
