/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fs.h - who can read what lies in a partition. One row of the table in content.c each.
 *
 * All that is read is hostile, is read through the view, and may be in the middle of a change: the
 * guest that had it mounted was stopped. What cannot be read is unknown, and `lost` says why.
 */
#ifndef XB_ONDISK_FS_H
#define XB_ONDISK_FS_H

#include "frontend/meaning.h"
#include "ondisk/view.h"

/* Bytes of the view. */
struct ondisk_range {
	uint64_t start, bytes;
};

struct ondisk_fs {
	const char *const *types; /* libblkid's, up to a NULL */
	/* The view outlives what is opened. -1: *err says why nothing can be known. */
	int (*open)(struct view *v, void **ret, struct err *err);
	/* All that will be asked, ascending and apart, before anything is. NULL: it does not
	 * matter. */
	int (*prepare)(void *state, const struct ondisk_range *v, size_t nr, struct err *err);
	/* What begins at this byte; at most `bytes`, which are in the view, of which so many are
	 * that: at least 1. */
	uint64_t (*tell)(void *state, uint64_t off, uint64_t bytes, struct meaning *m);
	void (*close)(void *state);
};

extern const struct ondisk_fs ondisk_ext, ondisk_xfs, ondisk_btrfs, ondisk_swap, ondisk_lvm,
	ondisk_luks;

#endif
