/* SPDX-License-Identifier: BSD-2-Clause
 *
 * store_refs.h - what the guest last told xenstore of its block rings.
 *
 * The page that it shares with xenstore holds the last 1024 bytes that it wrote (io/xs_wire.h,
 * struct xenstore_domain_interface): of a guest that said little since it connected its disks, the
 * messages with their ring-refs still stand there.
 */
#ifndef XB_FRONTEND_STORE_REFS_H
#define XB_FRONTEND_STORE_REFS_H

#include "guest/guest.h"

#define STORE_REFS_MAX 64u

struct store_ref {
	uint64_t handle; /* the directory under device/vbd */
	uint32_t gref;
};

/* Returns how many; at most STORE_REFS_MAX. */
size_t store_refs_read(struct guest *g, struct store_ref *ret);

#endif
