/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Each rule over a hand-made snapshot that is good but for one thing: exactly that rule must speak.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "check/check.h"
#include "check/caps.h"
#include "check/disk_facts.h"
#include "check/policy.h"
#include "check/specials.h"
#include "frontend/frontend.h"

#include "made_up.h"
#include "seen.h"

#define NR_PFNS	  0x1000u
#define RING_PFN  0x900u
#define BASE_GREF 40u

/* A model with pages of its own: page p has type types[p]; data by address. */
struct world {
	struct snapshot snap;
	struct ckpt_info info;
	struct blkdev *dev;
	struct io_ring *ring;
	uint8_t types[NR_PFNS];
	bool absent[NR_PFNS];
	uint8_t data[64][PAGE_BYTES]; /* pages 0x100..0x13f; all others are one zero page */
	struct check_special specials[2];
	struct check_disk disk;
	struct check_disk_fs disk_fs;
	struct check_caps caps;
	struct check_input in;
	struct check_result out;
};

static const uint8_t zero_page[PAGE_BYTES];

static struct memory_page page_of(const void *source, pfn_t pfn)
{
	const struct world *w = source;
	struct memory_page p = {.state = MEMORY_DATA, .data = zero_page};

	if (pfn.v >= NR_PFNS || w->absent[pfn.v])
		return (struct memory_page){.state = MEMORY_ABSENT};
	p.level = w->types[pfn.v] & 7;
	p.pinned = w->types[pfn.v] & 8;
	if (pfn.v >= 0x100 && pfn.v < 0x140)
		p.data = w->data[pfn.v - 0x100];
	return p;
}

/* As a save stream has it, which marks page tables; a core dump of the same guest does not. */
static struct memory_info info_of(const void *source)
{
	const struct world *w = source;

	return (struct memory_info){
		.type = CKPT_GUEST_PV, .tables_marked = w->info.suspended, .pages_stay = true};
}

static const struct memory_ops memory_ops = {.info = info_of, .page = page_of};

static void add_segment(struct io_request *r, uint64_t pfn, int64_t gref)
{
	struct io_segment *s = io_segment_append(r);

	assert_non_null(s);
	s->frame = IO_FRAME_OK;
	s->pfn = PFN(pfn);
	s->bytes = PAGE_BYTES;
	s->gref = gref;
	s->source_mfn = MFN(0x70000 + pfn);
	s->sects_known = true;
	s->last_sect = 7;
	r->nr_sectors += 8;
	r->segs_wanted++;
}

/* The next slot of the ring becomes a request of one page (or none), published and unanswered. */
static struct io_request *add_request(struct world *w, enum io_op op, uint8_t wire_op)
{
	unsigned slot = w->ring->nr_used++;
	struct io_request *r = io_request_append(&w->dev->requests, &w->dev->nr_requests);
	struct io_ring_entry *e = &w->ring->window[w->ring->nr_window++];
	struct io_slot *s = &w->ring->slots[slot];
	bool netbsd = w->dev->driver == &frontend_netbsd_xbd;

	assert_non_null(r);
	r->slot = slot;
	r->op = op;
	r->wire_op = wire_op;
	r->sector = 128 + 64 * slot;
	r->sector_from = op == IO_FLUSH ? IO_SECTOR_UNKNOWN
			 : netbsd	? IO_SECTOR_RING
					: IO_SECTOR_SHADOW;
	r->request_va = GVA(0xffff888001000000 + 0x200 * slot);
	r->status = netbsd ? UINT32_MAX : 1;
	r->rq_sector_known = !netbsd;
	r->rq_sector = r->sector;
	r->handle_known = true;
	r->wire_handle = 51712;
	r->id = netbsd ? 0xc0200000 + 44 * slot : slot;
	if (op == IO_READ || op == IO_WRITE)
		add_segment(r, 0x100 + slot, BASE_GREF + slot);
	*s = (struct io_slot){.used = true,
		.wire_op = wire_op,
		.nr_seg_wire = (uint16_t)r->nr_seg,
		.id = r->id,
		.request = r->request_va.v};
	*e = (struct io_ring_entry){.index = w->ring->req_prod_pvt,
		.wire_op = wire_op,
		.nr_seg = (uint8_t)r->nr_seg,
		.id = slot,
		.sector = r->sector};
	e->gref[0] = BASE_GREF + slot;
	e->sects_known = e->grefs_known = !netbsd;
	e->last_sect[0] = 7;
	w->ring->req_prod_pvt = ++w->ring->sring_req_prod;
	w->ring->free_head = slot + 1 < w->ring->entries ? slot + 1 : w->ring->free_nil;
	w->ring->nr_free--;
	return r;
}

static void make_ring(struct world *w, uint32_t entries, uint64_t nil)
{
	struct io_ring *g = w->ring;
	uint32_t i;

	g->entries = g->nr_free = entries;
	g->slots = calloc(entries, sizeof(*g->slots));
	g->window = calloc(2 * entries, sizeof(*g->window));
	g->pages = calloc(1, sizeof(*g->pages));
	g->page_source_mfn = calloc(1, sizeof(mfn_t));
	g->page_target_mfn = calloc(1, sizeof(mfn_t));
	g->grefs = calloc(1, sizeof(*g->grefs));
	g->nr_pages = g->nr_grefs = 1;
	g->pages[0] = PFN(RING_PFN);
	g->page_source_mfn[0] = MFN(0x71234);
	g->page_target_mfn[0] = MFN(0x91234);
	g->grefs[0] = 9;
	g->free_nil = nil;
	g->sring_known = true;
	g->indices = IO_INDICES_READ;
	g->req_prod_pvt = g->rsp_cons = g->sring_req_prod = g->sring_rsp_prod = 0xfffffff0;
	for (i = 0; i < entries; i++)
		g->slots[i].id = i + 1 < entries ? i + 1 : nil;
}

static void make_world(struct world *w, const struct frontend_ops *driver)
{
	memset(w, 0, sizeof(*w));
	w->info.guest_type = CKPT_GUEST_PV;
	w->info.nr_pfns = NR_PFNS;
	w->info.suspended = true;
	w->dev = snapshot_add_device(&w->snap);
	assert_non_null(w->dev);
	strcpy(w->dev->name, "xvda");
	w->dev->driver = driver;
	w->dev->shares_ring = driver == &frontend_netbsd_xbd;
	strcpy(w->dev->state, "connected");
	w->dev->handle = 51712;
	w->dev->nr_sectors = 65536;
	w->dev->logical_block_bytes = 512;
	w->dev->queued_known = w->dev->fs_known = true;
	w->dev->recovering = TRI_NO;
	w->dev->status_waiting = 1;
	w->dev->rings = calloc(1, sizeof(*w->dev->rings));
	w->dev->nr_rings = 1;
	w->ring = w->dev->rings;
	w->specials[0] = (struct check_special){0x801, "page of the p2m table"};
	w->specials[1] = (struct check_special){0x802, "start_info page"};
	w->in = (struct check_input){.snap = &w->snap,
		.info = &w->info,
		.memory = {&memory_ops, w},
		.specials = w->specials,
		.nr_specials = 2};
}

static void make_linux(struct world *w)
{
	make_world(w, &frontend_linux_blkfront);
	strcpy(w->snap.guest.release, "6.1.0");
	make_ring(w, 32, 0x0fffffff);
	w->ring->publishes_at_once = true;
	add_request(w, IO_WRITE, 1);
	add_request(w, IO_READ, 0);
	add_request(w, IO_WRITE, 1);
	add_request(w, IO_READ, 0);
}

