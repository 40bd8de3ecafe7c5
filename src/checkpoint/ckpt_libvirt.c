/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_libvirt.c - what libvirt's libxl driver puts before a stream (src/libxl/libxl_conf.h, struct
 * _libxlSavefileHeader; managed saves are such files).
 *
 * offset  bytes
 *  0      16     "libvirt-xml\n \0 \r"
 * 16       4     version: 1 before libvirt knew of the stream of Xen 4.6, then 2
 * 20       4     n, length of the configuration with its NUL
 * 24      40     0
 * 64       n     domain XML; then the stream, without a header of xl's
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/config.h"
#include "checkpoint/legacy.h"
#include "checkpoint/libxc.h"

#define MAGIC	     "libvirt-xml\n \0 \r"
#define MAGIC_BYTES  16u
#define HEADER_BYTES 64u
#define VERSION_MAX  2u

static enum ckpt_probe probe_libvirt(const struct source *src, uint64_t off, struct err *err UNUSED)
{
	return ckpt_has_magic(src, off, MAGIC, MAGIC_BYTES) ? CKPT_PROBE_YES : CKPT_PROBE_NO;
}

/* The version does not say what follows: one that did not know better wrote 1 on any Xen. */
static int open_stream(struct ckpt *ck, uint64_t off, enum ckpt_guest_type type, struct err *err)
{
	if (off == source_bytes(ck->src))
		return ckpt_incomplete(ck, off,
			"the file ends behind the domain XML, at 0x%" PRIx64 ": no stream follows",
			off);
	if (libxl_has_magic(ck->src, off) || libxc_has_magic(ck->src, off))
		return ckpt_open_payload(ck, off, err);
	return legacy_open(ck, off, legacy_hint_of(type), err);
}

static int read_xml(struct ckpt *ck, uint64_t off, uint32_t bytes, enum ckpt_guest_type *ret_type,
	struct err *err)
{
	struct ckpt_info *info = &ck->info;
	const char *text = (const char *)source_at(ck->src, off, bytes);

	if (bytes > CKPT_MAX_CONFIG_BYTES) {
		finding_add(&ck->findings, "XB014", finding_at_offset(off),
			"the domain XML has %u bytes, at most %u are read", bytes,
			CKPT_MAX_CONFIG_BYTES);
		return 0;
	}
	info->config = text;
	info->config_bytes = strnlen(text, bytes);
	info->config_kind = CKPT_CONFIG_XML;
	return config_parse_xml(ck, ret_type, err);
}

static int open_libvirt(struct ckpt *ck, uint64_t off, struct err *err)
{
	const uint8_t *head = source_at(ck->src, off, HEADER_BYTES);
	enum ckpt_guest_type type = CKPT_GUEST_UNKNOWN;
	uint32_t version, bytes;

	ckpt_add_layer(ck, "libvirt");
	if (!head)
		return ckpt_incomplete(ck, off,
			"the file ends at 0x%" PRIx64 ", in libvirt's header",
			source_bytes(ck->src));
	version = num_le32(head + MAGIC_BYTES);
	bytes = num_le32(head + MAGIC_BYTES + 4);
	if (!version || version > VERSION_MAX)
		finding_add(&ck->findings, "XB015", finding_at_offset(off + MAGIC_BYTES),
			"libvirt's header is of version %u, expected 1 or %u", version,
			VERSION_MAX);
	off += HEADER_BYTES;
	if (!source_at(ck->src, off, bytes))
		return ckpt_incomplete(ck, off,
			"the file ends at 0x%" PRIx64 ", in the domain XML (%u bytes at 0x%" PRIx64
			")",
			source_bytes(ck->src), bytes, off);
	if (read_xml(ck, off, bytes, &type, err))
		return -1;
	off += bytes;
	if (open_stream(ck, off, type, err))
		return err_in(err, "behind libvirt's header, at 0x%" PRIx64, off);
	ckpt_settle_guest_type(ck, type);
	return 0;
}

const struct ckpt_format ckpt_format_libvirt = {
	.name = "libvirt", .probe = probe_libvirt, .open = open_libvirt};
