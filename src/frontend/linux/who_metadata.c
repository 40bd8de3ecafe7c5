/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What of an ext4 a block of its device is, by what the guest itself remembers of it: the
 * superblock and the group descriptors in the page cache of the device.
 */
#include "frontend/linux/who.h"

#include <string.h>

#include "io/ext_super.h"

static const struct {
	const char *what; /* of linux_ext4_fixed() */
	enum meaning_kind kind;
} kinds[] = {
	{"group descriptors", MEANING_GROUPS},
	{"block bitmap", MEANING_BLOCK_BITMAP},
	{"inode bitmap", MEANING_INODE_BITMAP},
	{"inode table", MEANING_INODES},
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
	size_t i;

	if (!e)
		return MEANING_UNKNOWN;
	if (position / e->block_bytes == EXT_SUPER_OFFSET / e->block_bytes)
		return MEANING_SUPER;
	r = linux_ext4_fixed(e, position / e->block_bytes);
	for (i = 0; r && i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].what, r->what))
			return kinds[i].kind;
	return MEANING_UNKNOWN;
}

void linux_metadata_close(struct linux_who *w)
{
	size_t i;

	for (i = 0; i < w->nr_ext4; i++)
		linux_ext4_close(&w->ext4[i].fs);
}
