/* SPDX-License-Identifier: BSD-2-Clause
 *
 * backend_keys.h - what a block backend says of itself in xenstore, by name
 * (Xen's public/io/blkif.h, "Backend XenBus Nodes").
 */
#ifndef XB_BASE_BACKEND_KEYS_H
#define XB_BASE_BACKEND_KEYS_H

#include "base/util.h"

enum backend_key {
	BACKEND_FLUSH, /* the first BACKEND_NR_FLAGS are 0 or 1 */
	BACKEND_BARRIER,
	BACKEND_DISCARD,
	BACKEND_SECURE_DISCARD,
	BACKEND_PERSISTENT,
	BACKEND_NR_FLAGS,
	BACKEND_MAX_INDIRECT_SEGMENTS = BACKEND_NR_FLAGS,
	BACKEND_MAX_QUEUES,
	BACKEND_MAX_RING_PAGE_ORDER,
	BACKEND_SECTOR_BYTES,
	BACKEND_SECTORS,
	BACKEND_NR_NUMBERS,
	BACKEND_MODE = BACKEND_NR_NUMBERS, /* "r" or "w" */
	BACKEND_NR_KEYS,
};

/* "feature-flush-cache" */
const char *backend_key_name(enum backend_key key);
/* BACKEND_NR_KEYS: no key of that name is known. */
enum backend_key backend_key_by_name(const char *name);

#endif
