/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux_decode.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "frontend/blkif_abi.h"

/* drivers/block/xen-blkfront.c: the end of the list of free slots. */
#define FREE_LIST_NIL 0x0fffffffu
/* A shadow slot is 160 bytes; debugging options may enlarge it. Ours to choose. */
#define MAX_SLOT_BYTES 1024u
/* enum blkif_state: the driver is in blkfront_resume(), its shadow is being re-issued. */
#define BLKIF_STATE_SUSPENDED 2u

/* What decoding one ring needs to hand around. */
struct ring_job {
	struct linux_ctx *c;
	struct blkdev *d;
	struct io_ring *ring;
	int16_t *rsp_status; /* by slot; valid where `responded` */
	bool *responded;
};

static void free_job(struct ring_job *j)
{
	free(j->rsp_status);
	free(j->responded);
}

static void ring_finding(struct ring_job *j, const char *what, const struct err *why)
{
	finding_add(&j->c->s->findings, "XB311",
		finding_at_slot(j->d->name, (int)j->ring->index, -1),
		"ring %u at 0x%" PRIx64 ": %s: %s", j->ring->index, j->ring->va.v, what, why->text);
}

static bool get_u32(
	struct linux_ctx *c, gva_t va, const struct field *f, uint32_t *ret, struct err *why)
{
	uint64_t v;

	if (linux_get(c->g, va, f, &v, why))
		return false;
	*ret = (uint32_t)v;
	return true;
}

/* The indices and pointers of the driver's ring structure. */
static bool read_ring_header(struct ring_job *j, gva_t info, struct err *why)
{
	struct linux_ctx *c = j->c;
	struct io_ring *r = j->ring;
	uint64_t sring, back;

	if (!get_u32(c, r->va, &c->l.ring_pvt, &r->req_prod_pvt, why) ||
		!get_u32(c, r->va, &c->l.ring_cons, &r->rsp_cons, why) ||
		!get_u32(c, r->va, &c->l.ring_nr_ents, &r->entries, why) ||
		linux_get(c->g, r->va, &c->l.ring_sring, &sring, why) ||
		linux_get(c->g, r->va, &c->l.ring_shadow_free, &r->free_head, why) ||
		linux_get(c->g, r->va, &c->l.ring_dev_info, &back, why))
		return false;
	if (back != info.v) {
		err_set(why, ERR_CORRUPT, "dev_info is 0x%" PRIx64 ", expected 0x%" PRIx64, back,
			info.v);
		return false;
	}
	if (!r->entries || r->entries > BLKIF_MAX_RING_ENTRIES || (r->entries & (r->entries - 1))) {
		err_set(why, ERR_CORRUPT, "%u entries, expected a power of two up to %u",
			r->entries, BLKIF_MAX_RING_ENTRIES);
		return false;
	}
	if (r->entries > c->slots_left) {
		err_set(why, ERR_CORRUPT, "more shadow slots in the image than %u",
			LINUX_MAX_SLOTS);
		return false;
	}
	c->slots_left -= r->entries;
	r->sring_va = GVA(sring);
	r->shadow_va = gva_add(r->va, c->l.ring_shadow.off);
	r->free_nil = FREE_LIST_NIL;
	return true;
}

/* Pages that the shared ring must have to hold its entries. */
static size_t ring_pages(struct ring_job *j, gva_t info)
{
	const struct blkif_abi *abi = &blkif_abi_x86_64;
	struct err ignored = ERR_INIT;
	uint64_t nr, need;

	if (!linux_get(j->c->g, info, &j->c->l.info_nr_ring_pages, &nr, &ignored) &&
		nr <= BLKIF_MAX_RING_PAGES &&
		blkif_ring_entries(abi, (unsigned)nr) == j->ring->entries)
		return (size_t)nr;
	need = BLKIF_SRING_HEADER + (uint64_t)j->ring->entries * abi->request_bytes;
	return (size_t)((need + PAGE_BYTES - 1) / PAGE_BYTES);
}

