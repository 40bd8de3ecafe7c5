/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_xend.c - what xend puts before a stream (tools/python/xen/xend/XendCheckpoint.py, 3.0
 * to 4.4).
 *
 * offset  bytes
 *  0      16     "LinuxGuestRecord"
 * 16       4     big-endian n, length of the configuration
 * 20       n     configuration, an s-expression; then the stream
 */
#include "checkpoint/config.h"
#include "checkpoint/legacy.h"

#define MAGIC	     "LinuxGuestRecord"
#define MAGIC_BYTES  16u
#define HEADER_BYTES 20u

/* An image of Xen 2.0 has the same magic, and its list of p2m frames where the text begins here. */
static enum ckpt_probe probe_xend(const struct source *src, uint64_t off, struct err *err)
{
	const uint8_t *head = source_at(src, off, HEADER_BYTES);
	uint32_t bytes;

	if (!ckpt_has_magic(src, off, MAGIC, MAGIC_BYTES) ||
		!ckpt_has_magic(src, off + HEADER_BYTES, "(", 1))
		return CKPT_PROBE_NO;
	bytes = num_be32(head + MAGIC_BYTES);
	if (bytes <= CKPT_MAX_CONFIG_BYTES)
		return CKPT_PROBE_YES;
	err_set(err, ERR_CORRUPT,
		"LinuxGuestRecord at 0x%" PRIx64
		": a configuration of %u bytes, expected at most %u",
		off, bytes, CKPT_MAX_CONFIG_BYTES);
	return CKPT_PROBE_BROKEN;
}

static int open_xend(struct ckpt *ck, uint64_t off, struct err *err)
{
	struct ckpt_info *info = &ck->info;
	enum ckpt_guest_type type = CKPT_GUEST_UNKNOWN;
	uint32_t bytes = num_be32(source_at(ck->src, off, HEADER_BYTES) + MAGIC_BYTES);
	const uint8_t *text = source_at(ck->src, off + HEADER_BYTES, bytes);

	ckpt_add_layer(ck, "xend");
	if (!text)
		return ckpt_incomplete(ck, off + HEADER_BYTES,
			"the file ends at 0x%" PRIx64
			", in the configuration (%u bytes at 0x%" PRIx64 ")",
			source_bytes(ck->src), bytes, off + HEADER_BYTES);
	info->config = (const char *)text;
	info->config_bytes = bytes;
	info->config_kind = CKPT_CONFIG_SXP;
	if (config_parse_sxp(ck, &type, err))
		return -1;
	off += HEADER_BYTES + bytes;
	if (legacy_open(ck, off, legacy_hint_of(type), err))
		return err_in(err, "behind the configuration, at 0x%" PRIx64, off);
	ckpt_settle_guest_type(ck, type);
	return 0;
}

const struct ckpt_format ckpt_format_xend = {
	.name = "xend", .probe = probe_xend, .open = open_xend};
