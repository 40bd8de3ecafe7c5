/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a block of ext2, ext3 or ext4 is.
 */
#include "ondisk/ext/ext.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "io/ext_super.h"

/* 32 TiB of blocks of 4 KiB; the tables of more are not kept in memory. */
#define MAX_GROUPS (1u << 18)
/* Extents and entries of folders that are looked at: some seconds. */
#define MAX_STEPS (1u << 25)
/* Bits of bitmaps: of a discard of 256 GiB, a fraction of a second. */
#define MAX_BITS (1u << 26)

/* ---- runs --------------------------------------------------------------------------------- */

/* Does the run go on where the last one ends? */
static bool goes_on(const struct ext_runs *to, const struct ext_run *run)
{
	const struct ext_run *last = to->nr ? &to->v[to->nr - 1] : NULL;

	return last && last->start + last->nr == run->start && last->kind == run->kind &&
	       last->owner == run->owner && last->unwritten == run->unwritten &&
	       last->logical + last->nr == run->logical && run->kind != MEANING_FILE_MAP;
}

bool ext_put_run(struct ext *e, struct ext_runs *to, struct ext_run run)
{
	if (!run.nr)
		return true;
	if (goes_on(to, &run)) {
		to->v[to->nr - 1].nr += run.nr;
		return true;
	}
	if (util_grow(&to->v, &to->cap, to->nr + 1, sizeof(*to->v))) {
		e->no_memory = true;
		return false;
	}
	to->v[to->nr++] = run;
	return true;
}

