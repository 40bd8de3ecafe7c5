/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_queue_guest.h - a block-layer queue for the made-up guest of linux_guest.h.
 *
 * Member offsets are those of Linux 6.1 (x86_64, Debian), for whom asks the decoder; the guest has
 * no BTF, so the test hands them over. Eight tags: 0 to 2 are in the ring; 4 is a queued write of
 * two bios; 5 a queued discard; 3 and 6 are free; 7 is a flush that the one in slot 3 stands for,
 * which is the flush machinery's own request and has no tag.
 */
#ifndef TESTS_LINUX_QUEUE_GUEST_H
#define TESTS_LINUX_QUEUE_GUEST_H

#include "frontend/linux/ctx.h"

#include "linux_guest.h"

#define LQ_QUEUE lg_direct(36, 0)
#define LQ_HCTX	 lg_direct(36, 2048)
#define LQ_TAGS	 lg_direct(37, 0)
#define LQ_RQS	 lg_direct(37, 512)
#define LQ_BIOS	 lg_direct(37, 1024) /* 128 bytes each, then their tables */
#define LQ_VECS	 lg_direct(37, 2048)
#define LQ_FQ	 lg_direct(38, 0)
#define LQ_NODE	 lg_direct(38, 1024) /* of the xarray */
#define LQ_RQ(i) lg_direct(LG_RQ, 256 * (i))

static inline struct field lq_at(uint32_t off, uint32_t bytes)
{
	return (struct field){.present = true, .off = off, .bytes = bytes};
}

static inline void lq_layout(struct linux_ctx *c)
{
	c->bio.cmd_flags = lq_at(24, 4);
	c->bio.data_len = lq_at(44, 4);
	c->bio.sector = lq_at(48, 8);
	c->bio.first_bio = lq_at(56, 8);
	c->queue.queuelist = lq_at(72, 16);
	c->bio.start_time_ns = lq_at(104, 8);
	c->queue.ref = lq_at(136, 4);
	c->queue.flush_list = lq_at(200, 16);
	c->bio.next = lq_at(0, 8);
	c->bio.size = lq_at(40, 4);
	c->bio.idx = lq_at(44, 4);
	c->bio.done = lq_at(48, 4);
	c->bio.io_vec = lq_at(112, 8);
	c->bio.vec_page = lq_at(0, 8);
	c->bio.vec_len = lq_at(8, 4);
	c->bio.vec_offset = lq_at(12, 4);
	c->queue.hctx_table = lq_at(104, 16);
	c->queue.nr_hw_queues = lq_at(120, 4);
	c->queue.xa_head = lq_at(8, 8);
	c->queue.node_shift = lq_at(0, 1);
	c->queue.node_slots = lq_at(40, 512);
	c->queue.fq = lq_at(192, 8);
	c->queue.tags = lq_at(320, 8);
	c->queue.sched_tags = lq_at(328, 8);
	c->queue.nr_tags = lq_at(0, 4);
	c->queue.static_rqs = lq_at(152, 8);
	c->queue.running_idx =
		(struct field){.present = true, .bit_off = 1, .bit_width = 1, .bytes = 4};
	c->queue.flush_queue = lq_at(16, 32);
	c->queue.flush_rq = lq_at(64, 8);
	c->bio.op_is_low = true;
	c->bio.fua_bit = 17;
	c->bio.preflush_bit = 18;
}

static inline void lq_request(struct lguest *g, unsigned i, uint32_t flags, uint64_t sector,
	uint32_t bytes, uint64_t start)
{
	lg_set(g, LQ_RQ(i) + 24, flags, 4);
	lg_set(g, LQ_RQ(i) + 44, bytes, 4);
	lg_set(g, LQ_RQ(i) + 48, sector, 8);
	lg_set(g, LQ_RQ(i) + 104, start, 8);
	lg_set(g, LQ_RQ(i) + 136, 1, 4);
}

static inline void lq_bio(struct lguest *g, unsigned i, uint64_t next, unsigned frame, unsigned off,
	unsigned len, unsigned done)
{
	uint64_t bio = LQ_BIOS + 128 * i, vec = LQ_VECS + 64 * i;

	lg_set(g, bio, next, 8);
	lg_set(g, bio + 40, len - done, 4);
	lg_set(g, bio + 44, 1, 4); /* the first bio_vec is done */
	lg_set(g, bio + 48, done, 4);
	lg_set(g, bio + 112, vec, 8);
	lg_set(g, vec + 16, LG_VMEMMAP + 64ull * frame, 8);
	lg_set(g, vec + 24, len, 4);
	lg_set(g, vec + 28, off, 4);
}

/* Behind lg_build(). */
static inline void lq_build(struct lguest *g)
{
	unsigned i;

	lg_set(g, g->info + (g->layout == LG_5_18 ? 80 : 72), LQ_QUEUE, 8);
	lg_set(g, LQ_QUEUE + 112, LQ_HCTX, 8); /* the xarray's only entry */
	lg_set(g, LQ_QUEUE + 120, 1, 4);
	lg_set(g, LQ_HCTX + 192, LQ_FQ, 8);
	lg_set(g, LQ_HCTX + 320, LQ_TAGS, 8);
	lg_set(g, LQ_TAGS, 8, 4);
	lg_set(g, LQ_TAGS + 152, LQ_RQS, 8);
	for (i = 0; i < 8; i++)
		lg_set(g, LQ_RQS + 8 * i, LQ_RQ(i), 8);
	lq_request(g, 0, 1 | 1u << 17, 100, 4096, 7000);
	lq_request(g, 1, 0, 200, 4096, 8000);
	lq_request(g, 2, 3, 4096, 64 * 512, 0);
	lq_request(g, 8, 2 | 1u << 18, UINT64_MAX, 0, 9000);
	lg_set(g, lg_slot(g, 3) + 112, LQ_RQ(8), 8);
	lq_request(g, 4, 1, 5000, 4608, 9500);
	lg_set(g, LQ_RQ(4) + 56, LQ_BIOS, 8);
	lq_bio(g, 0, LQ_BIOS + 128, 45, 1024, 4096, 0);
	lq_bio(g, 1, 0, 48, 0, 1024, 512);
	lq_request(g, 5, 5, 6000, 512, 9600);
	lq_request(g, 7, 1, 0, 0, 9700);
	/* flush_running_idx is 1; its list has request 7 alone */
	lg_set(g, LQ_FQ, 2, 4);
	lg_set(g, LQ_FQ + 16, LQ_FQ + 16, 8);
	lg_set(g, LQ_FQ + 32, LQ_RQ(7) + 72, 8);
	lg_set(g, LQ_RQ(7) + 72, LQ_FQ + 32, 8);
	lg_set(g, LQ_FQ + 64, LQ_RQ(8), 8);
}

#endif
