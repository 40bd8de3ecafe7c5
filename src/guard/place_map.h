/* SPDX-License-Identifier: BSD-2-Clause
 *
 * place_map.h - where the copy of a page is kept: a number for each frame number, 8 bytes a page.
 */
#ifndef XB_GUARD_PLACE_MAP_H
#define XB_GUARD_PLACE_MAP_H

#include "base/err.h"

struct place_map;

struct place_map *place_map_new(struct err *err);
void place_map_free(struct place_map *m);
/* *ret: what stood there, 0 nothing. Frames beyond any that hardware has are not noted. */
int place_map_set(struct place_map *m, uint64_t pfn, uint64_t place, uint64_t *ret,
	struct err *err) MUST_CHECK;

#endif