static void make_netbsd(struct world *w)
{
	make_world(w, &frontend_netbsd_xbd);
	make_ring(w, 64, 4095);
	w->ring->repeats_in_recovery = true;
	add_request(w, IO_WRITE, 1);
	add_request(w, IO_READ, 0);
	add_request(w, IO_WRITE, 1);
}

static void free_world(struct world *w)
{
	check_result_fini(&w->out);
	snapshot_fini(&w->snap);
	free(w);
}

static void give_disk(struct world *w)
{
	w->disk = (struct check_disk){
		.path = (char *)"disk.img", .bytes = 65536 * 512, .fs = &w->disk_fs, .nr_fs = 1};
	strcpy(w->disk.vdev, "xvda");
	w->disk_fs = (struct check_disk_fs){.super_known = true,
		.wtime = 1000,
		.mtime = 900,
		.mnt_count = 3,
		.recover = true,
		.journal_sequence = 7};
	strcpy(w->disk_fs.type, "ext4");
	strcpy(w->disk_fs.uuid, "8a1f3a6e-0001-4000-8000-000000000001");
	w->dev->fs = calloc(1, sizeof(*w->dev->fs));
	w->dev->nr_fs = 1;
	*w->dev->fs = (struct mounted_fs){.super_known = true,
		.journal = true,
		.recover = true,
		.wtime = 1000,
		.mtime = 900,
		.mnt_count = 3,
		.journal_sequence = 8};
	strcpy(w->dev->fs->type, "ext4");
	strcpy(w->dev->fs->uuid, w->disk_fs.uuid);
	w->in.disks = &w->disk;
	w->in.nr_disks = 1;
}

static void give_caps(struct world *w)
{
	w->caps = check_caps_none();
	w->caps.flush = w->caps.barrier = w->caps.discard = w->caps.secure_discard = TRI_YES;
	w->caps.read_only_known = true;
	w->caps.sectors = 65536;
	w->caps.sector_bytes = 512;
	w->in.caps = &w->caps;
	w->in.nr_caps = 1;
}

/* --- what breaks each rule ------------------------------------------------------------------ */

static void free_list_circle(struct world *w)
{
	w->ring->slots[20].id = 10;
}

static void free_list_wild(struct world *w)
{
	w->ring->slots[31].id = 32;
}

static void used_and_free(struct world *w)
{
	w->ring->slots[31].id = 2;
}

static void leaked_slot(struct world *w)
{
	w->ring->slots[20].id = 22;
}

static void lost_completion(struct world *w)
{
	w->ring->req_prod_pvt--;
	w->ring->sring_req_prod--;
	w->ring->nr_window--;
}

static void too_many_in_flight(struct world *w)
{
	w->ring->rsp_cons -= 30;
	w->ring->sring_rsp_prod = w->ring->rsp_cons;
}

static void published_too_much(struct world *w)
{
	w->ring->sring_req_prod++;
}

static void published_too_little(struct world *w)
{
	w->ring->sring_req_prod--;
}

static void answered_too_much(struct world *w)
{
	w->ring->sring_rsp_prod += 5;
}

/* The first window entry becomes the answer to `id`. */
static struct io_ring_entry *answer(struct world *w, uint64_t id, uint8_t op)
{
	struct io_ring_entry *e = &w->ring->window[0];

	w->ring->sring_rsp_prod++;
	*e = (struct io_ring_entry){
		.index = w->ring->rsp_cons, .is_response = true, .wire_op = op, .id = id};
	return e;
}

static void answer_to_free_slot(struct world *w)
{
	answer(w, 9, 1);
}

static void answer_to_no_slot(struct world *w)
{
	answer(w, 32, 1);
}

static void answer_of_another_kind(struct world *w)
{
	answer(w, 1, 1);
}

static void answer_twice(struct world *w)
{
	answer(w, 1, 0);
	w->ring->window[1] = w->ring->window[0];
	w->ring->window[1].index++;
	w->ring->sring_rsp_prod++;
}

static void request_twice(struct world *w)
{
	struct io_ring_entry *e = &w->ring->window[w->ring->nr_window++];

	*e = e[-1];
	e->index++;
	w->ring->req_prod_pvt++;
	w->ring->sring_req_prod++;
}

static void ring_op_differs(struct world *w)
{
	w->ring->window[1].wire_op = 1;
}

static void ring_sector_differs(struct world *w)
{
	w->ring->window[1].sector++;
}

static void ring_count_differs(struct world *w)
{
	w->ring->window[1].nr_seg = 2;
}

static void ring_gref_differs(struct world *w)
{
	w->ring->window[1].gref[0] = 99;
}

static void ring_segment_differs(struct world *w)
{
	w->ring->window[1].last_sect[0] = 6;
}

static void unknown_operation(struct world *w)
{
	struct io_request *r = &w->dev->requests[3];

	r->op = IO_UNKNOWN;
	r->wire_op = w->ring->slots[3].wire_op = w->ring->window[3].wire_op = 77;
	r->nr_seg = 0;
}

static void too_many_segments(struct world *w)
{
	unsigned i;

	for (i = 1; i < 12; i++)
		add_segment(&w->dev->requests[3], 0x110 + i, -1);
	memset(w->ring->window[3].last_sect, 7, sizeof(w->ring->window[3].last_sect));
	w->ring->slots[3].nr_seg_wire = w->ring->window[3].nr_seg = 12;
}

static void too_many_indirect(struct world *w)
{
	w->dev->max_indirect_segments = 16;
	w->dev->requests[3].flags = IO_FLAG_INDIRECT;
	w->ring->slots[3].wire_op = w->ring->window[3].wire_op = 6;
	w->dev->requests[3].segs_wanted = 17;
}

static void first_behind_last(struct world *w)
{
	w->dev->requests[1].seg[0].first_sect = w->ring->window[1].first_sect[0] = 5;
	w->dev->requests[1].seg[0].last_sect = w->ring->window[1].last_sect[0] = 4;
	w->dev->requests[1].seg[0].bytes = 0;
	w->dev->requests[1].nr_sectors = 0;
}

static void last_behind_page(struct world *w)
{
	w->dev->requests[1].seg[0].last_sect = w->ring->window[1].last_sect[0] = 8;
	w->dev->requests[1].seg[0].bytes = 9 * 512;
}

static void moves_nothing(struct world *w)
{
	struct io_request *r = &w->dev->requests[1];

	r->nr_seg = r->segs_wanted = r->nr_sectors = 0;
	w->ring->slots[1].nr_seg_wire = w->ring->window[1].nr_seg = 0;
}

static void half_a_sector(struct world *w)
{
	w->dev->requests[1].seg[0].sects_known = false;
	w->dev->requests[1].seg[0].offset = 100;
	w->dev->requests[1].seg[0].bytes = 1024;
}

static void page_beyond_p2m(struct world *w)
{
	w->dev->requests[1].seg[0].pfn = PFN(NR_PFNS);
	w->dev->requests[1].seg[0].frame = IO_FRAME_HOLE;
	w->dev->requests[1].seg[0].source_mfn = MFN_NONE;
}

static void page_not_saved(struct world *w)
{
	w->absent[0x101] = true;
	w->dev->requests[1].seg[0].frame = IO_FRAME_HOLE;
}

static void page_not_mapped(struct world *w)
{
	w->dev->requests[1].seg[0].source_mfn = MFN_NONE;
}

static void page_is_l1(struct world *w)
{
	w->types[0x101] = 1;
}

static void page_is_pinned(struct world *w)
{
	w->types[0x101] = 12;
}

