/* SPDX-License-Identifier: BSD-2-Clause
 *
 * queue.h - the requests that the guest's block layer holds and no shadow does.
 */
#ifndef XB_FRONTEND_LINUX_QUEUE_H
#define XB_FRONTEND_LINUX_QUEUE_H

#include "frontend/request.h"
#include "guest/layout.h"

struct linux_queue_layout {
	/* struct request_queue, and what holds its hardware queues */
	struct field hctx_array, nr_hw_queues, hctx_table;
	struct field xa_head, node_shift, node_slots;
	/* struct blk_mq_hw_ctx, blk_mq_tags, blk_flush_queue */
	struct field tags, sched_tags, fq;
	struct field nr_tags, static_rqs;
	struct field flush_rq, running_idx, flush_queue;
	/* struct request */
	struct field ref, queuelist, flush_list;
};
/* `types` NULL: nothing is known. */
void linux_queue_layout(const struct layout *types, struct linux_queue_layout *ret);

struct linux_ctx;
/* Fills d->queued from the queue of the struct blkfront_info at `info`. -1 only without memory. */
int linux_decode_queue(
	struct linux_ctx *c, gva_t info, struct blkdev *d, struct err *err) MUST_CHECK;

#endif
