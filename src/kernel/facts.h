/* SPDX-License-Identifier: BSD-2-Clause
 *
 * facts.h - what a guest's kernel says of itself, whichever it is.
 */
#ifndef XB_KERNEL_FACTS_H
#define XB_KERNEL_FACTS_H

#include "base/err.h"
#include "base/util.h"

struct guest_facts {
	char os[16]; /* "Linux", "NetBSD"; "" unknown */
	char release[72], version[160], machine[32], hostname[72]; /* "" unknown */
	char *cmdline;						   /* owned; NULL unknown */
	bool mono_known;
	uint64_t mono_ns; /* guest's CLOCK_MONOTONIC at the suspension */
	bool wall_known;
	uint64_t wall_sec; /* guest's wall clock, UNIX time */
};
int guest_facts_copy(
	const struct guest_facts *from, struct guest_facts *ret, struct err *err) MUST_CHECK;
void guest_facts_fini(struct guest_facts *f);

/* A file system that the kernel has mounted, as its memory has it, for comparison with the disk
 * itself. Times and counts are those of the in-memory copy of the superblock. */
struct mounted_fs {
	char disk[32];	  /* name of the disk that it lies on, without the partition: "xvda" */
	char type[16];	  /* "ext4" */
	char uuid[37];	  /* text form, lower case; "" unknown */
	uint64_t start;	  /* first sector of the partition; 0 the whole disk */
	bool read_only;	  /* mounted so */
	bool super_known; /* the members below were read */
	bool journal;	  /* it has one */
	bool recover;	  /* the journal is in use: a mount would have to replay it */
	char label[17];	  /* as it stands there, "" none */
	uint64_t wtime;	  /* last write of the superblock, UNIX time */
	uint64_t mtime;	  /* last mount, UNIX time */
	uint64_t mnt_count;
	uint64_t journal_sequence; /* newest journal transaction that the guest knows of;
				      FS_UNKNOWN_U64 unknown */
	/* btrfs: the transaction that is complete, and the one whose superblock was last written or
	 * is being written; FS_UNKNOWN_U64 unknown, both */
	uint64_t committed, written;
	/* xfs: the sector of the file system at which its log goes on, and the number of the turn,
	 * which stands in no sector from there on; FS_UNKNOWN_U64 unknown, both */
	uint64_t log_sector, log_cycle;
};
#define FS_UNKNOWN_U64 UINT64_MAX

/* A stretch of a disk that the kernel remembers as it was, and did not change since. */
struct witness {
	uint64_t start;	 /* on the disk, bytes */
	uint32_t bytes;	 /* within one page */
	uint32_t offset; /* in the page */
	uint64_t pfn;
	const char *what; /* static text: "inode table" */
};

struct witness_list {
	bool known;	/* the kernel's caches could be read */
	uint64_t pages; /* of caches that may have some: as many as there were to choose from */
	struct witness *v;
	size_t nr, cap;
};
void witness_list_fini(struct witness_list *l);

#endif
