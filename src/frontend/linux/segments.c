/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/ctx.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/num.h"
#include "frontend/blkif_abi.h"

#define PAGE_LINK_CHAIN 1u /* scatterlist.h: this entry points to another list */
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
	/* x86-64 without DEBUG_SG, all versions. With 32 bits the entry ends with a bus address
	 * of 4 or 8 bytes. */
	static const struct linux_sg_layout usual = {
		.page_link = {.present = true, .off = 0, .bytes = 8},
		.offset = {.present = true, .off = 8, .bytes = 4},
		.length = {.present = true, .off = 12, .bytes = 4},
		.bytes = 32,
	};

	if (!types || layout_fill(types, specs, ARRAY_SIZE(specs), ret, NULL) ||
		layout_type_bytes(types, "scatterlist", &ret->bytes, NULL) || !ret->bytes)
		*ret = word_bytes == 8 ? usual : (struct linux_sg_layout){0};
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

/* A struct grant: its reference and, with persistent grants or bounce buffers, its page. */
static bool read_grant(struct linux_ctx *c, gva_t array, size_t k, struct io_segment *seg)
{
	struct err ignored = ERR_INIT;
	uint64_t grant, gref, page;

	if (guest_read_word(c->g, gva_add(array, c->word * k), &grant, &ignored) || !grant ||
		layout_read(c->g, GVA(grant), &c->l.grant_gref, &gref, &ignored))
		return false;
	seg->gref = (int64_t)gref;
	if (layout_read(c->g, GVA(grant), &c->l.grant_page, &page, &ignored) || !page ||
		!linux_pages_pfn(&c->pages, page, &seg->grant_pfn))
		seg->grant_pfn = PFN(UINT64_MAX);
	return true;
}

/* The entry that an indirect page gives the backend for segment k. */
static bool read_indirect(struct linux_ctx *c, gva_t array, size_t k, struct blkif_wire_seg *ret)
{
	struct err ignored = ERR_INIT;
	uint64_t grant, page;
	uint8_t raw[BLKIF_SEG_BYTES];
	pfn_t pfn;

	if (!array.v ||
		guest_read_word(c->g, gva_add(array, c->word * (k / BLKIF_SEGS_PER_PAGE)), &grant,
			&ignored) ||
		!grant || layout_read(c->g, GVA(grant), &c->l.grant_page, &page, &ignored) ||
		!linux_pages_pfn(&c->pages, page, &pfn) ||
		guest_read_phys(c->g, pfn, k % BLKIF_SEGS_PER_PAGE * BLKIF_SEG_BYTES, raw,
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
	gva_t used = GVA(layout_value(raw, len, &c->l.slot_grants_used));
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

int linux_decode_segments(struct linux_ctx *c, const uint8_t *raw, size_t len,
	const struct blkif_wire_request *wire, struct io_request *r, struct err *err)
{
	uint64_t nr = layout_value(raw, len, &c->l.slot_num_sg);
	uint64_t sg = layout_value(raw, len, &c->l.slot_sg);
	uint64_t bytes = 0;
	size_t k;
	int status = 0;

	r->segs_wanted = wire->nr_seg;
	if (!wire->nr_seg)
		return 0;
	if (nr > BLKIF_MAX_INDIRECT) {
		linux_trouble(r, "num_sg %" PRIu64 " is more than %u", nr, BLKIF_MAX_INDIRECT);
		nr = 0;
	}
	if (!sg && nr) {
		linux_trouble(r, "no scatter list");
		nr = 0;
	}
	for (k = 0; k < nr && !status; k++)
		status = add_sg_entry(c, sg + k * c->sg.bytes, k, r, err);
	if (status < 0)
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
