/* SPDX-License-Identifier: BSD-2-Clause
 *
 * view.h - a stretch of a disk as if it were one: a partition, a logical volume. It is read only,
 * and so much of it: what lies there is hostile, and may lead in circles.
 */
#ifndef XB_ONDISK_VIEW_H
#define XB_ONDISK_VIEW_H

#include "io/disk.h"

/* That may be read of one file system: inode tables, block maps and folders of a large one. */
#define VIEW_MAX_READ (UINT64_C(512) << 20)

/* A volume may lie in pieces. */
struct view_piece {
	uint64_t at;	       /* in the view */
	uint64_t start, bytes; /* on the disk */
};

struct view {
	const struct disk *disk; /* borrowed */
	uint64_t bytes;
	struct view_piece whole; /* one that is in one piece */
	const struct view_piece
		*pieces; /* else; borrowed, ascending; what is in none is elsewhere */
	size_t nr_pieces;
	uint64_t left; /* bytes that may still be read */
};

void view_init(struct view *v, const struct disk *d, uint64_t start, uint64_t bytes);
void view_init_pieces(struct view *v, const struct disk *d, const struct view_piece *pieces,
	size_t nr, uint64_t bytes);
/* ERR_CORRUPT: it ends before. ERR_REFUSED: enough was read. */
int view_read(struct view *v, uint64_t off, void *buf, size_t bytes, struct err *err) MUST_CHECK;

#endif
