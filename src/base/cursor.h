/* SPDX-License-Identifier: BSD-2-Clause
 *
 * cursor.h - a bounded reader over bytes that nobody trusts.
 *
 * A read past the end gives 0 and marks the cursor; the decoder reads its fixed fields and asks
 * once, with cur_ok() before a value is used as count, size or index, or with cur_check() at the
 * end. `origin` is the file offset (or guest address) of the first byte, for messages.
 */
#ifndef XB_BASE_CURSOR_H
#define XB_BASE_CURSOR_H

#include "base/err.h"

struct cursor {
	const uint8_t *start, *pos, *end;
	uint64_t origin;
	const char *what; /* borrowed; names the object in messages */
	bool failed;
	bool swap; /* multi-byte reads are big-endian */
};

struct cursor cur_over(const void *buf, size_t len, uint64_t origin, const char *what);

uint8_t cur_u8(struct cursor *c);
uint16_t cur_u16(struct cursor *c); /* in the cursor's byte order, little-endian by default */
uint32_t cur_u32(struct cursor *c);
uint32_t cur_be32(struct cursor *c);
/* The next n bytes in place, or NULL if there are fewer. */
const uint8_t *cur_bytes(struct cursor *c, size_t n);
void cur_skip(struct cursor *c, size_t n);
/* A cursor over the next n bytes; failed from the start if there are fewer. */
struct cursor cur_split(struct cursor *c, size_t n, const char *what);

static inline size_t cur_left(const struct cursor *c)
{
	return (size_t)(c->end - c->pos);
}

static inline uint64_t cur_tell(const struct cursor *c)
{
	return c->origin + (uint64_t)(c->pos - c->start);
}

static inline bool cur_ok(const struct cursor *c)
{
	return !c->failed;
}

/* 0 if every read succeeded, else ERR_CORRUPT that names the place. Leftover bytes are fine. */
int cur_check(const struct cursor *c, struct err *err) MUST_CHECK;

#endif
