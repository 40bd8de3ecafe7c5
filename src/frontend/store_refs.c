/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/store_refs.h"

#include <string.h>

#include "base/num.h"
#include "frontend/grants.h"

#define RING_BYTES   1024u /* XENSTORE_RING_SIZE */
#define HEADER_BYTES 16u   /* struct xsd_sockmsg {u32 type, req_id, tx_id, len} */
#define XS_WRITE     11u
#define MAX_BODY     256u

/* "device/vbd/51712/ring-ref", perhaps with more in front, a queue between, or a page's number. */
static bool parse_path(const char *path, uint64_t *ret_handle)
{
	static const char directory[] = "device/vbd/";
	const char *at = strstr(path, directory), *leaf = strrchr(path, '/');
	char digits[24];
	size_t len;

	if (!at || strncmp(leaf + 1, "ring-ref", 8))
		return false;
	at += sizeof(directory) - 1;
	len = strspn(at, "0123456789");
	if (!len || len >= sizeof(digits) || at[len] != '/' ||
		leaf[9 + strspn(leaf + 9, "0123456789")])
		return false;
	memcpy(digits, at, len);
	digits[len] = '\0';
	return num_parse_u64(digits, UINT32_MAX, ret_handle);
}

/* A message of the path, a NUL, and the value without one. */
static bool parse_body(const char *body, size_t len, struct store_ref *ret)
{
	size_t path = strnlen(body, len);
	char value[16];
	uint64_t gref;

	if (path == len || len - path - 1 >= sizeof(value) || !parse_path(body, &ret->handle))
		return false;
	memcpy(value, body + path + 1, len - path - 1);
	value[len - path - 1] = '\0';
	if (!num_parse_u64(value, UINT32_MAX, &gref))
		return false;
	ret->gref = (uint32_t)gref;
	return true;
}

/* `ring` stands twice, so that no message is cut. */
static bool parse_message(const uint8_t *at, struct store_ref *ret)
{
	char body[MAX_BODY + 1];
	uint32_t len = num_le32(at + 12);

	if (num_le32(at) != XS_WRITE || !len || len > MAX_BODY)
		return false;
	memcpy(body, at + HEADER_BYTES, len);
	body[len] = '\0';
	return parse_body(body, len, ret);
}

size_t store_refs_read(struct guest *g, struct store_ref *ret)
{
	uint8_t ring[2 * RING_BYTES + HEADER_BYTES];
	const uint8_t *page;
	size_t i, nr = 0;
	pfn_t pfn;

	page = grants_store_page(g, &pfn) ? guest_page(g, pfn) : NULL;
	if (!page)
		return 0;
	memset(ring, 0, sizeof(ring));
	memcpy(ring, page, RING_BYTES);
	memcpy(ring + RING_BYTES, page, RING_BYTES);
	for (i = 0; i < RING_BYTES && nr < STORE_REFS_MAX; i++)
		nr += parse_message(ring + i, &ret[nr]);
	return nr;
}
