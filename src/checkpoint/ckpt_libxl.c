/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_libxl.c - the libxl stream around a libxc stream
 * (Xen: docs/specs/libxl-migration-stream.pandoc).
 *
 * Header, big-endian: "LibxlFmt", u32 version 2, u32 options (bit 0: body big-endian, bit 1: made
 * by the converter of old streams). Records as in libxc. LIBXC_CONTEXT has no body: the whole libxc
 * stream follows inline, to its END, or to its CHECKPOINT, where libxl's own records come in until
 * CHECKPOINT_END and libxc's go on.
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/libxc.h"

#define HEADER_BYTES	  16u
#define OPTION_BIG_ENDIAN 1u
#define OPTION_LEGACY	  2u
/* 0 unknown (converted), 1 qemu-traditional, 2 qemu-upstream. */
#define EMULATOR_MAX 2u

struct libxl {
	struct ckpt *ck;
	uint64_t off; /* of the next libxl record */
	struct libxc libxc;
	bool has_libxc;	    /* the libxc stream has begun */
	bool in_checkpoint; /* it stopped at a CHECKPOINT, libxl's records follow */
	bool done;
};

bool libxl_has_magic(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "LibxlFmt", 8);
}

static enum ckpt_probe probe_libxl(const struct source *src, uint64_t off, struct err *err UNUSED)
{
	return libxl_has_magic(src, off) ? CKPT_PROBE_YES : CKPT_PROBE_NO;
}

/* Let libxc read on; afterwards libxl's next record stands behind what it read. */
static int run_libxc(struct libxl *l, struct err *err)
{
	enum libxc_stop stop;

	if (libxc_records(&l->libxc, &stop, err))
		return -1;
	l->off = l->libxc.off;
	l->in_checkpoint = stop == LIBXC_STOP_CHECKPOINT;
	l->done = stop == LIBXC_STOP_CUT;
	return 0;
}

static int libxc_context(struct libxl *l, const struct libxc_record *rec, struct err *err)
{
	uint64_t at = record_next(rec);

	if (l->has_libxc)
		return err_set(err, ERR_CORRUPT,
			"libxl record at 0x%" PRIx64 ": a second LIBXC_CONTEXT", rec->off);
	l->has_libxc = true;
	if (source_at(l->ck->src, at, 12) && !libxc_has_magic(l->ck->src, at))
		return err_set(err, ERR_CORRUPT,
			"libxl record at 0x%" PRIx64 ": no libxc stream follows LIBXC_CONTEXT",
			rec->off);
	if (libxc_begin(&l->libxc, l->ck, at, &l->done, err))
		return -1;
	return l->done ? 0 : run_libxc(l, err);
}

static void bad_size(struct libxl *l, const struct libxc_record *rec, const char *expected)
{
	finding_add(&l->ck->findings, "XB008", finding_at_offset(rec->off),
		"the libxl record 0x%x at 0x%" PRIx64 " has %u bytes, expected %s", rec->type,
		rec->off, rec->len, expected);
}

static void unknown_record(struct libxl *l, const struct libxc_record *rec)
{
	bool optional = rec->type & LIBXC_OPTIONAL;

	finding_add(&l->ck->findings, "XB012", finding_at_offset(rec->off),
		"%s libxl record of unknown type 0x%x at 0x%" PRIx64 ", %u bytes, was skipped%s",
		optional ? "an optional" : "a mandatory", rec->type, rec->off, rec->len,
		optional ? "; libxl refuses it all the same" : "");
}

static void foreign_record(struct libxl *l, const struct libxc_record *rec, const char *why)
{
	finding_add(&l->ck->findings, "XB006", finding_at_offset(rec->off),
		"the libxl record 0x%x at 0x%" PRIx64 " %s", rec->type, rec->off, why);
}

static void check_xenstore_data(struct libxl *l, const struct libxc_record *rec)
{
	size_t i, nuls = 0;

	for (i = 8; i < rec->len; i++)
		nuls += !rec->body[i];
	if (rec->len > 8 && (rec->body[rec->len - 1] || nuls % 2))
		finding_add(&l->ck->findings, "XB023", finding_at_offset(rec->off),
			"the emulator's xenstore data at 0x%" PRIx64
			" is not a list of terminated keys and values",
			rec->off);
}

/* u32 emulator, u32 index, then key\0value\0 pairs or the emulator's own state */
static void emulator_record(struct libxl *l, const struct libxc_record *rec)
{
	uint32_t emulator;

	if (rec->len < 8) {
		bad_size(l, rec, "at least 8");
		return;
	}
	l->ck->info.nr_emulator_records++;
	/* A PVH guest's stream is known by the configuration alone: ckpt_xl.c. */
	if (l->has_libxc && !l->libxc.hvm)
		foreign_record(l, rec, "holds an emulator's state, and a PV guest has none");
	emulator = num_le32(rec->body);
	if (emulator > EMULATOR_MAX)
		finding_add(&l->ck->findings, "XB023", finding_at_offset(rec->body_off),
			"the emulator record at 0x%" PRIx64
			" names emulator %u, expected at most %u",
			rec->off, emulator, EMULATOR_MAX);
	if (rec->type == LIBXL_EMULATOR_XENSTORE)
		check_xenstore_data(l, rec);
}