static int read_ring_pages(struct ring_job *j, gva_t info, struct err *err)
{
	struct io_ring *r = j->ring;
	uint8_t raw[4 * BLKIF_MAX_RING_PAGES];
	struct err ignored = ERR_INIT;
	size_t i, nr = ring_pages(j, info);

	r->pages = calloc(nr, sizeof(*r->pages));
	r->page_source_mfn = calloc(nr, sizeof(*r->page_source_mfn));
	r->page_target_mfn = calloc(nr, sizeof(*r->page_target_mfn));
	r->grefs = calloc(nr, sizeof(*r->grefs));
	if (!r->pages || !r->page_source_mfn || !r->page_target_mfn || !r->grefs)
		return err_nomem(err, "the pages of a ring");
	r->nr_pages = nr;
	for (i = 0; i < nr; i++) {
		struct guest_map map;

		r->page_source_mfn[i] = r->page_target_mfn[i] = MFN_NONE;
		r->pages[i] = PFN(UINT64_MAX);
		if (!guest_translate(j->c->g, gva_add(r->sring_va, i * PAGE_BYTES), &map, &ignored))
			r->pages[i] = map.pfn;
	}
	if (j->c->l.ring_ref.present && nr * 4 <= MIN(j->c->l.ring_ref.bytes, sizeof(raw)) &&
		!guest_read(j->c->g, gva_add(r->va, j->c->l.ring_ref.off), raw, nr * 4, &ignored))
		for (r->nr_grefs = 0; r->nr_grefs < nr; r->nr_grefs++)
			r->grefs[r->nr_grefs] = num_le32(raw + 4 * r->nr_grefs);
	return 0;
}

static void read_sring(struct ring_job *j)
{
	struct io_ring *r = j->ring;
	struct err why = ERR_INIT;
	uint8_t raw[BLKIF_SRING_PAD];

	if (guest_read(j->c->g, r->sring_va, raw, sizeof(raw), &why)) {
		ring_finding(j, "the shared page cannot be read", &why);
		return;
	}
	r->sring_known = true;
	r->sring_req_prod = num_le32(raw + BLKIF_SRING_REQ_PROD);
	r->sring_rsp_prod = num_le32(raw + BLKIF_SRING_RSP_PROD);
	r->sring_req_event = num_le32(raw + BLKIF_SRING_REQ_EVENT);
	r->sring_rsp_event = num_le32(raw + BLKIF_SRING_RSP_EVENT);
}

static void window_response(struct ring_job *j, const uint8_t *raw, struct io_ring_entry *e)
{
	struct blkif_wire_response rsp;

	blkif_decode_response(&blkif_abi_x86_64, raw, &rsp);
	e->is_response = true;
	e->wire_op = rsp.op;
	e->id = rsp.id;
	e->status = rsp.status;
	if (rsp.id < j->ring->entries) {
		j->responded[rsp.id] = true;
		j->rsp_status[rsp.id] = rsp.status;
	}
}

static void window_request(const uint8_t *raw, struct io_ring_entry *e)
{
	struct blkif_wire_request req;
	unsigned i;

	blkif_decode_request(&blkif_abi_x86_64, raw, &req);
	e->wire_op = req.op;
	e->nr_seg = (uint8_t)MIN(req.nr_seg, UINT8_MAX);
	e->id = req.id;
	e->sector = req.sector;
	if (req.op == BLKIF_OP_INDIRECT) {
		for (i = 0; i < BLKIF_MAX_INDIRECT_PAGES; i++)
			e->gref[i] = req.indirect_gref[i];
		return;
	}
	for (i = 0; i < BLKIF_MAX_SEGMENTS; i++)
		e->gref[i] = req.seg[i].gref;
}

/*
 * Responses that the guest has not consumed, then requests without a response. Indices that are
 * further apart than the ring is long mean nothing; then the window is empty and a rule says why.
 */
static int read_window(struct ring_job *j, struct err *err)
{
	struct io_ring *r = j->ring;
	uint32_t nr_rsp = r->sring_rsp_prod - r->rsp_cons, k, total;
	uint32_t nr_req = r->sring_req_prod - r->sring_rsp_prod;

	if (!r->sring_known || nr_rsp > r->entries || nr_req > r->entries - nr_rsp)
		return 0;
	total = nr_rsp + nr_req;
	if (!total)
		return 0;
	r->window = calloc(total, sizeof(*r->window));
	if (!r->window)
		return err_nomem(err, "the entries of a ring");
	for (k = 0; k < total; k++) {
		struct io_ring_entry *e = &r->window[r->nr_window];
		uint64_t off = blkif_ring_off(&blkif_abi_x86_64, r->entries, r->rsp_cons + k);
		struct err ignored = ERR_INIT;
		uint8_t raw[112];

		if (guest_read(j->c->g, gva_add(r->sring_va, off), raw, sizeof(raw), &ignored))
			continue;
		e->index = r->rsp_cons + k;
		if (k < nr_rsp)
			window_response(j, raw, e);
		else
			window_request(raw, e);
		r->nr_window++;
	}
	return 0;
}

