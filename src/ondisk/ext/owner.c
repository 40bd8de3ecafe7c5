/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Whose blocks are: the way back that a file system does not keep, so inode after inode is asked.
 * Those of the block groups where the blocks are come first, for there they usually are.
 */
#include "ondisk/ext/ext.h"

#include <string.h>

static bool take_step(struct ext *e)
{
	if (e->steps)
		e->steps--;
	return e->steps && e->view->left && !e->no_memory;
}

/* ---- the blocks of one inode -------------------------------------------------------------- */

struct blocks {
	struct ext *e;
	const struct ext_runs *wanted; /* NULL: all */
	struct ext_runs *to;
	ext2_ino_t ino;
	enum meaning_kind kind; /* of its data */
	uint64_t found;		/* blocks of those that are wanted */
};

static enum meaning_kind kind_of(const struct ext *e, ext2_ino_t ino, uint16_t mode)
{
	if (ino == e->fs->super->s_journal_inum)
		return MEANING_JOURNAL;
	if (ino == e->fs->super->s_usr_quota_inum || ino == e->fs->super->s_grp_quota_inum ||
		ino == e->fs->super->s_prj_quota_inum)
		return MEANING_QUOTA;
	return LINUX_S_ISDIR(mode) ? MEANING_DIRECTORY : MEANING_FILE;
}

/* The parts of a run that are wanted. */
static void put_blocks(struct blocks *b, struct ext_run run)
{
	uint64_t next, at = run.start, end = run.start + run.nr;

	run.owner = b->ino;
	if (!b->wanted) {
		ext_put_run(b->e, b->to, run);
		return;
	}
	while (at < end) {
		const struct ext_run *w = ext_find_run(b->wanted, at, &next);
		uint64_t nr = w ? MIN(end, w->start + w->nr) - at : 0;

		if (w && !ext_put_run(b->e, b->to,
				 (struct ext_run){.start = at,
					 .nr = nr,
					 .kind = run.kind,
					 .unwritten = run.unwritten,
					 .owner = run.owner,
					 .logical = run.logical + (at - run.start)}))
			return;
		b->found += nr;
		at = w ? at + nr : next;
	}
}

static void free_extents(ext2_extent_handle_t *h)
{
	if (*h)
		ext2fs_extent_free(*h);
}

static void put_extents(struct blocks *b, struct ext2_inode *inode)
{
	CLEANUP(free_extents) ext2_extent_handle_t h = NULL;
	struct ext2fs_extent x;
	int op = EXT2_EXTENT_ROOT;

	if (ext2fs_extent_open2(b->e->fs, b->ino, inode, &h))
		return;
	for (; take_step(b->e) && !ext2fs_extent_get(h, op, &x); op = EXT2_EXTENT_NEXT) {
		bool leaf = x.e_flags & EXT2_EXTENT_FLAGS_LEAF;

		if (x.e_flags & EXT2_EXTENT_FLAGS_SECOND_VISIT)
			continue;
		put_blocks(b, (struct ext_run){.start = x.e_pblk,
				      .nr = leaf ? x.e_len : 1,
				      .kind = leaf ? b->kind : MEANING_FILE_MAP,
				      .unwritten = x.e_flags & EXT2_EXTENT_FLAGS_UNINIT,
				      .logical = leaf ? x.e_lblk : 0});
	}
}

/* Negative numbers are of blocks that hold the numbers of others. */
static int put_mapped(ext2_filsys fs UNUSED, blk64_t *block, e2_blkcnt_t number, blk64_t ref UNUSED,
	int offset UNUSED, void *arg)
{
	struct blocks *b = arg;

	put_blocks(b, (struct ext_run){.start = *block,
			      .nr = 1,
			      .kind = number < 0 ? MEANING_FILE_MAP : b->kind,
			      .logical = number < 0 ? 0 : (uint64_t)number});
	return take_step(b->e) ? 0 : BLOCK_ABORT;
}

