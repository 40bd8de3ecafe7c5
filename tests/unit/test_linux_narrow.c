/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The decoder on a 32-bit guest: pointers of four bytes everywhere, the wire format of 32 bits
 * (public/io/blkif.h: no padding before a request's id), struct page found from mem_map. Everything
 * is written here byte by byte; where the members lie is the test's own choice.
 *
 *   slot 0  write, sector 100: pfn 40 from byte 512, pfn 41 from 0 (3584 + 512 bytes)
 *   slot 1  indirect read, sector 5000: pfn 42, 43, 44, all of them
 *   queued  write, sector 900: pfn 45 from byte 1024, 2048 bytes
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "frontend/linux/ctx.h"

#include "seen.h"

#define HG_PAGES 64u
#include "hvm_guest.h"

#define BASE	0xc1000000u
#define FIRST	8u /* frame of BASE */
#define MEM_MAP 0xc7000000u
#define PAGE(n) (MEM_MAP + 40u * (n)) /* struct page of frame n */

/* Offsets from BASE. */
enum {
	INFO = 0x0,
	RING = 0x1000,
	SHADOW = RING + 88,
	SLOT = 144,
	SRING = 0x3000,
	LIST = 0x4000,	   /* scatter lists, 0x200 a slot */
	POINTERS = 0x4400, /* to grants, 0x80 a slot */
	GRANTS = 0x4800,   /* 0x40 a slot */
	RQ = 0x5000,	   /* struct request, 64 bytes each */
	QUEUE = 0x5400,
	HCTX = 0x5440,
	TAGS = 0x5480,
	RQS = 0x54c0,
	FQ = 0x5500,
	BIOS = 0x5600, /* 32 bytes each */
	VECS = 0x5700, /* 64 bytes each */
	INDIRECT = 0x6000,
	GENDISK = 0x7000,
};
#define INDIRECT_PFN (FIRST + INDIRECT / 4096)

struct narrow {
	struct hguest h;
	struct ckpt *ck;
	struct guest *g;
	struct snapshot s;
	struct blkdev *d;
};

static uint8_t *mem(struct narrow *n, unsigned off)
{
	return (uint8_t *)n->h.mem + FIRST * 4096 + off;
}

static void put(struct narrow *n, unsigned off, uint64_t v, unsigned bytes)
{
	hg_put(mem(n, off), v, bytes);
}

static void map_guest(struct narrow *n)
{
	unsigned i;

	hg_init(&n->h, 3, 1 << 12);
	hg_entry(&n->h, 1, 8 * 3, 2 << 12 | 1, 8);
	hg_entry(&n->h, 2, 8 * 8, 3 << 12 | 3, 8);
	for (i = FIRST; i < HG_PAGES; i++)
		hg_entry(&n->h, 3, 8 * (i - FIRST), (uint64_t)i << 12 | 3, 8);
}

/* ---- the driver --------------------------------------------------------------------------- */

static void build_device(struct narrow *n)
{
	unsigned i;

	put(n, INFO + 4, BASE + GENDISK, 4);
	memcpy(mem(n, GENDISK + 12), "xvdb", 5);
	put(n, INFO + 8, 51728, 4);
	put(n, INFO + 12, 51728, 2);
	put(n, INFO + 16, 1, 4);
	put(n, INFO + 20, 1, 4);
	put(n, INFO + 24, BASE + QUEUE, 4);
	put(n, INFO + 28, BASE + RING, 4);
	put(n, INFO + 32, 1, 4);
	put(n, RING, 2, 4); /* req_prod_pvt, rsp_cons, nr_ents, sring */
	put(n, RING + 8, 32, 4);
	put(n, RING + 12, BASE + SRING, 4);
	put(n, RING + 16, 8, 4); /* its grant */
	put(n, RING + 80, 2, 4); /* first free */
	put(n, RING + 84, BASE + INFO, 4);
	for (i = 2; i < 32; i++)
		put(n, SHADOW + SLOT * i + 4, i < 31 ? i + 1 : 0x0fffffff, 8);
	put(n, SRING, 2, 4); /* req_prod, req_event, rsp_prod, rsp_event */
	put(n, SRING + 4, 1, 4);
	put(n, SRING + 12, 1, 4);
}

/* The pages that slot i's scatter list and grants name. */
static void put_piece(
	struct narrow *n, unsigned i, unsigned k, unsigned pfn, unsigned off, unsigned bytes)
{
	put(n, LIST + 0x200 * i + 16 * k, PAGE(pfn), 4);
	put(n, LIST + 0x200 * i + 16 * k + 4, off, 4);
	put(n, LIST + 0x200 * i + 16 * k + 8, bytes, 4);
	put(n, POINTERS + 0x80 * i + 4 * k, BASE + GRANTS + 0x40 * i + 8 * k, 4);
	put(n, GRANTS + 0x40 * i + 8 * k, 300 + 10 * i + k, 4);
}

static void put_slot(struct narrow *n, unsigned i, unsigned nr)
{
	put(n, SHADOW + SLOT * i + 108, BASE + RQ + 64 * i, 4);
	put(n, SHADOW + SLOT * i + 112, BASE + POINTERS + 0x80 * i, 4);
	put(n, SHADOW + SLOT * i + 120, BASE + LIST + 0x200 * i, 4);
	put(n, SHADOW + SLOT * i + 124, nr, 4);
}

/* Slot i as it stands in the shared ring. */
static void publish(struct narrow *n, unsigned i)
{
	memcpy(mem(n, SRING + 64 + 108 * i), mem(n, SHADOW + SLOT * i), 108);
}

static void build_write(struct narrow *n)
{
	unsigned req = SHADOW;

	put(n, req, 1, 1); /* operation, segments, handle, id, sector */
	put(n, req + 1, 2, 1);
	put(n, req + 2, 51728, 2);
	put(n, req + 12, 100, 8);
	put(n, req + 20, 300, 4); /* grant, first sector, last */
	put(n, req + 24, 1, 1);
	put(n, req + 25, 7, 1);
	put(n, req + 28, 301, 4);
	put(n, req + 32, 0, 1);
	put(n, req + 33, 0, 1);
	put_piece(n, 0, 0, 40, 512, 3584);
	put_piece(n, 0, 1, 41, 0, 512);
	put_slot(n, 0, 2);
	publish(n, 0);
}

static void build_indirect(struct narrow *n)
{
	unsigned req = SHADOW + SLOT, k;

	put(n, req, 6, 1); /* indirect: operation, segments, id, sector, handle, grants of pages */
	put(n, req + 1, 0, 1);
	put(n, req + 2, 3, 2);
	put(n, req + 4, 1, 8);
	put(n, req + 12, 5000, 8);
	put(n, req + 20, 51728, 2);
	put(n, req + 24, 399, 4);
	for (k = 0; k < 3; k++) {
		put_piece(n, 1, k, 42 + k, 0, 4096);
		put(n, INDIRECT + 8 * k, 310 + k, 4);
		put(n, INDIRECT + 8 * k + 5, 7, 1);
	}
	put_slot(n, 1, 3);
	/* indirect_grants: one pointer to a grant, whose page has the segments */
	put(n, req + 116, BASE + POINTERS + 0x100, 4);
	put(n, POINTERS + 0x100, BASE + GRANTS + 0x80, 4);
	put(n, GRANTS + 0x80, 399, 4);
	put(n, GRANTS + 0x84, PAGE(INDIRECT_PFN), 4);
	publish(n, 1);
}

/* ---- the block layer ---------------------------------------------------------------------- */

static void put_request(
	struct narrow *n, unsigned i, unsigned flags, uint64_t sector, unsigned bytes)
{
	put(n, RQ + 64 * i, flags, 4);
	put(n, RQ + 64 * i + 4, bytes, 4);
	put(n, RQ + 64 * i + 8, sector, 8);
	put(n, RQ + 64 * i + 16, BASE + BIOS + 32 * i, 4);
	put(n, RQ + 64 * i + 20, 1, 4);
	put(n, RQ + 64 * i + 24, 7000 + i, 8);
	put(n, BIOS + 32 * i + 4, BASE + VECS + 64 * i, 4);
	put(n, BIOS + 32 * i + 8, bytes, 4);
}

static void put_vec(
	struct narrow *n, unsigned i, unsigned k, unsigned pfn, unsigned off, unsigned bytes)
{
	put(n, VECS + 64 * i + 12 * k, PAGE(pfn), 4);
	put(n, VECS + 64 * i + 12 * k + 4, bytes, 4);
	put(n, VECS + 64 * i + 12 * k + 8, off, 4);
}

static void build_queue(struct narrow *n)
{
	unsigned i;

	put_request(n, 0, 1, 100, 4096);
	put_vec(n, 0, 0, 40, 512, 3584);
	put_vec(n, 0, 1, 41, 0, 512);
	put_request(n, 1, 0, 5000, 3 * 4096);
	for (i = 0; i < 3; i++)
		put_vec(n, 1, i, 42 + i, 0, 4096);
	put_request(n, 2, 1, 900, 2048);
	put_vec(n, 2, 0, 45, 1024, 2048);
	put(n, QUEUE, BASE + QUEUE + 16, 4); /* an array of one pointer */
	put(n, QUEUE + 4, 1, 4);
	put(n, QUEUE + 16, BASE + HCTX, 4);
	put(n, HCTX, BASE + TAGS, 4);
	put(n, HCTX + 8, BASE + FQ, 4);
	put(n, TAGS, 3, 4);
	put(n, TAGS + 4, BASE + RQS, 4);
	for (i = 0; i < 3; i++)
		put(n, RQS + 4 * i, BASE + RQ + 64 * i, 4);
	put(n, FQ, BASE + RQ + 64 * 3, 4);
}

/* ---- where the members lie ---------------------------------------------------------------- */

static struct field at(uint32_t off, uint32_t bytes)
{
	return (struct field){.present = true, .off = off, .bytes = bytes};
}

static void lay_out_driver(struct linux_layout *l)
{
	*l = (struct linux_layout){
		.info_gd = at(4, 4),
		.info_vdevice = at(8, 4),
		.info_handle = at(12, 2),
		.info_connected = at(16, 4),
		.info_nr_ring_pages = at(20, 4),
		.info_rq = at(24, 4),
		.info_rinfo = at(28, 4),
		.info_nr_rings = at(32, 4),
		.ring_pvt = at(0, 4),
		.ring_cons = at(4, 4),
		.ring_nr_ents = at(8, 4),
		.ring_sring = at(12, 4),
		.ring_ref = at(16, 64),
		.ring_shadow_free = at(80, 4),
		.ring_dev_info = at(84, 4),
		.ring_shadow = at(88, 0),
		.slot_req = at(0, 108),
		.slot_request = at(108, 4),
		.slot_grants_used = at(112, 4),
		.slot_indirect_grants = at(116, 4),
		.slot_sg = at(120, 4),
		.slot_num_sg = at(124, 4),
		.grant_gref = at(0, 4),
		.grant_page = at(4, 4),
		.ring_bytes = 88 + 32 * SLOT,
		.slot_bytes = SLOT,
		.status_waiting = UINT32_MAX,
	};
}

static void lay_out_kernel(struct linux_ctx *c)
{
	c->pages = (struct linux_pages){true, MEM_MAP, 40};
	c->sg = (struct linux_sg_layout){at(0, 4), at(4, 4), at(8, 4), 16};
	c->bio.op_is_low = true;
	c->bio.cmd_flags = at(0, 4);
	c->bio.data_len = at(4, 4);
	c->bio.sector = at(8, 8);
	c->bio.first_bio = at(16, 4);
	c->bio.start_time_ns = at(24, 8);
	c->bio.next = at(0, 4);
	c->bio.io_vec = at(4, 4);
	c->bio.size = at(8, 4);
	c->bio.idx = at(12, 4);
	c->bio.done = at(16, 4);
	c->bio.vec_page = at(0, 4);
	c->bio.vec_len = at(4, 4);
	c->bio.vec_offset = at(8, 4);
	c->queue.hctx_array = at(0, 4);
	c->queue.nr_hw_queues = at(4, 4);
	c->queue.tags = at(0, 4);
	c->queue.sched_tags = at(4, 4);
	c->queue.fq = at(8, 4);
	c->queue.nr_tags = at(0, 4);
	c->queue.static_rqs = at(4, 4);
	c->queue.flush_rq = at(0, 4);
	c->queue.ref = at(20, 4);
}

static void decode(struct narrow *n)
{
	struct err err = ERR_INIT;
	struct linux_ctx c;
	struct source *src;

	if (source_from_memory(n->h.stream, hg_stream(&n->h), "made", &src, &err) ||
		ckpt_open_source(src, &n->ck, &err) ||
		guest_open(memory_of_ckpt(n->ck), &n->g, &err))
		fail_msg("%s", err.text);
	assert_int_equal(guest_word_bytes(n->g), 4);
	linux_ctx_init(&c, n->g, NULL, &n->s);
	lay_out_driver(&c.l);
	lay_out_kernel(&c);
	c.facts = &(struct guest_facts){.mono_known = true, .mono_ns = 10000};
	n->d = snapshot_add_device(&n->s);
	assert_non_null(n->d);
	assert_int_equal(linux_decode_device(&c, GVA(BASE + INFO), n->d, &err), 0);
}

static int setup(void **state)
{
	struct narrow *n = calloc(1, sizeof(*n));

	if (!n)
		return -1;
	map_guest(n);
	build_device(n);
	build_write(n);
	build_indirect(n);
	build_queue(n);
	*state = n;
	return 0;
}

static int teardown(void **state)
{
	struct narrow *n = *state;

	snapshot_fini(&n->s);
	guest_close(n->g);
	ckpt_close(n->ck);
	free(n);
	return 0;
}

/* ---- tests -------------------------------------------------------------------------------- */

static void piece_is(
	const struct io_segment *s, uint64_t pfn, uint32_t off, uint32_t bytes, int64_t gref)
{
	assert_int_equal(s->frame, IO_FRAME_OK);
	assert_int_equal(s->pfn.v, pfn);
	assert_int_equal(s->offset, off);
	assert_int_equal(s->bytes, bytes);
	assert_int_equal(s->gref, gref);
}

static void the_ring_is_read(void **state)
{
	struct narrow *n = *state;
	const struct io_ring *r;

	decode(n);
	assert_string_equal(n->d->name, "xvdb");
	assert_int_equal(n->d->handle, 51728);
	assert_string_equal(n->d->state, "connected");
	assert_int_equal(n->d->nr_rings, 1);
	r = n->d->rings;
	assert_int_equal(r->entries, 32);
	assert_true(r->sring_known && r->free_list_ok);
	assert_int_equal(r->nr_used, 2);
	assert_int_equal(r->pages[0].v, FIRST + 3);
	assert_int_equal(r->nr_grefs, 1);
	assert_int_equal(r->grefs[0], 8);
	assert_int_equal(r->nr_window, 2);
	assert_int_equal(r->window[0].sector, 100);
	assert_int_equal(r->window[0].gref[1], 301);
	assert_int_equal(r->window[0].first_sect[0], 1);
	assert_int_equal(r->window[1].id, 1);
	assert_int_equal(r->window[1].gref[0], 399);
	assert_int_equal(n->s.findings.nr, 0);
}

static void the_requests_are_read(void **state)
{
	struct narrow *n = *state;
	const struct io_request *r;
	unsigned k;

	decode(n);
	assert_int_equal(n->d->nr_requests, 2);
	r = n->d->requests;
	assert_null(r[0].trouble);
	assert_int_equal(r[0].op, IO_WRITE);
	assert_int_equal(r[0].sector, 100);
	assert_int_equal(r[0].nr_sectors, 8);
	assert_int_equal(r[0].nr_seg, 2);
	piece_is(&r[0].seg[0], 40, 512, 3584, 300);
	piece_is(&r[0].seg[1], 41, 0, 512, 301);
	assert_true(r[0].age_known && r[0].age_ns == 3000);
	assert_null(r[1].trouble);
	assert_int_equal(r[1].op, IO_READ);
	assert_int_equal(r[1].flags, IO_FLAG_INDIRECT);
	assert_int_equal(r[1].sector, 5000);
	assert_int_equal(r[1].nr_seg, 3);
	for (k = 0; k < 3; k++) {
		piece_is(&r[1].seg[k], 42 + k, 0, 4096, 310 + k);
		assert_true(r[1].seg[k].sects_known && r[1].seg[k].last_sect == 7);
	}
}

static void what_waits_is_read(void **state)
{
	struct narrow *n = *state;
	const struct io_request *r;

	decode(n);
	assert_true(n->d->queued_known);
	assert_int_equal(n->d->nr_queued, 1);
	r = n->d->queued;
	assert_int_equal(r->op, IO_WRITE);
	assert_int_equal(r->sector, 900);
	assert_int_equal(r->slot, 2);
	assert_int_equal(r->nr_seg, 1);
	assert_int_equal(r->seg[0].pfn.v, 45);
	assert_int_equal(r->seg[0].offset, 1024);
	assert_int_equal(r->seg[0].bytes, 2048);
}

/* The second bio_vec, twelve bytes on, says something else than the slot. */
static void a_contradiction_is_seen(void **state)
{
	struct narrow *n = *state;

	put_vec(n, 0, 1, 46, 0, 512);
	decode(n);
	assert_int_equal(finding_seen(&n->s.findings, "XB307"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_ring_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(the_requests_are_read, setup, teardown),
		cmocka_unit_test_setup_teardown(what_waits_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(a_contradiction_is_seen, setup, teardown),
	};

	return cmocka_run_group_tests_name("linux narrow", tests, NULL, NULL);
}
