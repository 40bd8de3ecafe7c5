/* SPDX-License-Identifier: BSD-2-Clause
 *
 * who.h - who asked for a request, and what for. A request may carry the work of several: each
 * stretch of it is a struct who.
 *
 * What is not known is marked, and `lost` says at which step it was lost. Texts are the guest's, so
 * hostile to a terminal.
 */
#ifndef XB_FRONTEND_WHO_H
#define XB_FRONTEND_WHO_H

#include "frontend/meaning.h"

enum who_kind {
	WHO_UNKNOWN,
	WHO_DIRECT,	  /* a process, past the page cache, in a file */
	WHO_DEVICE,	  /* the same on a block device */
	WHO_WRITE_BACK,	  /* the page cache of a file */
	WHO_CACHE_READ,	  /* into it */
	WHO_DEVICE_CACHE, /* the page cache of a block device that nothing is mounted from */
	WHO_METADATA,	  /* a file system's own */
	WHO_JOURNAL,
	WHO_SWAP,
	WHO_FLUSH,
	WHO_DISCARD,
	WHO_NR_KINDS,
};
/* "direct", "device", "write-back", "cache-read", "device-cache", "metadata", ...; "unknown" */
const char *who_kind_name(enum who_kind kind);

#define WHO_UNKNOWN_U64 UINT64_MAX

/* A block device on the way from the disk to the file. */
struct who_layer {
	char name[64];	 /* "xvda", "xvda1", "dm-0" */
	char label[128]; /* what its owner calls it, "vg-root"; "" nothing */
	char kind[32];	 /* "disk", "partition", "linear", "crypt" ... */
	uint64_t sector; /* on it; WHO_UNKNOWN_U64 */
};

struct who {
	uint64_t offset, bytes; /* in the request's data */
	enum who_kind kind;
	enum meaning_kind metadata; /* what of WHO_METADATA; MEANING_UNKNOWN no more is known */
	bool task_known;
	uint32_t pid, tid;
	char comm[17];
	char *cgroup;		  /* owned; NULL unknown */
	char *path;		  /* owned; NULL: unknown, or it has none */
	bool path_whole, deleted; /* whole: from the system's root, else from its file system's */
	char fs[17];		  /* type of the file system; "" unknown */
	uint64_t inode;		  /* WHO_UNKNOWN_U64 */
	uint64_t position;	  /* in the file or on the device, bytes; WHO_UNKNOWN_U64 */
	struct who_layer *layers; /* owned; the disk first */
	size_t nr_layers;
	char *lost; /* owned; NULL: nothing that there is to know */
};

void who_fini(struct who *w);
/* Append one with everything unknown to an array. NULL: no memory. */
struct who *who_append(struct who **array, size_t *nr);
struct who_layer *who_add_layer(struct who *w);
/* The first reason stands. */
void who_lost(struct who *w, const char *fmt, ...) PRINTF(2, 3);

#endif
