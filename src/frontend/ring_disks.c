/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/ring_disks.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "frontend/grants.h"
#include "frontend/ring_device.h"
#include "frontend/ring_shape.h"
#include "frontend/store_refs.h"
#include "frontend/vdev.h"

struct ring_job {
	struct guest *g;
	const struct ring_disks_how *how;
	bool must_be_confirmed; /* a kernel whose driver is known has no such disk any more */
	const struct ckpt_info *config; /* NULL: not known */
	struct snapshot *s;
	struct grants grants;
	struct store_ref refs[STORE_REFS_MAX];
	size_t nr_refs;
};

/* Which disk: the whole number where something tells it. */
struct ring_disk {
	uint64_t number; /* BLK_UNKNOWN_U64 */
	const char *name;
	bool handle_known;
	uint16_t handle;
	bool granted;
	uint32_t gref;
	unsigned confirmed_by;
};

/* xvd, hd, hdc, sd: numbers that the handle of a request holds whole (xen-vbd-interface(7)). */
static bool is_whole_number(uint16_t handle)
{
	unsigned major = handle >> 8;

	return major == 202 || major == 8 || major == 3 || major == 22;
}

static void ask_store(const struct ring_job *j, struct ring_disk *d)
{
	size_t i;

	for (i = 0; i < j->nr_refs; i++) {
		const struct store_ref *ref = &j->refs[i];
		bool same = d->granted ? ref->gref == d->gref
				       : d->handle_known && (uint16_t)ref->handle == d->handle;

		if (!same)
			continue;
		d->number = ref->handle;
		d->confirmed_by |= BLK_CONFIRMED_STORE;
	}
}

static void ask_config(const struct ring_job *j, struct ring_disk *d)
{
	uint64_t number;
	size_t i;

	for (i = 0; j->config && i < j->config->nr_disks; i++) {
		const char *vdev = j->config->disks[i].vdev;

		if (!vdev || !vdev_number(vdev, &number) ||
			(d->number == BLK_UNKNOWN_U64
					? !d->handle_known || (uint16_t)number != d->handle
					: number != d->number))
			continue;
		d->number = number;
		d->name = vdev;
		d->confirmed_by |= BLK_CONFIRMED_CONFIG;
		return;
	}
}

static void identify_disk(struct ring_job *j, const struct shared_ring *r, struct ring_disk *d)
{
	*d = (struct ring_disk){.number = BLK_UNKNOWN_U64};
	d->handle_known = ring_device_handle(j->g, r, &d->handle);
	d->granted = grants_ref(j->g, &j->grants, r->pages[0], &d->gref);
	if (d->granted)
		d->confirmed_by |= BLK_CONFIRMED_GRANTS;
	ask_store(j, d);
	ask_config(j, d);
	if (d->number == BLK_UNKNOWN_U64 && d->handle_known && is_whole_number(d->handle))
		d->number = d->handle;
}

static void name_device(struct blkdev *dev, const struct ring_disk *d, const struct shared_ring *r)
{
	if (d->name)
		snprintf(dev->name, sizeof(dev->name), "%s", d->name);
	else if (d->number != BLK_UNKNOWN_U64)
		snprintf(dev->name, sizeof(dev->name), "vbd-%" PRIu64, d->number);
	else
		snprintf(dev->name, sizeof(dev->name), "ring-0x%" PRIx64, r->pages[0].v);
	dev->handle = d->number;
	if (d->number != BLK_UNKNOWN_U64)
		snprintf(dev->nodename, sizeof(dev->nodename), "device/vbd/%" PRIu64, d->number);
}

/* Another queue of a disk that has one already, or a new disk. NULL: no memory. */
static struct blkdev *device_for(
	const struct ring_job *j, const struct ring_disk *d, const struct shared_ring *r)
{
	struct snapshot *s = j->s;
	struct blkdev *dev;
	size_t i;

	for (i = 0; d->number != BLK_UNKNOWN_U64 && i < s->nr_devices; i++)
		if (s->devices[i].handle == d->number)
			return &s->devices[i];
	dev = snapshot_add_device(s);
	if (!dev)
		return NULL;
	dev->driver = j->how->driver;
	snprintf(dev->driver_version, sizeof(dev->driver_version), "%s",
		j->how->version ? j->how->version : "");
	dev->located_by = BLK_BY_RING;
	dev->requests_known = true;
	name_device(dev, d, r);
	return dev;
}

/* Segments of an indirect request stand in pages of their own. */
static int read_indirect(
	struct ring_job *j, const uint32_t *grefs, struct io_request *r, struct err *err)
{
	uint64_t i;

	for (i = 0; i < r->segs_wanted && i < BLKIF_MAX_INDIRECT; i++) {
		struct blkif_wire_request one = {.op = BLKIF_OP_WRITE, .nr_seg = 1};
		const uint8_t *page;
		pfn_t pfn;

		page = grants_page(j->g, &j->grants, grefs[i / BLKIF_SEGS_PER_PAGE], &pfn)
			       ? guest_page(j->g, pfn)
			       : NULL;
		if (!page)
			return 0;
		one.seg[0] = blkif_decode_seg(page + i % BLKIF_SEGS_PER_PAGE * BLKIF_SEG_BYTES);
		if (shared_ring_segments(&one, r, err))
			return -1;
	}
	return 0;
}