static void page_is_ring(struct world *w)
{
	w->dev->requests[1].seg[0].pfn = PFN(RING_PFN);
}

/* A second disk, with a ring of its own and one request. */
static struct blkdev *second_disk(struct world *w)
{
	struct blkdev *d = snapshot_add_device(&w->snap);
	struct world other = {0};

	assert_non_null(d);
	w->dev = &w->snap.devices[0]; /* they have moved */
	w->ring = w->dev->rings;
	strcpy(d->name, "xvdb");
	d->driver = &frontend_linux_blkfront;
	strcpy(d->state, "connected");
	d->handle = 51728;
	d->nr_sectors = 65536;
	d->queued_known = d->fs_known = true;
	d->status_waiting = 1;
	d->rings = calloc(1, sizeof(*d->rings));
	assert_non_null(d->rings);
	d->nr_rings = 1;
	other.dev = d;
	other.ring = d->rings;
	make_ring(&other, 32, 0x0fffffff);
	d->rings->pages[0] = PFN(RING_PFN + 8);
	d->rings->grefs[0] = 10;
	add_request(&other, IO_READ, 0);
	d->requests[0].wire_handle = 51728 & 0xffff;
	d->requests[0].request_va.v += 0x100000;
	d->requests[0].seg[0].pfn = PFN(0x120);
	d->requests[0].seg[0].gref = d->rings->window[0].gref[0] = 100;
	return d;
}

static void page_is_other_ring(struct world *w)
{
	second_disk(w)->requests[0].seg[0].pfn = PFN(RING_PFN);
}

static void gref_of_other_disk(struct world *w)
{
	struct blkdev *d = second_disk(w);

	d->requests[0].seg[0].gref = d->rings->window[0].gref[0] = BASE_GREF;
}

static void page_is_p2m(struct world *w)
{
	w->dev->requests[1].seg[0].pfn = PFN(0x801);
}

static void reads_share(struct world *w)
{
	w->dev->requests[3].seg[0].pfn = w->dev->requests[1].seg[0].pfn;
}

static void read_and_write_share(struct world *w)
{
	w->dev->requests[3].seg[0].pfn = w->dev->requests[0].seg[0].pfn;
}

static void other_id(struct world *w)
{
	w->dev->requests[1].id = 0x0fffffee;
}

static void reserved_gref(struct world *w)
{
	w->dev->requests[1].seg[0].gref = w->ring->window[1].gref[0] = 7;
}

static void gref_twice(struct world *w)
{
	w->dev->requests[1].seg[0].gref = w->ring->window[1].gref[0] = BASE_GREF;
}

static void gref_of_ring(struct world *w)
{
	w->dev->requests[1].seg[0].gref = w->ring->window[1].gref[0] = 9;
}

static void not_connected(struct world *w)
{
	strcpy(w->dev->state, "disconnected");
}

static void drop_writes(struct world *w)
{
	size_t i;

	for (i = 0; i < w->dev->nr_requests; i++)
		if (w->dev->requests[i].op == IO_WRITE) {
			w->dev->requests[i].op = IO_READ;
			w->dev->requests[i].wire_op = w->ring->slots[i].wire_op = 0;
			w->ring->window[i].wire_op = 0;
		}
}

static void flush_alone(struct world *w)
{
	drop_writes(w);
	add_request(w, IO_FLUSH, 3);
}

static void half_decoded(struct world *w)
{
	w->dev->requests[1].segs_wanted = 3;
	w->dev->requests[1].trouble = strdup("segment 1: no page");
	w->ring->slots[1].nr_seg_wire = w->ring->window[1].nr_seg = 3;
}

static void unreadable_slot(struct world *w)
{
	w->ring->slots[1].unreadable = true;
}

static void read_only(struct world *w)
{
	drop_writes(w);
	add_request(w, IO_WRITE, 1);
	w->dev->read_only = TRI_YES;
}

static void beyond_the_end(struct world *w)
{
	w->dev->requests[1].rq_sector = w->dev->requests[1].sector = w->ring->window[1].sector =
		65536 - 7;
}

static void beyond_wrapping(struct world *w)
{
	w->dev->requests[1].rq_sector = w->dev->requests[1].sector = w->ring->window[1].sector =
		UINT64_MAX - 3;
}

static void was_answered(struct world *w)
{
	answer(w, 0, 1);
	w->dev->requests[0].state = IO_RESPONDED;
}

static void sector_lost(struct world *w)
{
	w->dev->requests[1].sector_from = IO_SECTOR_UNKNOWN;
}

static void id_not_kernel(struct world *w)
{
	w->dev->requests[1].id = w->ring->slots[1].id = 0xbfff0000;
}

static void id_not_in_array(struct world *w)
{
	w->dev->requests[1].id += 1;
}

static void id_same(struct world *w)
{
	w->dev->requests[1].id = w->dev->requests[0].id;
}

static void sixty_four_live(struct world *w)
{
	while (w->ring->nr_used < 64) {
		struct io_request *r = add_request(w, IO_PROBE, 2);

		r->id = 0xc0200000 + 44 * (r->slot % 63);
		if (r->slot == 63) /* a 64th element: an id of its own, before the first */
			r->id = 0xc0200000 - 44;
	}
}

static void below_bias(struct world *w)
{
	w->dev->requests[1].seg[0].unbiased = true;
	w->dev->requests[1].trouble = strdup("segment 0 lies below the kernel");
	w->dev->requests[1].seg[0].frame = IO_FRAME_UNKNOWN;
}

static void in_recovery(struct world *w)
{
	w->dev->recovering = TRI_YES;
}

static void being_built(struct world *w)
{
	w->dev->requests[1].status = 0;
}

static void half_without_other(struct world *w)
{
	w->dev->requests[1].associated_id = 3;
}

static void two_halves(struct world *w)
{
	w->dev->requests[1].associated_id = 3;
	w->dev->requests[3].associated_id = 1;
}

static void same_request(struct world *w)
{
	w->dev->requests[1].request_va = w->dev->requests[3].request_va;
}

static void copy_beyond_p2m(struct world *w)
{
	w->dev->requests[0].seg[0].grant_pfn = PFN(NR_PFNS);
}

static void copy_differs(struct world *w)
{
	w->dev->requests[0].seg[0].grant_pfn = PFN(0x120);
	w->data[0x20][4095] = 1;
}

static void more_queued(struct world *w)
{
	assert_non_null(io_request_append(&w->dev->queued, &w->dev->nr_queued));
}

static void list_and_descriptor_differ(struct world *w)
{
	w->dev->requests[1].seg[0].last_sect = w->ring->window[1].last_sect[0] = 6;
}

static void rq_sector_differs(struct world *w)
{
	w->dev->requests[1].rq_sector++;
}

static void wild_request_pointer(struct world *w)
{
	w->dev->requests[1].request_va.v = 0x1000;
}

static void odd_request_pointer(struct world *w)
{
	w->dev->requests[1].request_va.v++;
}

static void other_device(struct world *w)
{
	w->dev->requests[1].wire_handle = 51728;
}

static void ring_not_mapped(struct world *w)
{
	w->in.target_given = true;
	w->ring->page_target_mfn[0] = MFN_NONE;
}

static void disk_ends_early(struct world *w)
{
	give_disk(w);
	w->dev->nr_sectors = BLK_UNKNOWN_U64;
	w->disk.bytes = (128 + 64 * 3 + 7) * 512;
}

static void disk_smaller(struct world *w)
{
	give_disk(w);
	w->disk.bytes -= 512;
}

