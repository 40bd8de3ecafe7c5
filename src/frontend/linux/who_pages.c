/* SPDX-License-Identifier: BSD-2-Clause
 *
 * who_pages.c - what the pages of a bio say: of which file or device they are a copy, or whose
 * memory they are.
 */
#include "frontend/linux/who.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

/* fs/btrfs/btrfs_inode.h: BTRFS_BTREE_INODE_OBJECTID, whose pages are the trees. */
#define BTRFS_BTREE_INODE 1u

struct stretches {
	struct linux_who *w;
	const struct linux_bio_part *at;
	const struct linux_origin *o;
	const struct who *t;
	struct io_request *r;
	uint64_t offset; /* of the next piece, in t's data */
	struct who *last;
	/* The page that was looked at last. */
	enum linux_folio_kind kind;
	uint64_t mapping;
	struct linux_inode inode;
	bool inode_known;
	const struct linux_loop *loop; /* that has it */
};

/* What is known of all stretches, at its offset. NULL: no memory. */
static struct who *new_stretch(struct stretches *s)
{
	struct who *n = who_append(&s->r->who, &s->r->nr_who);
	const struct who *t = s->t;
	size_t i;

	if (!n)
		return NULL;
	*n = *t;
	n->cgroup = t->cgroup ? strdup(t->cgroup) : NULL;
	n->path = t->path ? strdup(t->path) : NULL;
	n->lost = t->lost ? strdup(t->lost) : NULL;
	n->layers = NULL;
	n->nr_layers = 0;
	n->offset = t->offset + s->offset;
	n->bytes = 0;
	for (i = 0; i < t->nr_layers; i++) {
		struct who_layer *layer = who_add_layer(n);

		if (!layer)
			break;
		*layer = t->layers[i];
		if (layer->sector != WHO_UNKNOWN_U64)
			layer->sector += s->offset / SECTOR_BYTES;
	}
	s->last = n;
	return n;
}

/* On the device that the bio was made for. */
static uint64_t device_position(const struct who *n)
{
	uint64_t sector = n->nr_layers ? n->layers[n->nr_layers - 1].sector : WHO_UNKNOWN_U64;

	return sector > UINT64_MAX / SECTOR_BYTES ? WHO_UNKNOWN_U64 : sector * SECTOR_BYTES;
}

/* Of the block device that is looked at. */
static enum meaning_kind metadata_kind(struct stretches *s, uint64_t position)
{
	const char *fs = linux_bdev_fs(&s->w->bdevs, s->inode.bdev);

	return fs && !strcmp(fs, "ext4") ? linux_metadata_kind(s->w, s->mapping, position)
					 : MEANING_UNKNOWN;
}

static void put_cache(struct stretches *s, struct who *n)
{
	const struct linux_inode *in = &s->inode;
	struct linux_path path;
	const char *fs;

	n->inode = in->ino;
	memcpy(n->fs, in->fs, sizeof(n->fs));
	if (in->kind == LINUX_INODE_BDEV) {
		fs = linux_bdev_fs(&s->w->bdevs, in->bdev);
		n->inode = WHO_UNKNOWN_U64;
		snprintf(n->fs, sizeof(n->fs), "%s", fs ? fs : "");
		if (!n->kind)
			n->kind = fs ? WHO_METADATA : WHO_DEVICE_CACHE;
		n->metadata = metadata_kind(s, n->position);
		return;
	}
	if (!strcmp(in->fs, "btrfs") && in->ino == BTRFS_BTREE_INODE) {
		n->kind = WHO_METADATA;
		return;
	}
	if (!n->kind)
		n->kind = s->r->op == IO_READ ? WHO_CACHE_READ : WHO_WRITE_BACK;
	linux_inode_path(&s->w->files, in, &path);
	n->path = path.text;
	n->path_whole = path.whole;
	n->deleted = path.deleted;
	if (!path.text)
		who_lost(n, "the name of inode %" PRIu64 ": the guest has forgotten it", in->ino);
	linux_put_loop_on(s->w, s->mapping, n);
}

static void put_anon(struct stretches *s, const struct linux_folio *folio, struct who *n)
{
	uint64_t mm = linux_folio_mm(&s->w->folios, folio);
	uint64_t task = mm ? linux_task_of(&s->w->tasks, mm) : 0;

	if (!n->kind)
		who_lost(n, "a process's memory, and the bio ends in %s",
			*s->at->end->name ? s->at->end->name : "no function that is known");
	if (task)
		linux_put_task(s->w, task, n);
	else
		who_lost(n, mm ? "the process that has the memory is gone"
			       : "whose memory it is: of several processes, or of none");
}

static void put_other(struct stretches *s, struct who *n)
{
	if (!n->kind)
		who_lost(n, "the page is of no file, and the bio ends in %s",
			*s->at->end->name ? s->at->end->name : "no function that is known");
	else if (n->kind == WHO_SWAP)
		who_lost(n, "whose memory it is: it may be of several processes");
}

