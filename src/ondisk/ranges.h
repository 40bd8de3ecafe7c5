/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ranges.h - what will be asked of something: stretches of it.
 */
#ifndef XB_ONDISK_RANGES_H
#define XB_ONDISK_RANGES_H

#include "ondisk/fs.h"

struct ondisk_ranges {
	struct ondisk_range *v; /* owned */
	size_t nr, cap;
};

/* -1: no memory. */
int ranges_put(struct ondisk_ranges *r, struct ondisk_range one) MUST_CHECK;
/* Ascending and apart, as prepare() of fs.h wants them. */
void ranges_merge(struct ondisk_ranges *r);
void ranges_free(struct ondisk_ranges *r);

#endif
