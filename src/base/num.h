/* SPDX-License-Identifier: BSD-2-Clause
 *
 * num.h - checked arithmetic for every size, count and offset that comes from input.
 */
#ifndef XB_BASE_NUM_H
#define XB_BASE_NUM_H

#include <endian.h>
#include <string.h>

#include "base/util.h"

/* Each returns false on overflow and then leaves *ret untouched. */
static inline bool num_add(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t r;

	if (__builtin_add_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}

static inline bool num_mul(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t r;

	if (__builtin_mul_overflow(a, b, &r))
		return false;
	*ret = r;
	return true;
}

/* Do [off, off+len) lie inside [0, size)? */
static inline bool num_range_ok(uint64_t off, uint64_t len, uint64_t size)
{
	return off <= size && len <= size - off;
}

static inline uint64_t num_align_up(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

/* Unaligned little-endian loads from memory that is known to be long enough. */
static inline uint16_t num_le16(const void *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static inline uint32_t num_le32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline uint64_t num_le64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline uint32_t num_be32(const void *p)
{
	return __builtin_bswap32(num_le32(p));
}

static inline void num_put_le16(void *p, uint16_t v)
{
	uint8_t *b = p;

	b[0] = (uint8_t)v;
	b[1] = (uint8_t)(v >> 8);
}

static inline void num_put_le32(void *p, uint32_t v)
{
	uint8_t *b = p;

	num_put_le16(b, (uint16_t)v);
	num_put_le16(b + 2, (uint16_t)(v >> 16));
}

static inline void num_put_le64(void *p, uint64_t v)
{
	uint8_t *b = p;

	num_put_le32(b, (uint32_t)v);
	num_put_le32(b + 4, (uint32_t)(v >> 32));
}

/*
 * A whole string as an unsigned number: decimal, or hexadecimal behind 0x. No sign, no blanks, no
 * rest. Returns false when it is not one or exceeds max.
 */
bool num_parse_u64(const char *text, uint64_t max, uint64_t *ret);
/* The same of a size: K, M, G or T may follow. */
bool num_parse_bytes(const char *text, uint64_t *ret);

#endif
