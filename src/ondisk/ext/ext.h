/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ext.h - ext2, ext3 and ext4 by libext2fs, which reads through a view. This header is the room's
 * own: ext.c says what a block is, owner.c whose, name.c by which name, log.c what the journal
 * holds, io.c reads.
 */
#ifndef XB_ONDISK_EXT_H
#define XB_ONDISK_EXT_H

#include <sys/types.h> /* which ext2fs.h takes for granted */

#include <ext2fs/ext2fs.h>

#include "ondisk/fs.h"

/* Blocks of one kind, by where they start. */
struct ext_run {
	uint64_t start, nr;
	enum meaning_kind kind;
	bool unwritten;
	uint32_t owner;	  /* an inode; of what is no file's: the block group */
	uint64_t logical; /* the first one's number in its file or table */
};

struct ext_runs {
	struct ext_run *v; /* owned */
	size_t nr, cap;
};

struct ext_name {
	uint32_t inode, parent; /* parent: 0 not found yet */
	char *path;		/* owned */
};

/* The newest copy of a block in the journal. */
struct ext_logged {
	uint64_t block;
	uint32_t at;	   /* block of the journal */
	uint32_t sequence; /* of its transaction */
	uint32_t checksum; /* that the journal has of it */
	bool looked_at, good;
};

struct ext {
	struct view *view;
	ext2_filsys fs;
	struct ext_runs fixed, owned; /* bitmaps, tables, the journal; what was looked for */
	struct ext_runs journal;      /* only that */
	struct ext_logged *logged;    /* owned: blocks that the journal holds, ascending */
	size_t nr_logged, cap_logged;
	uint32_t log_bits, log_seed; /* of the checksums of those blocks: how many bits of them
					there are, 0 none; what they begin with */
	struct ext_name *names;	     /* owned; ascending */
	size_t nr_names;
	uint64_t steps; /* that may still be taken: extents, entries of folders */
	uint64_t bits;	/* of bitmaps that may still be looked at */
	bool no_memory;
	uint8_t *bitmap; /* owned: the block bitmap of this group */
	uint64_t bitmap_group;
};

extern struct struct_io_manager ext_io;
/* What ext_io opens: the name of a view, which ext2fs_open2() hands through as it is. */
#define EXT_IO_NAME_BYTES 32u
void ext_io_name(const struct view *v, char name[EXT_IO_NAME_BYTES]);

/* False: no memory, which is noted. */
bool ext_put_run(struct ext *e, struct ext_runs *to, struct ext_run run);
void ext_sort_runs(struct ext_runs *runs);
/* NULL: in none. *ret_next: where the next one starts. */
const struct ext_run *ext_find_run(const struct ext_runs *runs, uint64_t block, uint64_t *ret_next);

/* Append the blocks of an inode, of all or only of those that `wanted` (ascending) has. */
void ext_put_inode(struct ext *e, ext2_ino_t ino, struct ext2_inode *inode,
	const struct ext_runs *wanted, struct ext_runs *to);
/* Fill e->owned and e->names with what the wanted blocks belong to. */
void ext_find_owners(struct ext *e, const struct ext_runs *wanted);
/* The directory that an inode of e->names stands in, and its path. */
void ext_find_names(struct ext *e);
/* Call fn of each inode that is in use, in the block groups from `first` on, until it is false. */
typedef bool ext_inode_fn(struct ext *e, ext2_ino_t ino, struct ext2_inode *inode, void *arg);
bool ext_each_inode(struct ext *e, dgrp_t group, ext_inode_fn *fn, void *arg);

/* Fill e->logged. */
void ext_read_log(struct ext *e);
/* Will the next mount write the block to its place? */
bool ext_log_holds(struct ext *e, uint64_t block);

#endif
