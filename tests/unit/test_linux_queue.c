/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Requests that the block layer holds, and what it knows of those in the ring.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "linux_queue_guest.h"
#include "seen.h"

struct image {
	struct lguest g;
	uint8_t stream[LG_STREAM];
	struct snapshot s;
	struct blkdev *d;
};

static int setup(void **state)
{
	struct image *im = test_malloc(sizeof(*im));

	memset(&im->s, 0, sizeof(im->s));
	lg_build(&im->g, LG_5_18, false);
	lq_build(&im->g);
	*state = im;
	return 0;
}

static int teardown(void **state)
{
	struct image *im = *state;

	snapshot_fini(&im->s);
	test_free(im);
	return 0;
}

static void decode_with(struct image *im, void (*spoil)(struct linux_ctx *))
{
	struct err err = ERR_INIT;
	struct linux_ctx c;
	struct source *src;
	struct ckpt *ck;
	struct guest *g;

	assert_int_equal(source_from_memory(
				 im->stream, lg_stream(&im->g, im->stream), "made up", &src, &err),
		0);
	if (ckpt_open_source(src, &ck, &err) || guest_open(memory_of_ckpt(ck), &g, &err))
		fail_msg("%s", err.text);
	linux_ctx_init(&c, g, NULL, &im->s);
	linux_layout_builtin(&c.l, &(struct linux_builtin_shape){.which = LINUX_BUILTIN_5_18,
					   .word = 8,
					   .mutex_bytes = LINUX_MUTEX_BYTES(8),
					   .lock_bytes = LINUX_LOCK_BYTES(8)});
	lq_layout(&c);
	if (spoil)
		spoil(&c);
	c.pages.start = LG_VMEMMAP;
	c.pages.known = true;
	c.facts = &(struct guest_facts){.mono_known = true, .mono_ns = 10000};
	im->d = snapshot_add_device(&im->s);
	assert_non_null(im->d);
	if (linux_decode_device(&c, GVA(im->g.info), im->d, &err))
		fail_msg("%s", err.text);
	guest_close(g);
	ckpt_close(ck);
}

static void decode(struct image *im)
{
	decode_with(im, NULL);
}

static void slot_far_away(struct linux_ctx *c)
{
	c->l.slot_req.off = UINT32_MAX - 50;
}

static void slot_too_long(struct linux_ctx *c)
{
	c->l.slot_bytes = 1 << 30;
}

static void wild_types_are_refused(void **state)
{
	struct image *im = *state;

	decode_with(im, slot_far_away);
	assert_int_equal(im->d->nr_rings, 0);
	assert_string_equal(im->d->name, "xvda");
	decode_with(im, slot_too_long);
	assert_int_equal(im->d->nr_rings, 0);
	assert_int_equal(finding_seen(&im->s.findings, "XB311"), 2);
}

static void check_piece(const struct io_segment *s, unsigned pfn, unsigned off, unsigned bytes)
{
	assert_int_equal(s->pfn.v, pfn);
	assert_int_equal(s->offset, off);
	assert_int_equal(s->bytes, bytes);
	assert_int_equal(s->gref, -1);
}

static void queued_requests_are_listed(void **state)
{
	struct image *im = *state;
	const struct io_request *q;

	decode(im);
	assert_true(im->d->queued_known);
	assert_int_equal(im->d->nr_requests, 4);
	assert_int_equal(im->d->nr_queued, 2);
	q = im->d->queued;
	assert_int_equal(q[0].op, IO_WRITE);
	assert_int_equal(q[0].state, IO_QUEUED);
	assert_int_equal(q[0].slot, 4);
	assert_int_equal(q[0].sector, 5000);
	assert_int_equal(q[0].sector_from, IO_SECTOR_REQUEST);
	assert_int_equal(q[0].nr_sectors, 9);
	assert_int_equal(q[0].nr_seg, 3);
	check_piece(&q[0].seg[0], 45, 1024, 3072);
	check_piece(&q[0].seg[1], 46, 0, 1024);
	check_piece(&q[0].seg[2], 48, 512, 512);
	assert_null(q[0].trouble);
	assert_int_equal(q[1].op, IO_DISCARD);
	assert_int_equal(q[1].flags, IO_FLAG_SECURE);
	assert_int_equal(q[1].sector, 6000);
	assert_int_equal(q[1].nr_seg, 0);
}

static void flush_that_waits_is_listed(void **state)
{
	struct image *im = *state;

	lg_set(&im->g, lg_slot(&im->g, 3) + 112, 0, 8); /* the flush has not reached the ring */
	decode(im);
	assert_int_equal(im->d->nr_queued, 4);
	assert_int_equal(im->d->queued[2].op, IO_FLUSH);
	assert_int_equal(im->d->queued[2].slot, 7);
	assert_int_equal(im->d->queued[2].sector_from, IO_SECTOR_UNKNOWN);
	assert_int_equal(im->d->queued[3].op, IO_FLUSH);
	assert_int_equal(im->d->queued[3].request_va.v, LQ_RQ(8));
}

