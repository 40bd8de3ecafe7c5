/* SPDX-License-Identifier: BSD-2-Clause
 *
 * keep.c - the stream is spooled as it comes, but with a gap before each record of pages that makes
 * their content begin at a page of the spool, so that a page that is dropped is a page of room.
 */
#include "guard/keep.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/num.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/stream_walk.h"
#include "guard/place_map.h"
#include "io/door.h"
#include "io/sandbox.h"
#include "io/spool.h"

/* A place is an address of the spool, a multiple of the page size, and: */
#define PLACE_SET   1u /* there is one */
#define PLACE_TABLE 2u /* of a page table */
#define PLACE_FLAGS 3u

#define WORDS_AT_ONCE 1024u

struct stretch {
	uint64_t at, bytes;
};

struct keep {
	struct spool *spool;
	const uint8_t *base; /* of it, when the stream is over */
	struct place_map *places;
	struct source_piece *pieces;
	size_t nr_pieces, cap_pieces;
	uint64_t off; /* of the stream: that much has come */
	uint64_t at;  /* of the spool: the next byte goes there */
	int pipe;
	bool cut; /* the pipe has ended */
	bool epochs;
	/* With epochs: what is dropped when this one is complete. Until then the last one counts.
	 */
	struct stretch *replaced;
	size_t nr_replaced, cap_replaced;
	struct stretch last; /* replaced, not yet dropped: it may go on */
};

struct keep *keep_new(uint64_t memory_limit, struct err *err)
{
	struct keep *k = calloc(1, sizeof(*k));

	if (!k) {
		err_nomem(err, "keeping the stream");
		return NULL;
	}
	k->spool = spool_new(memory_limit, err);
	k->places = k->spool ? place_map_new(err) : NULL;
	if (k->places)
		return k;
	keep_free(k);
	return NULL;
}

void keep_free(struct keep *k)
{
	if (!k)
		return;
	spool_free(k->spool);
	place_map_free(k->places);
	free(k->pieces);
	free(k->replaced);
	free(k);
}

static int begin_piece(struct keep *k, struct err *err)
{
	if (util_grow(&k->pieces, &k->cap_pieces, k->nr_pieces + 1, sizeof(*k->pieces)))
		return err_nomem(err, "the index of the stream");
	k->pieces[k->nr_pieces++] = (struct source_piece){.off = k->off, .at = k->at};
	return 0;
}

static int keep_bytes(struct keep *k, const void *buf, size_t len, struct err *err)
{
	if (spool_write(k->spool, k->at, buf, len, err))
		return -1;
	k->at += len;
	k->off += len;
	return 0;
}

static int keep_body(struct keep *k, uint64_t len, struct err *err)
{
	uint64_t got;

	if (spool_take(k->spool, k->at, k->pipe, len, &got, err))
		return -1;
	k->at += got;
	k->off += got;
	k->cut = got < len;
	return 0;
}

/* As much as comes; fewer than len: the pipe has ended. */
static int read_bytes(struct keep *k, uint8_t *buf, size_t len, size_t *ret, struct err *err)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(k->pipe, buf + have, len - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read the stream");
		if (!n)
			break;
		have += (size_t)n;
	}
	*ret = have;
	k->cut = have < len;
	return 0;
}

/* ---- pages that are replaced -------------------------------------------------------------- */

static void drop_last(struct keep *k)
{
	if (k->last.bytes)
		spool_drop(k->spool, k->last.at, k->last.bytes);
	k->last = (struct stretch){0};
}

static int drop_later(struct keep *k, uint64_t at, struct err *err)
{
	if (util_grow(&k->replaced, &k->cap_replaced, k->nr_replaced + 1, sizeof(*k->replaced)))
		return err_nomem(err, "the index of pages");
	k->replaced[k->nr_replaced++] = (struct stretch){at, PAGE_BYTES};
	return 0;
}

static int drop_page(struct keep *k, uint64_t at, struct err *err)
{
	if (k->epochs)
		return drop_later(k, at, err);
	if (at != k->last.at + k->last.bytes) {
		drop_last(k);
		k->last.at = at;
	}
	k->last.bytes += PAGE_BYTES;
	return 0;
}

/* A state is complete: copies that were replaced since the one before are of no use. */
static void end_epoch(struct keep *k)
{
	size_t i;

	drop_last(k);
	for (i = 0; i < k->nr_replaced; i++)
		spool_drop(k->spool, k->replaced[i].at, k->replaced[i].bytes);
	k->nr_replaced = 0;
	k->epochs = true;
}

/* ---- records of pages --------------------------------------------------------------------- */

/* {u32 count, u32 0, u64 word[count]}, then the pages: checkpoint/libxc_pages.c. */
#define LIST_HEAD_BYTES 8u
#define WORD_TYPE_SHIFT 60
#define WORD_PFN	((UINT64_C(1) << 52) - 1)