/* The loop device that has the byte of the file; NULL: none has. */
static const struct linux_loop *loop_at(struct stretches *s, uint64_t mapping, uint64_t position)
{
	bool several;

	return linux_loop_on(&s->w->loops, mapping, position, &several);
}

/* Does the piece go on where the last stretch ended? */
static bool goes_on(struct stretches *s, const struct linux_folio *folio, uint64_t position)
{
	if (!s->last || folio->kind != s->kind || folio->mapping != s->mapping)
		return false;
	if (folio->kind != LINUX_FOLIO_FILE)
		return true;
	return s->last->position + s->last->bytes == position &&
	       loop_at(s, folio->mapping, position) == s->loop &&
	       (s->last->kind != WHO_METADATA || !s->inode_known ||
		       s->inode.kind != LINUX_INODE_BDEV ||
		       metadata_kind(s, position) == s->last->metadata);
}

static void put_page(struct stretches *s, const struct linux_folio *folio, struct who *n)
{
	if (folio->kind == LINUX_FOLIO_ANON)
		put_anon(s, folio, n);
	else if (folio->kind == LINUX_FOLIO_OTHER)
		put_other(s, n);
	else if (s->inode_known)
		put_cache(s, n);
	else
		who_lost(n, "the inode of the mapping at 0x%" PRIx64, folio->mapping);
}

static int put_piece(
	struct stretches *s, uint64_t page, uint64_t offset, uint64_t bytes, struct err *err)
{
	struct linux_folio folio = {.kind = LINUX_FOLIO_OTHER};
	bool known = linux_folio_read(&s->w->folios, page, &folio);
	uint64_t position = folio.index * PAGE_BYTES + offset;
	struct who *n;

	if (goes_on(s, &folio, position)) {
		s->last->bytes += bytes;
		return 0;
	}
	if (folio.kind == LINUX_FOLIO_FILE &&
		(s->kind != folio.kind || s->mapping != folio.mapping))
		s->inode_known = linux_inode_of_mapping(&s->w->files, folio.mapping, &s->inode);
	s->kind = folio.kind;
	s->mapping = folio.mapping;
	s->loop = folio.kind == LINUX_FOLIO_FILE ? loop_at(s, folio.mapping, position) : NULL;
	n = new_stretch(s);
	if (!n)
		return err_nomem(err, "who asked for a request");
	n->bytes = bytes;
	n->position = folio.kind == LINUX_FOLIO_FILE ? position : device_position(n);
	if (!known)
		who_lost(n, "the struct page at 0x%" PRIx64, page);
	put_page(s, &folio, n);
	linux_who_charge(s->w, n);
	return 0;
}

/* Call fn with each piece of the part, within one page each. */
static int each_piece(struct stretches *s,
	int (*fn)(struct stretches *s, uint64_t page, uint64_t offset, uint64_t bytes,
		struct err *err),
	struct err *err)
{
	struct linux_who *w = s->w;
	uint64_t skip = s->at->skip, left = s->at->bytes, each = w->k->pages.entry_bytes;
	struct err why = ERR_INIT;
	struct linux_bio_piece p;
	struct linux_bio_iter it;
	int more = 0;

	if (!linux_bio_start(w->g, &w->bio, s->at->bio, &it, &why))
		return 1;
	while (left && (more = linux_bio_next(w->g, &w->bio, &it, &p, &why)) > 0) {
		uint64_t over = MIN(skip, p.bytes);

		skip -= over;
		p.offset += over;
		p.bytes = MIN(p.bytes - over, left);
		while (p.bytes && w->left) {
			uint64_t n = MIN(p.bytes, PAGE_BYTES - (p.offset & PAGE_OFFSET_MASK));
			int status;

			w->left--;
			status = fn(s, p.page + (p.offset >> PAGE_SHIFT) * each,
				p.offset & PAGE_OFFSET_MASK, n, err);

			if (status)
				return status;
			s->offset += n;
			p.offset += n;
			p.bytes -= n;
			left -= n;
		}
		if (!w->left)
			return 1;
	}
	return left ? 1 : 0;
}

/* ---- direct I/O --------------------------------------------------------------------------- */

/* The first page tells where in the process's memory the data is, and whose that is. */
static int look_at_owner(struct stretches *s, uint64_t page, uint64_t offset, uint64_t bytes UNUSED,
	struct err *err UNUSED)
{
	struct linux_direct *d = s->w->nr_direct ? &s->w->direct[s->w->nr_direct - 1] : NULL;
	struct linux_folio folio;

