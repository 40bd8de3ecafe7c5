/* SPDX-License-Identifier: BSD-2-Clause
 *
 * memory.h - what the guest's memory adds to what a disk says.
 */
#ifndef XB_ONDISK_MEMORY_H
#define XB_ONDISK_MEMORY_H

#include "frontend/request.h"

/* To a stretch of the request. */
void ondisk_add_memory(struct io_request *r, struct meaning *m);

#endif