static void disk_larger(struct world *w)
{
	give_disk(w);
	w->disk.bytes += 512;
}

static void disk_blocks_4k(struct world *w)
{
	give_disk(w);
	w->disk.logical_block_bytes = w->dev->logical_block_bytes = 4096;
	w->dev->requests[1].rq_sector = w->dev->requests[1].sector = ++w->ring->window[1].sector;
}

static void disk_other_blocks(struct world *w)
{
	give_disk(w);
	w->disk.logical_block_bytes = 4096;
}

static void disk_other_type(struct world *w)
{
	give_disk(w);
	strcpy(w->disk_fs.type, "xfs");
}

static void disk_other_uuid(struct world *w)
{
	give_disk(w);
	w->disk_fs.uuid[0] = '9';
}

static void disk_no_fs(struct world *w)
{
	give_disk(w);
	w->disk_fs.type[0] = '\0';
}

static void disk_written(struct world *w)
{
	give_disk(w);
	w->disk_fs.wtime++;
}

static void disk_labelled(struct world *w)
{
	give_disk(w);
	strcpy(w->dev->fs->label, "root");
	strcpy(w->disk_fs.label, "root2");
}

static void disk_used(struct world *w)
{
	give_disk(w);
	w->disk.user = "it is mounted";
}

static void disk_mounted(struct world *w)
{
	give_disk(w);
	w->disk_fs.mnt_count++;
}

static void disk_mounted_later(struct world *w)
{
	give_disk(w);
	w->disk_fs.mtime++;
}

static void disk_recovered(struct world *w)
{
	give_disk(w);
	w->disk_fs.recover = false;
}

static void disk_journal_ahead(struct world *w)
{
	give_disk(w);
	w->disk_fs.journal_sequence = 9;
}

static void disk_shared_read_only(struct world *w)
{
	disk_used(w);
	w->dev->read_only = TRI_YES;
	w->dev->requests[0].op = w->dev->requests[2].op = IO_READ;
	w->ring->slots[0].wire_op = w->ring->window[0].wire_op = 0;
	w->ring->slots[2].wire_op = w->ring->window[2].wire_op = 0;
}

/* Its backend never came, or it has no medium: references of rings are the invalid one. */
static void idle_disk_without_backend(struct world *w)
{
	struct blkdev *d = snapshot_add_device(&w->snap);

	assert_non_null(d);
	w->dev = &w->snap.devices[0];
	w->ring = w->dev->rings;
	strcpy(d->name, "xvdc");
	strcpy(d->state, "disconnected");
	d->driver = &frontend_linux_blkfront;
	d->nr_sectors = 0;
	d->queued_known = d->fs_known = true;
	d->rings = calloc(1, sizeof(*d->rings));
	assert_non_null(d->rings);
	d->nr_rings = 1;
	w->dev = d;
	w->ring = d->rings;
	make_ring(w, 32, 0x0fffffff);
	d->rings->grefs = realloc(d->rings->grefs, 2 * sizeof(uint32_t));
	assert_non_null(d->rings->grefs);
	d->rings->grefs[0] = d->rings->grefs[1] = 0;
	d->rings->nr_grefs = 2;
}

static void disk_frozen(struct world *w)
{
	give_disk(w);
	w->disk_fs.recover = w->dev->fs->recover = false;
}

/* Older e2fsprogs write the block device, whose page cache is the kernel's superblock. */
static void disk_labelled_by_guest(struct world *w)
{
	disk_labelled(w);
	w->dev->fs->wtime++;
}

static void disk_label_in_flight(struct world *w)
{
	disk_labelled(w);
	w->dev->fs->start = w->dev->requests[0].sector - 2;
	w->disk_fs.start = w->dev->fs->start;
}

static void disk_journal_in_flight(struct world *w)
{
	disk_label_in_flight(w);
	w->disk_fs.recover = false;
}

static void disk_ext3_by_ext4(struct world *w)
{
	give_disk(w);
	strcpy(w->disk_fs.type, "ext3");
}

static void disk_fat(struct world *w)
{
	give_disk(w);
	w->disk_fs.super_known = w->dev->fs->super_known = false;
	strcpy(w->disk_fs.type, "vfat");
	strcpy(w->disk_fs.uuid, "3A1F-8A6E");
	strcpy(w->dev->fs->type, "msdos");
}

static void disk_by_fuse(struct world *w)
{
	give_disk(w);
	strcpy(w->disk_fs.type, "ntfs");
	strcpy(w->disk_fs.uuid, "73C1D4A0B2E5F698");
	strcpy(w->dev->fs->type, "fuseblk");
	w->dev->fs->uuid[0] = '\0';
}

static void disk_ambiguous(struct world *w)
{
	give_disk(w);
	w->disk_fs.type[0] = w->disk_fs.uuid[0] = '\0';
	w->disk_fs.unsure = true;
}

static void target_maps_none(struct world *w)
{
	w->in.target_given = true;
	w->dev->requests[1].seg[0].target_missing = true;
}

static void target_no_flush(struct world *w)
{
	give_caps(w);
	flush_alone(w);
	w->caps.flush = w->caps.barrier = TRI_NO;
}

static void target_no_fua(struct world *w)
{
	give_caps(w);
	w->dev->requests[0].flags = IO_FLAG_FUA;
	w->caps.barrier = TRI_NO;
}

static void barrier_alone(struct world *w)
{
	drop_writes(w);
	add_request(w, IO_BARRIER, 2);
}

static void target_no_barrier(struct world *w)
{
	give_caps(w);
	barrier_alone(w);
	w->caps.barrier = TRI_NO;
}

static struct io_request *discard(struct world *w)
{
	struct io_request *r = add_request(w, IO_DISCARD, 5);

	r->nr_sectors = w->ring->window[w->ring->nr_window - 1].nr_sectors = 16;
	return r;
}

static void ring_discard_differs(struct world *w)
{
	discard(w)->nr_sectors = 8;
}

static void discards_nothing(struct world *w)
{
	struct io_request *r = discard(w);

	r->nr_sectors = w->ring->window[w->ring->nr_window - 1].nr_sectors = 0;
}

/* Slots 0 to 3 hold writes and reads; a fifth makes the kinds differ. */
static void kernel_mistakes_flush(struct world *w)
{
	strcpy(w->snap.guest.release, "4.9.0-19-amd64");
	discard(w);
}

static void kernel_loses_ring(struct world *w)
{
	strcpy(w->snap.guest.release, "4.7.10");
	give_caps(w);
	w->caps.max_queues = 4;
}

static void kernel_wants_long_lists(struct world *w)
{
	strcpy(w->snap.guest.release, "4.19.0-27-amd64");
	w->dev->max_indirect_segments = 129;
}

static void kernel_was_seen_to_hang(struct world *w)
{
	strcpy(w->snap.guest.release, "4.4.0-210-generic");
}

static void resume_that_failed(struct world *w)
{
	size_t i;

	for (i = 0; i < w->dev->nr_requests; i++)
		io_request_fini(&w->dev->requests[i]);
	w->dev->nr_requests = 0;
	for (i = 0; i < w->dev->nr_rings; i++) {
		free(w->dev->rings[i].slots);
		free(w->dev->rings[i].window);
		free(w->dev->rings[i].pages);
		free(w->dev->rings[i].page_source_mfn);
		free(w->dev->rings[i].page_target_mfn);
		free(w->dev->rings[i].grefs);
	}
	w->dev->nr_rings = 0;
	w->dev->recovering = TRI_YES;
}

static void target_no_discard(struct world *w)
{
	give_caps(w);
	discard(w);
	w->caps.discard = TRI_NO;
}