static void flags_and_ages_are_read(void **state)
{
	struct image *im = *state;
	const struct io_request *r;

	decode(im);
	r = im->d->requests;
	assert_int_equal(r[0].flags, IO_FLAG_FUA);
	assert_true(r[0].age_known);
	assert_int_equal(r[0].age_ns, 3000);
	assert_int_equal(r[0].start_ns, 7000);
	assert_int_equal(r[1].flags, 0);
	assert_false(r[2].age_known); /* no accounting */
	assert_int_equal(r[3].flags, 0);
	assert_int_equal(r[3].age_ns, 1000);
}

static void table_of_queues_as_a_node(void **state)
{
	struct image *im = *state;

	lg_set(&im->g, LQ_QUEUE + 112, LQ_NODE | 2, 8);
	lg_set(&im->g, LQ_NODE + 40 + 8, LQ_HCTX, 8);
	lg_set(&im->g, LQ_QUEUE + 120, 2, 4);
	decode(im);
	assert_int_equal(im->d->nr_queued, 2);
	assert_int_equal(im->d->queued[0].ring, 1);
	assert_false(im->d->queued_known); /* queue 0 is missing */
}

static void circles_end(void **state)
{
	struct image *im = *state;

	lg_set(&im->g, LQ_BIOS + 128, LQ_BIOS, 8); /* bios */
	lg_set(&im->g, LQ_BIOS + 40, 0, 4);	   /* and empty, too */
	lg_set(&im->g, LQ_BIOS + 128 + 40, 0, 4);
	lg_set(&im->g, LQ_RQ(7) + 72, LQ_RQ(7) + 72, 8); /* flushes */
	decode(im);
	assert_int_equal(im->d->nr_queued, 2);
	assert_non_null(im->d->queued[0].trouble);
}

/* Bios for the write in slot 0: 3584 bytes at 512 of pfn 40, 512 bytes of pfn 41; the first page in
 * two pieces. */
static void give_bios(struct image *im)
{
	struct lguest *g = &im->g;

	lg_set(g, LQ_RQ(0) + 56, LQ_BIOS + 128 * 2, 8);
	lq_bio(g, 2, LQ_BIOS + 128 * 3, 40, 512, 1536, 0);
	lq_bio(g, 3, LQ_BIOS + 128 * 4, 40, 2048, 2048, 0);
	lq_bio(g, 4, 0, 41, 0, 512, 0);
}

static uint64_t contradictions(struct image *im)
{
	uint64_t nr;

	decode(im);
	assert_int_equal(im->d->nr_requests, 4);
	assert_int_equal(im->d->nr_queued, 2);
	nr = finding_seen(&im->s.findings, "XB307");
	snapshot_fini(&im->s);
	return nr;
}

static void bios_and_slots_are_compared(void **state)
{
	struct image *im = *state;
	uint64_t rq = LQ_RQ(0), last = LQ_BIOS + 128 * 4, vec = LQ_VECS + 64 * 4 + 16;

	assert_int_equal(contradictions(im), 0); /* no bios at all: not known */
	give_bios(im);
	assert_int_equal(contradictions(im), 0);
	lg_set(&im->g, vec, LG_VMEMMAP + 64 * 43, 8); /* another page */
	assert_int_equal(contradictions(im), 1);
	lg_set(&im->g, vec, LG_VMEMMAP + 64 * 41, 8);
	lg_set(&im->g, last + 40, 256, 4); /* shorter */
	assert_int_equal(contradictions(im), 1);
	give_bios(im);
	lg_set(&im->g, LQ_BIOS + 128 * 3, 0, 8); /* without the last */
	assert_int_equal(contradictions(im), 1);
	lg_set(&im->g, LQ_BIOS + 128 * 3, last, 8);
	lg_set(&im->g, last, LQ_BIOS, 8); /* with two more */
	assert_int_equal(contradictions(im), 1);
	lg_set(&im->g, last, last, 8); /* in a circle */
	assert_int_equal(contradictions(im), 0);
	give_bios(im);
	lg_set(&im->g, last + 40, 0, 4); /* removed from a reduced checkpoint */
	assert_int_equal(contradictions(im), 0);
	give_bios(im);
	lg_set(&im->g, rq + 24, 0, 4); /* a read */
	assert_int_equal(contradictions(im), 1);
	lg_set(&im->g, rq + 24, 0xd0, 4);
	assert_int_equal(contradictions(im), 1);
	lg_set(&im->g, rq + 24, 1, 4);
	lg_set(&im->g, LQ_RQ(2) + 44, 63 * 512, 4); /* the discard */
	assert_int_equal(contradictions(im), 1);
}