static enum io_op op_of(uint8_t data_op)
{
	switch (data_op) {
	case BLKIF_OP_READ:
		return IO_READ;
	case BLKIF_OP_WRITE:
		return IO_WRITE;
	case BLKIF_OP_WRITE_BARRIER:
		return IO_BARRIER;
	case BLKIF_OP_FLUSH:
		return IO_FLUSH;
	case BLKIF_OP_DISCARD:
		return IO_DISCARD;
	default:
		return IO_UNKNOWN;
	}
}

static void fill_request(const struct ring_job *j, unsigned slot,
	const struct blkif_wire_request *wire, struct io_request *r)
{
	const struct io_slot *s = &j->ring->slots[slot];
	bool has_data = wire->nr_seg || wire->op == BLKIF_OP_DISCARD;

	r->ring = j->ring->index;
	r->slot = slot;
	r->op = op_of(wire->data_op);
	r->wire_op = wire->op;
	r->wire_handle = wire->handle;
	r->handle_known = true;
	r->id = s->id;
	if (wire->op == BLKIF_OP_INDIRECT)
		r->flags |= IO_FLAG_INDIRECT;
	if (wire->op == BLKIF_OP_DISCARD && (wire->flag & BLKIF_DISCARD_SECURE))
		r->flags |= IO_FLAG_SECURE;
	r->sector_from = has_data ? IO_SECTOR_SHADOW : IO_SECTOR_UNKNOWN;
	r->sector = has_data ? wire->sector : 0;
	r->nr_sectors = wire->nr_sectors;
	r->state = j->responded[slot] ? IO_RESPONDED : IO_PENDING;
	r->rsp_status = j->responded[slot] ? j->rsp_status[slot] : 0;
	r->slot_va = gva_add(j->ring->shadow_va, (uint64_t)slot * j->c->l.slot_bytes);
	r->request_va = GVA(s->request);
	r->status = s->status;
	r->associated_id = s->associated_id;
}

static int add_request(struct ring_job *j, unsigned slot, const uint8_t *raw,
	const struct blkif_wire_request *wire, struct err *err)
{
	struct io_request *r = io_request_append(&j->d->requests, &j->d->nr_requests);

	if (!r)
		return err_nomem(err, "the requests of a device");
	fill_request(j, slot, wire, r);
	if (linux_decode_segments(j->c, raw, j->c->l.slot_bytes, wire, r, err))
		return -1;
	linux_decode_request_facts(j->c, r);
	return 0;
}

static int read_slot(struct ring_job *j, unsigned slot, struct err *err)
{
	const struct linux_layout *l = &j->c->l;
	struct io_slot *s = &j->ring->slots[slot];
	gva_t va = gva_add(j->ring->shadow_va, (uint64_t)slot * l->slot_bytes);
	struct blkif_wire_request wire;
	uint8_t raw[MAX_SLOT_BYTES];
	struct err why = ERR_INIT;

	if (guest_read(j->c->g, va, raw, l->slot_bytes, &why)) {
		s->unreadable = true;
		finding_add(&j->c->s->findings, "XB311",
			finding_at_slot(j->d->name, (int)j->ring->index, (int)slot),
			"ring %u slot %u cannot be read: %s", j->ring->index, slot, why.text);
		return 0;
	}
	blkif_decode_request(&blkif_abi_x86_64, raw + l->slot_req.off, &wire);
	s->request = linux_field(raw, l->slot_bytes, &l->slot_request);
	s->used = s->request != 0;
	s->wire_op = wire.op;
	s->nr_seg_wire = wire.nr_seg;
	s->id = wire.id;
	s->status = l->slot_status.present
			    ? (uint32_t)linux_field(raw, l->slot_bytes, &l->slot_status)
			    : UINT32_MAX;
	s->associated_id = l->slot_associated_id.present
				   ? linux_field(raw, l->slot_bytes, &l->slot_associated_id)
				   : UINT64_MAX;
	if (!s->used) {
		j->ring->nr_free++;
		return 0;
	}
	j->ring->nr_used++;
	return add_request(j, slot, raw, &wire, err);
}