static int checkpoint_end(struct libxl *l, const struct libxc_record *rec, struct err *err)
{
	if (!l->in_checkpoint) {
		finding_add(&l->ck->findings, "XB005", finding_at_offset(rec->off),
			"the libxl record CHECKPOINT_END at 0x%" PRIx64 " ends no checkpoint",
			rec->off);
		return 0;
	}
	if (ckpt_commit(l->ck, err))
		return -1;
	l->libxc.off = l->off;
	return run_libxc(l, err);
}

static int libxl_record(struct libxl *l, const struct libxc_record *rec, struct err *err)
{
	switch (rec->type) {
	case LIBXL_END:
		l->done = true;
		if (l->in_checkpoint)
			return ckpt_incomplete(l->ck, rec->off,
				"the libxl stream ends at 0x%" PRIx64
				" inside a checkpoint, before the end of the libxc stream",
				rec->off);
		if (!l->has_libxc)
			finding_add(&l->ck->findings, "XB007", finding_at_offset(rec->off),
				"the libxl stream ends at 0x%" PRIx64
				" without a LIBXC_CONTEXT record",
				rec->off);
		break;
	case LIBXL_LIBXC_CONTEXT:
		if (rec->len)
			return err_set(err, ERR_CORRUPT,
				"libxl record LIBXC_CONTEXT at 0x%" PRIx64 ": %u bytes, expected 0",
				rec->off, rec->len);
		return libxc_context(l, rec, err);
	case LIBXL_EMULATOR_XENSTORE:
	case LIBXL_EMULATOR_CONTEXT:
		emulator_record(l, rec);
		return 0;
	case LIBXL_CHECKPOINT_END:
		if (rec->len)
			bad_size(l, rec, "0");
		return checkpoint_end(l, rec, err);
	case LIBXL_CHECKPOINT_STATE:
		if (rec->len != 8)
			bad_size(l, rec, "8");
		else
			foreign_record(
				l, rec, "belongs between the two hosts of COLO, not in a file");
		return 0;
	default:
		unknown_record(l, rec);
		return 0;
	}
	if (rec->len)
		bad_size(l, rec, "0");
	return 0;
}

static int read_records(struct libxl *l, struct err *err)
{
	struct ckpt *ck = l->ck;

	while (!l->done) {
		struct libxc_record rec;
		int r = record_read(ck->src, l->off, NULL, "libxl", &rec, err);

		if (r == 0)
			return ckpt_incomplete(ck, rec.off,
				rec.body ? "the file ends at 0x%" PRIx64
					   ", in the libxl record at 0x%" PRIx64
					 : "the file ends at 0x%" PRIx64
					   ", where a libxl record was expected (0x%" PRIx64 ")",
				source_bytes(ck->src), rec.off);
		if (r < 0)
			return record_broken(ck, &rec, err);
		record_check_padding(ck, &rec, "libxl");
		l->off = record_next(&rec);
		if (libxl_record(l, &rec, err))
			return record_broken(ck, &rec, err);
	}
	if (ck->info.complete)
		ck->end = l->off;
	return 0;
}

static int open_libxl(struct ckpt *ck, uint64_t off, struct err *err)
{
	uint64_t left = source_bytes(ck->src) - off;
	size_t have = (size_t)MIN(left, (uint64_t)HEADER_BYTES);
	struct cursor c = cur_over(source_at(ck->src, off, have), have, off, "libxl header");
	struct libxl l = {.ck = ck, .off = off + HEADER_BYTES};
	uint32_t version, options;

	cur_skip(&c, 8);
	version = cur_be32(&c);
	options = cur_be32(&c);
	if (!cur_ok(&c))
		return ckpt_incomplete(
			ck, off, "the file ends in the libxl header at 0x%" PRIx64, off);
	if (version != 2)
		return err_set(err, ERR_UNSUPPORTED,
			"libxl stream at 0x%" PRIx64 ": version %u, expected 2", off, version);
	if (options & OPTION_BIG_ENDIAN)
		return err_set(err, ERR_UNSUPPORTED,
			"libxl stream at 0x%" PRIx64 ": the body is big-endian", off);
	if (options & ~OPTION_LEGACY)
		finding_add(&ck->findings, "XB003", finding_at_offset(off + 12),
			"the libxl header has reserved options 0x%x", options & ~OPTION_LEGACY);
	ckpt_add_layer(ck, "libxl v%u", version);
	return read_records(&l, err);
}

const struct ckpt_format ckpt_format_libxl = {
	.name = "libxl", .probe = probe_libxl, .open = open_libxl, .verify = ckpt_verify_pv};
