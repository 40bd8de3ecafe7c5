/* SPDX-License-Identifier: BSD-2-Clause
 *
 * layout.h - where the members of xen-blkfront's own structures lie.
 *
 * Filled from the guest's own BTF by member name, or from tables for kernels whose types are not
 * in the image. The decoder asks `present` and never a kernel version.
 */
#ifndef XB_FRONTEND_LINUX_LAYOUT_H
#define XB_FRONTEND_LINUX_LAYOUT_H

#include "guest/layout.h"

struct linux_layout {
	/* struct blkfront_info. rinfo absent: the one ring lies in it (before 4.5), and the places
	 * of the next structure are in this one. */
	struct field info_xbdev, info_gd, info_vdevice, info_handle, info_connected;
	struct field info_nr_ring_pages, info_rq, info_max_indirect, info_discard_granularity;
	struct field info_flush, info_fua, info_discard, info_secdiscard, info_persistent;
	struct field info_bounce, info_sector_size, info_physical_size, info_requests;
	struct field info_rinfo, info_nr_rings, info_rinfo_size, info_list;
	/* struct blkfront_ring_info */
	struct field ring_pvt, ring_cons, ring_nr_ents, ring_sring, ring_ref;
	struct field ring_shadow_free, ring_dev_info, ring_shadow;
	/* struct blk_shadow */
	struct field slot_req, slot_request, slot_grants_used, slot_indirect_grants, slot_sg;
	struct field slot_num_sg, slot_status, slot_associated_id, slot_frame;
	/* struct grant: a page since 4.4, the number of its frame before */
	struct field grant_gref, grant_page, grant_pfn;

	uint32_t ring_bytes, slot_bytes;
	uint32_t sg_bytes;	 /* an entry of a scatter list in the slot; 0: it says nothing */
	uint32_t status_waiting; /* REQ_WAITING; UINT32_MAX unknown */
	const char *origin;	 /* one clause for -v output */
};

/* By the driver's own types; ERR_NOTFOUND when they are not in `types`. */
int linux_layout_driver(
	const struct layout *types, struct linux_layout *l, struct err *err) MUST_CHECK;

/* What blkfront looked like, for images without its types. */
enum linux_builtin {
	LINUX_BUILTIN_5_18, /* vdisk_info before vdevice */
	LINUX_BUILTIN_5_8,  /* flexible shadow, rinfo_size */
	LINUX_BUILTIN_4_5,  /* shadow[512] inside the ring structure */
	LINUX_NR_BUILTIN,
};
/* Locks come first in the driver's structures and have the size that the kernel's options give. */
struct linux_builtin_shape {
	enum linux_builtin which;
	uint32_t word;	      /* bytes of a pointer */
	uint32_t mutex_bytes; /* struct mutex: 32 (20), 24 since 7.3, more with debugging */
	uint32_t lock_bytes;  /* spinlock_t up to the front ring: 8 (4), 32 with PREEMPT_RT */
	uint32_t rinfo_off;   /* of blkfront_info.rinfo; 0: behind a tag set of the usual size */
};
/* Of kernels without debugging of locks. */
#define LINUX_MUTEX_BYTES(word) ((word) == 8 ? 32u : 20u)
#define LINUX_LOCK_BYTES(word)	(word)
/* struct blk_mq_tag_set of 6.1 and 6.12. */
#define LINUX_TAG_SET_BYTES(word) ((word) == 8 ? 168u : 92u)
/* Before 5.8 a ring structure had room for as many, however long the ring. */
#define LINUX_OLD_SLOTS 512u
/* By that table. */
void linux_layout_builtin(struct linux_layout *l, const struct linux_builtin_shape *shape);
/* Where blkfront_info.tag_set begins. rinfo is behind it. */
uint32_t linux_builtin_tag_set(const struct linux_builtin_shape *shape);

#endif
