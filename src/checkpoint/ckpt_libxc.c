/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_libxc.c - headers, framing and completeness of a libxc stream.
 *
 * Image header, 24 bytes, big-endian: u64 all ones, u32 "XENF", u32 version, u16 options (bit 0:
 * body big-endian), 6 bytes 0. Domain header, 16 bytes: u32 type (1 PV, 2 HVM and PVH), u16 page
 * shift, u16 0, u32 xen major, u32 xen minor. Then records {u32 type, u32 length, body, padding to
 * 8}, relative to the start of the stream.
 */
#include "checkpoint/libxc.h"

#include <inttypes.h>

#define IMAGE_HEADER_BYTES  24u
#define DOMAIN_HEADER_BYTES 16u
#define IMAGE_ID	    0x58454e46u
#define OPTION_BIG_ENDIAN   1u
#define GUEST_PV	    1u
#define GUEST_HVM	    2u

bool libxc_has_magic(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "\xff\xff\xff\xff\xff\xff\xff\xffXENF", 12);
}

static enum ckpt_probe probe_libxc(const struct source *src, uint64_t off, struct err *err UNUSED)
{
	return libxc_has_magic(src, off) ? CKPT_PROBE_YES : CKPT_PROBE_NO;
}

static int image_header(struct libxc *x, struct cursor *c, struct err *err)
{
	uint64_t off = cur_tell(c);
	unsigned options, reserved;

	cur_skip(c, 8);
	if (cur_be32(c) != IMAGE_ID && cur_ok(c))
		return err_set(err, ERR_CORRUPT, "no libxc image header at 0x%" PRIx64, off);
	x->version = cur_be32(c);
	options = cur_u8(c) << 8;
	options |= cur_u8(c);
	reserved = cur_u8(c);
	reserved |= cur_u8(c);
	reserved |= cur_u32(c);
	if (!cur_ok(c))
		return 0;
	if (x->version < 2 || x->version > 3)
		return err_set(err, ERR_UNSUPPORTED,
			"libxc stream at 0x%" PRIx64 ": version %u, expected 2 or 3", off,
			x->version);
	/* Xen's restore refuses them too; no x86 tool stack writes them. */
	if (options & OPTION_BIG_ENDIAN)
		return err_set(err, ERR_UNSUPPORTED,
			"libxc stream at 0x%" PRIx64 ": the body is big-endian", off);
	if (options || reserved)
		finding_add(&x->ck->findings, "XB003", finding_at_offset(off),
			"the libxc image header has reserved bits set (options 0x%x)", options);
	return 0;
}

static int domain_header(struct libxc *x, struct cursor *c, struct err *err)
{
	struct ckpt_info *info = &x->ck->info;
	uint64_t off = cur_tell(c);
	uint32_t type = cur_u32(c);
	unsigned shift = cur_u16(c), reserved = cur_u16(c);

	info->xen_major = cur_u32(c);
	info->xen_minor = cur_u32(c);
	if (!cur_ok(c))
		return 0;
	if (type != GUEST_PV && type != GUEST_HVM)
		return err_set(err, ERR_CORRUPT,
			"domain header at 0x%" PRIx64 ": guest type %u, expected 1 (PV) or 2 (HVM)",
			off, type);
	if (shift != PAGE_SHIFT)
		return err_set(err, ERR_CORRUPT,
			"domain header at 0x%" PRIx64 ": page shift %u, expected %u", off, shift,
			PAGE_SHIFT);
	if (reserved)
		finding_add(&x->ck->findings, "XB003", finding_at_offset(off + 6),
			"the domain header has reserved bits set (0x%x)", reserved);
	/* 0.x: made by convert-legacy-stream, x is that script's version. */
	x->ck->origin.converted = !info->xen_major;
	if (!info->xen_major)
		info->xen_minor = 0;
	x->hvm = type == GUEST_HVM;
	info->guest_type = x->hvm ? CKPT_GUEST_HVM : CKPT_GUEST_PV;
	return 0;
}

int libxc_begin(struct libxc *x, struct ckpt *ck, uint64_t off, bool *ret_cut, struct err *err)
{
	uint64_t left = source_bytes(ck->src) - off;
	size_t have = (size_t)MIN(left, (uint64_t)(IMAGE_HEADER_BYTES + DOMAIN_HEADER_BYTES));
	struct cursor c = cur_over(source_at(ck->src, off, have), have, off, "libxc header");

	*x = (struct libxc){.ck = ck, .off = off + IMAGE_HEADER_BYTES + DOMAIN_HEADER_BYTES};
	ck->info.stream_off = off;
	*ret_cut = false;
	if (image_header(x, &c, err))
		return -1;
	if (cur_ok(&c))
		ckpt_add_layer(ck, "libxc v%u", x->version);
	if (domain_header(x, &c, err))
		return -1;
	if (cur_ok(&c))
		return 0;
	*ret_cut = true;
	return ckpt_incomplete(ck, off, "the file ends in the libxc header at 0x%" PRIx64, off);
}

