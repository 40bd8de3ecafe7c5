/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/crc32c.h"

/* One step of the division by Castagnoli's polynomial, reflected; then eight, for a whole byte. */
#define STEP(c)	 ((c) >> 1 ^ ((c)&1 ? 0x82f63b78u : 0))
#define STEP2(c) STEP(STEP(c))
#define STEP4(c) STEP2(STEP2(c))
#define BYTE(c)	 STEP4(STEP4(c))

/* The table of Sarwate's method: what a byte leaves behind. */
#define ROW4(c)	 BYTE(c), BYTE((c) + 1u), BYTE((c) + 2u), BYTE((c) + 3u)
#define ROW16(c) ROW4(c), ROW4((c) + 4u), ROW4((c) + 8u), ROW4((c) + 12u)
#define ROW64(c) ROW16(c), ROW16((c) + 16u), ROW16((c) + 32u), ROW16((c) + 48u)
static const uint32_t table[256] = {ROW64(0u), ROW64(64u), ROW64(128u), ROW64(192u)};

uint32_t crc32c(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	crc = ~crc;
	while (len--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}