static struct io_request *queue_one(struct world *w, enum io_op op, uint64_t sector)
{
	struct io_request *r = io_request_append(&w->dev->queued, &w->dev->nr_queued);

	assert_non_null(r);
	r->op = op;
	r->state = IO_QUEUED;
	r->sector = sector;
	r->sector_from = IO_SECTOR_SHADOW;
	r->nr_sectors = 8;
	return r;
}

static void queued_beyond_the_end(struct world *w)
{
	queue_one(w, IO_WRITE, 65536 - 7);
}

static void queued_on_read_only(struct world *w)
{
	w->dev->requests[0].op = w->dev->requests[2].op = IO_READ;
	w->dev->requests[0].wire_op = w->dev->requests[2].wire_op = 0;
	w->ring->slots[0].wire_op = w->ring->slots[2].wire_op = 0;
	w->ring->window[0].wire_op = w->ring->window[2].wire_op = 0;
	w->dev->read_only = TRI_YES;
	queue_one(w, IO_WRITE, 65000);
}

static void queued_discard_not_taken(struct world *w)
{
	give_caps(w);
	w->caps.discard = TRI_NO;
	queue_one(w, IO_DISCARD, 65000);
}

static void target_no_secure_discard(struct world *w)
{
	give_caps(w);
	discard(w)->flags = IO_FLAG_SECURE;
	w->caps.secure_discard = TRI_NO;
}

static void target_read_only(struct world *w)
{
	give_caps(w);
	w->caps.read_only = true;
}

static void target_splits(struct world *w)
{
	unsigned i;

	give_caps(w);
	w->dev->requests[3].flags = IO_FLAG_INDIRECT;
	w->ring->slots[3].wire_op = w->ring->window[3].wire_op = 6;
	for (i = 1; i < 12; i++)
		add_segment(&w->dev->requests[3], 0x110 + i, -1);
}

static void target_blocks(struct world *w)
{
	give_caps(w);
	w->caps.sector_bytes = 4096;
	w->dev->requests[1].rq_sector = w->dev->requests[1].sector = ++w->ring->window[1].sector;
}

static void target_smaller(struct world *w)
{
	give_caps(w);
	w->caps.sectors = 128 + 64 * 3 + 7;
}

static void target_queues(struct world *w)
{
	struct io_ring *two = calloc(2, sizeof(*two));

	give_caps(w);
	assert_non_null(two);
	two[0] = *w->ring;
	free(w->dev->rings);
	w->ring = w->dev->rings = two;
	make_ring(&(struct world){.ring = &two[1]}, 32, 0x0fffffff);
	two[1].index = 1;
	two[1].grefs[0] = 10;
	w->dev->nr_rings = 2;
}

static void target_ring_order(struct world *w)
{
	give_caps(w);
	w->ring->pages = realloc(w->ring->pages, 2 * sizeof(pfn_t));
	w->ring->page_source_mfn = realloc(w->ring->page_source_mfn, 2 * sizeof(mfn_t));
	w->ring->pages[1] = PFN(RING_PFN + 1);
	w->ring->page_source_mfn[1] = MFN(0x71235);
	w->ring->nr_pages = 2;
}

static void writes_overlap(struct world *w)
{
	w->dev->requests[2].rq_sector = w->dev->requests[2].sector = w->ring->window[2].sector =
		128 + 7;
}

static void read_overlaps_write(struct world *w)
{
	w->dev->requests[1].rq_sector = w->dev->requests[1].sector = w->ring->window[1].sector =
		128 + 7;
}

static void queued_overlaps_write(struct world *w)
{
	queue_one(w, IO_WRITE, 128 + 7);
}

static void queued_reads_overlap_write(struct world *w)
{
	queue_one(w, IO_READ, 128 - 7);
}

static void flush_among_writes(struct world *w)
{
	add_request(w, IO_FLUSH, 3);
}

static void barrier_among_writes(struct world *w)
{
	w->dev->driver = &made_up;
	add_request(w, IO_BARRIER, 2);
}

/* No kernel that is decoded here counts on it: it stands for a flush. */
static void barrier_as_flush(struct world *w)
{
	add_request(w, IO_BARRIER, 2);
}

static void writes_overlap_by_barrier(struct world *w)
{
	barrier_among_writes(w);
	w->dev->requests[1].op = IO_WRITE;
	w->ring->slots[1].wire_op = w->ring->window[1].wire_op = 1;
	read_overlaps_write(w);
}

static void copy_sent_again(struct world *w)
{
	copy_differs(w);
	w->dev->driver = &made_up;
}

/* `also`: rules that speak in the same situation, and have to. */
static const struct broken {
	const char *rule;
	void (*mutate)(struct world *w);
	const char *also;
} linux_cases[] = {
	{"XB101", free_list_circle, NULL},
	{"XB102", free_list_wild, NULL},
	{"XB103", used_and_free, NULL},
	{"XB104", leaked_slot, NULL},
	{"XB105", lost_completion, NULL},
	{"XB106", too_many_in_flight, NULL},
	{"XB107", published_too_much, NULL},
	{"XB107", answered_too_much, NULL},
	{"XB107", published_too_little, NULL},
	{"XB108", answer_to_free_slot, NULL},
	{"XB109", answer_to_no_slot, NULL},
	{"XB110", answer_of_another_kind, NULL},
	{"XB111", answer_twice, NULL},
	{"XB112", request_twice, NULL},
	{"XB113", ring_op_differs, NULL},
	{"XB113", ring_sector_differs, NULL},
	{"XB113", ring_count_differs, NULL},
	{"XB113", ring_gref_differs, NULL},
	{"XB113", ring_segment_differs, NULL},
	{"XB113", ring_discard_differs, NULL},
	{"XB114", unknown_operation, NULL},
	{"XB115", too_many_segments, NULL},
	{"XB115", too_many_indirect, NULL},
	{"XB116", first_behind_last, NULL},
	{"XB116", last_behind_page, NULL},
	{"XB117", moves_nothing, NULL},
	{"XB117", discards_nothing, NULL},
	{"XB118", half_a_sector, NULL},
	{"XB119", page_beyond_p2m, NULL},
	{"XB119", copy_beyond_p2m, NULL},
	{"XB120", page_not_saved, NULL},
	{"XB121", page_not_mapped, NULL},
	{"XB122", page_is_l1, NULL},
	{"XB122", page_is_pinned, NULL},
	{"XB123", page_is_ring, NULL},
	{"XB123", page_is_p2m, NULL},
	{"XB123", page_is_other_ring, NULL},
	{"XB124", reads_share, NULL},
	{"XB125", read_and_write_share, NULL},
	{"XB126", other_id, NULL},
	{"XB127", reserved_gref, NULL},
	{"XB128", gref_twice, NULL},
	{"XB128", gref_of_ring, NULL},
	{"XB128", gref_of_other_disk, NULL},
	{"XB130", not_connected, NULL},
	{"XB131", flush_alone, NULL},
	{"XB132", half_decoded, NULL},
	{"XB133", unreadable_slot, NULL},
	{"XB134", read_only, NULL},
	{"XB134", queued_on_read_only, "XB305"},
	{"XB135", beyond_the_end, NULL},
	{"XB135", beyond_wrapping, NULL},
	{"XB135", queued_beyond_the_end, "XB305"},
	{"XB136", was_answered, NULL},
	{"XB301", being_built, NULL},
	{"XB302", half_without_other, NULL},
	{"XB302", two_halves, NULL},
	{"XB303", same_request, NULL},
	{"XB304", copy_differs, NULL},
	{"XB316", copy_sent_again, NULL},
	{"XB305", more_queued, NULL},
	{"XB306", list_and_descriptor_differ, NULL},
	{"XB307", rq_sector_differs, NULL},
	{"XB308", wild_request_pointer, NULL},
	{"XB308", odd_request_pointer, NULL},
	{"XB309", other_device, NULL},
	{"XB401", disk_ends_early, NULL},
	{"XB314", kernel_mistakes_flush, NULL},
	{"XB315", kernel_loses_ring, NULL},
	{"XB317", resume_that_failed, NULL},
	{"XB318", kernel_wants_long_lists, NULL},
	{"XB319", kernel_was_seen_to_hang, NULL},
	{"XB402", disk_smaller, NULL},
	{"XB403", disk_larger, NULL},
	{"XB404", disk_blocks_4k, NULL},
	{"XB405", disk_other_blocks, NULL},
	{"XB406", disk_other_type, NULL},
	{"XB406", disk_other_uuid, NULL},
	{"XB406", disk_no_fs, NULL},
	{"XB407", disk_written, NULL},
	{"XB407", disk_labelled, NULL},
	{"XB407", disk_mounted, NULL},
	{"XB407", disk_mounted_later, NULL},
	{"XB407", disk_recovered, NULL},
	{"XB407", disk_journal_ahead, NULL},
	{"XB408", disk_used, NULL},
	{"XB501", target_maps_none, NULL},
	{"XB501", ring_not_mapped, NULL},
	{"XB502", target_no_flush, "XB131"},
	{"XB502", target_no_fua, NULL},
	{"XB503", target_no_barrier, "XB131"},
	{"XB504", target_no_discard, NULL},
	{"XB504", queued_discard_not_taken, "XB305"},
	{"XB505", target_no_secure_discard, NULL},
	{"XB506", target_read_only, NULL},
	{"XB507", target_splits, NULL},
	{"XB508", target_blocks, NULL},
	{"XB509", target_smaller, NULL},
	{"XB510", target_queues, NULL},
	{"XB511", target_ring_order, NULL},
	{"XB601", writes_overlap, NULL},
	{"XB602", read_overlaps_write, NULL},
	{"XB601", queued_overlaps_write, "XB305"},
	{"XB602", queued_reads_overlap_write, "XB305"},
	{"XB603", flush_among_writes, "XB131"},
	{"XB603", barrier_as_flush, "XB131"},
	{"XB604", barrier_among_writes, "XB131"},
	{"XB605", writes_overlap_by_barrier, "XB131 XB604"},
};

