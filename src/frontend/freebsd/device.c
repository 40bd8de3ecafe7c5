/* SPDX-License-Identifier: BSD-2-Clause
 *
 * device.c - the commands of a device: those on the ring, and those that wait for it.
 */
#include "frontend/freebsd/blkfront.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

/* Of bios that wait, all together: 256 MiB. */
#define MAX_WAITING_PAGES 65536u

/* What decoding one device needs to hand around. */
struct fb_job {
	struct guest *g;
	const struct fb_device *f;
	struct blkdev *d;
	struct io_ring *ring;
	struct snapshot *s;
};

static uint64_t word_at(const struct fb_job *j, const uint8_t *p)
{
	return guest_word_bytes(j->g) == 8 ? num_le64(p) : num_le32(p);
}

/* The grants of the segments, from the command's own array. */
static void fill_grants(struct fb_job *j, const uint8_t *raw, struct io_request *r)
{
	uint64_t refs = word_at(j, raw + j->f->at->refs);
	size_t i;

	for (i = 0; i < r->nr_seg; i++) {
		uint32_t gref;

		if (!guest_read_u32(j->g, GVA(refs + 4 * i), &gref, NULL))
			r->seg[i].gref = gref;
	}
}

static uint64_t bytes_of(const struct blkif_wire_request *w)
{
	uint64_t sectors = 0;
	unsigned i;

	for (i = 0; i < w->nr_seg && i < BLKIF_MAX_SEGMENTS; i++)
		if (w->seg[i].first <= w->seg[i].last && w->seg[i].last <= 7)
			sectors += w->seg[i].last - w->seg[i].first + 1u;
	return sectors * SECTOR_BYTES;
}

/* Segments that do not fit into the request stand in pages of the command. */
static uint64_t indirect_bytes(struct fb_job *j, const uint8_t *raw, uint32_t nseg)
{
	uint64_t pages, sectors = 0;
	uint32_t i;

	if (j->f->stride < j->f->at->indirect + 8u)
		return 0;
	pages = word_at(j, raw + j->f->at->indirect);
	for (i = 0; pages && i < nseg && i < BLKIF_MAX_INDIRECT; i++) {
		struct blkif_wire_seg seg;
		uint8_t at[BLKIF_SEG_BYTES];

		if (guest_read(j->g, GVA(pages + (uint64_t)i * sizeof(at)), at, sizeof(at), NULL))
			return 0;
		seg = blkif_decode_seg(at);
		if (seg.first <= seg.last && seg.last <= 7)
			sectors += seg.last - seg.first + 1u;
	}
	return sectors * SECTOR_BYTES;
}

static uint64_t command_bytes(struct fb_job *j, const uint8_t *raw, uint32_t nseg)
{
	uint32_t gref = UINT32_MAX;
	struct blkif_wire_request wire;
	bool op_lost;

	if (nseg > BLKIF_MAX_SEGMENTS)
		return indirect_bytes(j, raw, nseg);
	if (guest_read_u32(j->g, GVA(word_at(j, raw + j->f->at->refs)), &gref, NULL))
		gref = UINT32_MAX;
	if (!driver_ring_request(
		    j->g, &j->f->ring, num_le64(raw + j->f->at->id), gref, &wire, &op_lost))
		return 0;
	wire.nr_seg = (uint16_t)nseg;
	return bytes_of(&wire);
}

static void set_sectors(struct io_request *r)
{
	bool cut;
	size_t i;

	for (i = 0; i < r->nr_seg; i++) {
		struct io_segment *s = &r->seg[i];

		r->nr_sectors += s->bytes / SECTOR_BYTES;
		cut = (s->offset | s->bytes) % SECTOR_BYTES;
		if (cut || !s->bytes)
			continue;
		s->sects_known = true;
		s->first_sect = (uint8_t)(s->offset / SECTOR_BYTES);
		s->last_sect = (uint8_t)((s->offset + s->bytes) / SECTOR_BYTES - 1);
	}
	if (r->nr_seg != r->segs_wanted && !r->trouble)
		util_note(&r->trouble, "%zu pages of data for %" PRIu64 " segments", r->nr_seg,
			r->segs_wanted);
}

static int fill_request(
	struct fb_job *j, uint32_t index, const uint8_t *raw, struct io_request *r, struct err *err)
{
	uint32_t nseg = num_le32(raw + j->f->at->nseg), operation = num_le32(raw + j->f->at->op);
	const struct io_ring_entry *answer = driver_ring_answer(j->ring, index);
	uint64_t bytes;

