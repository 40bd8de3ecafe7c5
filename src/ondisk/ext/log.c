/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Which blocks the journal holds: those of its complete transactions that no later one revokes,
 * which the next mount writes to their places (fs/jbd2/recovery.c). The blocks that are on their
 * way to their place are among them, as long as the journal is not advanced.
 *
 * Where the journal has checksums (CRC-32C, of the journal's UUID and then of a block with its own
 * checksum as zeros), it is as at a mount: the log ends at a commit that is not what it says; with
 * another block of its own that is not, but is committed, nothing is replayed; a copy that is not
 * is left out.
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
/* journal_superblock_t */
#define SUPER_BYTES	1024u
#define SUPER_CSUM_TYPE 0x50u
#define SUPER_UUID	0x30u
#define SUPER_CSUM	0xfcu
#define CSUM_CRC32C	4u
#define COMMIT_SEC	48u
#define COMMIT_CSUM	16u /* struct commit_header: h_chksum */
#define UUID_BYTES	16u

struct tag {
	uint64_t block;
	uint32_t sequence, at, checksum;
	bool revoked; /* it says that earlier ones do not count */
};

struct log {
	struct ext *e;
	uint32_t first, end, at, sequence, features;
	uint32_t tag_bytes, tail_bytes;
	uint8_t *block;		      /* owned */
	struct tag *v;		      /* owned */
	size_t nr, cap, nr_committed; /* those of complete transactions come first */
	bool doubtful;		      /* the transaction has a block that is not what it says */
	uint64_t committed;	      /* when the last one was, seconds */
};

/* Block `number` of the journal, by the runs of its inode. */
static bool read_log_block(struct ext *e, uint32_t number, uint8_t *buf)
{
	const struct ext_runs *f = &e->journal;
	size_t i;

	for (i = 0; i < f->nr; i++) {
		const struct ext_run *r = &f->v[i];

		if (r->kind == MEANING_JOURNAL && number >= r->logical &&
			number - r->logical < r->nr)
			return !io_channel_read_blk64(
				e->fs->io, r->start + number - r->logical, 1, buf);
	}
	return false;
}

/* Is what stands at `at` the checksum of the bytes, with that as zeros? */
static bool sum_holds(uint32_t seed, const uint8_t *raw, size_t bytes, size_t at)
{
	static const uint8_t none[4];
	uint32_t sum = ext2fs_crc32c_le(seed, raw, at);

	sum = ext2fs_crc32c_le(sum, none, sizeof(none));
	return ext2fs_crc32c_le(sum, raw + at + 4, bytes - at - 4) == num_be32(raw + at);
}

/* Of one of the log's own blocks: at its end, or in the header of a commit. */
static bool log_block_holds(const struct log *l, uint32_t type)
{
	uint32_t size = l->e->fs->blocksize;

	return !l->e->log_bits || sum_holds(l->e->log_seed, l->block, size,
					  type == JBD_COMMIT ? COMMIT_CSUM : size - 4);
}

static uint32_t step_from(const struct log *l, uint32_t blocks)
{
	uint32_t at = l->at + blocks;

	return at >= l->end ? at - (l->end - l->first) : at;
}

static bool put_tag(struct log *l, struct tag tag)
{
	if (l->nr == MAX_TAGS || util_grow(&l->v, &l->cap, l->nr + 1, sizeof(*l->v)))
		return false;
	tag.sequence = l->sequence;
	l->v[l->nr++] = tag;
	return true;
}

/* journal_block_tag3_t, or journal_block_tag_t with what of it the features leave. *nr: blocks of
 * data that follow. */