static int find_pages(
	struct ring_job *j, const struct io_ring *ring, struct io_request *r, struct err *err)
{
	size_t i;

	for (i = 0; r->flags & IO_FLAG_INDIRECT && i < ring->nr_window; i++) {
		const struct io_ring_entry *e = &ring->window[i];

		if (!e->is_response && (e->index & (ring->entries - 1)) == r->slot &&
			read_indirect(j, e->gref, r, err))
			return -1;
	}
	for (i = 0; i < r->nr_seg; i++)
		if (grants_page(j->g, &j->grants, (uint64_t)r->seg[i].gref, &r->seg[i].pfn))
			r->seg[i].frame = IO_FRAME_OK;
	return 0;
}

static int add_ring(struct ring_job *j, const struct shared_ring *r, struct err *err)
{
	struct ring_disk disk;
	struct blkdev *dev;
	struct io_ring *ring;
	size_t i;

	identify_disk(j, r, &disk);
	if (j->must_be_confirmed && !disk.confirmed_by)
		return 0;
	dev = device_for(j, &disk, r);
	if (!dev || ring_device_add(j->g, r, ring_device_rsp_cons(r), dev, j->s, err))
		return dev ? -1 : err_nomem(err, "a device");
	dev->confirmed_by |= disk.confirmed_by;
	dev->confirmed = dev->confirmed_by & (BLK_CONFIRMED_GRANTS | BLK_CONFIRMED_CONFIG);
	ring = &dev->rings[dev->nr_rings - 1];
	if (disk.granted) {
		ring->grefs = malloc(sizeof(*ring->grefs));
		if (!ring->grefs)
			return err_nomem(err, "a grant");
		ring->grefs[ring->nr_grefs++] = disk.gref;
	}
	for (i = 0; i < dev->nr_requests; i++) {
		if (dev->requests[i].ring != ring->index)
			continue;
		if (find_pages(j, ring, &dev->requests[i], err))
			return -1;
		if (j->how->find_data)
			j->how->find_data(j->g, j->how->arg, r, &dev->requests[i]);
	}
	snapshot_how(j->s,
		"%s: a shared ring of %u entries (%s) at page 0x%" PRIx64 ", by its shape",
		dev->name, r->entries, r->abi->name, r->pages[0].v);
	return 0;
}

/* A table that gives away none of the rings is none, or not this guest's any more. */
static void find_grants(struct ring_job *j, const struct ring_shapes *found)
{
	uint32_t gref;
	size_t i;

	grants_find(j->g, &j->grants);
	for (i = 0; i < found->nr; i++)
		if (grants_ref(j->g, &j->grants, found->v[i].pages[0], &gref))
			return;
	j->grants.found = false;
}

static int add_rings(struct ring_job *j, const struct ring_shapes *found, struct err *err)
{
	size_t i;

	j->nr_refs = store_refs_read(j->g, j->refs);
	if (found->nr)
		find_grants(j, found);
	for (i = 0; i < found->nr; i++)
		if (add_ring(j, &found->v[i], err))
			return -1;
	if (found->more)
		finding_add(&j->s->findings, "XB802", finding_anywhere(),
			"more pages look like shared rings than can be; the rest was left out");
	return 0;
}

void ring_disks_buffer(struct guest *g, uint64_t buffer, struct io_request *req)
{
	struct guest_map map;
	size_t i;

	if (!req->nr_seg || (buffer & PAGE_OFFSET_MASK) != req->seg[0].offset)
		return;
	buffer &= ~(uint64_t)PAGE_OFFSET_MASK;
	for (i = 0; i < req->nr_seg; i++)
		if (!guest_translate(g, GVA(buffer + i * PAGE_BYTES), &map, NULL)) {
			req->seg[i].pfn = map.pfn;
			req->seg[i].frame = IO_FRAME_OK;
		}
}

int ring_disks_find(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	const struct ring_disks_how *how, struct snapshot *s, struct err *err)
{
	CLEANUP(ring_shapes_fini) struct ring_shapes found = {0};
	struct ring_job j = {.g = g,
		.how = how,
		.must_be_confirmed = kernel_linux(k) != NULL,
		.config = opt->config,
		.s = s};

	if (s->nr_devices || opt->locate == FRONTEND_LOCATE_SYMBOLS)
		return 0;
	/* Nothing runs there: a ring in its pages needs no addresses, but who asked for little can
	 * do without. */
	if (opt->facts_only && !guest_maps_anything(g))
		return 0;
	if (ring_shapes_find(g, &found, err))
		return -1;
	s->every_page = true;
	return add_rings(&j, &found, err);
}
