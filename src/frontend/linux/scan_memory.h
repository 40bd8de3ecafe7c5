/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scan_memory.h - what the structural scan collects before anything is decoded.
 */
#ifndef XB_FRONTEND_LINUX_SCAN_MEMORY_H
#define XB_FRONTEND_LINUX_SCAN_MEMORY_H

#include "frontend/linux/ctx.h"
#include "frontend/linux/single.h"

/* One a CPU; bounds the page walks of one proof. */
#define SCAN_MAX_QUEUES 1024u

struct scan_info {
	gva_t va;			 /* struct blkfront_info */
	unsigned rinfo_off;		 /* in it */
	unsigned lock_bytes;		 /* before the front ring in struct blkfront_ring_info */
	bool old;			 /* room for 512 slots in each ring structure: 4.5 to 5.7 */
	bool single;			 /* its one ring lies in it: before 4.5 */
	struct linux_single_shape shape; /* of those */
	unsigned votes;			 /* rings that name it */
	uint64_t rinfo; /* where its rings are although it says something else; 0 there */
};

/* Offsets from struct blkif_front_ring, before which stands a lock, by the size of a pointer. */
struct scan_places {
	unsigned sring;	   /* behind three indices */
	unsigned dev_info; /* Linux 5.8 and newer: right before the shadow */
	unsigned shadow;   /* of those */
	unsigned slot_bytes, slot_id;
	unsigned old_dev_info; /* 4.5 to 5.7: behind the shadow */
	unsigned old_end;
};

struct anchor;
struct doubt;
struct scan {
	struct linux_ctx *c;
	struct scan_places at;
	struct scan_info *infos;
	size_t nr_infos, cap_infos;
	struct anchor *unresolved;
	size_t nr_unresolved, cap_unresolved;
	struct doubt *doubts; /* rings that name a device which does not lead back */
	size_t nr_doubts, cap_doubts;
	uint32_t walks_left;
};

void scan_init(struct scan *sc, struct linux_ctx *c);
/*
 * Would the scan take the front ring at `ring` for one of the device at `info`? The same criteria,
 * of one ring, wherever it stands. What all such questions together may cost is limited.
 */
bool scan_accepts(struct scan *sc, gva_t ring, gva_t info);
/* Look at all of memory; fills sc->infos. -1 only without memory. */
int scan_memory(struct scan *sc, struct err *err) MUST_CHECK;
void scan_fini(struct scan *sc);

#endif
