/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which blocks the journal holds: those of its complete transactions that no later one revokes,
 * which the next mount writes to their places (fs/jbd2/recovery.c). The blocks that are on their
 * way to their place are among them, as long as the journal is not advanced.
 *
 * Layouts: include/linux/jbd2.h, big-endian.
 */
#include "ondisk/ext/ext.h"

#include <string.h>

#include "base/num.h"

#define JBD_MAGIC 0xc03b3998u
enum { JBD_DESCRIPTOR = 1, JBD_COMMIT = 2, JBD_REVOKE = 5 };
#define HEADER_BYTES 12u
/* s_feature_incompat */
#define JBD_64BIT	0x2u
#define JBD_CSUM2	0x8u
#define JBD_CSUM3	0x10u
#define JBD_FAST_COMMIT 0x20u
#define FAST_BLOCKS	256u /* JBD2_DEFAULT_FAST_COMMIT_BLOCKS */
/* t_flags */
#define TAG_SAME_UUID 2u
#define TAG_DELETED   4u
#define TAG_LAST      8u
#define MAX_TAGS      (1u << 20)

struct tag {
	uint64_t block;
	uint32_t sequence;
	bool revoked; /* it says that earlier ones do not count */
};

struct log {
	struct ext *e;
	uint32_t first, end, at, sequence, features;
	uint32_t tag_bytes, tail_bytes;
	uint8_t *block;		      /* owned */
	struct tag *v;		      /* owned */
	size_t nr, cap, nr_committed; /* those of complete transactions come first */
};

/* Block `number` of the journal, by the runs of its inode. */
static bool read_log_block(struct log *l, uint32_t number)
{
	const struct ext_runs *f = &l->e->journal;
	size_t i;

	for (i = 0; i < f->nr; i++) {
		const struct ext_run *r = &f->v[i];

		if (r->kind == MEANING_JOURNAL && number >= r->logical &&
			number - r->logical < r->nr)
			return !io_channel_read_blk64(
				l->e->fs->io, r->start + number - r->logical, 1, l->block);
	}
	return false;
}

static void step_on(struct log *l, uint32_t blocks)
{
	l->at += blocks;
	if (l->at >= l->end)
		l->at -= l->end - l->first;
}

static bool put_tag(struct log *l, uint64_t block, bool revoked)
{
	if (l->nr == MAX_TAGS || util_grow(&l->v, &l->cap, l->nr + 1, sizeof(*l->v)))
		return false;
	l->v[l->nr++] = (struct tag){block, l->sequence, revoked};
	return true;
}

/* journal_block_tag3_t, or journal_block_tag_t with what of it the features leave. *nr: blocks of
 * data that follow. */
static bool take_descriptor(struct log *l, uint32_t *nr)
{
	uint32_t at = HEADER_BYTES, size = l->e->fs->blocksize - l->tail_bytes;

	for (*nr = 0; at + l->tag_bytes <= size; ++*nr) {
		const uint8_t *t = l->block + at;
		uint64_t block = num_be32(t);
		uint32_t flags =
			l->features & JBD_CSUM3 ? num_be32(t + 4) : num_be32(t + 4) & 0xffff;

		if (l->features & JBD_64BIT)
			block |= (uint64_t)num_be32(t + 8) << 32;
		if (!(flags & TAG_DELETED) && !put_tag(l, block, false))
			return false;
		at += l->tag_bytes + (flags & TAG_SAME_UUID ? 0 : 16);
		if (flags & TAG_LAST) {
			++*nr;
			break;
		}
	}
	return *nr < l->end - l->first;
}

/* jbd2_journal_revoke_header_t: how many bytes of the block are used, header and all. */
static bool take_revoked(struct log *l)
{
	uint32_t each = l->features & JBD_64BIT ? 8 : 4, at;
	uint32_t used = MIN(num_be32(l->block + HEADER_BYTES), l->e->fs->blocksize);

	for (at = HEADER_BYTES + 4; at + each <= used; at += each) {
		uint64_t block = num_be32(l->block + at);

		if (each == 8)
			block = block << 32 | num_be32(l->block + at + 4);
		if (!put_tag(l, block, true))
			return false;
	}
	return true;
}

