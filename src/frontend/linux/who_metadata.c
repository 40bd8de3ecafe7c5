/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What of an ext4 a block of its device is, by what the guest itself remembers of it: the
 * superblock and the group descriptors in the page cache of the device.
 */
#include "frontend/linux/who.h"

#include "io/ext_super.h"

static const enum meaning_kind kinds[EXT4_NR_PARTS] = {
	[EXT4_GROUPS] = MEANING_GROUPS,
	[EXT4_BLOCK_BITMAP] = MEANING_BLOCK_BITMAP,
	[EXT4_INODE_BITMAP] = MEANING_INODE_BITMAP,
	[EXT4_INODE_TABLE] = MEANING_INODES,
};

/* Opened once; NULL: it cannot be, or there are too many. */
static const struct linux_ext4 *find_ext4(struct linux_who *w, uint64_t mapping)
{
	struct linux_who_ext4 *e;
	size_t i;

	for (i = 0; i < w->nr_ext4; i++)
		if (w->ext4[i].mapping == mapping)
			return w->ext4[i].known ? &w->ext4[i].fs : NULL;
	if (w->nr_ext4 == LINUX_WHO_MAX_EXT4 || (!w->nr_ext4 && !linux_cache_init(&w->cache, w->k)))
		return NULL;
	e = &w->ext4[w->nr_ext4++];
	e->mapping = mapping;
	e->known = linux_ext4_open(&w->cache, mapping, &e->fs);
	return e->known ? &e->fs : NULL;
}

enum meaning_kind linux_metadata_kind(struct linux_who *w, uint64_t mapping, uint64_t position)
{
	const struct linux_ext4 *e = find_ext4(w, mapping);
	const struct ext4_range *r;

	if (!e)
		return MEANING_UNKNOWN;
	if (position / e->block_bytes == EXT_SUPER_OFFSET / e->block_bytes)
		return MEANING_SUPER;
	r = linux_ext4_fixed(e, position / e->block_bytes);
	return r ? kinds[r->part] : MEANING_UNKNOWN;
}

void linux_metadata_close(struct linux_who *w)
{
	size_t i;

	for (i = 0; i < w->nr_ext4; i++)
		linux_ext4_close(&w->ext4[i].fs);
}