/* Does the list from free_head visit every free slot once and end with the driver's own end? */
static int check_free_list(struct io_ring *r, struct err *err)
{
	CLEANUP_FREE bool *seen = calloc(r->entries, sizeof(*seen));
	uint64_t id = r->free_head;
	uint32_t nr = 0;

	if (!seen)
		return err_nomem(err, "the free list of a ring");
	while (id < r->entries && !seen[id]) {
		const struct io_slot *s = &r->slots[id];

		if (s->used || s->unreadable)
			return 0;
		seen[id] = true;
		nr++;
		id = s->id;
	}
	r->free_list_ok = id == r->free_nil && nr == r->nr_free;
	return 0;
}

static int read_slots(struct ring_job *j, struct err *err)
{
	struct io_ring *r = j->ring;
	unsigned i;

	r->slots = calloc(r->entries, sizeof(*r->slots));
	if (!r->slots)
		return err_nomem(err, "the slots of a ring");
	for (i = 0; i < r->entries; i++)
		if (read_slot(j, i, err))
			return -1;
	return check_free_list(r, err);
}

static int decode_ring(struct linux_ctx *c, gva_t info, struct blkdev *d, unsigned index, gva_t va,
	struct err *err)
{
	CLEANUP(free_job) struct ring_job j = {.c = c, .d = d, .ring = &d->rings[index]};
	struct err why = ERR_INIT;

	j.ring->index = index;
	j.ring->va = va;
	if (!read_ring_header(&j, info, &why)) {
		ring_finding(&j, "cannot be decoded", &why);
		j.ring->entries = 0;
		return 0;
	}
	j.rsp_status = calloc(j.ring->entries, sizeof(*j.rsp_status));
	j.responded = calloc(j.ring->entries, sizeof(*j.responded));
	if (!j.rsp_status || !j.responded)
		return err_nomem(err, "the responses of a ring");
	if (read_ring_pages(&j, info, err))
		return -1;
	read_sring(&j);
	if (read_window(&j, err))
		return -1;
	return read_slots(&j, err);
}

/* Distance between the ring structures of a device; 0 when it makes no sense. */
static uint64_t ring_stride(struct linux_ctx *c, gva_t info, gva_t rinfo)
{
	const struct linux_layout *l = &c->l;
	struct err ignored = ERR_INIT;
	uint64_t stored, entries;

	if (!l->info_rinfo_size.present) /* an array of whole structures */
		return l->ring_bytes;
	if (linux_get(c->g, info, &l->info_rinfo_size, &stored, &ignored) ||
		linux_get(c->g, rinfo, &l->ring_nr_ents, &entries, &ignored) ||
		entries > BLKIF_MAX_RING_ENTRIES)
		return 0;
	return stored == l->ring_shadow.off + entries * l->slot_bytes ? stored : 0;
}

static int decode_rings(struct linux_ctx *c, gva_t info, struct blkdev *d, struct err *err)
{
	struct err why = ERR_INIT;
	uint64_t rinfo, nr, stride;
	unsigned i;

	if (linux_get(c->g, info, &c->l.info_rinfo, &rinfo, &why) ||
		linux_get(c->g, info, &c->l.info_nr_rings, &nr, &why)) {
		finding_add(&c->s->findings, "XB311", finding_at_device(d->name),
			"the rings of %s cannot be found: %s", d->name, why.text);
		return 0;
	}
	if (!rinfo || !nr) /* not connected yet, or being torn down */
		return 0;
	stride = ring_stride(c, info, GVA(rinfo));
	if (nr > c->rings_left || (!stride && nr > 1)) {
		finding_add(&c->s->findings, "XB311", finding_at_device(d->name),
			"%s claims %" PRIu64 " rings at 0x%" PRIx64
			" whose size does not fit their entries",
			d->name, nr, rinfo);
		nr = MIN(1u, c->rings_left);
	}
	c->rings_left -= nr;
	d->rings = calloc(nr, sizeof(*d->rings));
	if (!d->rings)
		return err_nomem(err, "the rings of a device");
	for (i = 0; i < nr; i++) {
		d->nr_rings = i + 1;
		if (decode_ring(c, info, d, i, GVA(rinfo + i * stride), err))
			return -1;
	}
	return 0;
}

