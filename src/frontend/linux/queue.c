/* SPDX-License-Identifier: BSD-2-Clause
 *
 * queue.c - the requests that the guest's block layer holds because the ring had no room for
 * them.
 *
 * Way: blkfront_info.rq -> request_queue -> each blk_mq_hw_ctx -> {sched_tags, tags} ->
 * static_rqs[]. A request with a reference count that stands in no shadow is queued. The flush
 * machinery keeps one request of its own a queue (fq->flush_rq), outside the tags.
 */
#include "frontend/linux/ctx.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

/* include/linux/blk-mq.h: BLK_MQ_MAX_DEPTH. */
#define MAX_TAGS 10240u
/* Flushes that one flush request serves: as many as there are tags in real life. */
#define MAX_FLUSHING	    256u
#define LINUX_MAX_HW_QUEUES 1024u /* one a CPU */
#define XA_ENTRY_FLAGS	    3u
#define XA_INTERNAL	    2u /* xarray.h: an entry ending in 10 is a node */
#define XA_NODE_SLOTS	    64u

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct linux_queue_layout, dest), false                     \
	}

static const struct field_spec specs[] = {
	MAY("request_queue", "queue_hw_ctx", hctx_array), /* until 5.17, again since 6.18 */
	MAY("request_queue", "nr_hw_queues", nr_hw_queues),
	MAY("request_queue", "hctx_table", hctx_table), /* an xarray, since 5.18 */
	MAY("xarray", "xa_head", xa_head), MAY("xa_node", "shift", node_shift),
	MAY("xa_node", "slots", node_slots), MAY("blk_mq_hw_ctx", "tags", tags),
	MAY("blk_mq_hw_ctx", "sched_tags", sched_tags), MAY("blk_mq_hw_ctx", "fq", fq),
	MAY("blk_mq_tags", "nr_tags", nr_tags), MAY("blk_mq_tags", "static_rqs", static_rqs),
	MAY("blk_flush_queue", "flush_rq", flush_rq),
	MAY("blk_flush_queue", "flush_running_idx", running_idx),
	MAY("blk_flush_queue", "flush_queue", flush_queue), MAY("request", "ref", ref),
	MAY("request", "queuelist", queuelist),
	MAY("request", "flush.list", flush_list), /* on queuelist since 6.5 */
};

void linux_queue_layout(const struct layout *types, struct linux_queue_layout *ret)
{
	*ret = (struct linux_queue_layout){0};
	if (types)
		layout_fill_known(types, specs, ARRAY_SIZE(specs), ret);
}

struct queue_job {
	struct linux_ctx *c;
	struct blkdev *d;
	uint64_t *known; /* request addresses in shadows and in the list so far, sorted at first */
	size_t nr_sorted, nr_known, cap_known;
	uint64_t *flushing; /* list nodes of requests that a flush in flight serves */
	size_t nr_flushing;
	bool broken; /* something could not be read */
};

static void free_job(struct queue_job *j)
{
	free(j->known);
	free(j->flushing);
}