	r->slot = index;
	r->op = io_op_of_blkif(operation);
	r->wire_op = (uint8_t)(nseg > BLKIF_MAX_SEGMENTS ? BLKIF_OP_INDIRECT : operation);
	r->id = index;
	r->slot_va = gva_add(j->f->shadow, (uint64_t)index * j->f->stride);
	r->request_va = GVA(word_at(j, raw + j->f->at->bio));
	r->state = answer ? IO_RESPONDED : IO_PENDING;
	r->rsp_status = answer ? answer->status : 0;
	r->segs_wanted = nseg;
	if (nseg > BLKIF_MAX_SEGMENTS)
		r->flags |= IO_FLAG_INDIRECT;
	if (!nseg || nseg > BLKIF_MAX_INDIRECT)
		return 0;
	r->sector_from = IO_SECTOR_SHADOW;
	r->sector = num_le64(raw + j->f->at->sector);
	bytes = command_bytes(j, raw, nseg);
	if (!bytes) {
		util_note(&r->trouble, "the ring does not have its segments any more");
		return 0;
	}
	if (fb_find_data(j->g, j->f, raw, bytes, r, err))
		return -1;
	fill_grants(j, raw, r);
	set_sectors(r);
	return 0;
}

/* READY: waits for room on the ring; its segments are not made yet. */
static int add_waiting(struct fb_job *j, uint32_t index, const uint8_t *raw, struct err *err)
{
	struct io_request *r = io_request_append(&j->d->queued, &j->d->nr_queued);

	if (!r)
		return err_nomem(err, "the queue of a device");
	r->state = IO_QUEUED;
	r->slot = index;
	r->id = index;
	r->op = io_op_of_blkif(num_le32(raw + j->f->at->op));
	r->wire_op = raw[j->f->at->op];
	r->sector_from = IO_SECTOR_REQUEST;
	r->sector = num_le64(raw + j->f->at->sector);
	r->request_va = GVA(word_at(j, raw + j->f->at->bio));
	if (r->op == IO_FLUSH)
		return 0;
	if (fb_find_data(j->g, j->f, raw, 0, r, err))
		return -1;
	r->segs_wanted = r->nr_seg;
	set_sectors(r);
	return 0;
}

/* What no command was found for yet. */
static int add_bios(struct fb_job *j, struct err *err)
{
	uint64_t left = MAX_WAITING_PAGES, bio;
	struct fb_bioq q;
	int more = fb_bioq_open(j->g, j->f, &q) ? 1 : -1;

	while (more > 0 && (more = fb_bioq_next(j->g, j->f, &q, &bio)) > 0) {
		struct io_request *r = io_request_append(&j->d->queued, &j->d->nr_queued);

		if (!r)
			return err_nomem(err, "the queue of a device");
		r->state = IO_QUEUED;
		if (fb_fill_bio(j->g, j->f, bio, &left, r, err))
			return -1;
		if (!r->nr_seg)
			continue;
		r->segs_wanted = r->nr_seg;
		set_sectors(r);
	}
	j->d->queued_known = !more;
	return 0;
}

static int add_command(struct fb_job *j, uint32_t index, const uint8_t *raw, struct err *err)
{
	struct io_request *r;

	switch (fb_queue_of(j->f, raw)) {
	case FB_READY:
		return add_waiting(j, index, raw, err);
	case FB_BUSY:
		r = io_request_append(&j->d->requests, &j->d->nr_requests);
		if (!r)
			return err_nomem(err, "the requests of a device");
		r->ring = j->ring->index;
		return fill_request(j, index, raw, r, err);
	default:
		return 0;
	}
}

/* The index that a link of the list of free commands leads to; `entries` ends it. */
static uint64_t index_of(const struct fb_job *j, uint64_t va)
{
	uint64_t away = va - j->f->shadow.v;

	if (!va)
		return j->f->nr;
	if (va < j->f->shadow.v || away % j->f->stride || away / j->f->stride >= j->f->nr)
		return UINT64_MAX;
	return away / j->f->stride;
}

/* struct gnttab_free_callback and the interrupt stand between the ring and the lists: of 10.0 the
 * first is xbd_cm_q[XBD_Q_FREE], before cm_free. */
static uint32_t lists_off(const struct fb_job *j)
{
	return guest_word_bytes(j->g) == 8 ? 64 : 36;
}

static void fill_slot(struct fb_job *j, uint32_t index, const uint8_t *raw)
{
	struct io_slot *s = &j->ring->slots[index];
	enum fb_queue q = fb_queue_of(j->f, raw);

	s->used = q == FB_BUSY;
	s->waiting = q != FB_BUSY && q != FB_FREE;
	s->nr_seg_wire = (uint16_t)num_le32(raw + j->f->at->nseg);
	s->wire_op = s->nr_seg_wire > BLKIF_MAX_SEGMENTS ? BLKIF_OP_INDIRECT : raw[j->f->at->op];
	s->request = word_at(j, raw + j->f->at->bio);
	s->id = q == FB_FREE ? index_of(j, word_at(j, raw)) : index;
}

