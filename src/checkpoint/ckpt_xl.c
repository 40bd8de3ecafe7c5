/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_xl.c - the header that xl puts before a stream (tools/xl/xl.h, struct save_file_header).
 *
 * offset  bytes
 *  0      32     magic
 * 32       4     0x01020304 in the writer's byte order
 * 36       4     mandatory flags: bit 0 configuration is JSON (4.5), bit 1 stream is v2 (4.6)
 * 40       4     optional flags
 * 44       4     length of the optional data
 * 48             optional data: u32 length of the configuration, configuration; then the stream
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/config.h"
#include "checkpoint/legacy.h"
#include "checkpoint/libxc.h"

#define XL_MAGIC	"Xen saved domain, xl format\n \0 \r"
#define XL_MAGIC_BYTES	32u
#define XL_HEADER_BYTES 48u
#define XL_BYTEORDER	0x01020304u
#define XL_FLAG_JSON	1u
#define XL_FLAG_V2	2u

static enum ckpt_probe probe_xl(const struct source *src, uint64_t off, struct err *err UNUSED)
{
	return ckpt_has_magic(src, off, XL_MAGIC, XL_MAGIC_BYTES) ? CKPT_PROBE_YES : CKPT_PROBE_NO;
}

static int read_config(struct ckpt *ck, struct cursor *data, uint32_t flags,
	enum ckpt_guest_type *ret_type, struct err *err)
{
	struct ckpt_info *info = &ck->info;
	uint64_t at = cur_tell(data);
	size_t room = cur_left(data) > 4 ? cur_left(data) - 4 : 0;
	uint32_t len;
	const uint8_t *text;

	if (!cur_left(data)) {
		finding_add(&ck->findings, "XB014", finding_at_offset(at),
			"the xl header is followed by no configuration");
		return 0;
	}
	len = cur_u32(data);
	text = cur_bytes(data, len);
	if (!text) {
		finding_add(&ck->findings, "XB015", finding_at_offset(at),
			"the configuration claims %u bytes, the xl header has room for %zu", len,
			room);
		return 0;
	}
	if (len > CKPT_MAX_CONFIG_BYTES) {
		finding_add(&ck->findings, "XB014", finding_at_offset(at),
			"the configuration has %u bytes, at most %u are read", len,
			CKPT_MAX_CONFIG_BYTES);
		return 0;
	}
	info->config = (const char *)text;
	info->config_bytes = strnlen(info->config, len);
	info->config_kind = flags & XL_FLAG_JSON ? CKPT_CONFIG_XL_JSON : CKPT_CONFIG_XLCFG;
	return flags & XL_FLAG_JSON ? config_parse_json(ck, ret_type, err)
				    : config_parse_xlcfg(ck, ret_type, err);
}

/* What has no magic can only be what the flags say. */
static int open_payload(
	struct ckpt *ck, uint64_t off, uint32_t flags, enum ckpt_guest_type type, struct err *err)
{
	if (flags & XL_FLAG_V2 || libxl_has_magic(ck->src, off) || libxc_has_magic(ck->src, off))
		return ckpt_open_payload(ck, off, err);
	return legacy_open(ck, off, legacy_hint_of(type), err);
}

static int open_stream(
	struct ckpt *ck, uint64_t off, uint32_t flags, enum ckpt_guest_type type, struct err *err)
{
	bool v2 = libxl_has_magic(ck->src, off);

	if (off == source_bytes(ck->src))
		return ckpt_incomplete(ck, off,
			"the file ends behind the xl header, at 0x%" PRIx64 ": no stream follows",
			off);
	if (v2 != !!(flags & XL_FLAG_V2) && source_bytes(ck->src) - off >= 8)
		finding_add(&ck->findings, "XB015", finding_at_offset(off),
			"the xl header says that the stream %s, but it %s",
			flags & XL_FLAG_V2 ? "has a libxl header" : "has no libxl header",
			v2 ? "has one" : "has none");
	if (!v2 && source_bytes(ck->src) - off < 8 && (flags & XL_FLAG_V2))
		return ckpt_incomplete(
			ck, off, "the file ends in the libxl header at 0x%" PRIx64, off);
	if (open_payload(ck, off, flags, type, err))
		return err_in(err, "behind the xl header, at 0x%" PRIx64, off);
	return 0;
}

static int open_xl(struct ckpt *ck, uint64_t off, struct err *err)
{
	uint64_t left = source_bytes(ck->src) - off;
	size_t have = (size_t)MIN(left, (uint64_t)XL_HEADER_BYTES);
	struct cursor c = cur_over(source_at(ck->src, off, have), have, off, "xl header");
	enum ckpt_guest_type config_type = CKPT_GUEST_UNKNOWN;
	uint32_t order, flags, data_bytes;
	struct cursor data;

	ckpt_add_layer(ck, "xl");
	cur_skip(&c, XL_MAGIC_BYTES);
	order = cur_u32(&c);
	c.swap = order == __builtin_bswap32(XL_BYTEORDER);
	flags = cur_u32(&c);
	cur_skip(&c, 4);
	data_bytes = cur_u32(&c);
	if (!cur_ok(&c))
		return ckpt_incomplete(ck, off, "the file ends in the xl header, at 0x%" PRIx64,
			source_bytes(ck->src));
	if (order != XL_BYTEORDER && !c.swap)
		return err_set(err, ERR_CORRUPT,
			"xl header at 0x%" PRIx64 ": byte order mark 0x%08x, expected 0x%08x", off,
			order, XL_BYTEORDER);
	if (c.swap)
		finding_add(&ck->findings, "XB015", finding_at_offset(off + 32),
			"the xl header is in the other byte order");
	if (flags & ~(XL_FLAG_JSON | XL_FLAG_V2))
		finding_add(&ck->findings, "XB015", finding_at_offset(off + 36),
			"the xl header has unknown mandatory flags 0x%x",
			flags & ~(XL_FLAG_JSON | XL_FLAG_V2));
	off += XL_HEADER_BYTES;
	if (!source_at(ck->src, off, data_bytes))
		return ckpt_incomplete(ck, off,
			"the file ends at 0x%" PRIx64
			", in the optional data of the xl header (%u bytes at 0x%" PRIx64 ")",
			source_bytes(ck->src), data_bytes, off);
	data = cur_over(source_at(ck->src, off, data_bytes), data_bytes, off, "configuration");
	data.swap = c.swap;
	if (read_config(ck, &data, flags, &config_type, err) ||
		open_stream(ck, off + data_bytes, flags, config_type, err))
		return -1;
	ckpt_settle_guest_type(ck, config_type);
	return 0;
}

const struct ckpt_format ckpt_format_xl = {.name = "xl", .probe = probe_xl, .open = open_xl};
