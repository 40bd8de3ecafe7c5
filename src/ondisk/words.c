/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a disk would be without a request, in words: one row for each case, the first that fits is
 * taken.
 */
#include "ondisk/ondisk.h"

#include <inttypes.h>
#include <string.h>

/* '%' in a text: which bytes of which file. */
struct words {
	enum meaning_kind kind;
	const char *fs; /* what the type begins with; NULL any */
	const char *text;
};

/* Whatever else it is. */
static const char *const by_fate[] = {
	[MEANING_REPLAYED] =
		"nothing is lost: the journal holds it and replays it at the next mount",
	[MEANING_UNMAPPED] = "% are lost: the disk does not say yet that they belong to it",
	[MEANING_UNWRITTEN] = "% read as zeros: the disk has them as not written yet",
};

static const struct words rows[] = {
	{MEANING_TABLE, NULL, "the partitions stay as they were"},
	{MEANING_TABLE_BACKUP, NULL, "only the copy stays old; the first table counts"},
	{MEANING_GAP, NULL, "no partition has it; a boot loader may"},
	{MEANING_BOOT, NULL, "what is started from here stays as it was"},
	{MEANING_SUPER, "ext", "its counters and times stay old; fsck corrects them"},
	{MEANING_SUPER, "xfs", "its counters stay old; the next mount counts anew"},
	{MEANING_SUPER, "btrfs", "the file system stays as it was at its last commit"},
	{MEANING_SUPER, NULL, "what it says of the file system stays old"},
	{MEANING_SUPER_BACKUP, NULL, "only the copy stays old"},
	{MEANING_GROUPS, NULL, "counts of free blocks and inodes stay old; fsck corrects them"},
	{MEANING_GROUPS_BACKUP, NULL, "only the copy stays old"},
	{MEANING_RESERVED, NULL, "nothing: it is kept for a file system that grows"},
	{MEANING_BLOCK_BITMAP, NULL, "which blocks are free stays old; fsck corrects it"},
	{MEANING_INODE_BITMAP, NULL, "which inodes are free stays old; fsck corrects it"},
	{MEANING_INODES, NULL, "these inodes stay old: sizes, times, where their data is"},
	{MEANING_JOURNAL, "ext",
		"the transaction that it is part of does not count: what it changes stays as "
		"before"},
	{MEANING_JOURNAL, NULL, "what it records is not replayed: it stays as before"},
	{MEANING_DIRECTORY, NULL, "names in it stay as they were"},
	{MEANING_FILE, NULL, "% stay as they were"},
	{MEANING_FILE_MAP, NULL, "where the file's data is stays as it was"},
	{MEANING_ATTRIBUTES, NULL, "the file's attributes stay as they were"},
	{MEANING_QUOTA, NULL, "what is counted stays old; quotacheck corrects it"},
	{MEANING_METADATA, "btrfs", "nothing, unless a superblock that refers to it lands"},
	{MEANING_METADATA, NULL, "what it describes stays old, unless the journal holds it"},
	{MEANING_SPACE_HEADERS, NULL,
		"what is free in this group stays old, unless the log holds it"},
	{MEANING_BEHIND, NULL, "nothing: the file system ends before"},
	{MEANING_FREE, NULL, "nothing: nothing refers to it"},
	{MEANING_SWAP_HEADER, NULL, "the swap area stays as it was"},
	{MEANING_SWAP, NULL,
		"nothing once the guest is started anew; a guest that goes on may need it"},
	{MEANING_VOLUME_LABEL, NULL, "what it says of the volume group stays old"},
	{MEANING_VOLUME_METADATA, NULL, "the volumes stay as they were"},
	{MEANING_CRYPT_HEADER, NULL, "its keys stay as they were"},
	{MEANING_CRYPT, NULL, "what is enciphered here stays as it was"},
	{MEANING_DEVICE, NULL, "these bytes of the device stay as they were"},
};

static const char *words_of_write(const struct meaning *m)
{
	size_t i;

	if (m->fate)
		return by_fate[m->fate];
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].kind == m->kind &&
			(!rows[i].fs || !strncmp(m->fs, rows[i].fs, strlen(rows[i].fs))))
			return rows[i].text;
	return NULL;
}

static const char *words_for(const struct io_request *r, const struct meaning *m)
{
	if (io_request_is_flush(r) && !r->nr_sectors)
		return "what was written before may only be in a cache of the disk";
	if (r->op == IO_READ)
		return "nothing: it reads";
	if (r->op == IO_DISCARD)
		return !m || m->kind == MEANING_FREE ? "nothing: the space is not given back"
						     : "what stands there can still be read";
	return m && io_request_writes_data(r) ? words_of_write(m) : NULL;
}

static void put_file(FILE *f, const struct meaning *m)
{
	if (m->position != MEANING_UNKNOWN_U64)
		fprintf(f, "bytes %" PRIu64 " to %" PRIu64, m->position,
			m->position + m->bytes - 1);
	else
		fprintf(f, "%" PRIu64 " bytes", m->bytes);
	if (m->path)
		fprintf(f, " of %s", m->path);
	else if (m->inode != MEANING_UNKNOWN_U64)
		fprintf(f, " of inode %" PRIu64, m->inode);
	else
		fputs(" of a file", f);
}

/* What ext3 and ext4 journal; a disk tells whether it is there (MEANING_REPLAYED). */
static bool may_be_logged(const struct meaning *m)
{
	switch (m->kind) {
	case MEANING_SUPER:
	case MEANING_GROUPS:
	case MEANING_BLOCK_BITMAP:
	case MEANING_INODE_BITMAP:
	case MEANING_INODES:
		return m->from_memory;
	default:
		return false;
	}
}

char *ondisk_without(const struct io_request *r, const struct meaning *m)
{
	const char *text = words_for(r, m);
	char *all = NULL;
	size_t bytes;
	FILE *f = text ? open_memstream(&all, &bytes) : NULL;

	for (; f && *text; text++) {
		if (*text == '%')
			put_file(f, m);
		else
			fputc(*text, f);
	}
	if (f && m && io_request_writes_data(r) && may_be_logged(m))
		fputs(", unless the journal holds it", f);
	if (f)
		fclose(f);
	return all;
}