static int cmp_u64(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static int know_request(struct queue_job *j, uint64_t rq, struct err *err)
{
	if (util_grow(&j->known, &j->cap_known, j->nr_known + 1, sizeof(*j->known)))
		return err_nomem(err, "the queue of a device");
	j->known[j->nr_known++] = rq;
	return 0;
}

static bool is_known(const struct queue_job *j, uint64_t rq)
{
	return j->nr_known && bsearch(&rq, j->known, j->nr_sorted, sizeof(rq), cmp_u64);
}

/* Requests that only wait for the flush which is in a shadow: the flush stands for them. */
static bool is_served(const struct queue_job *j, uint64_t rq, uint64_t bytes)
{
	const struct linux_queue_layout *l = &j->c->queue;
	size_t i;

	if (bytes)
		return false;
	for (i = 0; i < j->nr_flushing; i++)
		if ((l->flush_list.present && j->flushing[i] == rq + l->flush_list.off) ||
			(l->queuelist.present && j->flushing[i] == rq + l->queuelist.off))
			return true;
	return false;
}

static int add_queued(struct queue_job *j, uint64_t rq, unsigned hctx, unsigned tag, uint64_t flags,
	uint64_t bytes, struct err *err)
{
	struct linux_ctx *c = j->c;
	struct io_request *r = io_request_append(&j->d->queued, &j->d->nr_queued);
	struct err why = ERR_INIT;

	if (!r)
		return err_nomem(err, "the queue of a device");
	r->ring = hctx;
	r->slot = tag;
	r->op = linux_request_op(&c->bio, flags);
	r->state = IO_QUEUED;
	r->request_va = GVA(rq);
	if (linux_request_is_secure(flags))
		r->flags |= IO_FLAG_SECURE;
	linux_decode_request_facts(c, r);
	/* A write without data asks for nothing but a flush; the flush machinery has taken its
	 * REQ_PREFLUSH (blk_insert_flush()). */
	if (!bytes && r->op == IO_WRITE) {
		r->op = IO_FLUSH;
		r->flags = 0;
	}
	if (!bytes)
		return 0;
	r->nr_sectors = bytes / SECTOR_BYTES;
	if (!layout_read(c->g, GVA(rq), &c->bio.sector, &r->sector, &why))
		r->sector_from = IO_SECTOR_REQUEST;
	if (r->op == IO_READ || r->op == IO_WRITE) {
		const struct linux_pieces to = {&c->pages, r, &c->left.segments};

		if (linux_add_bios(c, &to, err))
			return -1;
		r->segs_wanted = r->nr_seg;
	}
	return 0;
}

static int consider_request(
	struct queue_job *j, uint64_t rq, unsigned hctx, unsigned tag, struct err *err)
{
	struct linux_ctx *c = j->c;
	struct err ignored = ERR_INIT;
	uint64_t ref, flags, bytes;

	if (!rq || is_known(j, rq))
		return 0;
	if (!linux_request_op_known(&c->bio) ||
		layout_read(c->g, GVA(rq), &c->queue.ref, &ref, &ignored) ||
		layout_read(c->g, GVA(rq), &c->bio.cmd_flags, &flags, &ignored) ||
		layout_read(c->g, GVA(rq), &c->bio.data_len, &bytes, &ignored)) {
		j->broken = true;
		return 0;
	}
	if (!ref || is_served(j, rq, bytes))
		return 0;
	if (!c->left.queued) {
		j->broken = true;
		return 0;
	}
	c->left.queued--;
	if (know_request(j, rq, err))
		return -1;
	return add_queued(j, rq, hctx, tag, flags, bytes, err);
}

static int walk_tags(struct queue_job *j, uint64_t tags, unsigned hctx, struct err *err)
{
	struct linux_ctx *c = j->c;
	struct err ignored = ERR_INIT;
	uint64_t nr, rqs, rq;
	unsigned i;

	if (layout_read(c->g, GVA(tags), &c->queue.nr_tags, &nr, &ignored) ||
		layout_read(c->g, GVA(tags), &c->queue.static_rqs, &rqs, &ignored) || !rqs ||
		nr > MAX_TAGS || nr > c->left.tags) {
		j->broken = true;
		return 0;
	}
	c->left.tags -= nr;
	for (i = 0; i < nr; i++) {
		if (guest_read_word(c->g, GVA(rqs + c->word * i), &rq, &ignored)) {
			j->broken = true;
			return 0;
		}
		if (consider_request(j, rq, hctx, i, err))
			return -1;
	}
	/* Tags of different queues may be the same set; then nothing is new. */
	if (j->nr_known != j->nr_sorted)
		qsort(j->known, j->nr_known, sizeof(*j->known), cmp_u64);
	j->nr_sorted = j->nr_known;
	return 0;
}

/* The list nodes on flush_queue[flush_running_idx]; read only while flush_rq is in a shadow. */
static int note_flushing(struct queue_job *j, uint64_t fq, struct err *err)
{
	struct linux_ctx *c = j->c;
	struct err ignored = ERR_INIT;
	uint64_t running, node, head;
	size_t cap = 0;

	j->nr_flushing = 0;
	if (layout_read(c->g, GVA(fq), &c->queue.running_idx, &running, &ignored) || running > 1 ||
		!c->queue.flush_queue.present)
		return 0;
	free(take(j->flushing));
	head = fq + c->queue.flush_queue.off + 2 * c->word * running;
	for (node = head; j->nr_flushing < MAX_FLUSHING;) {
		if (guest_read_word(c->g, GVA(node), &node, &ignored) || !node || node == head)
			break;
		if (util_grow(&j->flushing, &cap, j->nr_flushing + 1, sizeof(*j->flushing)))
			return err_nomem(err, "the flushes of a device");
		j->flushing[j->nr_flushing++] = node;
	}
	return 0;
}

static int walk_hctx(struct queue_job *j, uint64_t hctx, unsigned index, struct err *err)
{
	struct linux_ctx *c = j->c;
	struct err ignored = ERR_INIT;
	uint64_t tags, sched = 0, fq, flush_rq;
	bool has_fq;

	if (layout_read(c->g, GVA(hctx), &c->queue.tags, &tags, &ignored) || !tags) {
		j->broken = true;
		return 0;
	}
	if (layout_read(c->g, GVA(hctx), &c->queue.sched_tags, &sched, &ignored))
		sched = 0;
	has_fq = !layout_read(c->g, GVA(hctx), &c->queue.fq, &fq, &ignored) && fq &&
		 !layout_read(c->g, GVA(fq), &c->queue.flush_rq, &flush_rq, &ignored);
	j->nr_flushing = 0;
	if (has_fq && is_known(j, flush_rq) && note_flushing(j, fq, err))
		return -1;
	if (sched && walk_tags(j, sched, index, err))
		return -1;
	if (walk_tags(j, tags, index, err))
		return -1;
	return has_fq ? consider_request(j, flush_rq, index, 0, err) : 0;
}

/* Hardware queue `index` from the xarray request_queue.hctx_table: at most one level of nodes, as
 * long as there are no more than 64 queues. */
static uint64_t hctx_from_table(struct linux_ctx *c, uint64_t rq, unsigned index)
{
	struct err ignored = ERR_INIT;
	uint64_t head, shift, entry;

	if (!c->queue.hctx_table.present || !c->queue.xa_head.present ||
		layout_read(c->g, GVA(rq + c->queue.hctx_table.off), &c->queue.xa_head, &head,
			&ignored))
		return 0;
	if ((head & XA_ENTRY_FLAGS) != XA_INTERNAL)
		return index ? 0 : head;
	head -= XA_INTERNAL;
	if (!c->queue.node_slots.present || index >= XA_NODE_SLOTS ||
		layout_read(c->g, GVA(head), &c->queue.node_shift, &shift, &ignored) || shift ||
		guest_read_word(c->g, GVA(head + c->queue.node_slots.off + c->word * index), &entry,
			&ignored))
		return 0;
	return entry;
}

static uint64_t hctx_of(struct linux_ctx *c, uint64_t rq, unsigned index)
{
	struct err ignored = ERR_INIT;
	uint64_t array, hctx;

	if (c->queue.hctx_array.present &&
		!layout_read(c->g, GVA(rq), &c->queue.hctx_array, &array, &ignored) && array &&
		!guest_read_word(c->g, GVA(array + c->word * index), &hctx, &ignored))
		return hctx;
	return hctx_from_table(c, rq, index);
}

int linux_decode_queue(struct linux_ctx *c, gva_t info, struct blkdev *d, struct err *err)
{
	CLEANUP(free_job) struct queue_job j = {.c = c, .d = d};
	struct err ignored = ERR_INIT;
	uint64_t rq, nr;
	size_t i;

	if (layout_read(c->g, info, &c->l.info_rq, &rq, &ignored) || !rq ||
		layout_read(c->g, GVA(rq), &c->queue.nr_hw_queues, &nr, &ignored) || !nr ||
		nr > LINUX_MAX_HW_QUEUES)
		return 0;
	for (i = 0; i < d->nr_requests; i++)
		if (know_request(&j, d->requests[i].request_va.v, err))
			return -1;
	if (j.nr_known)
		qsort(j.known, j.nr_known, sizeof(*j.known), cmp_u64);
	j.nr_sorted = j.nr_known;
	for (i = 0; i < nr; i++) {
		uint64_t hctx = hctx_of(c, rq, (unsigned)i);

		if (!hctx) {
			j.broken = true;
			continue;
		}
		if (walk_hctx(&j, hctx, (unsigned)i, err))
			return -1;
	}
	d->queued_known = !j.broken;
	return 0;
}
