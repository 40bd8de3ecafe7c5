/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/shared_ring.h"

#include <string.h>

#include "base/num.h"

/* No disk has more sectors: 128 PiB. */
#define MAX_SECTOR (1ull << 48)
/* Grant tables of more than 32768 frames do not exist (gnttab_max_frames). */
#define MAX_GREF (1u << 24)

uint32_t shared_ring_entries(const struct blkif_abi *abi, unsigned nr_pages)
{
	uint64_t fit, n = 1;

	if (!nr_pages || nr_pages > SHARED_RING_MAX_PAGES)
		return 0;
	fit = ((uint64_t)nr_pages * PAGE_BYTES - BLKIF_SRING_HEADER) / abi->request_bytes;
	while (n * 2 <= fit)
		n *= 2;
	return (uint32_t)n;
}

bool shared_ring_header(const uint8_t *page, struct shared_ring *ret)
{
	unsigned i;

	for (i = BLKIF_SRING_PAD; i < BLKIF_SRING_HEADER; i += 8)
		if (num_le64(page + i))
			return false;
	ret->req_prod = num_le32(page + BLKIF_SRING_REQ_PROD);
	ret->req_event = num_le32(page + BLKIF_SRING_REQ_EVENT);
	ret->rsp_prod = num_le32(page + BLKIF_SRING_RSP_PROD);
	ret->rsp_event = num_le32(page + BLKIF_SRING_RSP_EVENT);
	/* Both sides ask to be told of something near what there is. */
	return ret->req_prod - ret->rsp_prod <= SHARED_RING_MAX_ENTRIES &&
	       ret->req_prod + 1 - ret->req_event <= 2 * SHARED_RING_MAX_ENTRIES &&
	       ret->req_prod + 1 - ret->rsp_event <= 2 * SHARED_RING_MAX_ENTRIES;
}

bool shared_ring_entry(
	const struct guest *g, const struct shared_ring *r, uint32_t index, uint8_t *raw)
{
	uint64_t off = blkif_ring_off(r->abi, r->entries, index);
	size_t done = 0, want = r->abi->request_bytes;

	while (done < want) {
		unsigned page = (unsigned)(off >> PAGE_SHIFT), at = off & PAGE_OFFSET_MASK;
		size_t n = MIN(want - done, (size_t)PAGE_BYTES - at);
		const uint8_t *data;

		data = page < r->nr_pages && r->pages[page].v != UINT64_MAX
			       ? guest_peek(g, r->pages[page])
			       : NULL;
		if (!data)
			return false;
		memcpy(raw + done, data + at, n);
		done += n;
		off += n;
	}
	return true;
}

static bool is_gref(uint32_t gref)
{
	return gref && gref < MAX_GREF;
}

static bool are_segments(const struct blkif_wire_request *w)
{
	unsigned i;

	if (w->nr_seg > BLKIF_MAX_SEGMENTS)
		return false;
	for (i = 0; i < w->nr_seg; i++)
		if (!is_gref(w->seg[i].gref) || w->seg[i].first > w->seg[i].last ||
			w->seg[i].last > 7)
			return false;
	return true;
}

static bool are_indirect(const struct blkif_wire_request *w)
{
	unsigned i, nr = (w->nr_seg + BLKIF_SEGS_PER_PAGE - 1) / BLKIF_SEGS_PER_PAGE;

	if (!w->nr_seg || w->nr_seg > BLKIF_MAX_INDIRECT || w->data_op > BLKIF_OP_WRITE)
		return false;
	for (i = 0; i < nr; i++)
		if (!is_gref(w->indirect_gref[i]))
			return false;
	return true;
}

bool shared_ring_is_request(const struct blkif_abi *abi, const uint8_t *raw)
{
	struct blkif_wire_request w;

	blkif_decode_request(abi, raw, &w);
	if (w.op == BLKIF_OP_FLUSH)
		return true; /* NetBSD leaves all but the id as it was, Linux has no sector */
	if (w.sector > MAX_SECTOR && w.nr_seg)
		return false;
	switch (w.op) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
		return w.nr_seg && are_segments(&w);
	case BLKIF_OP_WRITE_BARRIER:
		return are_segments(&w);
	case BLKIF_OP_DISCARD:
		return w.nr_sectors && w.nr_sectors <= MAX_SECTOR && w.sector <= MAX_SECTOR &&
		       w.flag <= BLKIF_DISCARD_SECURE;
	case BLKIF_OP_INDIRECT:
		return are_indirect(&w);
	default:
		return false;
	}
}

/* Status: BLKIF_RSP_OKAY, _ERROR, _EOPNOTSUPP. */
bool shared_ring_is_response(const struct blkif_abi *abi, const uint8_t *raw)
{
	struct blkif_wire_response rsp;

	blkif_decode_response(abi, raw, &rsp);
	return rsp.op <= BLKIF_OP_INDIRECT && rsp.op != 4 && rsp.status <= 0 && rsp.status >= -2;
}

static int fill_pages(
	struct guest *g, const struct shared_ring *r, struct io_ring *ret, struct err *err)
{
	unsigned i;

	ret->pages = calloc(r->nr_pages, sizeof(*ret->pages));
	ret->page_source_mfn = calloc(r->nr_pages, sizeof(*ret->page_source_mfn));
	ret->page_target_mfn = calloc(r->nr_pages, sizeof(*ret->page_target_mfn));
	if (!ret->pages || !ret->page_source_mfn || !ret->page_target_mfn)
		return err_nomem(err, "the pages of a ring");
	ret->nr_pages = r->nr_pages;
	for (i = 0; i < r->nr_pages; i++) {
		ret->pages[i] = r->pages[i];
		ret->page_source_mfn[i] = ret->page_target_mfn[i] = MFN_NONE;
		if (r->pages[i].v != UINT64_MAX)
			guest_page(g, r->pages[i]);
	}
	return 0;
}

