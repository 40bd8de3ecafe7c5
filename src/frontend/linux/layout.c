/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/layout.h"

#include <string.h>

#include "base/num.h"

#define ROW(t, m, d, r)                                                                            \
	{                                                                                          \
		.type = (t), .member = (m), .dest = offsetof(struct linux_layout, d),              \
		.required = (r)                                                                    \
	}
#define NEED(t, m, d) ROW(t, m, d, true)
#define MAY(t, m, d)  ROW(t, m, d, false)

static const struct field_spec kernel_spec[] = {
	NEED("scatterlist", "page_link", sg_page_link),
	NEED("scatterlist", "offset", sg_offset),
	NEED("scatterlist", "length", sg_length),
	NEED("gendisk", "disk_name", gd_disk_name),
	MAY("gendisk", "part0", gd_part0),
	MAY("gendisk", "part0.nr_sects", gd_part0_nr_sects), /* a pointer since Linux 5.11 */
	MAY("block_device", "bd_nr_sectors", bdev_nr_sectors),
	MAY("block_device", "bd_read_only", bdev_read_only),
	MAY("block_device", "__bd_flags", bdev_flags), /* holds read-only since 6.10 */
	MAY("xenbus_device", "nodename", xb_nodename),
	MAY("xenbus_device", "otherend_id", xb_otherend_id),
	MAY("request", "cmd_flags", rq_cmd_flags),
	MAY("request", "__data_len", rq_data_len),
	MAY("request", "__sector", rq_sector),
	MAY("request", "bio", rq_bio),
	MAY("request", "start_time_ns", rq_start_time_ns),
	MAY("request", "ref", rq_ref),
	MAY("request", "queuelist", rq_queuelist),
	MAY("request", "flush.list", rq_flush_list), /* on queuelist since 6.5 */
	MAY("bio", "bi_next", bio_next),
	MAY("bio", "bi_io_vec", bio_io_vec),
	MAY("bio", "bi_iter.bi_size", bio_size),
	MAY("bio", "bi_iter.bi_idx", bio_idx),
	MAY("bio", "bi_iter.bi_bvec_done", bio_done),
	MAY("bio_vec", "bv_page", bv_page),
	MAY("bio_vec", "bv_len", bv_len),
	MAY("bio_vec", "bv_offset", bv_offset),
	MAY("request_queue", "limits.logical_block_size", q_logical_size),
	MAY("request_queue", "limits.physical_block_size", q_physical_size),
	MAY("request_queue", "flush_list", q_flush_list),   /* since 6.5 */
	MAY("request_queue", "queue_hw_ctx", q_hctx_array), /* until 5.17, again since 6.18 */
	MAY("request_queue", "nr_hw_queues", q_nr_hw_queues),
	MAY("request_queue", "elevator", q_elevator), /* NULL: no I/O scheduler */
	MAY("elevator_queue", "type", eq_type),
	MAY("elevator_type", "elevator_name", et_name),	  /* a pointer since 5.18 */
	MAY("request_queue", "hctx_table", q_hctx_table), /* an xarray, since 5.18 */
	MAY("xarray", "xa_head", xa_head),
	MAY("xa_node", "shift", xa_node_shift),
	MAY("xa_node", "slots", xa_node_slots),
	MAY("blk_mq_hw_ctx", "tags", hctx_tags),
	MAY("blk_mq_hw_ctx", "sched_tags", hctx_sched_tags),
	MAY("blk_mq_hw_ctx", "fq", hctx_fq),
	MAY("blk_mq_tags", "nr_tags", tags_nr),
	MAY("blk_mq_tags", "static_rqs", tags_static_rqs),
	MAY("blk_flush_queue", "flush_rq", fq_flush_rq),
	MAY("blk_flush_queue", "flush_running_idx", fq_running_idx),
	MAY("blk_flush_queue", "flush_queue", fq_flush_queue),
};