static const struct broken netbsd_cases[] = {
	{"XB202", sector_lost, NULL},
	{"XB203", id_not_kernel, NULL},
	{"XB203", id_not_in_array, NULL},
	{"XB203", id_same, NULL},
	{"XB204", sixty_four_live, NULL},
	{"XB205", request_twice, NULL},
	{"XB206", below_bias, NULL},
	{"XB207", in_recovery, NULL},
	{"XB101", free_list_circle, NULL},
};

static unsigned run_case(const struct broken *c, void (*make)(struct world *w), const char *always)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned seen = 0, also = 0, bad = 0;
	size_t i;

	assert_non_null(w);
	make(w);
	c->mutate(w);
	check_run(&w->in, &w->out);
	assert_false(w->out.no_memory);
	for (i = 0; i < w->out.findings.nr; i++) {
		const struct finding *f = &w->out.findings.v[i];

		assert_non_null(catalogue_find(f->rule));
		if (!strcmp(f->rule, c->rule))
			seen++;
		else if (c->also && strstr(c->also, f->rule))
			also++;
		else if (!always || strcmp(f->rule, always)) {
			print_error("case %s: unexpected %s: %s\n", c->rule, f->rule, f->message);
			bad++;
		}
	}
	if (seen != 1 || (c->also && also != (strlen(c->also) + 1) / 6)) {
		print_error("case %s: %u findings of it, %u of %s\n", c->rule, seen, also,
			c->also ? c->also : "another");
		bad++;
	}
	free_world(w);
	return bad;
}

static void each_rule_speaks_alone(void **state UNUSED)
{
	unsigned bad = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(linux_cases); i++)
		bad += run_case(&linux_cases[i], make_linux, NULL);
	assert_int_equal(bad, 0);
}

static void each_netbsd_rule_speaks(void **state UNUSED)
{
	unsigned bad = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(netbsd_cases); i++)
		bad += run_case(&netbsd_cases[i], make_netbsd, "XB201");
	assert_int_equal(bad, 0);
}

/* What an ordinary, healthy, busy guest does: at most a note, which is named. */
static const struct {
	void (*mutate)(struct world *w);
	const char *note, *skip;
} ordinary[] = {
	{copy_differs, "XB304", NULL},
	{reads_share, "XB124", NULL},
	{read_and_write_share, "XB125", NULL},
	{writes_overlap, "XB601", NULL},
	{read_overlaps_write, "XB602", NULL},
	{target_queues, "XB510", NULL},
	{disk_shared_read_only, NULL, "XB408"},
	{idle_disk_without_backend, NULL, NULL},
	{disk_frozen, NULL, NULL},
	{disk_labelled_by_guest, NULL, NULL},
	{disk_label_in_flight, NULL, NULL},
	{disk_journal_in_flight, NULL, NULL},
	{disk_ext3_by_ext4, NULL, NULL},
	{disk_fat, NULL, "XB407"},
	{disk_by_fuse, NULL, "XB406"},
	{disk_ambiguous, NULL, "XB406"},
};

static bool skipped(const struct world *w, const char *rule)
{
	size_t i;

	for (i = 0; i < w->out.nr_skips; i++)
		if (!strcmp(w->out.skips[i].rule, rule))
			return true;
	return false;
}

static void ordinary_guests_are_safe(void **state UNUSED)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(ordinary); i++) {
		struct world *w = calloc(1, sizeof(*w));
		const struct finding *v;

		assert_non_null(w);
		make_linux(w);
		ordinary[i].mutate(w);
		check_run(&w->in, &w->out);
		v = w->out.findings.v;
		for (j = 0; j < w->out.findings.nr; j++) {
			assert_non_null(ordinary[i].note);
			assert_string_equal(v[j].rule, ordinary[i].note);
			assert_int_equal(catalogue_find(v[j].rule)->severity, SEVERITY_NOTE);
		}
		assert_true(j || !ordinary[i].note);
		if (ordinary[i].skip)
			assert_true(skipped(w, ordinary[i].skip));
		else
			assert_int_equal(w->out.nr_skips, 0);
		free_world(w);
	}
}

static void good_models_are_clean(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	make_linux(w);
	give_disk(w);
	give_caps(w);
	w->in.target_given = true;
	check_run(&w->in, &w->out);
	assert_int_equal(w->out.findings.nr, 0);
	assert_int_equal(w->out.nr_skips, 0);
	free_world(w);
}

static void two_good_disks_are_clean(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	make_linux(w);
	second_disk(w);
	check_run(&w->in, &w->out);
	assert_int_equal(w->out.findings.nr, 0);
	free_world(w);
}

static void netbsd_is_never_safe(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	make_netbsd(w);
	check_run(&w->in, &w->out);
	assert_int_equal(w->out.findings.nr, 1);
	assert_string_equal(w->out.findings.v[0].rule, "XB201");
	assert_string_equal(w->out.findings.v[0].message,
		"on resume the driver would issue 3 requests (1 reads, 2 writes) at sectors that "
		"it "
		"never recorded");
	free_world(w);
}