/* False: the log ends here. */
static bool take_log_block(struct log *l)
{
	uint32_t nr = 0;

	if (!read_log_block(l, l->at) || num_be32(l->block) != JBD_MAGIC ||
		num_be32(l->block + 8) != l->sequence)
		return false;
	switch (num_be32(l->block + 4)) {
	case JBD_DESCRIPTOR:
		if (!take_descriptor(l, &nr))
			return false;
		break;
	case JBD_REVOKE:
		if (!take_revoked(l))
			return false;
		break;
	case JBD_COMMIT:
		l->nr_committed = l->nr;
		l->sequence++;
		break;
	default:
		return false;
	}
	step_on(l, nr + 1);
	return true;
}

static bool open_log(struct log *l)
{
	uint32_t length, start, fast = 0;

	if (!read_log_block(l, 0) || num_be32(l->block) != JBD_MAGIC ||
		num_be32(l->block + 12) != l->e->fs->blocksize)
		return false;
	length = num_be32(l->block + 16);
	l->first = num_be32(l->block + 20);
	l->sequence = num_be32(l->block + 24);
	start = num_be32(l->block + 28);
	l->features = num_be32(l->block + 4) == 4 ? num_be32(l->block + 40) : 0; /* version 2 */
	if (l->features & JBD_FAST_COMMIT)
		fast = num_be32(l->block + 84) ? num_be32(l->block + 84) : FAST_BLOCKS;
	if (length <= fast || !l->first || l->first >= length - fast || start < l->first ||
		start >= length - fast)
		return false; /* start 0: there is nothing to replay */
	l->end = length - fast;
	l->at = start;
	l->tag_bytes = l->features & JBD_CSUM3 ? 16 : 8 + (l->features & JBD_CSUM2 ? 2 : 0);
	if (!(l->features & JBD_CSUM3) && l->features & JBD_64BIT)
		l->tag_bytes += 4;
	l->tail_bytes = l->features & (JBD_CSUM2 | JBD_CSUM3) ? 4 : 0;
	return true;
}

/* ---- what counts -------------------------------------------------------------------------- */

static bool sequence_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static int by_block(const void *a, const void *b)
{
	const struct tag *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return x->sequence == y->sequence ? 0 : sequence_before(x->sequence, y->sequence) ? -1 : 1;
}

/* One block of them: is a copy of it newer than the last time that it was revoked? A revocation
 * holds for its own transaction and those before. */
static bool is_replayed(const struct tag *v, size_t nr)
{
	bool ever = false, copied = false;
	uint32_t revoked = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		if (v[i].revoked && (!ever || sequence_before(revoked, v[i].sequence))) {
			revoked = v[i].sequence;
			ever = true;
		}
	for (i = 0; i < nr; i++)
		copied |= !v[i].revoked && (!ever || sequence_before(revoked, v[i].sequence));
	return copied;
}

static void keep_replayed(struct ext *e, struct log *l)
{
	size_t i, end;

	if (l->nr_committed)
		qsort(l->v, l->nr_committed, sizeof(*l->v), by_block);
	for (i = 0; i < l->nr_committed; i = end) {
		for (end = i + 1; end < l->nr_committed && l->v[end].block == l->v[i].block; end++)
			;
		if (!is_replayed(l->v + i, end - i))
			continue;
		if (util_grow(&e->logged, &e->cap_logged, e->nr_logged + 1, sizeof(*e->logged)))
			return;
		e->logged[e->nr_logged++] = l->v[i].block;
	}
}

void ext_read_log(struct ext *e)
{
	struct log l = {.e = e, .block = malloc(e->fs->blocksize)};
	uint32_t i;

	if (l.block && open_log(&l)) {
		for (i = l.first; i < l.end && take_log_block(&l); i++)
			;
		keep_replayed(e, &l);
	}
	free(l.block);
	free(l.v);
}
