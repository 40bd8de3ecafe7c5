/* SPDX-License-Identifier: BSD-2-Clause
 *
 * kdump.h - pages of a kdump file, unpacked when they are read.
 */
#ifndef XB_CHECKPOINT_KDUMP_H
#define XB_CHECKPOINT_KDUMP_H

#include "base/util.h"

struct kdump;

void kdump_free(struct kdump *k);
/* The page of that description. It stands until some hundred others were asked for. NULL and *why,
 * a static text: it cannot be had. */
const uint8_t *kdump_page(struct kdump *k, uint64_t index, const char **why);

#endif