/* Requests answered out of order leave their ring entries behind; a slot is used again later. */
static void stale_ring_entries_are_no_fault(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	make_linux(w);
	/* ring: [old request of slot 1][stale: free slot 7][slot 2][slot 1 again, newer] */
	w->ring->window[0] = w->ring->window[1];
	w->ring->window[3] = w->ring->window[1];
	w->ring->window[0].index = 0xfffffff0;
	w->ring->window[0].sector = 9000;
	w->ring->window[1].id = 7;
	w->ring->window[3].index = 0xfffffff3;
	check_run(&w->in, &w->out);
	assert_int_equal(w->out.findings.nr, 0);
	free_world(w);
}

static void indirect_answers_name_the_inner_operation(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	make_linux(w);
	w->dev->requests[1].flags = IO_FLAG_INDIRECT;
	w->ring->slots[1].wire_op = 6;
	answer(w, 1, 0);
	w->ring->window[1] = w->ring->window[2];
	w->ring->window[1].index = w->ring->rsp_cons + 1;
	check_run(&w->in, &w->out);
	assert_int_equal(w->out.findings.nr, 0);
	free_world(w);
}

static void what_cannot_be_checked_is_said(void **state UNUSED)
{
	static const char *const expected[] = {"XB101", "XB105", "XB107", "XB108", "XB113", "XB119",
		"XB121", "XB122", "XB130", "XB135", "XB304", "XB305", "XB402", "XB406", "XB407"};
	struct world *w = calloc(1, sizeof(*w));
	size_t i;

	assert_non_null(w);
	make_linux(w);
	give_disk(w);
	w->dev->fs_known = w->dev->queued_known = w->ring->sring_known = false;
	w->dev->nr_sectors = BLK_UNKNOWN_U64;
	strcpy(w->dev->state, "unknown");
	free(take(w->ring->slots));
	w->info.nr_pfns = 0;
	w->in.memory.ops = NULL;
	w->ring->page_source_mfn[0] = MFN_NONE;
	for (i = 0; i < w->dev->nr_requests; i++)
		w->dev->requests[i].seg[0].source_mfn = MFN_NONE;
	check_run(&w->in, &w->out);
	assert_int_equal(w->out.findings.nr, 0);
	for (i = 0; i < ARRAY_SIZE(expected); i++)
		if (!skipped(w, expected[i]))
			fail_msg("%s is passed over in silence", expected[i]);
	free_world(w);
}

/* What a driver changes one after the other proves nothing of a guest that ran; a circle does. */
static void a_running_guest_is_not_held_still(void **state UNUSED)
{
	static void (*const changes[])(struct world * w) = {used_and_free, leaked_slot,
		lost_completion, published_too_much, answer_to_free_slot};
	static const char *const expected[] = {"XB103", "XB104", "XB105", "XB107", "XB108", "XB112",
		"XB113", "XB122", "XB301", "XB303", "XB306", "XB307"};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		struct world *w = calloc(1, sizeof(*w));

		assert_non_null(w);
		make_linux(w);
		w->info.suspended = false;
		changes[i](w);
		w->types[0x101] = 1;
		check_run(&w->in, &w->out);
		assert_int_equal(w->out.findings.nr, 0);
		for (k = 0; k < ARRAY_SIZE(expected); k++)
			if (!skipped(w, expected[k]))
				fail_msg("%s is passed over in silence", expected[k]);
		free_world(w);
	}
}

static void a_running_guest_has_no_circles_either(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	make_linux(w);
	w->info.suspended = false;
	free_list_circle(w);
	check_run(&w->in, &w->out);
	assert_int_equal(w->out.findings.nr, 1);
	assert_string_equal(w->out.findings.v[0].rule, "XB101");
	free_world(w);
}

/* Thousands of requests to one place must not make thousands of squares. */
static void overlaps_stay_linear(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned i;

	assert_non_null(w);
	make_world(w, &frontend_linux_blkfront);
	make_ring(w, 32768, 0x0fffffff);
	for (i = 0; i < 32768; i++) {
		struct io_request *r = add_request(w, IO_WRITE, 1);

		r->sector = r->rq_sector = 128;
		r->seg[0].pfn = PFN(0x101);
	}
	check_run(&w->in, &w->out);
	assert_true(finding_seen(&w->out.findings, "XB601") == 32767);
	free_world(w);
}

static void a_disk_without_a_mount_says_so(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	make_linux(w);
	give_disk(w);
	w->dev->nr_fs = 0;
	check_run(&w->in, &w->out);
	assert_int_equal(w->out.findings.nr, 0);
	assert_true(skipped(w, "XB406") && skipped(w, "XB407"));
	free_world(w);
}

/* As many as the decoder hands out: quadratic rules would need half a minute. */
static void many_rings_stay_linear(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));
	unsigned i, k;

	assert_non_null(w);
	make_world(w, &frontend_linux_blkfront);
	strcpy(w->snap.guest.release, "4.9.0");
	free(w->dev->rings);
	w->dev->nr_rings = 8192;
	w->dev->rings = calloc(w->dev->nr_rings, sizeof(*w->dev->rings));
	assert_non_null(w->dev->rings);
	for (i = 0; i < 8192; i++) {
		w->dev->rings[i].index = i;
		w->dev->rings[i].nr_pages = 1;
		w->dev->rings[i].pages = calloc(1, sizeof(pfn_t));
		assert_non_null(w->dev->rings[i].pages);
		w->dev->rings[i].pages[0] = PFN(RING_PFN);
	}
	for (i = 0; i < 131072; i++) {
		struct io_request *r = io_request_append(&w->dev->requests, &w->dev->nr_requests);

		assert_non_null(r);
		r->ring = i / 16;
		r->slot = i % 16;
		r->op = i == 131071 ? IO_FLUSH : IO_WRITE;
		for (k = 0; k < 4 && r->op == IO_WRITE; k++)
			add_segment(r, i == 100 && !k ? RING_PFN : 0x200 + k, -1);
	}
	alarm(15);
	check_run(&w->in, &w->out);
	alarm(0);
	assert_int_equal(finding_seen(&w->out.findings, "XB123"), 1);
	/* Ring 16 and later ones look at a slot that they do not have. */
	assert_int_equal(finding_seen(&w->out.findings, "XB314"), (8192 - 16) * 16);
	free_world(w);
}

/* Each of what XB318 asks for is needed: the versions, more than a page holds, something pending.
 */
static void short_lists_find_memory(void **state UNUSED)
{
	static const struct {
		const char *release;
		uint64_t segments;
		bool idle, broken;
	} cases[] = {
		{"4.18.0-553.el8", 256, false, true},
		{"5.6.19", 256, false, true},
		{"4.17.19", 256, false, false},
		{"5.7.0", 256, false, false},
		{"4.19.0-27-amd64", 128, false, false},
		{"4.19.0-27-amd64", BLK_UNKNOWN_U64, false, false},
		{"4.19.0-27-amd64", 256, true, false},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = calloc(1, sizeof(*w));

		assert_non_null(w);
		make_linux(w);
		strcpy(w->snap.guest.release, cases[i].release);
		w->dev->max_indirect_segments = cases[i].segments;
		if (cases[i].idle)
			resume_that_failed(w);
		check_run(&w->in, &w->out);
		assert_int_equal(finding_seen(&w->out.findings, "XB318"), cases[i].broken);
		free_world(w);
	}
}

