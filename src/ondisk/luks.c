/* SPDX-License-Identifier: BSD-2-Clause
 *
 * LUKS: a header with the keys, then what is enciphered. Layouts: the LUKS1 on-disk format
 * specification 1.2.3, 2.1; the LUKS2 one, 2.1 and 3; big-endian. In version 2 the header goes up
 * to the first byte of the first segment, which JSON says.
 */
#include "ondisk/fs.h"

#include <string.h>

#include "base/frame.h"
#include "base/num.h"

#define HEADER_BYTES 4096u
#define MAX_JSON     (4u << 20)

/* The number in quotation marks behind a key; 0: there is none. */
static uint64_t number_behind(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	char digits[24];

	if (!at || sscanf(at + strlen(key), " : \"%20[0-9]\"", digits) != 1)
		return 0;
	return strtoull(digits, NULL, 10);
}

static uint64_t read_offset(struct view *v, const uint8_t *raw, struct err *err)
{
	uint64_t bytes = (uint64_t)num_be32(raw + 8) << 32 | num_be32(raw + 12), ret = 0;
	CLEANUP_FREE char *text = NULL;
	const char *segments;

	if (raw[7] == 1)
		return (uint64_t)num_be32(raw + 104) * SECTOR_BYTES;
	if (bytes <= HEADER_BYTES || bytes > MAX_JSON)
		return 0;
	text = calloc(1, (size_t)(bytes - HEADER_BYTES + 1));
	if (!text || view_read(v, HEADER_BYTES, text, (size_t)(bytes - HEADER_BYTES), err))
		return 0;
	segments = strstr(text, "\"segments\"");
	if (segments)
		ret = number_behind(segments, "\"offset\"");
	return ret;
}

static int open_luks(struct view *v, void **ret, struct err *err)
{
	uint64_t *offset = calloc(1, sizeof(*offset));
	uint8_t raw[HEADER_BYTES];

	if (!offset)
		return err_nomem(err, "a LUKS header");
	if (!view_read(v, 0, raw, sizeof(raw), err) && !memcmp(raw, "LUKS\xba\xbe", 6))
		*offset = read_offset(v, raw, err);
	if (!*offset) {
		free(offset);
		return err_set(err, ERR_CORRUPT, "its header makes no sense");
	}
	*ret = offset;
	return 0;
}

static uint64_t tell_luks(void *state, uint64_t off, uint64_t bytes, struct meaning *m)
{
	const uint64_t *offset = state;

	m->kind = off < *offset ? MEANING_CRYPT_HEADER : MEANING_CRYPT;
	return off < *offset ? MIN(bytes, *offset - off) : bytes;
}

static const char *const types[] = {"crypto_LUKS", NULL};

const struct ondisk_fs ondisk_luks = {
	.types = types, .open = open_luks, .tell = tell_luks, .close = free};
