/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What files are called: no inode knows its folder, so folder after folder is read.
 */
#include "ondisk/ext/ext.h"

#include <string.h>

struct reading {
	struct ext *e;
	ext2_ino_t folder;
	size_t *left; /* inodes without a name */
};

static struct ext_name *find_name(struct ext *e, uint32_t inode)
{
	size_t lo = 0, hi = e->nr_names;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (e->names[mid].inode < inode)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < e->nr_names && e->names[lo].inode == inode ? &e->names[lo] : NULL;
}

/* What a folder calls itself and the one above it. */
static bool is_dots(const struct ext2_dir_entry *d)
{
	int len = ext2fs_dirent_name_len(d);

	return len >= 1 && len <= 2 && d->name[0] == '.' && d->name[len - 1] == '.';
}

static int note_entry(ext2_ino_t folder UNUSED, int entry UNUSED, struct ext2_dir_entry *d,
	int offset UNUSED, int block_bytes UNUSED, char *buf UNUSED, void *arg)
{
	struct reading *r = arg;
	struct ext_name *n = is_dots(d) ? NULL : find_name(r->e, d->inode);

	if (n && !n->parent) {
		n->parent = r->folder;
		--*r->left;
	}
	if (r->e->steps)
		r->e->steps--;
	return *r->left && r->e->steps ? 0 : DIRENT_ABORT;
}

static bool read_folder(struct ext *e, ext2_ino_t ino, struct ext2_inode *inode, void *arg)
{
	struct reading r = {.e = e, .folder = ino, .left = arg};

	if (LINUX_S_ISDIR(inode->i_mode))
		(void)ext2fs_dir_iterate2(e->fs, ino, 0, NULL, note_entry, &r);
	return *r.left;
}

/* "/" for the root; others from there on. */
static char *make_path(struct ext *e, const struct ext_name *n)
{
	char *text = NULL, *copy;

	if (n->inode == EXT2_ROOT_INO)
		return strdup("/");
	if (!n->parent || ext2fs_get_pathname(e->fs, n->parent, n->inode, &text) || !text)
		return NULL;
	copy = strdup(text);
	ext2fs_free_mem(&text);
	return copy;
}

void ext_find_names(struct ext *e)
{
	size_t i, left = e->nr_names;
	dgrp_t g;

	for (i = 0; i < e->nr_names; i++)
		left -= e->names[i].inode == EXT2_ROOT_INO ||
			e->names[i].inode < EXT2_FIRST_INODE(e->fs->super);
	for (g = 0; g < e->fs->group_desc_count && left; g++)
		if (!ext_each_inode(e, g, read_folder, &left))
			break;
	for (i = 0; i < e->nr_names; i++)
		e->names[i].path = make_path(e, &e->names[i]);
}
