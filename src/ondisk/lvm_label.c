/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Layouts: LVM2's lib/format_text/layout.h and lib/label/label.h, little-endian.
 */
#include "ondisk/lvm.h"

#include <string.h>

#include "base/frame.h"
#include "base/num.h"

#define LABEL_SECTORS 4u
#define UUID_BYTES    32u
#define HEADER_BYTES  512u	 /* of a metadata area */
#define LOCATIONS     40u	 /* in it: raw_locns */
#define IGNORED	      1u	 /* RAW_LOCN_IGNORED */
#define MAX_TEXT      (4u << 20) /* real ones have some KiB */

/* pv_header: UUID, size, then areas of data and areas of metadata, each list ended by zeros. */
static bool take_header(struct lvm *l, const uint8_t *p, size_t bytes)
{
	size_t at = UUID_BYTES + 8, list;

	memcpy(l->uuid, p, UUID_BYTES);
	for (list = 0; list < 2; at += 16) {
		struct ondisk_range r;

		if (at + 16 > bytes)
			return false;
		r = (struct ondisk_range){num_le64(p + at), num_le64(p + at + 8)};
		if (!r.start)
			list++;
		else if (list && l->nr_areas < LVM_MAX_AREAS)
			l->areas[l->nr_areas++] = r;
	}
	return true;
}

static int find_label(struct lvm *l, struct err *err)
{
	uint8_t raw[SECTOR_BYTES];
	unsigned i;

	for (i = 0; i < LABEL_SECTORS; i++) {
		uint32_t off;

		if (view_read(l->view, i * SECTOR_BYTES, raw, sizeof(raw), err))
			return -1;
		off = num_le32(raw + 20);
		if (memcmp(raw, "LABELONE", 8) != 0 || memcmp(raw + 24, "LVM2 001", 8) != 0 ||
			num_le64(raw + 8) != i || off > sizeof(raw) - UUID_BYTES - 8)
			continue;
		l->label = i * SECTOR_BYTES;
		if (take_header(l, raw + off, sizeof(raw) - off))
			return 0;
	}
	return err_set(err, ERR_CORRUPT, "its label makes no sense");
}

/* ---- the text ----------------------------------------------------------------------------- */

struct reading {
	struct lvm *l;
	char own[LVM_NAME_BYTES]; /* what the text calls this physical volume; "" unknown */
	/* of the segment that is being read */
	char type[LVM_NAME_BYTES];
	uint64_t start, count;
	bool no_memory;
};

static bool same_uuid(const char *text, const char *uuid)
{
	for (; *text; text++)
		if (*text != '-' && *text != *uuid++)
			return false;
	return !*uuid;
}

static uint64_t number_of(const struct lvm_value *v)
{
	uint64_t n = 0;

	return num_parse_u64(v->words[0], UINT64_MAX / SECTOR_BYTES, &n) ? n : 0;
}

/* First pass: what all is counted in, and which physical volume we are. */
static bool note_frame(void *arg, const struct lvm_value *v)
{
	struct reading *r = arg;

	if (v->depth == 1 && !strcmp(v->key, "extent_size")) {
		r->l->extent_bytes = number_of(v) * SECTOR_BYTES;
		memcpy(r->l->group, v->names[0], sizeof(r->l->group));
	} else if (v->depth == 3 && !strcmp(v->names[1], "physical_volumes")) {
		if (!strcmp(v->key, "id") && same_uuid(v->words[0], r->l->uuid))
			memcpy(r->own, v->names[2], sizeof(r->own));
		else if (!strcmp(v->key, "pe_start") && !strcmp(v->names[2], r->own))
			r->l->first = number_of(v) * SECTOR_BYTES;
	}
	return true;
}

static struct lvm_volume *find_volume(struct reading *r, const char *name)
{
	struct lvm *l = r->l;

	if (l->nr_volumes && !strcmp(l->volumes[l->nr_volumes - 1].name, name))
		return &l->volumes[l->nr_volumes - 1];
	if (l->nr_volumes == LVM_MAX_VOLUMES)
		return NULL;
	if (util_grow(&l->volumes, &l->cap_volumes, l->nr_volumes + 1, sizeof(*l->volumes))) {
		r->no_memory = true;
		return NULL;
	}
	l->volumes[l->nr_volumes] = (struct lvm_volume){0};
	snprintf(l->volumes[l->nr_volumes].name, LVM_NAME_BYTES, "%s", name);
	return &l->volumes[l->nr_volumes++];
}