static enum tri tri_of(struct linux_ctx *c, gva_t base, const struct field *f)
{
	struct err ignored = ERR_INIT;
	uint64_t v;

	if (linux_get(c->g, base, f, &v, &ignored))
		return TRI_UNKNOWN;
	return v ? TRI_YES : TRI_NO;
}

static uint64_t u64_of(struct linux_ctx *c, gva_t base, const struct field *f, uint64_t otherwise)
{
	struct err ignored = ERR_INIT;
	uint64_t v;

	return linux_get(c->g, base, f, &v, &ignored) ? otherwise : v;
}

bool linux_vdev_name(uint64_t vdevice, char *buf, size_t cap)
{
	uint64_t disk, part;
	char letters[8];
	int at = sizeof(letters) - 1;

	if (vdevice >> 28 == 1) { /* extended: 1 << 28 | disk << 8 | partition */
		disk = vdevice >> 8 & 0xfffff;
		part = vdevice & 0xff;
	} else if (vdevice >> 8 == 202) {
		disk = vdevice >> 4 & 0xf;
		part = vdevice & 0xf;
	} else {
		return false;
	}
	letters[at] = '\0';
	for (disk++; disk && at; disk /= 26)
		letters[--at] = (char)('a' + --disk % 26);
	snprintf(buf, cap, part ? "xvd%s%u" : "xvd%s", letters + at, (unsigned)part);
	return true;
}

/* Disk names are letters, then digits; anything else is not a name. */
static bool plausible_name(const char *name)
{
	size_t letters = strspn(name, "abcdefghijklmnopqrstuvwxyz");

	return letters && strlen(name) < 32 &&
	       letters + strspn(name + letters, "0123456789") == strlen(name);
}

static void name_device(struct linux_ctx *c, uint64_t gd, uint64_t vdevice, struct blkdev *d)
{
	struct err ignored = ERR_INIT;
	char name[32];

	if (gd && c->l.gd_disk_name.present &&
		!guest_read_str(c->g, gva_add(GVA(gd), c->l.gd_disk_name.off), name, sizeof(name),
			&ignored) &&
		plausible_name(name))
		snprintf(d->name, sizeof(d->name), "%s", name);
	else if (vdevice != BLK_UNKNOWN_U64 && linux_vdev_name(vdevice, d->name, sizeof(d->name)))
		return;
	else if (vdevice != BLK_UNKNOWN_U64)
		snprintf(d->name, sizeof(d->name), "vbd-%" PRIu64, vdevice);
	else
		snprintf(d->name, sizeof(d->name), "vbd");
}

static const char *state_name(uint64_t connected)
{
	static const char *const names[] = {"disconnected", "connected", "suspended", "error"};

	return connected < ARRAY_SIZE(names) ? names[connected] : "unknown";
}

/* Capacity and write protection lie in the whole-disk partition, a structure of its own since
 * Linux 5.11. */
static void decode_capacity(struct linux_ctx *c, gva_t gd, struct blkdev *d)
{
	/* include/linux/blk_types.h: BD_READ_ONLY, above the 8 bits of the partition number. */
	static const unsigned bd_read_only = 1u << 8;
	const struct linux_layout *l = &c->l;
	struct err ignored = ERR_INIT;
	uint64_t part0, flags;

	if (l->gd_part0_nr_sects.present) {
		d->nr_sectors = u64_of(c, gd, &l->gd_part0_nr_sects, BLK_UNKNOWN_U64);
		return;
	}
	if (linux_get(c->g, gd, &l->gd_part0, &part0, &ignored) || !part0)
		return;
	d->nr_sectors = u64_of(c, GVA(part0), &l->bdev_nr_sectors, BLK_UNKNOWN_U64);
	if (l->bdev_read_only.present)
		d->read_only = tri_of(c, GVA(part0), &l->bdev_read_only);
	else if (!linux_get(c->g, GVA(part0), &l->bdev_flags, &flags, &ignored))
		d->read_only = flags & bd_read_only ? TRI_YES : TRI_NO;
}

