/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What lies in a physical volume of LVM: its label and metadata, and logical volumes, in which
 * others read on.
 */
#include "ondisk/lvm.h"

#include <inttypes.h>
#include <string.h>

#include "base/frame.h"
#include "base/num.h"
#include "ondisk/ranges.h"

static void close_lvm(void *state)
{
	struct lvm *l = state;
	size_t i;

	for (i = 0; i < l->nr_volumes; i++) {
		struct lvm_volume *v = &l->volumes[i];

		content_close(&v->content);
		free(v->pieces);
	}
	free(l->volumes);
	free(l->v);
	free(l);
}

static int open_lvm(struct view *v, void **ret, struct err *err)
{
	struct lvm *l = calloc(1, sizeof(*l));

	if (!l)
		return err_nomem(err, "the volumes of LVM");
	l->view = v;
	if (lvm_read(l, err)) {
		close_lvm(l);
		return -1;
	}
	*ret = l;
	return 0;
}

/* The segment that the byte is in; NULL: none. *next: where the next one begins. */
static const struct lvm_segment *find_segment(const struct lvm *l, uint64_t off, uint64_t *next)
{
	size_t lo = util_count_until(
		l->v, l->nr, sizeof(*l->v), offsetof(struct lvm_segment, place), off);

	*next = lo < l->nr ? l->v[lo].place : UINT64_MAX;
	return lo && off - l->v[lo - 1].place < l->v[lo - 1].bytes ? &l->v[lo - 1] : NULL;
}

/* ---- what lies in volumes ----------------------------------------------------------------- */

static int by_at(const void *a, const void *b)
{
	const struct view_piece *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* Where the pieces of a volume are, as far as they are on this disk. */
static bool gather_pieces(struct lvm *l, struct lvm_volume *v)
{
	size_t i, volume = (size_t)(v - l->volumes);
	uint64_t base = l->view->whole.start;

	v->pieces = calloc(l->nr + 1, sizeof(*v->pieces));
	for (i = 0; v->pieces && i < l->nr; i++)
		if (l->v[i].volume == volume && l->v[i].plain)
			v->pieces[v->nr_pieces++] = (struct view_piece){.at = l->v[i].at,
				.start = base + l->v[i].place,
				.bytes = l->v[i].bytes};
	if (v->nr_pieces)
		qsort(v->pieces, v->nr_pieces, sizeof(*v->pieces), by_at);
	return v->pieces;
}

/* Superblocks are in the first piece. */
static int open_volume(struct lvm *l, struct lvm_volume *v, const struct ondisk_range *asked,
	size_t nr, struct err *err)
{
	const struct disk *disk = l->view->disk;
	struct content *c = &v->content;

	if (!gather_pieces(l, v))
		return err_nomem(err, "the volumes of LVM");
	if (!v->nr_pieces || v->pieces[0].at) {
		c->lost = strdup("the volume begins on another disk");
		return 0;
	}
	if (content_look(c, disk, v->pieces[0].start, v->pieces[0].bytes, err))
		return -1;
	if (c->fs == &ondisk_lvm) /* no deeper */
		c->fs = NULL;
	view_init_pieces(&c->view, disk, v->pieces, v->nr_pieces, v->bytes);
	return c->fs ? content_open(c, asked, nr, err) : 0;
}

/* The parts of what is asked that lie in the volume, as places in it. */
static int gather_asked(const struct lvm *l, size_t volume, const struct ondisk_range *v, size_t nr,
	struct ondisk_ranges *ret)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		uint64_t at = v[i].start, end = v[i].start + v[i].bytes, next;

		while (at < end) {
			const struct lvm_segment *s = find_segment(l, at, &next);
			uint64_t to = s ? s->place + s->bytes : next;

			to = MIN(to, end);
			if (s && s->volume == volume && s->plain &&
				ranges_put(ret,
					(struct ondisk_range){s->at + (at - s->place), to - at}))
				return -1;
			at = to;
		}
	}
	return 0;
}

static int prepare_lvm(void *state, const struct ondisk_range *v, size_t nr, struct err *err)
{
	struct lvm *l = state;
	size_t i;

	for (i = 0; i < l->nr_volumes; i++) {
		CLEANUP(ranges_free) struct ondisk_ranges asked = {0};

		if (gather_asked(l, i, v, nr, &asked))
			return err_nomem(err, "the volumes of LVM");
		ranges_merge(&asked);
		if (asked.nr && open_volume(l, &l->volumes[i], asked.v, asked.nr, err))
			return -1;
	}
	return 0;
}

/* ---- the answers -------------------------------------------------------------------------- */

static uint64_t tell_volume(
	struct lvm *l, const struct lvm_segment *s, uint64_t off, uint64_t bytes, struct meaning *m)
{
	struct lvm_volume *v = &l->volumes[s->volume];

	bytes = MIN(bytes, s->place + s->bytes - off);
	snprintf(m->volume, sizeof(m->volume), "%.60s/%.60s", l->group, v->name);
	if (s->plain) {
		content_tell(&v->content, s->at + (off - s->place), bytes, m, &bytes);
	} else {
		snprintf(m->fs, sizeof(m->fs), "%s", v->content.type);
		m->lost = strdup("the volume is more than what lies here");
	}
	return bytes;
}

static uint64_t tell_head(const struct lvm *l, uint64_t off, uint64_t bytes, struct meaning *m)
{
	uint64_t next = l->first;
	size_t i;

	if (off / SECTOR_BYTES == l->label / SECTOR_BYTES) {
		m->kind = MEANING_VOLUME_LABEL;
		return MIN(bytes, SECTOR_BYTES - off % SECTOR_BYTES);
	}
	if (off < l->label)
		next = MIN(next, l->label);
	for (i = 0; i < l->nr_areas; i++) {
		const struct ondisk_range *a = &l->areas[i];

		if (off >= a->start && off - a->start < a->bytes) {
			m->kind = MEANING_VOLUME_METADATA;
			return MIN(bytes, a->start + a->bytes - off);
		}
		if (a->start > off)
			next = MIN(next, a->start);
	}
	m->kind = MEANING_FREE;
	return next > off ? MIN(bytes, next - off) : bytes;
}

static uint64_t tell_lvm(void *state, uint64_t off, uint64_t bytes, struct meaning *m)
{
	struct lvm *l = state;
	const struct lvm_segment *s;
	uint64_t next;

	snprintf(m->volume, sizeof(m->volume), "%.60s", l->group);
	s = find_segment(l, off, &next);
	if (s)
		return tell_volume(l, s, off, bytes, m);
	if (next > off)
		bytes = MIN(bytes, next - off);
	return tell_head(l, off, bytes, m);
}

static const char *const types[] = {"LVM2_member", NULL};

const struct ondisk_fs ondisk_lvm = {
	.types = types,
	.open = open_lvm,
	.prepare = prepare_lvm,
	.tell = tell_lvm,
	.close = close_lvm,
};