static int note_words(
	struct keep *k, const uint8_t *words, size_t nr, uint64_t *page, struct err *err)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		uint64_t word = num_le64(words + 8 * i), place, before;
		unsigned type = (unsigned)(word >> WORD_TYPE_SHIFT);

		if (!ckpt_type_has_data(type))
			continue;
		place = *page | PLACE_SET | (ckpt_type_level(type) ? PLACE_TABLE : 0);
		*page += PAGE_BYTES;
		if (place_map_set(k->places, word & WORD_PFN, place, &before, err))
			return -1;
		if ((before & PLACE_FLAGS) == PLACE_SET &&
			drop_page(k, before & ~(uint64_t)PLACE_FLAGS, err))
			return -1;
	}
	return 0;
}

static int keep_words(struct keep *k, uint32_t nr, bool noted, struct err *err)
{
	uint8_t words[8 * WORDS_AT_ONCE];
	uint64_t page = k->at + 8 * (uint64_t)nr;
	size_t got;

	while (nr && !k->cut) {
		uint32_t part = MIN(nr, WORDS_AT_ONCE);

		if (read_bytes(k, words, 8 * (size_t)part, &got, err) ||
			keep_bytes(k, words, got, err))
			return -1;
		if (noted && note_words(k, words, got / 8, &page, err))
			return -1;
		nr -= part;
	}
	drop_last(k);
	return 0;
}

static int align_pages(struct keep *k, uint64_t list_bytes, struct err *err)
{
	uint64_t aligned = num_align_up(k->at + list_bytes, PAGE_BYTES) - list_bytes;

	if (aligned == k->at)
		return 0;
	k->at = aligned;
	return begin_piece(k, err);
}

/* head: the record's header, which is not kept yet. */
static int keep_pages(struct keep *k, const uint8_t *head, size_t head_bytes,
	struct stream_step step, struct err *err)
{
	uint8_t list[STREAM_HEAD_MAX + LIST_HEAD_BYTES];
	uint64_t left = step.body - MIN(step.body, LIST_HEAD_BYTES);
	bool has_pages;
	size_t got = 0;
	uint32_t nr;

	memcpy(list, head, head_bytes);
	if (read_bytes(k, list + head_bytes, (size_t)MIN(step.body, LIST_HEAD_BYTES), &got, err))
		return -1;
	nr = got == LIST_HEAD_BYTES ? num_le32(list + head_bytes) : 0;
	if (nr > left / 8)
		nr = 0; /* it contradicts itself, as the reader will say */
	left -= 8 * (uint64_t)nr;
	/* Without any a gap would be all that they cost. */
	has_pages = nr && left >= PAGE_BYTES;
	if (has_pages && align_pages(k, head_bytes + LIST_HEAD_BYTES + 8 * (uint64_t)nr, err))
		return -1;
	if (keep_bytes(k, list, head_bytes + got, err) ||
		(!k->cut && keep_words(k, nr, has_pages && step.part == STREAM_PAGES, err)))
		return -1;
	return k->cut ? 0 : keep_body(k, left, err);
}

static int keep_step(
	struct keep *k, struct stream_walk *w, const uint8_t *head, size_t bytes, struct err *err)
{
	struct stream_step step = stream_walk_next(w, head);

	if (step.part == STREAM_PAGES || step.part == STREAM_RESENT)
		return keep_pages(k, head, bytes, step, err);
	if (keep_bytes(k, head, bytes, err) || keep_body(k, step.body, err))
		return -1;
	if (step.part == STREAM_EPOCH)
		end_epoch(k);
	return 0;
}

int keep_stream(struct keep *k, int pipe, bool *ret_known, struct err *err)
{
	struct stream_walk w = STREAM_WALK_INIT;
	uint8_t head[STREAM_HEAD_MAX];
	size_t want, got;

	k->pipe = pipe;
	if (begin_piece(k, err))
		return -1;
	while (!k->cut && (want = stream_walk_head(&w))) {
		if (read_bytes(k, head, want, &got, err))
			return -1;
		if (got == want ? keep_step(k, &w, head, got, err) : keep_bytes(k, head, got, err))
			return -1;
	}
	/* Nothing replaces a page any more, and who judges needs an index of its own. */
	place_map_free(take(k->places));
	*ret_known = w.known;
	return 0;
}

int keep_source(struct keep *k, const char *name, struct source **ret, struct err *err)
{
	if (!k->base) {
		if (spool_map(k->spool, &k->base, err))
			return -1;
		if (door_is_shut())
			sandbox_bound(k->off);
	}
	return source_from_pieces(k->base, k->pieces, k->nr_pieces, k->off, name, ret, err);
}
