/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/cursor.h"

#include <inttypes.h>

#include "base/num.h"

struct cursor cur_over(const void *buf, size_t len, uint64_t origin, const char *what)
{
	const uint8_t *p = buf;

	/* No bytes may stand nowhere. */
	return (struct cursor){
		.start = p, .pos = p, .end = p ? p + len : NULL, .origin = origin, .what = what};
}

const uint8_t *cur_bytes(struct cursor *c, size_t n)
{
	const uint8_t *p = c->pos;

	if (c->failed || n > cur_left(c)) {
		c->failed = true;
		return NULL;
	}
	c->pos += n;
	return p;
}

void cur_skip(struct cursor *c, size_t n)
{
	(void)cur_bytes(c, n);
}

uint8_t cur_u8(struct cursor *c)
{
	const uint8_t *p = cur_bytes(c, 1);

	return p ? *p : 0;
}

uint16_t cur_u16(struct cursor *c)
{
	const uint8_t *p = cur_bytes(c, 2);

	if (!p)
		return 0;
	return c->swap ? __builtin_bswap16(num_le16(p)) : num_le16(p);
}

uint32_t cur_u32(struct cursor *c)
{
	const uint8_t *p = cur_bytes(c, 4);

	if (!p)
		return 0;
	return c->swap ? __builtin_bswap32(num_le32(p)) : num_le32(p);
}

uint32_t cur_be32(struct cursor *c)
{
	const uint8_t *p = cur_bytes(c, 4);

	return p ? __builtin_bswap32(num_le32(p)) : 0;
}

struct cursor cur_split(struct cursor *c, size_t n, const char *what)
{
	uint64_t at = cur_tell(c);
	const uint8_t *p = cur_bytes(c, n);
	struct cursor part = cur_over(p ? p : c->pos, p ? n : 0, at, what);

	part.failed = !p;
	part.swap = c->swap;
	return part;
}

int cur_check(const struct cursor *c, struct err *err)
{
	if (!c->failed)
		return 0;
	return err_set(err, ERR_CORRUPT, "%s at 0x%" PRIx64 ": %zu bytes, too short", c->what,
		c->origin, (size_t)(c->end - c->start));
}
