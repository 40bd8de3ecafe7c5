/* SPDX-License-Identifier: BSD-2-Clause
 *
 * meaning.h - what the sectors of a request are on their disk, and what the disk would be without
 * the request. A request may cover several things: each stretch of it is a struct meaning.
 *
 * What is not known stays MEANING_UNKNOWN; nothing is guessed. Texts are the disk's or the guest's,
 * so hostile to a terminal.
 */
#ifndef XB_FRONTEND_MEANING_H
#define XB_FRONTEND_MEANING_H

#include "base/util.h"

enum meaning_kind {
	MEANING_UNKNOWN,
	MEANING_TABLE,	      /* of partitions */
	MEANING_TABLE_BACKUP, /* the copy at the end of the disk */
	MEANING_GAP,	      /* in no partition */
	MEANING_BOOT,	      /* before a superblock, where boot loaders are */
	MEANING_SUPER,
	MEANING_SUPER_BACKUP,
	MEANING_GROUPS, /* descriptors of block groups */
	MEANING_GROUPS_BACKUP,
	MEANING_RESERVED, /* for more descriptors */
	MEANING_BLOCK_BITMAP,
	MEANING_INODE_BITMAP,
	MEANING_INODES, /* a table or chunk of them */
	MEANING_JOURNAL,
	MEANING_DIRECTORY,
	MEANING_FILE,	  /* its data */
	MEANING_FILE_MAP, /* where its data is: extents, indirect blocks */
	MEANING_ATTRIBUTES,
	MEANING_QUOTA,
	MEANING_METADATA,      /* a file system's own, no more is known */
	MEANING_SPACE_HEADERS, /* of an allocation group: free space and inodes of it */
	MEANING_BEHIND,	       /* the end of a file system that is smaller than its partition */
	MEANING_FREE,	       /* nothing refers to it */
	MEANING_SWAP_HEADER,
	MEANING_SWAP,
	MEANING_VOLUME_LABEL, /* LVM */
	MEANING_VOLUME_METADATA,
	MEANING_CRYPT_HEADER, /* LUKS */
	MEANING_CRYPT,
	MEANING_DEVICE, /* what a program writes past any file system */
	MEANING_NR_KINDS,
};
/* "journal", "file data", "inode table" ...; "unknown" */
const char *meaning_kind_name(enum meaning_kind kind);

/* What becomes of it when the request never lands, besides what its kind says. */
enum meaning_fate {
	MEANING_AS_KIND,
	MEANING_REPLAYED,  /* the journal holds the block, and replays it at the next mount */
	MEANING_UNMAPPED,  /* the disk does not say yet that its file has it */
	MEANING_UNWRITTEN, /* its file has it, and marks it as not written yet: it reads as zeros */
};
/* NULL: as its kind. "replayed" ... */
const char *meaning_fate_name(enum meaning_fate fate);

#define MEANING_UNKNOWN_U64 UINT64_MAX

struct meaning {
	uint64_t offset, bytes; /* in the request's range */
	enum meaning_kind kind;
	enum meaning_fate fate;
	bool from_memory;   /* only the guest's memory says so */
	uint32_t partition; /* its number; 0: none is known */
	char volume[128];   /* LVM: "vg/root"; "" none */
	char fs[32];	    /* "ext4", "swap", "LVM2_member"; "" none is known */
	char *detail;	    /* owned: "inodes 17 to 32"; NULL none */
	char *path;	    /* owned: from the root of its file system; NULL unknown or none */
	uint64_t inode;	    /* MEANING_UNKNOWN_U64 */
	uint64_t position;  /* in the file, bytes; MEANING_UNKNOWN_U64 */
	char *lost;	    /* owned: why more is not known; NULL */
};

void meaning_fini(struct meaning *m);
/* Everything unknown. */
void meaning_init(struct meaning *m);
/* Append a copy, which takes over what `m` owns; -1: no memory. */
int meaning_append(struct meaning **array, size_t *nr, struct meaning *m) MUST_CHECK;

#endif