static void fill_response(
	const struct blkif_abi *abi, const uint8_t *raw, struct io_ring_entry *ret)
{
	struct blkif_wire_response rsp;

	blkif_decode_response(abi, raw, &rsp);
	ret->is_response = true;
	ret->wire_op = rsp.op;
	ret->id = rsp.id;
	ret->status = rsp.status;
}

static void fill_request(const struct blkif_abi *abi, const uint8_t *raw, struct io_ring_entry *ret)
{
	struct blkif_wire_request req;
	unsigned i;

	blkif_decode_request(abi, raw, &req);
	ret->wire_op = req.op;
	ret->nr_seg = (uint8_t)MIN(req.nr_seg, UINT8_MAX);
	ret->id = req.id;
	ret->sector = req.sector;
	ret->nr_sectors = req.nr_sectors;
	if (req.op == BLKIF_OP_INDIRECT) {
		memcpy(ret->gref, req.indirect_gref, sizeof(req.indirect_gref));
		return;
	}
	ret->sects_known = ret->grefs_known = req.op != BLKIF_OP_DISCARD;
	for (i = 0; i < BLKIF_MAX_SEGMENTS; i++) {
		ret->gref[i] = req.seg[i].gref;
		ret->first_sect[i] = req.seg[i].first;
		ret->last_sect[i] = req.seg[i].last;
	}
}

static int fill_window(const struct guest *g, const struct shared_ring *r, uint32_t rsp_cons,
	struct io_ring *ret, struct err *err)
{
	uint32_t nr_rsp = r->rsp_prod - rsp_cons, nr_req = r->req_prod - r->rsp_prod, k;

	if (nr_rsp > r->entries || nr_req > r->entries - nr_rsp || !(nr_rsp + nr_req))
		return 0;
	ret->window = calloc(nr_rsp + nr_req, sizeof(*ret->window));
	if (!ret->window)
		return err_nomem(err, "the entries of a ring");
	for (k = 0; k < nr_rsp + nr_req; k++) {
		struct io_ring_entry *e = &ret->window[ret->nr_window];
		uint8_t raw[BLKIF_MAX_REQUEST_BYTES];

		if (!shared_ring_entry(g, r, rsp_cons + k, raw))
			continue;
		e->index = rsp_cons + k;
		if (k < nr_rsp)
			fill_response(r->abi, raw, e);
		else
			fill_request(r->abi, raw, e);
		ret->nr_window++;
	}
	return 0;
}

int shared_ring_fill(struct guest *g, const struct shared_ring *r, uint32_t rsp_cons,
	struct io_ring *ret, struct err *err)
{
	if (fill_pages(g, r, ret, err))
		return -1;
	ret->entries = r->entries;
	ret->sring_known = r->nr_pages && r->pages[0].v != UINT64_MAX && guest_page(g, r->pages[0]);
	ret->sring_req_prod = r->req_prod;
	ret->sring_rsp_prod = r->rsp_prod;
	ret->sring_req_event = r->req_event;
	ret->sring_rsp_event = r->rsp_event;
	return ret->sring_known ? fill_window(g, r, rsp_cons, ret, err) : 0;
}

int shared_ring_segments(
	const struct blkif_wire_request *wire, struct io_request *ret, struct err *err)
{
	unsigned i;

	for (i = 0; i < wire->nr_seg && i < BLKIF_MAX_SEGMENTS; i++) {
		const struct blkif_wire_seg *from = &wire->seg[i];
		struct io_segment *s = io_segment_append(ret);

		if (!s)
			return err_nomem(err, "the segments of a request");
		s->gref = from->gref;
		s->sects_known = true;
		s->first_sect = from->first;
		s->last_sect = from->last;
		if (from->first > from->last || from->last > 7)
			continue;
		s->offset = from->first * SECTOR_BYTES;
		s->bytes = (uint32_t)(from->last - from->first + 1) * SECTOR_BYTES;
		ret->nr_sectors += s->bytes / SECTOR_BYTES;
	}
	return 0;
}

int shared_ring_request(
	const struct blkif_wire_request *wire, struct io_request *ret, struct err *err)
{
	bool has_data =
		wire->op == BLKIF_OP_DISCARD || (wire->nr_seg && wire->op != BLKIF_OP_FLUSH);

	ret->op = io_op_of_blkif(wire->data_op);
	ret->wire_op = wire->op;
	ret->wire_handle = wire->handle;
	ret->handle_known = true;
	ret->id = wire->id;
	ret->nr_sectors = wire->nr_sectors;
	ret->sector_from = has_data ? IO_SECTOR_RING : IO_SECTOR_UNKNOWN;
	ret->sector = has_data ? wire->sector : 0;
	if (wire->op == BLKIF_OP_DISCARD && (wire->flag & BLKIF_DISCARD_SECURE))
		ret->flags |= IO_FLAG_SECURE;
	if (!has_data || wire->op == BLKIF_OP_DISCARD)
		return 0;
	ret->segs_wanted = wire->nr_seg;
	if (wire->op == BLKIF_OP_INDIRECT) {
		ret->flags |= IO_FLAG_INDIRECT;
		return 0;
	}
	return shared_ring_segments(wire, ret, err);
}
