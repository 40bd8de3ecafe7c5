/* SPDX-License-Identifier: BSD-2-Clause
 *
 * find_stream.c - headers with a magic that stand somewhere in a file: behind rubbish in front, or
 * behind another stream.
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/ckpt_priv.h"

/* How far is looked: a file that is no checkpoint may be very large. */
#define SEARCH_BYTES (UINT64_C(64) << 20)
/* A wrapper's payload begins near it, and is none of its own. */
#define PAYLOAD_BYTES (UINT64_C(64) << 10)

static const struct {
	const char *name, *magic;
	uint8_t bytes;
} headers[] = {
	{"xl", "Xen saved domain, xl format\n \0 \r", 32},
	{"libvirt", "libvirt-xml\n \0 \r", 16},
	{"xapi v2", "XenSavedDomv2-\n", 15},
	{"xapi v1", "XenSavedDomain\n", 15},
	{"xend or Xen 2.0", "LinuxGuestRecord", 16},
	{"libxl", "LibxlFmt", 8},
	{"libxc", "\xff\xff\xff\xff\xff\xff\xff\xffXENF", 12},
};

static bool find_header(
	const struct source *src, uint64_t from, uint64_t *ret_off, const char **ret_name)
{
	uint64_t left = source_bytes(src) - MIN(from, source_bytes(src));
	uint64_t n = MIN(left, SEARCH_BYTES);
	const uint8_t *p = source_at(src, from, n), *best = NULL;
	size_t i;

	for (i = 0; p && i < ARRAY_SIZE(headers); i++) {
		const uint8_t *q = memmem(
			p, best ? (size_t)(best - p) : n, headers[i].magic, headers[i].bytes);

		if (!q)
			continue;
		best = q;
		*ret_name = headers[i].name;
	}
	if (best)
		*ret_off = from + (uint64_t)(best - p);
	return best;
}

void ckpt_name_streams(const struct source *src, uint64_t from, char *buf, size_t cap)
{
	const char *name = NULL, *sep = "";
	size_t n = 0;
	uint64_t off;

	buf[0] = 0;
	while (n < cap / 2 && find_header(src, from, &off, &name)) {
		n += (size_t)snprintf(buf + n, cap - n, "%s%s at 0x%" PRIx64, sep, name, off);
		sep = ", ";
		from = off + PAYLOAD_BYTES;
	}
}