	if (!linux_folio_read(&s->w->folios, page, &folio) || folio.kind != LINUX_FOLIO_ANON)
		return 1;
	if (d && d->r == s->r && d->index == s->r->nr_who - 1)
		d->va = folio.index * PAGE_BYTES + offset;
	if (!s->last->task_known)
		linux_put_task(s->w,
			linux_task_of(&s->w->tasks, linux_folio_mm(&s->w->folios, &folio)),
			s->last);
	return 1;
}

static int note_direct(struct stretches *s, struct err *err)
{
	struct linux_who *w = s->w;

	if (util_grow(&w->direct, &w->cap_direct, w->nr_direct + 1, sizeof(*w->direct)))
		return err_nomem(err, "who asked for a request");
	w->direct[w->nr_direct++] = (struct linux_direct){.r = s->r,
		.index = s->r->nr_who - 1,
		.iocb = s->o->iocb,
		.ki_pos = s->o->ki_pos,
		.dio_bytes = s->o->dio_bytes,
		.va = WHO_UNKNOWN_U64};
	return 0;
}

static int put_direct(struct stretches *s, struct err *err)
{
	struct who *n = new_stretch(s);

	if (!n)
		return err_nomem(err, "who asked for a request");
	n->bytes = s->at->bytes;
	if (n->kind == WHO_DEVICE)
		n->position = device_position(n);
	else if (note_direct(s, err))
		return -1;
	if (each_piece(s, look_at_owner, err) < 0)
		return -1;
	if (!n->task_known)
		who_lost(n, "the process");
	linux_who_charge(s->w, n);
	return 0;
}

static int by_iocb(const void *a, const void *b)
{
	const struct linux_direct *x = a, *y = b;

	if (x->iocb != y->iocb)
		return x->iocb < y->iocb ? -1 : 1;
	return x->va < y->va ? -1 : x->va > y->va;
}

/*
 * The data of one struct kiocb, ascending in the process's memory: where that is all that it has in
 * flight, in one piece, it is in the order of the file too.
 */
static void place_group(struct linux_direct *v, size_t nr)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < nr; i++) {
		bool next = !i || (v[i].va != WHO_UNKNOWN_U64 && v[0].va + sum == v[i].va);

		if (!next)
			break;
		sum += v[i].r->who[v[i].index].bytes;
	}
	if (i < nr || !v->iocb || v->ki_pos == WHO_UNKNOWN_U64 || sum != v->dio_bytes) {
		for (i = 0; i < nr; i++)
			who_lost(&v[i].r->who[v[i].index],
				"the place in the file: a part of the I/O is done, or its memory "
				"is not in one piece");
		return;
	}
	for (sum = v->ki_pos, i = 0; i < nr; sum += v[i].r->who[v[i].index].bytes, i++)
		v[i].r->who[v[i].index].position = sum;
}

void linux_place_direct(struct linux_who *w)
{
	size_t i, nr;

	if (w->nr_direct)
		qsort(w->direct, w->nr_direct, sizeof(*w->direct), by_iocb);
	for (i = 0; i < w->nr_direct; i += nr) {
		for (nr = 1; i + nr < w->nr_direct && w->direct[i].iocb &&
			     w->direct[i + nr].iocb == w->direct[i].iocb;
			nr++)
			;
		place_group(w->direct + i, nr);
	}
}

/* ---- all ---------------------------------------------------------------------------------- */

static int put_whole(struct stretches *s, enum who_kind kind, struct err *err)
{
	struct who *n = new_stretch(s);

	if (!n)
		return err_nomem(err, "who asked for a request");
	n->kind = kind;
	n->bytes = kind == WHO_FLUSH ? 0 : s->at->bytes; /* data of a flush comes on its own */
	if (n->bytes)
		n->position = device_position(n);
	/* The journal, say, has none that waits. */
	if (!n->task_known && s->o->kind != WHO_JOURNAL && s->o->kind != WHO_METADATA)
		who_lost(n, "the process");
	linux_who_charge(s->w, n);
	return 0;
}

int linux_put_stretches(struct linux_who *w, const struct linux_bio_part *at,
	const struct linux_origin *o, const struct who *t, struct io_request *r, struct err *err)
{
	struct stretches s = {.w = w, .at = at, .o = o, .t = t, .r = r};
	int status;

	if (r->op == IO_FLUSH || r->op == IO_DISCARD)
		return put_whole(&s, r->op == IO_FLUSH ? WHO_FLUSH : WHO_DISCARD, err);
	if (o->kind == WHO_DIRECT || o->kind == WHO_DEVICE)
		return put_direct(&s, err);
	status = each_piece(&s, put_piece, err);
	if (status > 0 && (!s.last || s.offset < at->bytes)) {
		struct who *n = new_stretch(&s);

		if (!n)
			return err_nomem(err, "who asked for a request");
		n->bytes = at->bytes - MIN(s.offset, at->bytes);
		who_lost(n, "the pages of the bio at 0x%" PRIx64, at->bio);
		linux_who_charge(w, n);
	}
	return status < 0 ? -1 : 0;
}
