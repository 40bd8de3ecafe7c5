/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/ctx.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/num.h"
#include "frontend/blkif_abi.h"

#define PAGE_LINK_CHAIN 1u /* scatterlist.h: this entry points to another list */
#define PAGE_LINK_END	2u /* the last one */
#define PAGE_LINK_FLAGS 3u
/* blkfront sets a segment boundary of one page; a longer entry is not the driver's. Block-layer
 * pieces (multi-page bio_vec) may be as long as a request. */
#define MAX_PIECE_BYTES (64u << 20)

static const struct field_spec specs[] = {
	{"scatterlist", "page_link", offsetof(struct linux_sg_layout, page_link), true},
	{"scatterlist", "offset", offsetof(struct linux_sg_layout, offset), true},
	{"scatterlist", "length", offsetof(struct linux_sg_layout, length), true},
};

void linux_sg_layout(const struct layout *types, unsigned word_bytes, struct linux_sg_layout *ret)
{
	/* x86 without DEBUG_SG, all versions since 2.6.24. With 64 bits the entry has 32 bytes;
	 * with 32 bits it ends with a bus address of 4 or 8 bytes, and perhaps another length. */
	struct linux_sg_layout usual = {
		.page_link = {.present = true, .off = 0, .bytes = word_bytes},
		.offset = {.present = true, .off = word_bytes, .bytes = 4},
		.length = {.present = true, .off = word_bytes + 4, .bytes = 4},
		.bytes = word_bytes == 8 ? 32 : 0,
	};

	if (!types || layout_fill(types, specs, ARRAY_SIZE(specs), ret, NULL) ||
		layout_type_bytes(types, "scatterlist", &ret->bytes, NULL) || !ret->bytes)
		*ret = usual;
}

struct linux_slot_list linux_slot_list(
	struct linux_ctx *c, gva_t slot, const uint8_t *raw, const struct blkif_wire_request *wire)
{
	const struct linux_layout *l = &c->l;
	struct linux_slot_list ret = {.nr = wire->nr_seg};
	uint64_t nr;

	if (!l->slot_sg.present)
		return ret;
	/* An array in the slot in 3.10, a pointer since. */
	ret.at = l->slot_sg.bytes > c->word ? slot.v + l->slot_sg.off
					    : layout_value(raw, l->slot_bytes, &l->slot_sg);
	if (!l->slot_num_sg.present)
		return ret;
	nr = layout_value(raw, l->slot_bytes, &l->slot_num_sg);
	/* What lies behind the last segment is of an older request. */
	ret.nr = nr > BLKIF_MAX_INDIRECT ? nr : MIN(ret.nr, nr);
	return ret;
}

/* Is it a list of nr entries that the driver can have made, with `bytes` from one to the next? The
 * last one is marked (sg_mark_end()). */
static bool is_list(struct linux_ctx *c, uint64_t sg, uint64_t nr, uint32_t bytes)
{
	uint64_t k, link, offset, length;

	for (k = 0; k < nr; k++) {
		gva_t at = GVA(sg + k * bytes);

		if (layout_read(c->g, at, &c->sg.page_link, &link, NULL) ||
			layout_read(c->g, at, &c->sg.offset, &offset, NULL) ||
			layout_read(c->g, at, &c->sg.length, &length, NULL) ||
			!(link & ~(uint64_t)PAGE_LINK_FLAGS) || !length ||
			offset + length > PAGE_BYTES ||
			(link & PAGE_LINK_FLAGS) != (k + 1 == nr ? PAGE_LINK_END : 0))
			return false;
	}
	return true;
}

void linux_sg_learn(struct linux_ctx *c, uint64_t sg, uint64_t nr)
{
	uint32_t bytes;

	if (c->sg.bytes || nr < 2 || nr > BLKIF_MAX_INDIRECT || !sg)
		return;
	for (bytes = 16; bytes <= 28; bytes += 4)
		if (is_list(c, sg, nr, bytes)) {
			c->sg.bytes = bytes;
			return;
		}
}

void linux_trouble(struct io_request *r, const char *fmt, ...)
{
	va_list ap;

	if (r->trouble)
		return;
	va_start(ap, fmt);
	if (vasprintf(&r->trouble, fmt, ap) < 0)
		r->trouble = NULL;
	va_end(ap);
}

int linux_add_piece(const struct linux_pieces *to, uint64_t page, uint64_t offset, uint64_t bytes,
	struct err *err)
{
	struct io_request *r = to->r;
	pfn_t first = PFN(0);
	bool known = linux_pages_pfn(to->pages, page, &first);
	uint64_t frame = offset >> PAGE_SHIFT;

