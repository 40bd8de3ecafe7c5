/* SPDX-License-Identifier: BSD-2-Clause
 *
 * symbols_moved.c - the symbols of a file for an image that was moved as a whole.
 */
#include <string.h>

#include "guest/symbols_store.h"

struct moved {
	const struct symbols *of;
	uint64_t by, from, to; /* as the file has them */
};

static size_t moved_nr(const void *data)
{
	const struct moved *m = data;

	return symbols_nr(m->of);
}

static size_t moved_lookup(const void *data, const char *name, struct symbol *ret, size_t max)
{
	const struct moved *m = data;
	size_t nr = symbols_lookup(m->of, name, ret, max), i;

	for (i = 0; i < MIN(nr, max); i++)
		if (ret[i].addr.v >= m->from && ret[i].addr.v <= m->to)
			ret[i].addr = gva_add(ret[i].addr, m->by);
	return nr;
}

static bool moved_at(const void *data, uint64_t addr, char *buf, size_t cap)
{
	const struct moved *m = data;
	uint64_t there = addr - m->by;

	if (there >= m->from && there <= m->to)
		return symbols_at(m->of, GVA(there), buf, cap);
	return (addr < m->from || addr > m->to) && symbols_at(m->of, GVA(addr), buf, cap);
}

static const struct symbols_backend backend = {moved_nr, moved_lookup, moved_at, free};

int symbols_moved(const struct symbols *of, uint64_t by, uint64_t from, uint64_t to,
	struct symbols **ret, struct err *err)
{
	struct moved *m = malloc(sizeof(*m));
	struct symbols *s = m ? symbols_from_backend(&backend, m) : NULL;

	if (!s) {
		free(m);
		return err_nomem(err, "the symbols of a kernel that was moved");
	}
	*m = (struct moved){of, by, from, to};
	symbols_set_origin(s, "%s", symbols_origin(of));
	*ret = s;
	return 0;
}