/* A restored domain that is still paused: its backend has not said what it can do. */
static void silent_backend_is_no_fault(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	make_linux(w);
	flush_alone(w);
	discard(w);
	w->caps = check_caps_none();
	w->caps.partial = true;
	w->caps.flush = w->caps.barrier = w->caps.discard = TRI_UNKNOWN;
	w->in.caps = &w->caps;
	w->in.nr_caps = 1;
	check_run(&w->in, &w->out);
	assert_int_equal(w->out.findings.nr, 1); /* the flush itself, a note */
	assert_string_equal(w->out.findings.v[0].rule, "XB131");
	assert_true(skipped(w, "XB502") && skipped(w, "XB504") && skipped(w, "XB510"));
	free_world(w);
}

struct restored {
	const struct world *w;
	uint64_t changed, missing;
	uint8_t page[PAGE_BYTES];
};

static const uint8_t *fetch(void *arg, pfn_t pfn, struct err *err)
{
	struct restored *r = arg;
	struct memory_page page = page_of(r->w, pfn);

	if (pfn.v == r->missing) {
		err_set(err, ERR_SYSTEM, "not mapped");
		return NULL;
	}
	memcpy(r->page, page.data, PAGE_BYTES);
	r->page[77] ^= pfn.v == r->changed;
	return r->page;
}

static void restored_pages_are_compared(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));
	struct restored r = {.w = w};

	assert_non_null(w);
	make_linux(w);
	assert_int_equal(check_compare_pages(&w->in, fetch, &r, &w->out), 5); /* 4 and the ring */
	assert_int_equal(w->out.findings.nr, 0);
	r.changed = 0x102;
	r.missing = RING_PFN;
	assert_int_equal(check_compare_pages(&w->in, fetch, &r, &w->out), 4);
	assert_int_equal(w->out.findings.nr, 2);
	assert_string_equal(w->out.findings.v[0].rule, "XB520");
	assert_int_equal(w->out.findings.v[0].slot, 2);
	assert_string_equal(w->out.findings.v[0].message,
		"page 0x102 differs from byte 77 on: 0x01, the checkpoint has 0x00");
	assert_string_equal(w->out.findings.v[1].rule, "XB521");
	assert_string_equal(w->out.findings.v[1].message, "page 0x900: not mapped");
	free_world(w);
}

static bool tested(const struct broken *cases, size_t nr, const char *id)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (!strcmp(cases[i].rule, id))
			return true;
	return false;
}

static void no_rule_without_a_test(void **state UNUSED)
{
	const char *id;
	size_t i;

	for (i = 0; (id = check_rule_id(i)); i++)
		if (strcmp(id, "XB201") && strncmp(id, "XB8", 3) && /* test_rules_other.c */
			strncmp(id, "XB25", 4) &&		    /* blkfront.bats */
			!tested(linux_cases, ARRAY_SIZE(linux_cases), id) &&
			!tested(netbsd_cases, ARRAY_SIZE(netbsd_cases), id))
			fail_msg("no test breaks %s", id);
	assert_true(i > 60);
}

static void catalogue_is_in_order(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < catalogue_nr(); i++) {
		const struct rule *r = catalogue_rule(i);

		assert_int_equal(strlen(r->id), 5);
		if (i)
			assert_true(strcmp(catalogue_rule(i - 1)->id, r->id) < 0);
		assert_true(r->summary && r->explanation && r->remedy);
		assert_true(r->summary[strlen(r->summary) - 1] != '.');
		assert_true(r->remedy[strlen(r->remedy) - 1] == '.');
		assert_ptr_equal(catalogue_find(r->id), r);
	}
	assert_null(catalogue_find("XB999"));
}

static void policies(void **state UNUSED)
{
	struct check_policy p = {0};
	struct err err = ERR_INIT;
	enum severity s;

	assert_true(check_policy_severity(&p, "XB104", &s));
	assert_int_equal(s, SEVERITY_WARNING);
	assert_int_equal(check_policy_add(&p, "XB104=error", &err), 0);
	assert_true(check_policy_severity(&p, "XB104", &s));
	assert_int_equal(s, SEVERITY_ERROR);
	assert_int_equal(check_policy_add(&p, "XB104=off", &err), 0);
	assert_false(check_policy_severity(&p, "XB104", &s));
	assert_int_equal(check_policy_add(&p, "XB999=off", &err), -1);
	assert_int_equal(err.cls, ERR_USAGE);
	assert_string_equal(err.text, "there is no rule 'XB999'");
	assert_int_equal(check_policy_add(&p, "XB101=fatal", &err), -1);
	assert_int_equal(check_policy_add(&p, "XB101", &err), -1);
	assert_int_equal(check_policy_add(&p, "=off", &err), -1);
	check_policy_fini(&p);
}

/* It has no slot, and says so. */
static void a_queued_request_is_named_by_its_tag(void **state UNUSED)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	make_linux(w);
	queue_one(w, IO_READ, 65536)->slot = 77;
	check_run(&w->in, &w->out);
	assert_int_equal(w->out.findings.nr, 2);
	assert_string_equal(w->out.findings.v[0].message,
		"a queued read (queue 0, tag 77): sectors 65536 to 65543, the disk has 65536");
	assert_int_equal(w->out.findings.v[0].slot, -1);
	free_world(w);
}

/* Which kernels are accused, and of what. */
static void faults_of_kernels(void **state UNUSED)
{
	static const struct {
		const char *release, *said;
	} cases[] = {
		{"4.7.10", NULL},
		{"4.8.0", "resume takes this discard for a write, which is in slot 0"},
		{"4.12.14-lp150", "resume takes this discard for a write, which is in slot 0"},
		{"4.13.0", NULL},
		{"5.4.0", NULL},
		{"6.1.0-44-cloud-amd64", NULL},
		{"strange", NULL},
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = calloc(1, sizeof(*w));
		const char *said = NULL;

		assert_non_null(w);
		make_linux(w);
		discard(w);
		strcpy(w->snap.guest.release, cases[i].release);
		check_run(&w->in, &w->out);
		for (k = 0; k < w->out.findings.nr; k++)
			if (!strcmp(w->out.findings.v[k].rule, "XB314"))
				said = w->out.findings.v[k].message;
		assert_int_equal(said != NULL, cases[i].said != NULL);
		if (said)
			assert_string_equal(said, cases[i].said);
		free_world(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_models_are_clean),
		cmocka_unit_test(ordinary_guests_are_safe),
		cmocka_unit_test(two_good_disks_are_clean),
		cmocka_unit_test(netbsd_is_never_safe),
		cmocka_unit_test(each_rule_speaks_alone),
		cmocka_unit_test(each_netbsd_rule_speaks),
		cmocka_unit_test(stale_ring_entries_are_no_fault),
		cmocka_unit_test(indirect_answers_name_the_inner_operation),
		cmocka_unit_test(what_cannot_be_checked_is_said),
		cmocka_unit_test(a_running_guest_is_not_held_still),
		cmocka_unit_test(a_running_guest_has_no_circles_either),
		cmocka_unit_test(overlaps_stay_linear),
		cmocka_unit_test(a_disk_without_a_mount_says_so),
		cmocka_unit_test(many_rings_stay_linear),
		cmocka_unit_test(short_lists_find_memory),
		cmocka_unit_test(silent_backend_is_no_fault),
		cmocka_unit_test(restored_pages_are_compared),
		cmocka_unit_test(no_rule_without_a_test),
		cmocka_unit_test(catalogue_is_in_order),
		cmocka_unit_test(a_queued_request_is_named_by_its_tag),
		cmocka_unit_test(faults_of_kernels),
		cmocka_unit_test(policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