static const struct field_spec driver_spec[] = {
	NEED("blkfront_info", "rinfo", info_rinfo),
	NEED("blkfront_info", "nr_rings", info_nr_rings),
	NEED("blkfront_info", "connected", info_connected),
	NEED("blkfront_info", "gd", info_gd),
	NEED("blkfront_info", "handle", info_handle),
	NEED("blkfront_info", "vdevice", info_vdevice),
	MAY("blkfront_info", "xbdev", info_xbdev),
	MAY("blkfront_info", "nr_ring_pages", info_nr_ring_pages),
	MAY("blkfront_info", "rq", info_rq),
	MAY("blkfront_info", "max_indirect_segments", info_max_indirect),
	MAY("blkfront_info", "discard_granularity", info_discard_granularity),
	MAY("blkfront_info", "feature_flush", info_flush),
	MAY("blkfront_info", "feature_fua", info_fua),
	MAY("blkfront_info", "feature_discard", info_discard),
	MAY("blkfront_info", "feature_secdiscard", info_secdiscard),
	MAY("blkfront_info", "feature_persistent", info_persistent),
	MAY("blkfront_info", "bounce", info_bounce),
	MAY("blkfront_info", "sector_size", info_sector_size),
	MAY("blkfront_info", "physical_sector_size", info_physical_size),
	MAY("blkfront_info", "rinfo_size", info_rinfo_size),
	MAY("blkfront_info", "info_list", info_list),
	NEED("blkfront_ring_info", "ring.req_prod_pvt", ring_pvt),
	NEED("blkfront_ring_info", "ring.rsp_cons", ring_cons),
	NEED("blkfront_ring_info", "ring.nr_ents", ring_nr_ents),
	NEED("blkfront_ring_info", "ring.sring", ring_sring),
	MAY("blkfront_ring_info", "ring_ref", ring_ref),
	NEED("blkfront_ring_info", "shadow_free", ring_shadow_free),
	NEED("blkfront_ring_info", "dev_info", ring_dev_info),
	NEED("blkfront_ring_info", "shadow", ring_shadow),
	NEED("blk_shadow", "req", slot_req),
	NEED("blk_shadow", "request", slot_request),
	NEED("blk_shadow", "grants_used", slot_grants_used),
	NEED("blk_shadow", "indirect_grants", slot_indirect_grants),
	NEED("blk_shadow", "sg", slot_sg),
	NEED("blk_shadow", "num_sg", slot_num_sg),
	MAY("blk_shadow", "status", slot_status),
	MAY("blk_shadow", "associated_id", slot_associated_id),
	NEED("grant", "gref", grant_gref),
	NEED("grant", "page", grant_page),
};

/* Bytes of a type, or `otherwise` when the types do not tell. */
static uint32_t type_bytes(const struct layout *btf, const char *type, uint32_t otherwise)
{
	struct err ignored = ERR_INIT;
	uint32_t n;

	return layout_type_bytes(btf, type, &n, &ignored) || !n ? otherwise : n;
}

static int bit_of(const struct layout *btf, const char *name)
{
	struct err ignored = ERR_INIT;
	int64_t v;

	return layout_enum_value(btf, name, &v, &ignored) || v < 0 || v > 63 ? -1 : (int)v;
}

void linux_layout_kernel(const struct layout *btf, struct linux_layout *ret)
{
	linux_layout_bare(ret);
	if (!btf)
		return;
	if (layout_fill(btf, kernel_spec, ARRAY_SIZE(kernel_spec), ret, NULL)) {
		linux_layout_bare(ret);
		return;
	}
	ret->sg_bytes = type_bytes(btf, "scatterlist", ret->sg_bytes);
	ret->fua_bit = bit_of(btf, "__REQ_FUA");
	ret->preflush_bit = bit_of(btf, "__REQ_PREFLUSH");
	ret->origin = layout_origin(btf);
}

int linux_layout_driver(const struct layout *btf, struct linux_layout *l, struct err *err)
{
	struct err ignored = ERR_INIT;
	int64_t waiting;

	if (layout_fill(btf, driver_spec, ARRAY_SIZE(driver_spec), l, err))
		return err_in(err, "the types of xen-blkfront");
	if (layout_type_bytes(btf, "blkfront_ring_info", &l->ring_bytes, err) ||
		layout_type_bytes(btf, "blk_shadow", &l->slot_bytes, err))
		return -1;
	l->status_waiting = UINT32_MAX;
	if (!layout_enum_value(btf, "REQ_WAITING", &waiting, &ignored) && waiting >= 0)
		l->status_waiting = (uint32_t)waiting;
	l->origin = layout_origin(btf);
	return 0;
}

static struct field at(uint32_t off, uint32_t bytes)
{
	return (struct field){.present = true, .off = off, .bytes = bytes};
}

static struct field bit(uint32_t off, uint8_t which)
{
	return (struct field){
		.present = true, .off = off, .bytes = 4, .bit_off = which, .bit_width = 1};
}

