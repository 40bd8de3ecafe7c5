/* SPDX-License-Identifier: BSD-2-Clause
 *
 * layout.h - where the members lie of those Linux structures that the decoder reads.
 *
 * Filled from the guest's own BTF by member name, or from tables for kernels whose types are not
 * in the image. The decoder asks `present` and never a kernel version.
 */
#ifndef XB_FRONTEND_LINUX_LAYOUT_H
#define XB_FRONTEND_LINUX_LAYOUT_H

#include "guest/layout.h"

struct linux_layout {
	/* struct blkfront_info */
	struct field info_xbdev, info_gd, info_vdevice, info_handle, info_connected;
	struct field info_nr_ring_pages, info_rq, info_max_indirect, info_discard_granularity;
	struct field info_flush, info_fua, info_discard, info_secdiscard, info_persistent;
	struct field info_bounce, info_sector_size, info_physical_size;
	struct field info_rinfo, info_nr_rings, info_rinfo_size, info_list;
	/* struct blkfront_ring_info */
	struct field ring_pvt, ring_cons, ring_nr_ents, ring_sring, ring_ref;
	struct field ring_shadow_free, ring_dev_info, ring_shadow;
	/* struct blk_shadow */
	struct field slot_req, slot_request, slot_grants_used, slot_indirect_grants, slot_sg;
	struct field slot_num_sg, slot_status, slot_associated_id;
	/* struct grant, struct scatterlist; linux_layout_builtin() clears what is above */
	struct field grant_gref, grant_page, sg_page_link, sg_offset, sg_length;
	/* struct request */
	struct field rq_cmd_flags, rq_data_len, rq_sector, rq_bio, rq_start_time_ns, rq_ref;
	struct field rq_queuelist, rq_flush_list;
	/* struct bio, struct bio_vec */
	struct field bio_next, bio_io_vec, bio_size, bio_idx, bio_done;
	struct field bv_page, bv_len, bv_offset;
	/* struct request_queue, elevator_queue, elevator_type, blk_mq_hw_ctx, blk_mq_tags,
	 * blk_flush_queue, xarray, xa_node */
	struct field q_logical_size, q_physical_size, q_flush_list, q_hctx_array, q_nr_hw_queues,
		q_hctx_table, q_elevator;
	struct field eq_type, et_name;
	struct field hctx_tags, hctx_sched_tags, hctx_fq, tags_nr, tags_static_rqs;
	struct field fq_flush_rq, fq_running_idx, fq_flush_queue;
	struct field xa_head, xa_node_shift, xa_node_slots;
	/* struct gendisk and what holds its size */
	struct field gd_disk_name, gd_part0, gd_part0_nr_sects;
	struct field bdev_nr_sectors, bdev_read_only, bdev_flags;
	/* struct xenbus_device */
	struct field xb_nodename, xb_otherend_id;
	uint32_t ring_bytes, slot_bytes, sg_bytes;
	uint32_t status_waiting;   /* REQ_WAITING; UINT32_MAX unknown */
	int fua_bit, preflush_bit; /* in request.cmd_flags; -1 unknown */
	const char *origin;	   /* one clause for -v output */
};

/* Types of the kernel itself; bare when btf is NULL or lacks what the way to the driver needs. */
void linux_layout_kernel(const struct layout *btf, struct linux_layout *ret);
/* The driver's own types on top; ERR_NOTFOUND when they are not in `btf`. */
int linux_layout_driver(
	const struct layout *btf, struct linux_layout *l, struct err *err) MUST_CHECK;

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
	uint32_t mutex_bytes; /* struct mutex: 32, 24 since 7.3, more with debugging */
	uint32_t lock_bytes;  /* spinlock_t up to the front ring: 8, 32 with PREEMPT_RT */
	uint32_t rinfo_off;   /* of blkfront_info.rinfo; 0: behind a tag set of the usual size */
};
#define LINUX_MUTEX_BYTES 32u
#define LINUX_LOCK_BYTES  8u
/* Put that table's members over the driver's part of `l`. */
void linux_layout_builtin(struct linux_layout *l, const struct linux_builtin_shape *shape);
/* Where blkfront_info.tag_set begins. rinfo is behind it. */
uint32_t linux_builtin_tag_set(const struct linux_builtin_shape *shape);
/* Nothing known but what never differed (grant, scatterlist, struct page, disk name). */
void linux_layout_bare(struct linux_layout *l);

#endif