/* Only volumes of one stripe are what they hold; others are in use, no more is said. */
static bool put_segment(struct reading *r, struct lvm_volume *vol, const struct lvm_value *v)
{
	struct lvm *l = r->l;
	struct lvm_segment s = {.volume = (size_t)(vol - l->volumes)};
	uint64_t extent, end;

	if (!num_parse_u64(v->words[1], UINT32_MAX, &extent) || r->start > UINT32_MAX ||
		r->count > UINT32_MAX)
		return false;
	s.plain = v->nr == 2 && !strcmp(r->type, "striped");
	s.at = r->start * l->extent_bytes;
	s.bytes = r->count * l->extent_bytes;
	s.place = l->first + extent * l->extent_bytes;
	if (!num_add(s.place, s.bytes, &end) || l->nr == LVM_MAX_SEGMENTS)
		return false;
	if (util_grow(&l->v, &l->cap, l->nr + 1, sizeof(*l->v))) {
		r->no_memory = true;
		return false;
	}
	vol->bytes = MAX(vol->bytes, s.at + s.bytes);
	if (!strcmp(v->words[0], r->own))
		l->v[l->nr++] = s;
	return true;
}

/* Second pass. LVM writes start, count and type before stripes. */
static bool note_volume(void *arg, const struct lvm_value *v)
{
	struct reading *r = arg;
	struct lvm_volume *vol;

	if (v->depth != 4 || strcmp(v->names[1], "logical_volumes") != 0)
		return true;
	if (!strcmp(v->key, "start_extent"))
		r->start = number_of(v);
	else if (!strcmp(v->key, "extent_count"))
		r->count = number_of(v);
	else if (!strcmp(v->key, "type"))
		memcpy(r->type, v->words[0], sizeof(r->type));
	if (strcmp(v->key, "stripes") != 0 || v->nr < 2)
		return true;
	vol = find_volume(r, v->names[2]);
	return vol && put_segment(r, vol, v);
}

static int by_place(const void *a, const void *b)
{
	const struct lvm_segment *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

static int take_text(struct lvm *l, const char *text, size_t bytes, struct err *err)
{
	struct reading r = {.l = l};

	if (!lvm_text_parse(text, bytes, note_frame, &r) || !r.own[0] || !l->extent_bytes ||
		l->extent_bytes > UINT32_MAX || !lvm_text_parse(text, bytes, note_volume, &r))
		return r.no_memory ? err_nomem(err, "the volumes of LVM")
				   : err_set(err, ERR_CORRUPT, "its metadata makes no sense");
	if (l->nr)
		qsort(l->v, l->nr, sizeof(*l->v), by_place);
	return 0;
}

/* The text lies in a circle behind the header. */
static int read_text(struct lvm *l, const struct ondisk_range *area, struct err *err)
{
	CLEANUP_FREE char *text = NULL;
	uint8_t raw[HEADER_BYTES];
	uint64_t off, bytes, first;

	if (view_read(l->view, area->start, raw, sizeof(raw), err))
		return -1;
	off = num_le64(raw + LOCATIONS);
	bytes = num_le64(raw + LOCATIONS + 8);
	if (memcmp(raw + 4, " LVM2 x[5A%r0N*>", 16) != 0 || !off || off < HEADER_BYTES ||
		off >= area->bytes || bytes > MAX_TEXT || bytes > area->bytes - HEADER_BYTES ||
		num_le32(raw + LOCATIONS + 20) & IGNORED)
		return err_set(err, ERR_NOTFOUND, "it has no metadata here");
	text = malloc((size_t)bytes + 1);
	if (!text)
		return err_nomem(err, "the volumes of LVM");
	first = MIN(bytes, area->bytes - off);
	if (view_read(l->view, area->start + off, text, (size_t)first, err) ||
		view_read(l->view, area->start + HEADER_BYTES, text + first,
			(size_t)(bytes - first), err))
		return -1;
	return take_text(l, text, strnlen(text, (size_t)bytes), err);
}

int lvm_read(struct lvm *l, struct err *err)
{
	size_t i;

	if (find_label(l, err))
		return -1;
	for (i = 0; i < l->nr_areas; i++)
		if (!read_text(l, &l->areas[i], err))
			return 0;
	return l->nr_areas ? -1 : err_set(err, ERR_NOTFOUND, "it has no metadata of its own");
}
