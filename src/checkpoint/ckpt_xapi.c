/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_xapi.c - the suspend image of XenServer and XCP-ng (xenopsd, suspend_image.ml).
 *
 * "XenSavedDomain\n", up to XenServer 6.5: a legacy stream of 32-bit tools follows at once.
 * "XenSavedDomv2-\n": records {u64 type, u64 length, body}, not aligned. Those that hold a stream
 * have length 0 and the stream inline, to its own end. The image is often a volume that is larger.
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/config.h"
#include "checkpoint/legacy.h"

#define MAGIC_BYTES	    15u
#define RECORD_HEADER_BYTES 16u

enum record_type {
	RECORD_XENOPS = 0x000f,
	RECORD_LIBXC = 0x00f0,
	RECORD_LIBXL = 0x00f1,
	RECORD_LIBXC_LEGACY = 0x00f2,
	RECORD_QEMU_TRAD = 0x0f00,
	RECORD_QEMU_XEN = 0x0f01,
	RECORD_DEMU = 0x0f10,
	RECORD_VARSTORED = 0x0f11,
	RECORD_SWTPM_0 = 0x0f12,
	RECORD_SWTPM = 0x0f13,
	RECORD_END = 0xffff,
};

struct record {
	uint64_t off, type, bytes;
	const uint8_t *body; /* NULL: the file ends in it */
};

static enum ckpt_probe probe_old(const struct source *src, uint64_t off, struct err *err UNUSED)
{
	return ckpt_has_magic(src, off, "XenSavedDomain\n", MAGIC_BYTES) ? CKPT_PROBE_YES
									 : CKPT_PROBE_NO;
}

static int open_old(struct ckpt *ck, uint64_t off, struct err *err)
{
	ckpt_add_layer(ck, "xapi v1");
	return legacy_open(ck, off + MAGIC_BYTES, LEGACY_EITHER, err);
}

static enum ckpt_probe probe_records(const struct source *src, uint64_t off, struct err *err UNUSED)
{
	return ckpt_has_magic(src, off, "XenSavedDomv2-\n", MAGIC_BYTES) ? CKPT_PROBE_YES
									 : CKPT_PROBE_NO;
}

/* ((time ..)(word_size 64)(vm_str "((id ..)(name ..)..)")..) */
static int read_xenops(struct ckpt *ck, const struct record *rec, struct err *err)
{
	struct ckpt_info *info = &ck->info;

	if (rec->bytes > CKPT_MAX_CONFIG_BYTES) {
		finding_add(&ck->findings, "XB014", finding_at_offset(rec->off),
			"the xenops record has %" PRIu64 " bytes, at most %u are read", rec->bytes,
			CKPT_MAX_CONFIG_BYTES);
		return 0;
	}
	info->config = (const char *)rec->body;
	info->config_bytes = rec->bytes;
	info->config_kind = CKPT_CONFIG_XENOPS;
	return config_parse_xenops(ck, err);
}

/* The stream says itself where it ends. */
static int read_stream(struct ckpt *ck, const struct record *rec, struct err *err)
{
	uint64_t off = rec->off + RECORD_HEADER_BYTES;
	int failed;

	if (ck->info.guest_type != CKPT_GUEST_UNKNOWN)
		return err_set(err, ERR_CORRUPT,
			"xapi record at 0x%" PRIx64 ": a second stream of the guest", rec->off);
	if (rec->type == RECORD_LIBXC_LEGACY)
		failed = legacy_open(ck, off, LEGACY_EITHER, err);
	else
		failed = ckpt_open_payload(ck, off, err);
	return failed ? err_in(err, "xapi record at 0x%" PRIx64, rec->off) : 0;
}

/* -1: error. 0: go on at *next. 1: nothing more can be read. */
static int read_record(struct ckpt *ck, const struct record *rec, uint64_t *next, struct err *err)
{
	*next = rec->off + RECORD_HEADER_BYTES + rec->bytes;
	switch (rec->type) {
	case RECORD_XENOPS:
		return read_xenops(ck, rec, err);
	case RECORD_LIBXC:
	case RECORD_LIBXL:
	case RECORD_LIBXC_LEGACY:
		if (read_stream(ck, rec, err))
			return -1;
		*next = ck->end;
		return ck->info.complete ? 0 : 1;
	case RECORD_QEMU_TRAD:
	case RECORD_QEMU_XEN:
		ck->info.nr_emulator_records++;
		return 0;
	case RECORD_VARSTORED:
	case RECORD_SWTPM_0:
	case RECORD_SWTPM:
	case RECORD_END:
		return 0;
	case RECORD_DEMU:
		ck->end = *next;
		ckpt_incomplete(ck, rec->off,
			"the state of a virtual GPU at 0x%" PRIx64
			" has no length: what follows it cannot be found",
			rec->off);
		return 1;
	default:
		return err_set(err, ERR_CORRUPT,
			"xapi record at 0x%" PRIx64 ": unknown type 0x%" PRIx64, rec->off,
			rec->type);
	}
}

static int cut_record(struct ckpt *ck, uint64_t off)
{
	ck->end = source_bytes(ck->src);
	return ckpt_incomplete(ck, off,
		"the file ends at 0x%" PRIx64 ", in the xapi record at 0x%" PRIx64,
		source_bytes(ck->src), off);
}

static int open_records(struct ckpt *ck, uint64_t off, struct err *err)
{
	struct record rec = {0};

	ckpt_add_layer(ck, "xapi v2");
	off += MAGIC_BYTES;
	while (rec.type != RECORD_END) {
		const uint8_t *head = source_at(ck->src, off, RECORD_HEADER_BYTES);
		int stop;

		if (!head)
			return cut_record(ck, off);
		rec = (struct record){off, num_le64(head), num_le64(head + 8),
			source_at(ck->src, off + RECORD_HEADER_BYTES, num_le64(head + 8))};
		if (!rec.body)
			return cut_record(ck, off);
		stop = read_record(ck, &rec, &off, err);
		if (stop)
			return stop < 0 ? -1 : 0;
	}
	ck->end = off;
	if (ck->info.guest_type == CKPT_GUEST_UNKNOWN)
		finding_add(&ck->findings, "XB007", finding_at_offset(rec.off),
			"the image ends at 0x%" PRIx64 " without a stream of the guest", rec.off);
	return 0;
}

const struct ckpt_format ckpt_format_xapi = {
	.name = "xapi", .probe = probe_records, .open = open_records};
const struct ckpt_format ckpt_format_xapi_old = {
	.name = "xapi", .probe = probe_old, .open = open_old};
