/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ring_image.c - the request ring as it will stand on the target host.
 *
 * Of recover_interface() and rec_ring_recover() in NetBSD's xbd.c with the recovery ring: slots in
 * ascending order to the start of a zeroed ring, the id replaced by the index of the slot in the
 * log. Here with the true sectors, which the driver never logged.
 */
#include "frontend/netbsd/xbd.h"

#include "base/num.h"

static int refuse_request(const struct resume_item *it, struct err *err, const char *what)
{
	err_set(err, ERR_REFUSED, "slot %u of %s: %s", it->req->slot, it->dev->name, what);
	return err_override(err, "skip-unknown");
}

/* A probe has no sector: what the driver would copy means nothing to the backend. */
static bool has_sector(const struct io_request *r)
{
	return r->op == IO_READ || r->op == IO_WRITE;
}

static int make_segment(
	const struct resume_item *it, const struct io_segment *seg, uint32_t *ret, struct err *err)
{
	if (seg->frame == IO_FRAME_UNKNOWN || !seg->sects_known)
		return refuse_request(it, err, "a page of it is not known");
	if (seg->target_missing || seg->target_mfn.v >= NB_MAX_FRAME)
		return refuse_request(it, err, "the target has no frame for a page of it");
	*ret = nb_fas((uint32_t)seg->target_mfn.v, seg->first_sect, seg->last_sect);
	return 0;
}

static int put_request(const struct resume_item *it, uint8_t slot[NB_SLOT_BYTES], struct err *err)
{
	const struct io_request *r = it->req;
	struct nb_wire w = {.op = r->wire_op,
		.nr_seg = (uint8_t)r->nr_seg,
		.device = r->wire_handle,
		.id = r->slot,
		.sector = has_sector(r) ? r->sector : r->recorded_sector};
	size_t i;

	if (has_sector(r) && r->sector_from == IO_SECTOR_UNKNOWN)
		return refuse_request(it, err, "its sector is not known");
	if (!r->nr_seg || r->nr_seg > NB_MAX_SEGS || r->nr_seg != r->segs_wanted)
		return refuse_request(it, err, "its pages are not known");
	for (i = 0; i < r->nr_seg; i++)
		if (make_segment(it, &r->seg[i], &w.fas[i], err))
			return -1;
	nb_wire_put(&w, slot);
	return 0;
}

int nb_ring_image(const struct resume_item *v, size_t nr, bool skip_unknown,
	struct resume_ring *ret, struct err *err)
{
	CLEANUP_FREE uint8_t *ring = calloc(1, NB_RING_BYTES);
	size_t i, nr_skipped = 0;
	uint32_t at = 0;

	if (!ring)
		return err_nomem(err, "the ring of the target");
	for (i = 0; i < nr; i++) {
		if (at == NB_SLOTS)
			return err_set(err, ERR_REFUSED,
				"more than the %u requests that the ring holds", NB_SLOTS);
		if (!put_request(&v[i], ring + NB_RING_HDR + (size_t)at * NB_SLOT_BYTES, err))
			at++;
		else if (skip_unknown)
			nr_skipped++;
		else
			return -1;
	}
	num_put_le32(ring, at); /* req_prod; resp_prod stays 0 */
	*ret = (struct resume_ring){take(ring), NB_RING_BYTES, nr_skipped};
	return 0;
}
