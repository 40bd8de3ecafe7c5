/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ring.c - the request ring as it will stand on the target host.
 *
 * xen/include/public/io/blkif.h of Xen 2.0, packed, i386: operation u8, nr_segments u8, device u16,
 * id u32 at 4, sector_number u64 at 8, frame_and_sects[11] u32 at 16: bits 2:0 last sector, 5:3
 * first, 31:12 machine frame. Of recover_interface() and rec_ring_recover() in NetBSD's xbd.c with
 * the recovery ring: slots in ascending order to the start of a zeroed ring, the id replaced by the
 * index of the slot in the log.
 */
#include "replay/replay.h"

#include "base/num.h"

#include <string.h>

#define RING_HDR   8u
#define RING_SLOTS 64u
#define SLOT_BYTES 60u
#define MAX_SEGS   11u
#define MAX_MFN	   (1u << 20) /* of a 32-bit word, above its 12 low bits */

static int refuse(const struct replay_item *it, struct err *err, const char *what)
{
	return err_set(err, ERR_REFUSED,
		"slot %u of %s: %s; --skip-unknown leaves such requests out", it->req->slot,
		it->dev->name, what);
}

static int put_segment(
	const struct replay_item *it, const struct io_segment *seg, uint8_t *word, struct err *err)
{
	if (seg->frame == IO_FRAME_UNKNOWN || !seg->sects_known)
		return refuse(it, err, "a page of it is not known");
	if (seg->target_missing || seg->target_mfn.v >= MAX_MFN)
		return refuse(it, err, "the target has no frame for a page of it");
	num_put_le32(word, (uint32_t)(seg->target_mfn.v << PAGE_SHIFT) |
				   (uint32_t)(seg->first_sect & 7) << 3 | (seg->last_sect & 7));
	return 0;
}

static int put_request(const struct replay_item *it, uint8_t slot[SLOT_BYTES], struct err *err)
{
	const struct io_request *r = it->req;
	size_t i;

	memset(slot, 0, SLOT_BYTES);
	if (replay_needs_sector(r) && r->sector_from == IO_SECTOR_UNKNOWN)
		return refuse(it, err, "its sector is not known");
	if (!r->nr_seg || r->nr_seg > MAX_SEGS || r->nr_seg != r->segs_wanted)
		return refuse(it, err, "its pages are not known");
	slot[0] = r->wire_op;
	slot[1] = (uint8_t)r->nr_seg;
	num_put_le16(slot + 2, r->wire_handle);
	num_put_le32(slot + 4, r->slot);
	/* A probe has no sector: what the driver would copy means nothing to the backend. */
	num_put_le64(slot + 8, replay_needs_sector(r) ? r->sector : r->recorded_sector);
	for (i = 0; i < r->nr_seg; i++)
		if (put_segment(it, &r->seg[i], slot + 16 + 4 * i, err))
			return -1;
	return 0;
}

int replay_ring(const struct replay_plan *plan, bool skip_unknown, uint8_t ring[REPLAY_RING_BYTES],
	size_t *nr_skipped, struct err *err)
{
	uint32_t nr = 0;
	size_t i;

	memset(ring, 0, REPLAY_RING_BYTES);
	*nr_skipped = 0;
	for (i = 0; i < plan->nr; i++) {
		const struct replay_item *it = &plan->v[i];

		if (strcmp(it->dev->frontend, "netbsd-xbd"))
			return err_set(err, ERR_UNSUPPORTED,
				"%s grants its pages anew when it resumes, so the ring of %s "
				"cannot be known before; netbsd-xbd alone has one that can",
				it->dev->frontend, it->dev->name);
		if (nr == RING_SLOTS)
			return err_set(err, ERR_REFUSED,
				"more than the %u requests that the ring holds", RING_SLOTS);
		if (!put_request(it, ring + RING_HDR + (size_t)nr * SLOT_BYTES, err)) {
			nr++;
			continue;
		}
		if (!skip_unknown)
			return -1;
		memset(ring + RING_HDR + (size_t)nr * SLOT_BYTES, 0, SLOT_BYTES);
		++*nr_skipped;
	}
	num_put_le32(ring, nr); /* req_prod; resp_prod stays 0 */
	return 0;
}
