/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/driver_ring.h"

#include <inttypes.h>

#include "base/num.h"
#include "frontend/vdev.h"

struct io_ring *driver_ring_add(
	struct guest *g, const struct front_ring *r, struct blkdev *d, struct err *err)
{
	struct io_ring *ring = blkdev_add_ring(d);

	if (!ring) {
		err_nomem(err, "the rings of a device");
		return NULL;
	}
	ring->va = r->va;
	ring->sring_va = r->sring;
	ring->indices = IO_INDICES_READ;
	ring->req_prod_pvt = r->req_prod_pvt;
	ring->rsp_cons = r->rsp_cons;
	return shared_ring_fill(g, &r->shared, r->rsp_cons, ring, err) ? NULL : ring;
}

const struct io_ring_entry *driver_ring_answer(const struct io_ring *ring, uint64_t id)
{
	size_t i;

	for (i = 0; i < ring->nr_window && ring->window[i].is_response; i++)
		if (ring->window[i].id == id)
			return &ring->window[i];
	return NULL;
}

/* Entries that wait, the newest first, shown to the backend or not yet. */
static bool find_waiting(const struct guest *g, const struct front_ring *r, uint64_t id,
	struct blkif_wire_request *ret)
{
	uint32_t k;

	for (k = r->req_prod_pvt; k != r->shared.rsp_prod; k--) {
		uint8_t raw[BLKIF_MAX_REQUEST_BYTES];

		if (r->req_prod_pvt - k >= r->entries)
			return false;
		if (!shared_ring_entry(g, &r->shared, k - 1, raw))
			continue;
		blkif_decode_request(r->abi, raw, ret);
		if (ret->id == id)
			return true;
	}
	return false;
}

/* Entries under answers. */
static bool find_covered(const struct guest *g, const struct front_ring *r, uint32_t gref,
	struct blkif_wire_request *ret)
{
	uint32_t nr = MIN(r->entries - (r->req_prod_pvt - r->shared.rsp_prod), r->shared.rsp_prod),
		 k;
	unsigned i;

	for (k = 1; k <= nr && k <= r->entries; k++) {
		uint8_t raw[BLKIF_MAX_REQUEST_BYTES];

		if (!shared_ring_entry(g, &r->shared, r->shared.rsp_prod - k, raw) ||
			blkif_decode_seg(raw + r->abi->seg).gref != gref)
			continue;
		*ret = (struct blkif_wire_request){.sector = num_le64(raw + r->abi->sector)};
		for (i = 0; i < BLKIF_MAX_SEGMENTS; i++)
			ret->seg[i] = blkif_decode_seg(raw + r->abi->seg + BLKIF_SEG_BYTES * i);
		return true;
	}
	return false;
}

bool driver_ring_request(const struct guest *g, const struct front_ring *r, uint64_t id,
	uint32_t gref, struct blkif_wire_request *ret, bool *op_lost)
{
	*op_lost = false;
	if (r->req_prod_pvt - r->shared.rsp_prod > r->entries)
		return false;
	if (find_waiting(g, r, id, ret))
		return true;
	*op_lost = true;
	return gref != UINT32_MAX && gref && find_covered(g, r, gref, ret);
}

int driver_ring_segments(
	struct guest *g, gva_t buffer, uint64_t bytes, struct io_request *r, struct err *err)
{
	uint64_t done = 0;

	while (done < bytes && r->nr_seg < BLKIF_MAX_INDIRECT) {
		struct io_segment *s = io_segment_append(r);
		gva_t at = gva_add(buffer, done);
		struct guest_map map;

		if (!s)
			return err_nomem(err, "the segments of a request");
		s->offset = (uint32_t)(at.v & PAGE_OFFSET_MASK);
		s->bytes = (uint32_t)MIN(bytes - done, (uint64_t)PAGE_BYTES - s->offset);
		if (!guest_translate(g, at, &map, NULL)) {
			s->pfn = map.pfn;
			s->frame = IO_FRAME_OK;
		}
		done += s->bytes;
	}
	return 0;
}

void driver_ring_name(struct blkdev *d, uint64_t number, const struct ckpt_info *config)
{
	uint64_t theirs;
	size_t i;

	if (number == BLK_UNKNOWN_U64)
		return;
	d->handle = number;
	snprintf(d->name, sizeof(d->name), "vbd-%" PRIu64, number);
	snprintf(d->nodename, sizeof(d->nodename), "device/vbd/%" PRIu64, number);
	for (i = 0; config && i < config->nr_disks; i++) {
		const char *vdev = config->disks[i].vdev;

		if (!vdev || !vdev_number(vdev, &theirs) || theirs != number)
			continue;
		snprintf(d->name, sizeof(d->name), "%s", vdev);
		d->confirmed_by |= BLK_CONFIRMED_CONFIG;
	}
}

int driver_ring_close_books(struct io_ring *ring, struct err *err)
{
	CLEANUP_FREE bool *seen = calloc(ring->entries, sizeof(*seen));
	uint64_t id = ring->free_head;
	uint32_t i, nr = 0;

	if (!seen)
		return err_nomem(err, "the free list of a ring");
	for (i = 0; i < ring->entries; i++)
		if (ring->slots[i].used)
			ring->nr_used++;
		else if (!ring->slots[i].waiting)
			ring->nr_free++;
	while (id < ring->entries && !seen[id] && !ring->slots[id].used) {
		seen[id] = true;
		nr++;
		id = ring->slots[id].id;
	}
	ring->free_list_ok = id == ring->free_nil && nr == ring->nr_free;
	return 0;
}