	if (!bytes || bytes > MAX_PIECE_BYTES || offset > UINT32_MAX) {
		linux_trouble(
			r, "a segment of %" PRIu64 " bytes at offset %" PRIu64, bytes, offset);
		return 1;
	}
	if (!known)
		linux_trouble(r, "page pointer 0x%" PRIx64 " names no frame", page);
	for (offset &= PAGE_OFFSET_MASK; bytes; offset = 0, frame++) {
		uint64_t n = MIN(bytes, PAGE_BYTES - offset);
		struct io_segment *seg;

		if (!*to->left) {
			linux_trouble(r, "more segments in the image than %u", LINUX_MAX_SEGMENTS);
			return 1;
		}
		--*to->left;
		seg = io_segment_append(r);
		if (!seg)
			return err_nomem(err, "the segments of a request");
		seg->frame = known ? IO_FRAME_OK : IO_FRAME_UNKNOWN;
		seg->pfn = PFN(known ? first.v + frame : 0);
		seg->offset = (uint32_t)offset;
		seg->bytes = (uint32_t)n;
		bytes -= n;
	}
	return 0;
}

/* The frame of a struct grant: of its page, which since 4.4 may be none. */
static bool grant_frame(struct linux_ctx *c, uint64_t grant, pfn_t *ret)
{
	uint64_t v;

	if (!layout_read(c->g, GVA(grant), &c->l.grant_pfn, &v, NULL)) {
		*ret = PFN(v);
		return v < guest_info(c->g)->nr_pfns;
	}
	return !layout_read(c->g, GVA(grant), &c->l.grant_page, &v, NULL) && v &&
	       linux_pages_pfn(&c->pages, v, ret);
}

/* A struct grant: its reference and, with persistent grants or bounce buffers, its page. */
static bool read_grant(struct linux_ctx *c, gva_t array, size_t k, struct io_segment *seg)
{
	struct err ignored = ERR_INIT;
	uint64_t grant, gref;

	if (guest_read_word(c->g, gva_add(array, c->word * k), &grant, &ignored) || !grant ||
		layout_read(c->g, GVA(grant), &c->l.grant_gref, &gref, &ignored))
		return false;
	seg->gref = (int64_t)gref;
	if (!grant_frame(c, grant, &seg->grant_pfn))
		seg->grant_pfn = PFN(UINT64_MAX);
	return true;
}

/* The entry that an indirect page gives the backend for segment k. */
static bool read_indirect(struct linux_ctx *c, gva_t array, size_t k, struct blkif_wire_seg *ret)
{
	struct err ignored = ERR_INIT;
	uint64_t grant;
	uint8_t raw[BLKIF_SEG_BYTES];
	pfn_t pfn;

	if (!array.v ||
		guest_read_word(c->g, gva_add(array, c->word * (k / BLKIF_SEGS_PER_PAGE)), &grant,
			&ignored) ||
		!grant || !grant_frame(c, grant, &pfn) ||
		guest_read_frame(c->g, pfn, k % BLKIF_SEGS_PER_PAGE * BLKIF_SEG_BYTES, raw,
			sizeof(raw), &ignored))
		return false;
	*ret = blkif_decode_seg(raw);
	return true;
}

/* What the wire says of segment k; false when that cannot be read. */
static bool wire_segment(struct linux_ctx *c, const struct blkif_wire_request *wire, gva_t indirect,
	size_t k, struct blkif_wire_seg *ret)
{
	if (k >= wire->nr_seg)
		return false;
	if (wire->op == BLKIF_OP_INDIRECT)
		return read_indirect(c, indirect, k, ret);
	if (k >= BLKIF_MAX_SEGMENTS)
		return false;
	*ret = wire->seg[k];
	return true;
}

/* One grant a segment, in order; where the driver's own array is unreadable, the wire's. */
static void fill_grants(struct linux_ctx *c, const uint8_t *raw, size_t len,
	const struct blkif_wire_request *wire, struct io_request *r)
{
	const struct field *f = &c->l.slot_grants_used;
	/* An array in the slot until 3.10, a pointer since. */
	gva_t used =
		f->bytes > c->word ? gva_add(r->slot_va, f->off) : GVA(layout_value(raw, len, f));
	gva_t indirect = GVA(layout_value(raw, len, &c->l.slot_indirect_grants));
	size_t k;

	for (k = 0; k < r->nr_seg; k++) {
		struct io_segment *seg = &r->seg[k];
		struct blkif_wire_seg w;

		if (wire_segment(c, wire, indirect, k, &w)) {
			seg->gref = w.gref;
			seg->sects_known = true;
			seg->first_sect = w.first;
			seg->last_sect = w.last;
		}
		if (!f->present)
			continue; /* the wire's are all there is */
		if ((!used.v || !read_grant(c, used, k, seg)) && seg->gref < 0)
			linux_trouble(r, "grant of segment %zu at 0x%" PRIx64 " is not readable", k,
				used.v + c->word * k);
		else if (seg->sects_known && seg->gref != w.gref)
			linux_trouble(r,
				"segment %zu was described to the backend with grant %u, the "
				"driver's list has %" PRId64,
				k, w.gref, seg->gref);
	}
}

