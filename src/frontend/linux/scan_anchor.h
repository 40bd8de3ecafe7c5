/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scan_anchor.h - what scan_memory.c, scan_single.c and scan_damaged.c have in common: the sign by
 * which a ring is noticed, and the proofs that it is one. Private to the scan.
 */
#ifndef XB_FRONTEND_LINUX_SCAN_ANCHOR_H
#define XB_FRONTEND_LINUX_SCAN_ANCHOR_H

#include "frontend/linux/scan_memory.h"

#define MAX_LOCK_BYTES 64u /* before the front ring: a pointer's size, 32 with PREEMPT_RT */
#define MIN_ENTRIES    32u
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
unsigned scan_lock_bytes(const struct scan *sc, uint32_t rinfo_size);
/* The word of the guest that stands at p. */
uint64_t scan_word(const struct scan *sc, const uint8_t *p);
/* Padding of the shared ring page is zero. What its indices say is judged later. */
bool scan_sring_fits(struct scan *sc, const struct anchor *a);
/* Append a device, or another vote for it. */
int scan_note_info(struct scan *sc, const struct scan_info *found, struct err *err) MUST_CHECK;

/* The address of the ring structure, if the direct map has it where its shared page says; or 0. */
uint64_t scan_ring_address(struct scan *sc, const struct anchor *a);

/* scan_single.c: is it the ring of a device of before 4.5? Then the device is noted. */
int scan_try_single(struct scan *sc, const struct anchor *a, bool *ret, struct err *err) MUST_CHECK;
bool scan_accepts_single(struct scan *sc, const struct anchor *a, gva_t ring, gva_t info);

/* scan_damaged.c: keep a doubt, if what it is about can be a ring. */
void scan_note_doubt(struct scan *sc, const struct anchor *a, uint64_t info);
/* Devices of which sc->doubts know, and which no other ring leads to. */
int scan_settle_doubts(struct scan *sc, struct err *err) MUST_CHECK;
/* Of two devices with the same rings, the one that is right. */
void scan_drop_twins(struct scan *sc);

#endif