static void decode_xenbus(struct linux_ctx *c, gva_t info, struct blkdev *d)
{
	struct err ignored = ERR_INIT;
	uint64_t xb = u64_of(c, info, &c->l.info_xbdev, 0);
	uint64_t name, domid;

	if (!xb)
		return;
	if (!linux_get(c->g, GVA(xb), &c->l.xb_nodename, &name, &ignored) && name &&
		guest_read_str(c->g, GVA(name), d->nodename, sizeof(d->nodename), &ignored))
		d->nodename[0] = '\0';
	if (!linux_get(c->g, GVA(xb), &c->l.xb_otherend_id, &domid, &ignored) && domid < 0x7ff0)
		d->backend_domid = (int)domid; /* DOMID_FIRST_RESERVED is 0x7ff0 */
}

static void decode_facts(struct linux_ctx *c, gva_t info, struct blkdev *d)
{
	const struct linux_layout *l = &c->l;
	uint64_t gd = u64_of(c, info, &l->info_gd, 0);
	uint64_t rq = u64_of(c, info, &l->info_rq, 0), connected;

	d->va = info;
	d->located_by = c->located_by;
	d->status_waiting = l->status_waiting;
	snprintf(d->frontend, sizeof(d->frontend), "linux-blkfront");
	d->handle = u64_of(c, info, &l->info_vdevice, BLK_UNKNOWN_U64);
	name_device(c, gd, d->handle, d);
	connected = u64_of(c, info, &l->info_connected, UINT64_MAX);
	snprintf(d->state, sizeof(d->state), "%s", state_name(connected));
	if (connected <= BLKIF_STATE_SUSPENDED)
		d->recovering = connected == BLKIF_STATE_SUSPENDED ? TRI_YES : TRI_NO;
	d->feature_flush = tri_of(c, info, &l->info_flush);
	d->feature_fua = tri_of(c, info, &l->info_fua);
	d->feature_discard = tri_of(c, info, &l->info_discard);
	d->feature_secure_discard = tri_of(c, info, &l->info_secdiscard);
	d->feature_persistent = tri_of(c, info, &l->info_persistent);
	d->bounce = tri_of(c, info, &l->info_bounce);
	d->max_indirect_segments = u64_of(c, info, &l->info_max_indirect, BLK_UNKNOWN_U64);
	d->discard_granularity = u64_of(c, info, &l->info_discard_granularity, BLK_UNKNOWN_U64);
	if (rq) {
		d->logical_block_bytes = (uint32_t)u64_of(c, GVA(rq), &l->q_logical_size, 0);
		d->physical_block_bytes = (uint32_t)u64_of(c, GVA(rq), &l->q_physical_size, 0);
	}
	if (!d->logical_block_bytes)
		d->logical_block_bytes = (uint32_t)u64_of(c, info, &l->info_sector_size, 0);
	if (!d->physical_block_bytes)
		d->physical_block_bytes = (uint32_t)u64_of(c, info, &l->info_physical_size, 0);
	if (gd)
		decode_capacity(c, GVA(gd), d);
	decode_xenbus(c, info, d);
}

void linux_ctx_init(struct linux_ctx *c, struct guest *g, struct snapshot *s)
{
	*c = (struct linux_ctx){
		.g = g,
		.s = s,
		.rings_left = LINUX_MAX_RINGS,
		.slots_left = LINUX_MAX_SLOTS,
		.segments_left = LINUX_MAX_SEGMENTS,
		.tags_left = LINUX_MAX_TAGS,
	};
}

int linux_decode_device(struct linux_ctx *c, gva_t info, struct blkdev *d, struct err *err)
{
	if (c->l.slot_bytes > MAX_SLOT_BYTES || c->l.slot_req.off + 112 > c->l.slot_bytes)
		return err_set(err, ERR_UNSUPPORTED, "a shadow slot of %u bytes", c->l.slot_bytes);
	decode_facts(c, info, d);
	if (decode_rings(c, info, d, err))
		return -1;
	if (c->facts_only)
		return 0;
	return linux_decode_queue(c, info, d, err);
}