static uint64_t put_inode(struct blocks *b, struct ext2_inode *inode)
{
	ext2_filsys fs = b->e->fs;
	uint64_t acl = ext2fs_file_acl_block(fs, inode);

	b->kind = kind_of(b->e, b->ino, inode->i_mode);
	if (acl)
		put_blocks(b, (struct ext_run){.start = acl, .nr = 1, .kind = MEANING_ATTRIBUTES});
	if (!ext2fs_inode_has_valid_blocks2(fs, inode) || inode->i_flags & EXT4_INLINE_DATA_FL)
		return b->found;
	if (inode->i_flags & EXT4_EXTENTS_FL)
		put_extents(b, inode);
	else
		(void)ext2fs_block_iterate3(fs, b->ino, BLOCK_FLAG_READ_ONLY, NULL, put_mapped, b);
	return b->found;
}

void ext_put_inode(struct ext *e, ext2_ino_t ino, struct ext2_inode *inode,
	const struct ext_runs *wanted, struct ext_runs *to)
{
	struct blocks b = {.e = e, .wanted = wanted, .to = to, .ino = ino};

	put_inode(&b, inode);
}

/* ---- all inodes --------------------------------------------------------------------------- */

bool ext_each_inode(struct ext *e, dgrp_t group, ext_inode_fn *fn, void *arg)
{
	ext2_filsys fs = e->fs;
	uint32_t i, nr = fs->super->s_inodes_per_group;
	struct ext2_inode inode;

	if (ext2fs_bg_flags_test(fs, group, EXT2_BG_INODE_UNINIT))
		return true;
	if (ext2fs_has_group_desc_csum(fs))
		nr -= MIN(nr, ext2fs_bg_itable_unused(fs, group));
	for (i = 1; i <= nr; i++) {
		ext2_ino_t ino = group * fs->super->s_inodes_per_group + i;

		if (!take_step(e))
			return false;
		if (ext2fs_read_inode(fs, ino, &inode) || !inode.i_mode ||
			(!inode.i_links_count && ino >= EXT2_FIRST_INODE(fs->super)))
			continue;
		if (!fn(e, ino, &inode, arg))
			return false;
	}
	return true;
}

struct search {
	const struct ext_runs *wanted;
	uint64_t left; /* blocks without an owner */
};

static bool look_in_inode(struct ext *e, ext2_ino_t ino, struct ext2_inode *inode, void *arg)
{
	struct search *s = arg;
	struct blocks b = {.e = e, .wanted = s->wanted, .to = &e->owned, .ino = ino};
	uint64_t found = put_inode(&b, inode);

	s->left -= MIN(s->left, found);
	return s->left;
}

static int by_inode(const void *a, const void *b)
{
	const struct ext_name *x = a, *y = b;

	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

/* One for each inode that was found. */
static void note_inodes(struct ext *e)
{
	size_t i, nr = 0;

	e->names = calloc(e->owned.nr + 1, sizeof(*e->names));
	e->no_memory |= !e->names;
	for (i = 0; e->names && i < e->owned.nr; i++)
		if (!i || e->owned.v[i].owner != e->owned.v[i - 1].owner)
			e->names[nr++].inode = e->owned.v[i].owner;
	if (nr)
		qsort(e->names, nr, sizeof(*e->names), by_inode);
	for (i = 0; i < nr; i++)
		if (!e->nr_names || e->names[i].inode != e->names[e->nr_names - 1].inode)
			e->names[e->nr_names++] = e->names[i];
}

void ext_find_owners(struct ext *e, const struct ext_runs *wanted)
{
	struct search s = {.wanted = wanted};
	uint8_t *near = calloc(e->fs->group_desc_count, 1);
	dgrp_t g;
	size_t i;
	int turn;

	e->no_memory |= !near;
	for (i = 0; near && i < wanted->nr; i++) {
		s.left += wanted->v[i].nr;
		near[ext2fs_group_of_blk2(e->fs, wanted->v[i].start)] = 1;
	}
	for (turn = 1; near && turn >= 0 && s.left; turn--)
		for (g = 0; g < e->fs->group_desc_count && s.left; g++)
			if (near[g] == turn && !ext_each_inode(e, g, look_in_inode, &s))
				break;
	free(near);
	ext_sort_runs(&e->owned);
	note_inodes(e);
	ext_find_names(e);
}