static int by_start(const void *a, const void *b)
{
	const struct ext_run *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

void ext_sort_runs(struct ext_runs *runs)
{
	if (runs->nr)
		qsort(runs->v, runs->nr, sizeof(*runs->v), by_start);
}

const struct ext_run *ext_find_run(const struct ext_runs *runs, uint64_t block, uint64_t *ret_next)
{
	size_t lo = util_count_until(
		runs->v, runs->nr, sizeof(*runs->v), offsetof(struct ext_run, start), block);

	*ret_next = lo < runs->nr ? runs->v[lo].start : UINT64_MAX;
	return lo && block - runs->v[lo - 1].start < runs->v[lo - 1].nr ? &runs->v[lo - 1] : NULL;
}

/* ---- opening ------------------------------------------------------------------------------ */

static bool put_group(struct ext *e, dgrp_t g)
{
	ext2_filsys fs = e->fs;

	return ext_put_run(e, &e->fixed,
		       (struct ext_run){.start = ext2fs_block_bitmap_loc(fs, g),
			       .nr = 1,
			       .kind = MEANING_BLOCK_BITMAP,
			       .owner = g}) &&
	       ext_put_run(e, &e->fixed,
		       (struct ext_run){.start = ext2fs_inode_bitmap_loc(fs, g),
			       .nr = 1,
			       .kind = MEANING_INODE_BITMAP,
			       .owner = g}) &&
	       ext_put_run(e, &e->fixed,
		       (struct ext_run){.start = ext2fs_inode_table_loc(fs, g),
			       .nr = fs->inode_blocks_per_group,
			       .kind = MEANING_INODES,
			       .owner = g});
}

static int put_fixed(struct ext *e, struct err *err)
{
	struct ext2_inode inode;
	dgrp_t g;
	size_t i;

	for (g = 0; g < e->fs->group_desc_count; g++)
		if (!put_group(e, g))
			return err_nomem(err, "the tables of a file system");
	if (ext2fs_has_feature_journal(e->fs->super) && e->fs->super->s_journal_inum &&
		!ext2fs_read_inode(e->fs, e->fs->super->s_journal_inum, &inode))
		ext_put_inode(e, e->fs->super->s_journal_inum, &inode, NULL, &e->journal);
	for (i = 0; i < e->journal.nr; i++)
		ext_put_run(e, &e->fixed, e->journal.v[i]);
	ext_sort_runs(&e->fixed);
	return e->no_memory ? err_nomem(err, "the tables of a file system") : 0;
}

/* ext2fs_open2() takes memory for all descriptors that a superblock claims. */
static int check_super(struct view *v, struct err *err)
{
	uint8_t raw[EXT_SUPER_BYTES];
	uint64_t blocks, per_group;

	if (view_read(v, EXT_SUPER_OFFSET, raw, sizeof(raw), err))
		return -1;
	blocks = num_le32(raw + 0x4); /* fs/ext4/ext4.h, struct ext4_super_block */
	if (num_le32(raw + 0x60) & EXT4_FEATURE_INCOMPAT_64BIT)
		blocks |= (uint64_t)num_le32(raw + 0x150) << 32;
	per_group = num_le32(raw + 0x20);
	if (!per_group || blocks / per_group >= MAX_GROUPS)
		return err_set(err, ERR_UNSUPPORTED, "it claims too many block groups");
	return 0;
}

static void close_ext(void *state)
{
	struct ext *e = state;
	size_t i;

	if (e->fs)
		ext2fs_free(e->fs);
	for (i = 0; i < e->nr_names; i++)
		free(e->names[i].path);
	free(e->names);
	free(e->fixed.v);
	free(e->journal.v);
	free(e->owned.v);
	free(e->logged);
	free(e->bitmap);
	free(e);
}

static int open_ext(struct view *v, void **ret, struct err *err)
{
	struct ext *e = calloc(1, sizeof(*e));
	char name[EXT_IO_NAME_BYTES];
	int rc = -1;

	if (!e)
		return err_nomem(err, "a file system");
	e->view = v;
	e->steps = MAX_STEPS;
	e->bits = MAX_BITS;
	e->bitmap_group = UINT64_MAX;
	ext_io_name(v, name);
	/* Checksums may be those of before a write that is still on its way. */
	if (check_super(v, err))
		;
	else if (ext2fs_open2(name, NULL,
			 EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES |
				 EXT2_FLAG_IGNORE_CSUM_ERRORS,
			 0, 0, &ext_io, &e->fs)) {
		e->fs = NULL;
		err_set(err, ERR_CORRUPT, "libext2fs does not understand it");
	} else
		rc = put_fixed(e, err);
	if (rc) {
		close_ext(e);
		return -1;
	}
	ext_read_log(e);
	*ret = e;
	return 0;
}

/* ---- what a block is ---------------------------------------------------------------------- */

/* What a group begins with: a superblock, descriptors, and room for more of them. */
static bool find_head(struct ext *e, uint64_t block, struct ext_run *ret)
{
	ext2_filsys fs = e->fs;
	dgrp_t g = ext2fs_group_of_blk2(fs, block);
	blk64_t super, old, new;

	if (g >= fs->group_desc_count || ext2fs_super_and_bgd_loc2(fs, g, &super, &old, &new, NULL))
		return false;
	*ret = (struct ext_run){.owner = g, .start = block, .nr = 1};
	if (block == super && ext2fs_bg_has_super(fs, (int)g)) {
		ret->kind = g ? MEANING_SUPER_BACKUP : MEANING_SUPER;
		return true;
	}
	ret->kind = g ? MEANING_GROUPS_BACKUP : MEANING_GROUPS;
	if (new &&block == new)
		return true;
	if (!old || block < old)
		return false;
	ret->start = old;
	ret->nr = ext2fs_has_feature_meta_bg(fs->super) ? fs->super->s_first_meta_bg
							: fs->desc_blocks;
	if (block - old < ret->nr)
		return true;
	ret->kind = MEANING_RESERVED;
	ret->start += ret->nr;
	ret->nr = fs->super->s_reserved_gdt_blocks;
	return block - ret->start < ret->nr;
}

/* Is it in use? -1: the bitmap cannot be read. */
static int is_used(struct ext *e, uint64_t block)
{
	ext2_filsys fs = e->fs;
	dgrp_t g = ext2fs_group_of_blk2(fs, block);
	uint64_t bit = (block - ext2fs_group_first_block2(fs, g)) >> fs->cluster_ratio_bits;

	if (g >= fs->group_desc_count || bit / 8 >= fs->blocksize)
		return -1;
	if (ext2fs_bg_flags_test(fs, g, EXT2_BG_BLOCK_UNINIT))
		return 0;
	if (!e->bitmap)
		e->bitmap = malloc(fs->blocksize);
	if (!e->bitmap)
		return -1;
	if (e->bitmap_group != g) {
		e->bitmap_group = UINT64_MAX;
		if (io_channel_read_blk64(fs->io, ext2fs_block_bitmap_loc(fs, g), 1, e->bitmap))
			return -1;
		e->bitmap_group = g;
	}
	return e->bitmap[bit / 8] >> bit % 8 & 1;
}

static bool is_in(const struct ext *e, uint64_t block)
{
	return block >= e->fs->super->s_first_data_block &&
	       block < ext2fs_blocks_count(e->fs->super);
}

/* What nothing is known of but whether it is in use: up to what is known. */
static void find_rest(struct ext *e, uint64_t block, uint64_t most, struct ext_run *ret)
{
	uint64_t fixed, owned, end;
	int used = is_used(e, block);

	ext_find_run(&e->fixed, block, &fixed);
	ext_find_run(&e->owned, block, &owned);
	end = MIN(fixed, owned);
	end = MIN(end, block + most);
	*ret = (struct ext_run){
		.start = block, .nr = 1, .kind = used ? MEANING_UNKNOWN : MEANING_FREE};
	for (; ret->start + ret->nr < end && e->bits; e->bits--) {
		if (!is_in(e, ret->start + ret->nr) || is_used(e, ret->start + ret->nr) != used)
			break;
		ret->nr++;
	}
}

/* The run of blocks that this one is in; at most so many from it on matter. */
static void find_block(struct ext *e, uint64_t block, uint64_t most, struct ext_run *ret)
{
	const struct ext_run *r;
	uint64_t next;

	*ret = (struct ext_run){.start = block, .nr = 1, .kind = MEANING_BOOT};
	if (block < e->fs->super->s_first_data_block)
		return;
	if (!is_in(e, block)) {
		*ret = (struct ext_run){.start = block, .nr = most, .kind = MEANING_BEHIND};
		return;
	}
	r = ext_find_run(&e->fixed, block, &next);
	if (!r && find_head(e, block, ret))
		return;
	if (!r)
		r = ext_find_run(&e->owned, block, &next);
	if (r)
		*ret = *r;
	else
		find_rest(e, block, most, ret);
}

static const char *path_of(const struct ext *e, uint32_t inode)
{
	size_t i;

	for (i = 0; i < e->nr_names; i++)
		if (e->names[i].inode == inode)
			return e->names[i].path;
	return NULL;
}

static void say_details(
	struct ext *e, const struct ext_run *r, uint64_t off, uint64_t bytes, struct meaning *m)
{
	uint64_t size = e->fs->blocksize, skip = off - r->start * size;
	uint64_t each = EXT2_INODE_SIZE(e->fs->super), first;
	const char *path;
	int n = 0;

	switch (r->kind) {
	case MEANING_INODES:
		first = (uint64_t)r->owner * e->fs->super->s_inodes_per_group + 1;
		n = asprintf(&m->detail, "inodes %" PRIu64 " to %" PRIu64, first + skip / each,
			first + (skip + bytes - 1) / each);
		break;
	case MEANING_BLOCK_BITMAP:
	case MEANING_INODE_BITMAP:
	case MEANING_SUPER_BACKUP:
		n = asprintf(&m->detail, "block group %u", r->owner);
		break;
	case MEANING_FILE:
	case MEANING_DIRECTORY:
	case MEANING_JOURNAL:
	case MEANING_QUOTA:
		m->position = r->logical * size + skip;
		__attribute__((fallthrough));
	case MEANING_FILE_MAP:
	case MEANING_ATTRIBUTES:
		m->inode = r->owner;
		path = path_of(e, r->owner);
		m->path = path ? strdup(path) : NULL;
		break;
	case MEANING_UNKNOWN:
		m->lost = strdup(e->view->left ? "no inode was found that has it"
					       : "looking further would take too long");
		break;
	default:
		break;
	}
	if (n < 0)
		m->detail = NULL;
}

/* The journal replays whole blocks, data too where it has it. */
static void say_fate(
	struct ext *e, const struct ext_run *r, uint64_t first, uint64_t *last, struct meaning *m)
{
	bool logged = ext_log_holds(e, first);
	uint64_t b;

	for (b = first + 1; b <= *last && ext_log_holds(e, b) == logged; b++)
		;
	*last = b - 1;
	if (logged)
		m->fate = MEANING_REPLAYED;
	else if (r->unwritten)
		m->fate = MEANING_UNWRITTEN;
}

static uint64_t tell_ext(void *state, uint64_t off, uint64_t bytes, struct meaning *m)
{
	struct ext *e = state;
	uint64_t size = e->fs->blocksize, block = off / size, last = (off + bytes - 1) / size;
	struct ext_run r;

	find_block(e, block, last - block + 1, &r);
	m->kind = r.kind;
	last = MIN(last, r.start + r.nr - 1);
	if (r.kind != MEANING_JOURNAL)
		say_fate(e, &r, block, &last, m);
	bytes = MIN(bytes, (last + 1) * size - off);
	say_details(e, &r, off, bytes, m);
	return bytes;
}

/* ---- what will be asked ------------------------------------------------------------------- */

/* Those of the blocks whose owner is looked for. */
static bool put_wanted(struct ext *e, const struct ondisk_range *range, struct ext_runs *wanted)
{
	uint64_t size = e->fs->blocksize, block = range->start / size;
	uint64_t end = (range->start + range->bytes + size - 1) / size;
	struct ext_run r;

	for (; block < end && e->bits; block = r.start + r.nr) {
		find_block(e, block, end - block, &r);
		if (r.kind != MEANING_UNKNOWN)
			continue;
		r.nr = MIN(r.nr, end - r.start);
		if (wanted->nr &&
			r.start < wanted->v[wanted->nr - 1].start + wanted->v[wanted->nr - 1].nr)
			continue; /* two requests for parts of one block */
		if (!ext_put_run(e, wanted, r))
			return false;
	}
	return true;
}

static int prepare_ext(void *state, const struct ondisk_range *v, size_t nr, struct err *err)
{
	struct ext *e = state;
	struct ext_runs wanted = {0};
	size_t i;

	for (i = 0; i < nr && put_wanted(e, &v[i], &wanted); i++)
		;
	if (!e->no_memory && wanted.nr)
		ext_find_owners(e, &wanted);
	free(wanted.v);
	return e->no_memory ? err_nomem(err, "whose the blocks of a file system are") : 0;
}

static const char *const types[] = {"ext2", "ext3", "ext4", "ext4dev", NULL};

const struct ondisk_fs ondisk_ext = {
	.types = types,
	.open = open_ext,
	.prepare = prepare_ext,
	.tell = tell_ext,
	.close = close_ext,
};