static bool take_descriptor(struct log *l, uint32_t *nr)
{
	uint32_t at = HEADER_BYTES, size = l->e->fs->blocksize - l->tail_bytes;

	for (*nr = 0; at + l->tag_bytes <= size && *nr < l->end - l->first; ++*nr) {
		const uint8_t *t = l->block + at;
		struct tag tag = {.block = num_be32(t), .at = step_from(l, *nr + 1)};
		uint32_t flags =
			l->features & JBD_CSUM3 ? num_be32(t + 4) : num_be32(t + 4) & 0xffff;

		tag.checksum = l->features & JBD_CSUM3 ? num_be32(t + 12) : num_be32(t + 4) >> 16;
		if (l->features & JBD_64BIT)
			tag.block |= (uint64_t)num_be32(t + 8) << 32;
		if (!(flags & TAG_DELETED) && !put_tag(l, tag))
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
	uint32_t used = MIN(num_be32(l->block + HEADER_BYTES), l->e->fs->blocksize - l->tail_bytes);

	for (at = HEADER_BYTES + 4; at + each <= used; at += each) {
		uint64_t block = num_be32(l->block + at);

		if (each == 8)
			block = block << 32 | num_be32(l->block + at + 4);
		if (!put_tag(l, (struct tag){.block = block, .revoked = true}))
			return false;
	}
	return true;
}

/* A transaction that is older than the one before is of an earlier turn of the log. */
static bool take_commit(struct log *l)
{
	uint64_t when = (uint64_t)num_be32(l->block + COMMIT_SEC) << 32 |
			num_be32(l->block + COMMIT_SEC + 4);

	if (l->doubtful && when >= l->committed)
		l->nr_committed = 0;
	if (l->doubtful)
		return false;
	l->nr_committed = l->nr;
	l->committed = when;
	l->sequence++;
	return true;
}

/* False: the log ends here. */
static bool take_log_block(struct log *l)
{
	uint32_t nr = 0, type;

	if (!read_log_block(l->e, l->at, l->block) || num_be32(l->block) != JBD_MAGIC ||
		num_be32(l->block + 8) != l->sequence)
		return false;
	type = num_be32(l->block + 4);
	if (!log_block_holds(l, type)) {
		if (type == JBD_COMMIT)
			return false;
		l->doubtful = true; /* it may be an old one, where the log ends */
	}
	switch (type) {
	case JBD_DESCRIPTOR:
		if (!take_descriptor(l, &nr))
			return false;
		break;
	case JBD_REVOKE:
		if (!take_revoked(l))
			return false;
		break;
	case JBD_COMMIT:
		if (!take_commit(l))
			return false;
		break;
	default:
		return false;
	}
	l->at = step_from(l, nr + 1);
	return true;
}

/* False: there are checksums, and the superblock's is not its own, or of a kind that is not known.
 */
static bool open_sums(struct log *l)
{
	l->tail_bytes = l->features & (JBD_CSUM2 | JBD_CSUM3) ? 4 : 0;
	if (!l->tail_bytes)
		return true;
	if (l->block[SUPER_CSUM_TYPE] != CSUM_CRC32C ||
		!sum_holds(UINT32_MAX, l->block, SUPER_BYTES, SUPER_CSUM))
		return false;
	l->e->log_bits = l->features & JBD_CSUM3 ? 32 : 16;
	l->e->log_seed = ext2fs_crc32c_le(UINT32_MAX, l->block + SUPER_UUID, UUID_BYTES);
	return true;
}

static bool open_log(struct log *l)
{
	uint32_t length, start, fast = 0;

	if (!read_log_block(l->e, 0, l->block) || num_be32(l->block) != JBD_MAGIC ||
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
	return open_sums(l);
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

/* One block of them: the newest copy, if that is newer than the last time that it was revoked. A
 * revocation holds for its own transaction and those before. */
static const struct tag *find_newest(const struct tag *v, size_t nr)
{
	const struct tag *copy = NULL;
	bool ever = false;
	uint32_t revoked = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		if (v[i].revoked && (!ever || sequence_before(revoked, v[i].sequence))) {
			revoked = v[i].sequence;
			ever = true;
		}
	for (i = 0; i < nr; i++)
		if (!v[i].revoked && (!ever || sequence_before(revoked, v[i].sequence)))
			copy = &v[i];
	return copy;
}

static void keep_replayed(struct ext *e, struct log *l)
{
	const struct tag *t;
	size_t i, end;

	if (l->nr_committed)
		qsort(l->v, l->nr_committed, sizeof(*l->v), by_block);
	for (i = 0; i < l->nr_committed; i = end) {
		for (end = i + 1; end < l->nr_committed && l->v[end].block == l->v[i].block; end++)
			;
		t = find_newest(l->v + i, end - i);
		if (!t)
			continue;
		if (util_grow(&e->logged, &e->cap_logged, e->nr_logged + 1, sizeof(*e->logged)))
			return;
		e->logged[e->nr_logged++] = (struct ext_logged){.block = t->block,
			.at = t->at,
			.sequence = t->sequence,
			.checksum = t->checksum};
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

/* The checksum is of the transaction's number and of the block as it stands in the journal. */
static bool copy_holds(struct ext *e, const struct ext_logged *c)
{
	CLEANUP_FREE uint8_t *raw = malloc(e->fs->blocksize);
	uint8_t number[4];
	uint32_t sum;
	unsigned i;

	if (!raw || !read_log_block(e, c->at, raw))
		return false;
	for (i = 0; i < 4; i++)
		number[i] = (uint8_t)(c->sequence >> (24 - 8 * i));
	sum = ext2fs_crc32c_le(e->log_seed, number, sizeof(number));
	sum = ext2fs_crc32c_le(sum, raw, e->fs->blocksize);
	return (e->log_bits == 32 ? sum : sum & 0xffff) == c->checksum;
}

bool ext_log_holds(struct ext *e, uint64_t block)
{
	size_t lo = util_count_until(e->logged, e->nr_logged, sizeof(*e->logged),
		offsetof(struct ext_logged, block), block);
	struct ext_logged *c = lo ? &e->logged[lo - 1] : NULL;

	if (!c || c->block != block)
		return false;
	if (!c->looked_at) {
		c->looked_at = true;
		c->good = !e->log_bits || copy_holds(e, c);
	}
	return c->good;
}
