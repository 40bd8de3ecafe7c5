/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scan_anchor.h - what scan_memory.c and scan_damaged.c have in common: the sign by which a ring is
 * noticed, and the proofs that it is one. Private to the scan.
 */
#ifndef XB_FRONTEND_LINUX_SCAN_ANCHOR_H
#define XB_FRONTEND_LINUX_SCAN_ANCHOR_H

#include "frontend/linux/scan_memory.h"

/* Offsets from struct blkif_front_ring, before which stands a lock: 8 bytes, 32 with PREEMPT_RT. */
#define DEV_INFO_OFF   208u /* Linux 5.8 and newer: right before the shadow */
#define SHADOW_OFF     216u
#define SLOT_BYTES     160u
#define MAX_LOCK_BYTES 64u
#define MIN_ENTRIES    32u
#define SLOT_ID	       8u	   /* in struct blk_shadow, behind the operation */
#define FREE_LIST_NIL  0x0fffffffu /* the id of the last free slot */
#define MAX_DOUBTS     64u
#define INFO_BYTES     1024u /* of blkfront_info, at least as far as rinfo */

struct anchor {
	pfn_t pfn;
	unsigned off; /* of the front ring in the page */
	uint32_t pvt, cons, entries;
	uint64_t sring;
};

/* A ring and the device that it names, which does not lead back to it: left over from before a
 * resume, or the way back is damaged. Looked at when all devices are known. */
struct doubt {
	struct anchor ring;
	uint64_t address; /* of the front ring */
	uint64_t info;
};

/* Is `ring` the address of the anchor's front ring, as the page tables say? */
bool scan_is_at(struct scan *sc, const struct anchor *a, uint64_t ring);
/* Bytes before the front ring in a ring structure of that size; 0 when it cannot be one. */
unsigned scan_lock_bytes(uint32_t rinfo_size);
/* Padding of the shared ring page is zero. What its indices say is judged later. */
bool scan_sring_fits(struct scan *sc, const struct anchor *a);
/* Append a device, or another vote for it. */
int scan_note_info(struct scan *sc, const struct scan_info *found, struct err *err) MUST_CHECK;

/* scan_damaged.c: keep a doubt, if what it is about can be a ring. */
void scan_note_doubt(struct scan *sc, const struct anchor *a, uint64_t info);
/* Devices of which sc->doubts know, and which no other ring leads to. */
int scan_settle_doubts(struct scan *sc, struct err *err) MUST_CHECK;
/* Of two devices with the same rings, the one that is right. */
void scan_drop_twins(struct scan *sc);

#endif
