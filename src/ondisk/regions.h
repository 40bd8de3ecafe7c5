/* SPDX-License-Identifier: BSD-2-Clause
 *
 * regions.h - a disk as stretches: tables of partitions, partitions, what is between them.
 */
#ifndef XB_ONDISK_REGIONS_H
#define XB_ONDISK_REGIONS_H

#include "ondisk/content.h"

struct region {
	uint64_t start, nr;	/* sectors of the disk */
	enum meaning_kind kind; /* what it is itself; MEANING_UNKNOWN: its content tells */
	uint32_t partition;
	struct content content; /* the array must not move once it is opened */
};

struct regions {
	const struct disk *disk; /* borrowed */
	struct region *v;	 /* owned; ascending and apart; together they are the disk */
	size_t nr, cap;
};

int regions_read(const struct disk *d, struct regions *ret, struct err *err) MUST_CHECK;
void regions_free(struct regions *r);
/* That which the sector is in; NULL behind the end of the disk. */
struct region *region_at(struct regions *r, uint64_t sector);

#endif