void linux_layout_bare(struct linux_layout *l)
{
	*l = (struct linux_layout){
		.grant_gref = at(0, 4), /* struct grant since 4.4 */
		.grant_page = at(8, 8),
		.sg_page_link = at(0, 8), /* x86_64 without DEBUG_SG, all versions */
		.sg_offset = at(8, 4),
		.sg_length = at(12, 4),
		.sg_bytes = 32,
		.gd_disk_name = at(12, 32), /* behind three ints since 2.6 */
		.status_waiting = UINT32_MAX,
		.fua_bit = -1,
		.preflush_bit = -1,
		.origin = "built-in",
	};
}

/* Common to all three: struct blk_shadow of 160 bytes since "xen/blkfront: separate per ring
 * information out of device info", Linux 4.5. */
static void builtin_slot(struct linux_layout *l)
{
	l->slot_req = at(0, 112);
	l->slot_request = at(112, 8);
	l->slot_grants_used = at(120, 8);
	l->slot_indirect_grants = at(128, 8);
	l->slot_sg = at(136, 8);
	l->slot_num_sg = at(144, 4);
	l->slot_status = at(148, 4);
	l->slot_associated_id = at(152, 8);
	l->slot_bytes = 160;
}

/* The lock, the front ring, and what follows it. "xen/blkfront: limit allocated memory size to
 * actual use case", Linux 5.8, moved the shadow. */
static void builtin_ring(struct linux_layout *l, uint32_t lock, bool flexible)
{
	l->ring_pvt = at(lock, 4);
	l->ring_cons = at(lock + 4, 4);
	l->ring_nr_ents = at(lock + 8, 4);
	l->ring_sring = at(lock + 16, 8);
	l->ring_ref = at(lock + 24, 64);
	l->ring_shadow_free = at(lock + (flexible ? 200 : 82120), 8);
	l->ring_dev_info = at(lock + (flexible ? 208 : 82128), 8);
	l->ring_shadow = at(lock + (flexible ? 216 : 160), flexible ? 0 : 512 * 160);
	l->ring_bytes = lock + (flexible ? 216 : 82136);
}

/* vdisk_info stands before vdevice since Linux 5.18. */
static uint32_t vdisk_info_bytes(enum linux_builtin which)
{
	return which == LINUX_BUILTIN_5_18 ? 8 : 0;
}

uint32_t linux_builtin_tag_set(const struct linux_builtin_shape *shape)
{
	return shape->mutex_bytes + 72 + vdisk_info_bytes(shape->which);
}

static void builtin_features(struct linux_layout *l, uint32_t base)
{
	l->info_discard_granularity = at(base + 4, 4);
	l->info_max_indirect = at(base + 12, 4);
	/* The later bits (persistent, bounce) moved between releases. */
	l->info_flush = bit(base, 0);
	l->info_fua = bit(base, 1);
	l->info_discard = bit(base, 2);
	l->info_secdiscard = bit(base, 3);
}

void linux_layout_builtin(struct linux_layout *l, const struct linux_builtin_shape *shape)
{
	uint32_t mutex = shape->mutex_bytes, rinfo = shape->rinfo_off;
	uint32_t vdevice = mutex + 24 + vdisk_info_bytes(shape->which);

	/* The driver's members come first; nothing of another table may stay. */
	memset(l, 0, offsetof(struct linux_layout, grant_gref));
	l->status_waiting = UINT32_MAX;
	builtin_slot(l);
	builtin_ring(l, shape->lock_bytes, shape->which != LINUX_BUILTIN_4_5);
	l->info_xbdev = at(mutex, 8);
	l->info_gd = at(mutex + 8, 8);
	l->info_vdevice = at(vdevice, 4);
	l->info_handle = at(vdevice + 4, 2);
	l->info_connected = at(vdevice + 8, 4);
	l->info_nr_ring_pages = at(vdevice + 12, 4);
	l->info_rq = at(vdevice + 16, 8);
	/* Before, persistent was a word of its own between them. */
	if (shape->which != LINUX_BUILTIN_4_5)
		builtin_features(l, vdevice + 24);
	if (!rinfo)
		rinfo = linux_builtin_tag_set(shape) + 168;
	l->info_rinfo = at(rinfo, 8);
	l->info_nr_rings = at(rinfo + 8, 4);
	l->info_rinfo_size = at(rinfo + 12, 4);
	l->info_rinfo_size.present = shape->which != LINUX_BUILTIN_4_5;
	l->info_list = at(rinfo + 48, 8);
}
