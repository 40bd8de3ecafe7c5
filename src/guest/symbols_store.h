/* SPDX-License-Identifier: BSD-2-Clause
 *
 * symbols_store.h - private to the readers of symbol tables: one compact store for all of them.
 */
#ifndef XB_GUEST_SYMBOLS_STORE_H
#define XB_GUEST_SYMBOLS_STORE_H

#include "guest/symbols.h"

struct symbols *symbols_new(void);
void symbols_set_origin(struct symbols *s, const char *fmt, ...) PRINTF(2, 3);
void symbols_set_build_id(struct symbols *s, const struct build_id *id);
/* Copies the name. -1: no memory. */
int symbols_add(struct symbols *s, const char *name, size_t name_bytes, uint64_t addr,
	uint64_t bytes, char type) MUST_CHECK;
/* To be called once, when all are in. -1: no memory. */
int symbols_seal(struct symbols *s) MUST_CHECK;

/* Or a table that decodes on demand: `data` is owned and freed with free(). */
struct symbols_backend {
	size_t (*nr)(const void *data);
	/* As symbols_lookup(). */
	size_t (*lookup)(const void *data, const char *name, struct symbol *ret, size_t max);
	/* As symbols_at(). */
	bool (*at)(const void *data, uint64_t addr, char *buf, size_t cap);
	void (*free)(void *data);
};
/* Letters of nm for functions. */
bool symbols_is_code(char type);
/* Takes over data when it succeeds. NULL: no memory. */
struct symbols *symbols_from_backend(const struct symbols_backend *be, void *data);

#endif