int record_read(const struct source *src, uint64_t off, const uint8_t *head, const char *stream,
	struct libxc_record *ret, struct err *err)
{
	if (!head)
		head = source_at(src, off, 8);
	*ret = (struct libxc_record){.off = off, .body_off = off + 8};
	if (!head)
		return 0;
	ret->type = num_le32(head);
	ret->len = num_le32(head + 4);
	if (ret->len > LIBXC_MAX_RECORD_BYTES)
		return err_set(err, ERR_CORRUPT,
			"%s record 0x%x at 0x%" PRIx64 ": length 0x%x, expected at most 0x%x",
			stream, ret->type, off, ret->len, LIBXC_MAX_RECORD_BYTES);
	ret->have = (uint32_t)MIN((uint64_t)ret->len, source_bytes(src) - ret->body_off);
	ret->body = source_at(src, ret->body_off, ret->have);
	return ret->have == ret->len;
}

uint64_t record_next(const struct libxc_record *rec)
{
	return rec->body_off + num_align_up(rec->len, LIBXC_RECORD_ALIGN);
}

void record_check_padding(struct ckpt *ck, const struct libxc_record *rec, const char *stream)
{
	uint64_t at = rec->body_off + rec->len, n = record_next(rec) - at;
	const uint8_t *p = source_at(ck->src, at, n);
	uint64_t i;

	for (i = 0; p && i < n; i++) {
		if (!p[i])
			continue;
		finding_add(&ck->findings, "XB002", finding_at_offset(at + i),
			"padding of %s record 0x%x at 0x%" PRIx64 " is 0x%02x, expected 0", stream,
			rec->type, rec->off, p[i]);
		return;
	}
}

int record_broken(struct ckpt *ck, const struct libxc_record *rec, struct err *err)
{
	if (!ck->nr_epochs || err->cls != ERR_CORRUPT)
		return -1;
	return ckpt_incomplete(ck, rec->off, "%.140s", err->text);
}

/* The file ends inside this record; of page data keep the whole pages. */
static int cut_record(struct libxc *x, const struct libxc_record *rec, struct err *err)
{
	uint64_t end = source_bytes(x->ck->src);

	if (!rec->body)
		return ckpt_incomplete(x->ck, rec->off,
			"the file ends at 0x%" PRIx64 ", where a libxc record was expected", end);
	if (rec->type == LIBXC_PAGE_DATA && libxc_page_data(x, rec, err))
		return record_broken(x->ck, rec, err);
	return ckpt_incomplete(x->ck, rec->off,
		"the file ends at 0x%" PRIx64 ", in the %s record at 0x%" PRIx64, end,
		libxc_type_name(rec->type), rec->off);
}

/* What the index looks at of a batch lies megabytes from the next. */
static const uint8_t *read_ahead(struct libxc *x)
{
	const struct source *src = x->ck->src;
	uint64_t left = source_bytes(src) - MIN(x->off, source_bytes(src));
	size_t n = (size_t)MIN(left, (uint64_t)sizeof(x->ahead));

	x->ahead_bytes = n >= 8 && source_copy(src, x->off, n, x->ahead) ? n : 0;
	return x->ahead_bytes ? x->ahead : NULL;
}

int libxc_records(struct libxc *x, enum libxc_stop *ret, struct err *err)
{
	struct ckpt *ck = x->ck;
	struct libxc_record rec;

	*ret = LIBXC_STOP_CUT;
	for (;;) {
		int r = record_read(ck->src, x->off, read_ahead(x), "libxc", &rec, err);

		if (r == 0)
			return cut_record(x, &rec, err);
		if (r < 0 || libxc_record(x, &rec, err))
			return record_broken(ck, &rec, err);
		record_check_padding(ck, &rec, "libxc");
		x->off = record_next(&rec);
		if (rec.type == LIBXC_END || rec.type == LIBXC_CHECKPOINT)
			break;
	}
	*ret = rec.type == LIBXC_END ? LIBXC_STOP_END : LIBXC_STOP_CHECKPOINT;
	return 0;
}

static int open_libxc(struct ckpt *ck, uint64_t off, struct err *err)
{
	struct libxc x;
	enum libxc_stop stop;
	bool cut;

	if (libxc_begin(&x, ck, off, &cut, err))
		return -1;
	if (cut)
		return 0;
	do {
		if (libxc_records(&x, &stop, err))
			return -1;
		/* Without libxl around it the checkpoint itself ends the epoch. */
		if (stop == LIBXC_STOP_CHECKPOINT && ckpt_commit(ck, err))
			return -1;
	} while (stop == LIBXC_STOP_CHECKPOINT);
	if (stop == LIBXC_STOP_END)
		ck->end = x.off;
	return 0;
}

const struct ckpt_format ckpt_format_libxc = {
	.name = "libxc", .probe = probe_libxc, .open = open_libxc, .verify = ckpt_verify_pv};
