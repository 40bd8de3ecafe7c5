/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/who.h"

#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "frontend/linux/ctx.h"

/* Requests that wait for one flush. */
#define MAX_FLUSHING 256u

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct linux_who_layout, dest), false                       \
	}

static const struct field_spec specs[] = {
	MAY("bio", "bi_bdev", bi_bdev),	    /* since 5.12 */
	MAY("bio", "bi_disk", bi_disk),	    /* until then */
	MAY("bio", "bi_partno", bi_partno), /* until then */
	MAY("bio", "bi_iter.bi_sector", bi_sector), MAY("bio", "bi_end_io", bi_end_io),
	MAY("bio", "bi_private", bi_private), MAY("bio", "bi_blkg", bi_blkg),
	MAY("request", "mq_hctx", rq_hctx), MAY("blkcg_gq", "blkcg", blkg_blkcg),
	MAY("blkcg", "css.cgroup", blkcg_cgroup), MAY("kiocb", "ki_filp", ki_filp),
	MAY("kiocb", "ki_pos", ki_pos), MAY("kiocb", "ki_complete", ki_complete),
	MAY("aio_kiocb", "rw", aio_rw), MAY("aio_kiocb", "ki_ctx", aio_ctx),
	MAY("io_kiocb", "task", uring_task), /* until 6.12 */
	MAY("io_kiocb", "tctx", uring_tctx), /* since then */
	MAY("io_uring_task", "task", tctx_task), MAY("blkdev_dio", "bio", bdio_bio),
	MAY("blkdev_dio", "iocb", bdio_iocb),
	MAY("blkdev_dio", "flags", bdio_flags),	    /* since 5.16 */
	MAY("blkdev_dio", "is_sync", bdio_is_sync), /* until then */
	MAY("iomap_dio", "iocb", idio_iocb), MAY("iomap_dio", "size", idio_size),
	MAY("iomap_dio", "wait_for_completion", idio_waits),
	MAY("iomap_dio", "submit.waiter", idio_waiter),
	MAY("iomap_dio_simple", "bio", sdio_bio), /* since 7.0 */
	MAY("iomap_dio_simple", "iocb", sdio_iocb), MAY("iomap_dio_simple", "size", sdio_size),
	MAY("dio", "iocb", dio_iocb), MAY("dio", "waiter", dio_waiter),
	MAY("dio", "is_async", dio_is_async), MAY("completion", "wait.task_list.next", wait_list),
	MAY("swait_queue", "task", swait_task), MAY("swait_queue", "task_list", swait_list),
	MAY("buffer_head", "b_end_io", b_end_io), /* until 6.19 */
};

static void open_who(struct linux_who *w, const struct linux_kernel *k)
{
	int64_t sync;

	*w = (struct linux_who){.g = k->g,
		.k = k,
		.left = LINUX_MAX_WHO_STEPS,
		.room = LINUX_WHO_BYTES +
			LINUX_WHO_BYTES_A_PAGE * memory_info(guest_memory(k->g)).nr_data_pages};
	layout_fill_known(k->types, specs, ARRAY_SIZE(specs), &w->l);
	if (w->l.bdio_flags.present && !layout_enum_value(k->types, "DIO_IS_SYNC", &sync, NULL))
		w->l.dio_is_sync = (uint64_t)sync;
	linux_bio_layout(k->types, guest_word_bytes(k->g), &w->bio);
	linux_queue_layout(k->types, &w->queue);
	linux_code_init(&w->code, k);
	linux_tasks_init(&w->tasks, k);
	linux_files_init(&w->files, k);
	linux_folios_init(&w->folios, k);
	linux_bdevs_init(&w->bdevs, k);
	linux_loops_init(&w->loops, &w->bdevs);
}

static void close_who(struct linux_who *w)
{
	linux_code_fini(&w->code);
	linux_tasks_fini(&w->tasks);
	linux_loops_fini(&w->loops);
	linux_bdevs_fini(&w->bdevs);
	linux_metadata_close(w);
	free(w->direct);
}

/* A struct who, a struct who_layer, and a part of what is written of each: its members' names are
 * longer than its numbers. */
#define STRETCH_BYTES 1024u
#define LAYER_BYTES   512u