static void grants_are_compared(void **state)
{
	struct image *im = *state;
	const struct io_request *r;

	decode(im);
	r = im->d->requests;
	assert_null(r[0].trouble);
	snapshot_fini(&im->s);
	/* What the backend was told of segment 1. */
	lg_set(&im->g, lg_slot(&im->g, 0) + 24 + 8, 777, 4);
	decode(im);
	r = im->d->requests;
	assert_non_null(r[0].trouble);
	assert_non_null(
		strstr(r[0].trouble, "segment 1 was described to the backend with grant 777"));
}

static void name_known(struct linux_ctx *c)
{
	c->l.info_xbdev = lq_at(32, 8);
	c->disk.nodename = lq_at(8, 8);
}

static void decode_nodename(struct image *im, const char *text)
{
	uint64_t xb = lg_direct(38, 2048);
	size_t i;

	lg_set(&im->g, im->g.info + 32, xb, 8);
	lg_set(&im->g, xb + 8, xb + 64, 8);
	for (i = 0; i <= strlen(text); i++)
		lg_set(&im->g, xb + 64 + i, (uint8_t)text[i], 1);
	snapshot_fini(&im->s);
	decode_with(im, name_known);
}

static void a_nodename_is_a_path(void **state)
{
	struct image *im = *state;

	decode_nodename(im, "device/vbd/51712");
	assert_string_equal(im->d->nodename, "device/vbd/51712");
	decode_nodename(im, "device/vbd/\x80\x04");
	assert_string_equal(im->d->nodename, "");
	decode_nodename(im, "nonsense");
	assert_string_equal(im->d->nodename, "");
}

static void sizes_known(struct linux_ctx *c)
{
	c->disk.part0 = lq_at(64, 8);
	c->disk.nr_sectors = lq_at(8, 8);
	c->disk.logical_size = lq_at(160, 4);
	c->disk.physical_size = lq_at(164, 4);
}

static void decode_sizes(struct image *im, uint64_t sectors, uint32_t logical, uint32_t physical)
{
	lg_set(&im->g, lg_direct(LG_GENDISK, 64), lg_direct(38, 3072), 8);
	lg_set(&im->g, lg_direct(38, 3080), sectors, 8);
	lg_set(&im->g, LQ_QUEUE + 160, logical, 4);
	lg_set(&im->g, LQ_QUEUE + 164, physical, 4);
	snapshot_fini(&im->s);
	decode_with(im, sizes_known);
}

static void impossible_sizes_are_unknown(void **state)
{
	struct image *im = *state;

	decode_sizes(im, 65536, 512, 4096);
	assert_int_equal(im->d->nr_sectors, 65536);
	assert_int_equal(im->d->logical_block_bytes, 512);
	assert_int_equal(im->d->physical_block_bytes, 4096);
	decode_sizes(im, 0xffff888003c83c00, 544, 1);
	assert_true(im->d->nr_sectors == BLK_UNKNOWN_U64);
	assert_int_equal(im->d->logical_block_bytes, 0);
	assert_int_equal(im->d->physical_block_bytes, 0);
}

static void wild_tags_are_refused(void **state)
{
	struct image *im = *state;

	lg_set(&im->g, LQ_TAGS, UINT32_MAX, 4);
	decode(im);
	assert_false(im->d->queued_known);
	assert_int_equal(im->d->nr_queued, 0);
	assert_int_equal(im->d->nr_requests, 4);
}

static void one_may_wait(struct linux_ctx *c)
{
	/* Memory of which a guest has so little holds no more than two for each page. */
	assert_in_range(c->left.queued, 2, 2 * LG_PAGES + 1);
	c->left.queued = 1;
}

static void more_than_there_can_be_are_unknown(void **state)
{
	struct image *im = *state;

	decode_with(im, one_may_wait);
	assert_false(im->d->queued_known);
	assert_int_equal(im->d->nr_queued, 1);
	assert_int_equal(im->d->nr_requests, 4);
}

#define WITH_IMAGE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_IMAGE(queued_requests_are_listed),
		WITH_IMAGE(flush_that_waits_is_listed),
		WITH_IMAGE(flags_and_ages_are_read),
		WITH_IMAGE(table_of_queues_as_a_node),
		WITH_IMAGE(circles_end),
		WITH_IMAGE(wild_tags_are_refused),
		WITH_IMAGE(more_than_there_can_be_are_unknown),
		WITH_IMAGE(bios_and_slots_are_compared),
		WITH_IMAGE(impossible_sizes_are_unknown),
		WITH_IMAGE(grants_are_compared),
		WITH_IMAGE(a_nodename_is_a_path),
		WITH_IMAGE(wild_types_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
