/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ext_super.h - the superblock of ext2, ext3 and ext4, and that of its journal. They are the same
 * on a disk and in the memory of a kernel that has it mounted.
 */
#ifndef XB_IO_EXT_SUPER_H
#define XB_IO_EXT_SUPER_H

#include "base/util.h"

#define EXT_SUPER_OFFSET  1024u /* from the start of the file system */
#define EXT_SUPER_BYTES	  1024u
#define EXT_JOURNAL_BYTES 32u /* as much of the journal's as is read */

struct ext_super {
	uint8_t uuid[16];
	char label[17];	       /* "" none */
	uint64_t mtime, wtime; /* last mount, last write of the superblock: UNIX time */
	uint64_t mnt_count;
	bool has_journal;
	bool needs_recovery;	/* the journal is in use, or was not closed */
	uint64_t block_bytes;	/* 0: nonsense */
	uint64_t journal_block; /* the first of the journal; 0 unknown */
};

/* False: it is none. */
bool ext_super_parse(const uint8_t raw[EXT_SUPER_BYTES], struct ext_super *ret);
/* How far the log has come: s_sequence, the first transaction in it that counts. False: it is no
 * journal's superblock. */
bool ext_journal_parse(const uint8_t raw[EXT_JOURNAL_BYTES], uint64_t *ret_sequence);

#endif
