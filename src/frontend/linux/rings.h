/* SPDX-License-Identifier: BSD-2-Clause
 *
 * rings.h - where a device's ring structures lie and how long they are, when one of the words that
 * tell may be damaged.
 *
 * Three words say how many entries a ring has: its own nr_ents, the device's rinfo_size and its
 * nr_ring_pages; two agree. The rings of a device stand one behind the other, and each points back
 * to it, so that their number can be counted. What is outvoted becomes a finding, and the decoding
 * goes on with the others.
 */
#ifndef XB_FRONTEND_LINUX_RINGS_H
#define XB_FRONTEND_LINUX_RINGS_H

#include "frontend/linux/ctx.h"

struct linux_rings {
	gva_t first;
	uint64_t nr, stride;
	uint32_t entries; /* that most words agree on; 0: no two do, and each ring speaks for itself
			   */
};

/* False: they cannot be found, and a finding says why. nr == 0: there are none. `d` names the
 * device in findings; NULL: none are made. */
bool linux_find_rings(
	struct linux_ctx *c, gva_t info, const struct blkdev *d, struct linux_rings *ret);
/* Of three things, those that hold of a ring structure at `va` of the device at `info`: it points
 * back, its number of entries is `entries` (0: any that can be), its shared ring is a kernel page.
 */
unsigned linux_ring_points(struct linux_ctx *c, gva_t info, gva_t va, uint32_t entries);
#define LINUX_RING_POINTS 2u /* enough for a ring */

#endif