/* How many the list itself has: of BUSY, or of FREE. */
static int check_lists(struct fb_job *j, struct err *err)
{
	unsigned word = guest_word_bytes(j->g), each = j->f->bits ? 2 * word : 2 * word + 8;
	gva_t lists = gva_add(j->f->ring.va, lists_off(j)), length;
	uint64_t head;
	uint32_t busy;

	if (guest_read_word(j->g, lists, &head, NULL))
		return 0;
	j->ring->free_head = index_of(j, head);
	j->ring->free_nil = j->f->nr;
	/* xb_qstat[XBQ_BUSY], the fourth, behind the four lists; or within the third queue. */
	length = j->f->bits ? gva_add(lists, 4ull * each + 3 * 8)
			    : gva_add(lists, 2ull * each + 2 * word);
	if (!guest_read_u32(j->g, length, &busy, NULL) && busy <= j->f->nr) {
		j->d->claimed_known = true;
		j->d->claimed = busy;
	}
	return driver_ring_close_books(j->ring, err);
}

static int read_commands(struct fb_job *j, struct err *err)
{
	uint8_t raw[FB_MAX_COMMAND_BYTES];
	uint32_t i;

	/* Before 10.0 a request could take several entries of a ring, which then has fewer
	 * commands. */
	if (j->f->nr == j->ring->entries)
		j->ring->slots = calloc(j->f->nr, sizeof(*j->ring->slots));
	if (j->f->nr == j->ring->entries && !j->ring->slots)
		return err_nomem(err, "the slots of a ring");
	for (i = 0; i < j->f->nr; i++) {
		if (guest_read(j->g, gva_add(j->f->shadow, (uint64_t)i * j->f->stride), raw,
			    j->f->stride, NULL)) {
			j->d->requests_known = false;
			continue;
		}
		if (j->ring->slots)
			fill_slot(j, i, raw);
		if (add_command(j, i, raw, err))
			return -1;
	}
	return j->ring->slots ? check_lists(j, err) : 0;
}

static void fill_device(struct fb_job *j, const struct ckpt_info *config)
{
	static const char *const states[] = {"disconnected", "connected", "suspended"};
	struct blkdev *d = j->d;

	d->driver = &frontend_freebsd_blkfront;
	d->confirmed_by = BLK_CONFIRMED_STRUCTURE;
	d->confirmed = true;
	d->va = j->f->softc;
	d->requests_known = true;
	snprintf(d->name, sizeof(d->name), "xbd-0x%" PRIx64, j->f->softc.v);
	if (j->f->head_known) {
		snprintf(d->state, sizeof(d->state), "%s", states[j->f->state]);
		driver_ring_name(d, j->f->vdevice, config);
	}
}

static int read_refs(struct fb_job *j, struct err *err)
{
	uint32_t i;

	if (!j->f->head_known || 4 * j->f->ring_pages > j->f->refs_before)
		return 0;
	j->ring->grefs = calloc(j->f->ring_pages + 1, sizeof(*j->ring->grefs));
	if (!j->ring->grefs)
		return err_nomem(err, "the grants of a ring");
	for (i = 0; i < j->f->ring_pages; i++)
		if (!guest_read_u32(j->g, GVA(j->f->ring.va.v - j->f->refs_before + 4 * i),
			    &j->ring->grefs[j->ring->nr_grefs], NULL))
			j->ring->nr_grefs++;
	return 0;
}

int fb_decode(struct guest *g, const void *device, const struct ckpt_info *config,
	struct snapshot *s, struct err *err)
{
	const struct fb_device *f = device;
	struct fb_job j = {.g = g, .f = f, .s = s, .d = snapshot_add_device(s)};

	if (!j.d)
		return err_nomem(err, "a device");
	fill_device(&j, config);
	j.ring = driver_ring_add(g, &f->ring, j.d, err);
	if (!j.ring)
		return -1;
	j.ring->shadow_va = f->shadow;
	snapshot_how(s,
		"%s: %u commands of %u bytes at 0x%" PRIx64
		", which name their device at 0x%" PRIx64,
		j.d->name, f->nr, f->stride, f->shadow.v, f->softc.v);
	return read_refs(&j, err) || read_commands(&j, err) || add_bios(&j, err) ? -1 : 0;
}