static uint64_t text_bytes(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

void linux_who_charge(struct linux_who *w, const struct who *n)
{
	uint64_t texts = text_bytes(n->cgroup) + text_bytes(n->path) + text_bytes(n->lost);
	uint64_t bytes = STRETCH_BYTES + n->nr_layers * LAYER_BYTES + 2 * texts;

	w->room -= MIN(bytes, w->room);
	if (!w->room)
		w->left = 0;
}

/* ---- requests ----------------------------------------------------------------------------- */

#define TOO_MANY "there are too many bios"

static int note_nothing(struct linux_who *w, struct io_request *r, const char *why, struct err *err)
{
	struct who *n = who_append(&r->who, &r->nr_who);

	if (!n)
		return err_nomem(err, "who asked for a request");
	n->bytes = r->nr_sectors * SECTOR_BYTES;
	who_lost(n, "%s", why);
	linux_who_charge(w, n);
	return 0;
}

/* A part of a bio that has one origin, from at->skip on; at->bytes becomes its length. */
static int note_part(struct linux_who *w, struct io_request *r, struct linux_bio_part *at,
	uint64_t offset, struct err *err)
{
	CLEANUP(who_fini)
	struct who t = {.inode = WHO_UNKNOWN_U64, .position = WHO_UNKNOWN_U64, .offset = offset};
	struct linux_origin o;

	linux_find_origin(w, at, &t, &o);
	return linux_put_stretches(w, at, &o, &t, r, err);
}

/* One bio of a request, whose data begins at `offset` of the request's. */
static int note_bio(struct linux_who *w, struct io_request *r, uint64_t bio, uint64_t offset,
	uint64_t bytes, struct err *err)
{
	uint64_t done = 0;

	do {
		struct linux_bio_part at = {
			.bio = bio, .made = bio, .skip = done, .bytes = bytes - done};

		if (!w->left)
			return note_nothing(w, r, TOO_MANY, err);
		w->left--;
		if (note_part(w, r, &at, offset + done, err))
			return -1;
		done += at.bytes;
	} while (done < bytes);
	return 0;
}

static int note_bios(struct linux_who *w, struct io_request *r, uint64_t rq, struct err *err)
{
	struct linux_bio_iter it;
	uint64_t bio, offset = 0;
	unsigned nr = 0;

	if (layout_read(w->g, GVA(rq), &w->bio.first_bio, &bio, NULL))
		return note_nothing(w, r, "the request's bio", err);
	for (; bio; bio = it.next) {
		if (!w->left || nr++ == LINUX_MAX_BIOS)
			return note_nothing(w, r, TOO_MANY, err);
		w->left--;
		if (!linux_bio_start(w->g, &w->bio, bio, &it, NULL))
			return note_nothing(w, r, "the request's bios: one cannot be read", err);
		if (note_bio(w, r, bio, offset, it.size, err))
			return -1;
		offset += it.size;
	}
	return 0;
}

/* Those that the flush machinery's own request stands for: on flush_queue[flush_running_idx]. */
static int note_flush(struct linux_who *w, struct io_request *r, struct err *err)
{
	const struct linux_queue_layout *l = &w->queue;
	const struct field *link = l->flush_list.present ? &l->flush_list : &l->queuelist;
	uint64_t hctx = layout_read_or(w->g, r->request_va, &w->l.rq_hctx, 0);
	uint64_t fq = hctx ? layout_read_or(w->g, GVA(hctx), &l->fq, 0) : 0, running, head, node;
	unsigned i;

	if (!fq || layout_read(w->g, GVA(fq), &l->running_idx, &running, NULL) || running > 1 ||
		!l->flush_queue.present || !link->present)
		return 0;
	node = head = fq + l->flush_queue.off + 2ull * guest_word_bytes(w->g) * running;
	for (i = 0; i < MAX_FLUSHING; i++) {
		if (guest_read_word(w->g, GVA(node), &node, NULL) || node == head ||
			!guest_is_kernel_addr(w->g, node))
			break;
		if (note_bios(w, r, node - link->off, err))
			return -1;
	}
	return 0;
}

static int note_request(struct linux_who *w, struct io_request *r, struct err *err)
{
	if (!r->request_va.v)
		return note_nothing(w, r, "the block layer's own request", err);
	if (note_bios(w, r, r->request_va.v, err))
		return -1;
	if (!r->nr_who && r->op == IO_FLUSH && note_flush(w, r, err))
		return -1;
	return r->nr_who ? 0 : note_nothing(w, r, "the request has no bio", err);
}

static int note_requests(struct linux_who *w, struct io_request *v, size_t nr, struct err *err)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (note_request(w, &v[i], err))
			return -1;
	return 0;
}

/* ---- bios that were made one by one for neighbours ----------------------------------------- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_layers(const struct who *a, const struct who *b)
{
	size_t i;

	for (i = 0; i < a->nr_layers && i < b->nr_layers; i++)
		if (strcmp(a->layers[i].name, b->layers[i].name) ||
			(a->layers[i].sector != WHO_UNKNOWN_U64 &&
				a->layers[i].sector + a->bytes / SECTOR_BYTES !=
					b->layers[i].sector))
			return false;
	return a->nr_layers == b->nr_layers;
}

/* Is b what follows a, in the request and in the file? */
static bool follows_on(const struct who *a, const struct who *b)
{
	return a->kind == b->kind && a->metadata == b->metadata && a->bytes &&
	       a->offset + a->bytes == b->offset && a->position != WHO_UNKNOWN_U64 &&
	       a->position + a->bytes == b->position && a->inode == b->inode &&
	       a->task_known == b->task_known && a->tid == b->tid && !strcmp(a->fs, b->fs) &&
	       same_text(a->path, b->path) && same_text(a->cgroup, b->cgroup) &&
	       same_text(a->lost, b->lost) && same_layers(a, b);
}

static void merge_stretches(struct io_request *r)
{
	size_t i, keep = 0;

	for (i = 1; i < r->nr_who; i++) {
		if (follows_on(&r->who[keep], &r->who[i])) {
			r->who[keep].bytes += r->who[i].bytes;
			who_fini(&r->who[i]);
		} else if (++keep != i) {
			r->who[keep] = r->who[i];
		}
	}
	if (r->nr_who)
		r->nr_who = keep + 1;
}

static void merge_all(struct blkdev *d)
{
	size_t i;

	for (i = 0; i < d->nr_requests; i++)
		merge_stretches(&d->requests[i]);
	for (i = 0; i < d->nr_queued; i++)
		merge_stretches(&d->queued[i]);
}

int linux_note_who(const struct linux_kernel *k, struct snapshot *s, struct err *err)
{
	CLEANUP(close_who) struct linux_who w;
	size_t i;

	open_who(&w, k);
	for (i = 0; i < s->nr_devices; i++) {
		struct blkdev *d = &s->devices[i];

		if (d->driver == &frontend_linux_blkfront &&
			(note_requests(&w, d->requests, d->nr_requests, err) ||
				note_requests(&w, d->queued, d->nr_queued, err)))
			return -1;
	}
	linux_place_direct(&w);
	for (i = 0; i < s->nr_devices; i++)
		merge_all(&s->devices[i]);
	return 0;
}