static int add_sg_entry(
	struct linux_ctx *c, uint64_t at, size_t k, struct io_request *r, struct err *err)
{
	const struct linux_pieces to = {&c->pages, r, &c->left.segments};
	struct err why = ERR_INIT;
	uint64_t link, offset, length;

	if (layout_read(c->g, GVA(at), &c->sg.page_link, &link, &why) ||
		layout_read(c->g, GVA(at), &c->sg.offset, &offset, &why) ||
		layout_read(c->g, GVA(at), &c->sg.length, &length, &why)) {
		linux_trouble(r, "scatter list entry %zu: %s", k, why.text);
		return 1;
	}
	if (link & PAGE_LINK_CHAIN) {
		linux_trouble(r, "scatter list entry %zu at 0x%" PRIx64 " is a chain link", k, at);
		return 1;
	}
	return linux_add_piece(&to, link & ~(uint64_t)PAGE_LINK_FLAGS, offset, length, err);
}

/*
 * Without a scatter list: the frames that the driver logged, and of each what the wire says. Up to
 * 3.7 they are those of the data; in 3.8 and 3.9 those of the copy that is granted, which is what
 * resume grants again.
 */
static int add_frames(struct linux_ctx *c, const uint8_t *raw,
	const struct blkif_wire_request *wire, struct io_request *r, struct err *err)
{
	uint64_t nr = MIN((uint64_t)wire->nr_seg, BLKIF_MAX_SEGMENTS), k;

	if (wire->op == BLKIF_OP_INDIRECT)
		return 0;
	for (k = 0; k < nr; k++) {
		const uint8_t *at = raw + c->l.slot_frame.off + k * c->word;
		uint64_t pfn = c->word == 8 ? num_le64(at) : num_le32(at);
		const struct blkif_wire_seg *w = &wire->seg[k];
		struct io_segment *seg;

		if (!c->left.segments) {
			linux_trouble(r, "more segments in the image than %u", LINUX_MAX_SEGMENTS);
			return 0;
		}
		c->left.segments--;
		seg = io_segment_append(r);
		if (!seg)
			return err_nomem(err, "the segments of a request");
		seg->frame = pfn < guest_info(c->g)->nr_pfns ? IO_FRAME_OK : IO_FRAME_UNKNOWN;
		if (seg->frame == IO_FRAME_UNKNOWN)
			linux_trouble(r, "segment %" PRIu64 ": 0x%" PRIx64 " is no frame", k, pfn);
		seg->pfn = PFN(seg->frame == IO_FRAME_OK ? pfn : 0);
		seg->offset = w->first % (PAGE_BYTES / SECTOR_BYTES) * SECTOR_BYTES;
		if (w->first <= w->last && w->last < PAGE_BYTES / SECTOR_BYTES)
			seg->bytes = (w->last - w->first + 1u) * SECTOR_BYTES;
		else
			linux_trouble(r, "segment %" PRIu64 " has sectors %u to %u of its page", k,
				w->first, w->last);
	}
	return 0;
}

/* By the scatter list of the slot. */
static int add_list(struct linux_ctx *c, const struct linux_slot_list *list, struct io_request *r,
	struct err *err)
{
	uint64_t nr = list->nr;
	size_t k;
	int status = 0;

	if (nr > BLKIF_MAX_INDIRECT) {
		linux_trouble(r, "num_sg %" PRIu64 " is more than %u", nr, BLKIF_MAX_INDIRECT);
		nr = 0;
	}
	if (!list->at && nr) {
		linux_trouble(r, "no scatter list");
		nr = 0;
	}
	if (!c->sg.bytes && nr > 1) {
		linux_trouble(r, "how long an entry of a scatter list is, is not known");
		nr = 1;
	}
	for (k = 0; k < nr && !status; k++)
		status = add_sg_entry(c, list->at + k * c->sg.bytes, k, r, err);
	return status < 0 ? -1 : 0;
}

int linux_decode_segments(struct linux_ctx *c, const uint8_t *raw, size_t len,
	const struct blkif_wire_request *wire, struct io_request *r, struct err *err)
{
	struct linux_slot_list list = linux_slot_list(c, r->slot_va, raw, wire);
	uint64_t bytes = 0;
	size_t k;

	r->segs_wanted = wire->nr_seg;
	if (!wire->nr_seg)
		return 0;
	if (c->l.slot_sg.present ? add_list(c, &list, r, err) : add_frames(c, raw, wire, r, err))
		return -1;
	fill_grants(c, raw, len, wire, r);
	for (k = 0; k < r->nr_seg; k++)
		bytes += r->seg[k].bytes;
	r->nr_sectors = bytes / SECTOR_BYTES;
	if (r->nr_seg < r->segs_wanted)
		linux_trouble(
			r, "%zu of %" PRIu64 " segments could be read", r->nr_seg, r->segs_wanted);
	return 0;
}
