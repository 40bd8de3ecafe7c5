/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Loop devices, whose disk is a file. With direct I/O the loop driver hands the pages of the
 * request that it has to the file system below, in a struct kiocb that is part of its struct
 * loop_cmd, right behind the struct request (blk_mq_rq_to_pdu()): so each bio below is a part of
 * that request's data. Through the page cache it copies, and what is written later is the file's.
 *
 * Names and structures: drivers/block/loop.c.
 */
#include "frontend/linux/who.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

#define KIND "loop"

/* A place in the data of a request. */
struct loop_place {
	uint64_t bio, skip, bytes; /* the bio; 0: none. The place in its data, what follows there */
};

static struct loop_place find_bio(struct linux_who *w, uint64_t bio, uint64_t skip)
{
	struct linux_bio_iter it;

	for (; bio && w->left && linux_bio_start(w->g, &w->bio, bio, &it, NULL); bio = it.next) {
		w->left--;
		if (skip < it.size)
			return (struct loop_place){bio, skip, it.size - skip};
		skip -= it.size;
	}
	return (struct loop_place){0};
}

/* Where in the request the part of the bio below is: that has the request's pieces, which are those
 * of its one bio, or a table that the loop device made of all. */
static struct loop_place place_part(struct linux_who *w, const struct linux_loop_layout *l,
	const struct linux_bio_part *at, uint64_t rq)
{
	uint64_t bio = layout_pointer(w->g, rq, &w->bio.first_bio), skip;
	uint64_t table = layout_pointer(w->g, rq + l->request_bytes, &l->table);
	struct linux_bvec_place from, to;
	struct linux_bio_iter it;

	if (!bio || !linux_bio_start(w->g, &w->bio, bio, &it, NULL))
		return (struct loop_place){0};
	from = table ? (struct linux_bvec_place){table, 0} : linux_bio_place(&w->bio, &it);
	if (!linux_bio_start(w->g, &w->bio, at->bio, &it, NULL) || !it.vec)
		return (struct loop_place){0};
	to = linux_bio_place(&w->bio, &it);
	if (!linux_bvec_bytes(w->g, &w->bio, &from, &to, &w->left, &skip))
		return (struct loop_place){0};
	return find_bio(w, bio, skip + at->skip);
}

/* Is the struct kiocb what the loop device made of the request? */
static bool is_request(struct linux_who *w, const struct linux_loop_layout *l, uint64_t rq,
	const struct linux_origin *o)
{
	uint64_t queue = layout_pointer(w->g, rq, &l->queue), sector, offset;
	uint64_t lo = queue ? layout_pointer(w->g, queue, &l->queue_data) : 0;

	return lo && layout_pointer(w->g, lo, &l->backing) == o->file && o->file &&
	       !layout_read(w->g, GVA(lo), &l->offset, &offset, NULL) &&
	       !layout_read(w->g, GVA(rq), &w->bio.sector, &sector, NULL) &&
	       sector < UINT64_MAX / SECTOR_BYTES && o->ki_pos == sector * SECTOR_BYTES + offset;
}

/* The end of a long one. */
static void cut_path(const char *path, char *buf, size_t cap)
{
	size_t n = path ? strlen(path) : 0;

	if (n < cap)
		snprintf(buf, cap, "%s", path ? path : "");
	else
		snprintf(buf, cap, "...%s", path + n - (cap - 4));
}

static void put_loop(struct linux_who *w, const struct loop_place *p, uint64_t file, struct who *t)
{
	uint64_t sector = linux_bio_sector(w, p->bio);
	struct linux_path path;
	char label[128];

	linux_file_path(&w->files, file, &path);
	cut_path(path.text, label, sizeof(label));
	free(path.text);
	if (sector != WHO_UNKNOWN_U64)
		sector += p->skip / SECTOR_BYTES;
	linux_put_device(w, p->bio, sector, KIND, label, t);
}

bool linux_end_loop(struct linux_who *w, struct linux_bio_part *at, uint64_t iocb,
	const struct linux_function *end, struct who *t, struct linux_origin *o)
{
	struct linux_loop_layout l = {0};
	struct loop_place p;
	uint64_t rq;

	if (end->types)
		linux_loop_layout(end->types, &l);
	if (!l.iocb.present || !l.request_bytes) {
		who_lost(t, "what is above the loop device: its types are not known");
		return false;
	}
	rq = iocb - l.iocb.off - l.request_bytes;
	if (!is_request(w, &l, rq, o)) {
		who_lost(t, "the loop device's request: it does not fit its file");
		return false;
	}
	p = place_part(w, &l, at, rq);
	if (!p.bio) {
		who_lost(t, "which part of the loop device's request it is");
		return false;
	}
	put_loop(w, &p, o->file, t);
	*o = (struct linux_origin){.dio_bytes = WHO_UNKNOWN_U64};
	at->bio = at->made = p.bio;
	at->skip = p.skip;
	at->bytes = MIN(at->bytes, p.bytes);
	return true;
}

void linux_put_loop_on(struct linux_who *w, uint64_t mapping, struct who *n)
{
	bool several;
	const struct linux_loop *l = linux_loop_on(&w->loops, mapping, n->position, &several);
	struct who_layer *layer;

	if (!l)
		return;
	if (several) {
		who_lost(n, "which of several loop devices on the file");
		return;
	}
	layer = who_add_layer(n);
	if (!layer)
		return;
	snprintf(layer->name, sizeof(layer->name), "%s", l->disk);
	snprintf(layer->kind, sizeof(layer->kind), "%s", KIND);
	cut_path(n->path, layer->label, sizeof(layer->label));
	layer->sector = (n->position - l->offset) / SECTOR_BYTES;
}
