/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/layout.h"

#include "base/num.h"
#include "frontend/blkif_abi.h"

#define ROW(t, m, d, r)                                                                            \
	{                                                                                          \
		.type = (t), .member = (m), .dest = offsetof(struct linux_layout, d),              \
		.required = (r)                                                                    \
	}
#define NEED(t, m, d) ROW(t, m, d, true)
#define MAY(t, m, d)  ROW(t, m, d, false)

static const struct field_spec driver_spec[] = {
	MAY("blkfront_info", "rinfo", info_rinfo),
	MAY("blkfront_info", "nr_rings", info_nr_rings),
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
	MAY("blkfront_info", "requests", info_requests), /* since 4.8 */
	NEED("blk_shadow", "req", slot_req),
	NEED("blk_shadow", "request", slot_request),
	MAY("blk_shadow", "frame", slot_frame), /* until 3.9 */
	MAY("blk_shadow", "grants_used", slot_grants_used),
	MAY("blk_shadow", "indirect_grants", slot_indirect_grants),
	MAY("blk_shadow", "sg", slot_sg),
	MAY("blk_shadow", "num_sg", slot_num_sg),
	MAY("blk_shadow", "status", slot_status),
	MAY("blk_shadow", "associated_id", slot_associated_id),
	MAY("grant", "gref", grant_gref),
	MAY("grant", "page", grant_page),
	MAY("grant", "pfn", grant_pfn),
};

/* Since 4.5. */
static const struct field_spec ring_spec[] = {
	NEED("blkfront_info", "rinfo", info_rinfo),
	NEED("blkfront_info", "nr_rings", info_nr_rings),
	NEED("blkfront_ring_info", "ring.req_prod_pvt", ring_pvt),
	NEED("blkfront_ring_info", "ring.rsp_cons", ring_cons),
	NEED("blkfront_ring_info", "ring.nr_ents", ring_nr_ents),
	NEED("blkfront_ring_info", "ring.sring", ring_sring),
	MAY("blkfront_ring_info", "ring_ref", ring_ref),
	NEED("blkfront_ring_info", "shadow_free", ring_shadow_free),
	NEED("blkfront_ring_info", "dev_info", ring_dev_info),
	NEED("blkfront_ring_info", "shadow", ring_shadow),
};

/* Before. */
static const struct field_spec single_spec[] = {
	NEED("blkfront_info", "ring.req_prod_pvt", ring_pvt),
	NEED("blkfront_info", "ring.rsp_cons", ring_cons),
	NEED("blkfront_info", "ring.nr_ents", ring_nr_ents),
	NEED("blkfront_info", "ring.sring", ring_sring),
	MAY("blkfront_info", "ring_ref", ring_ref),
	NEED("blkfront_info", "shadow_free", ring_shadow_free),
	NEED("blkfront_info", "shadow", ring_shadow),
};

int linux_layout_driver(const struct layout *types, struct linux_layout *l, struct err *err)
{
	int64_t waiting;

	if (layout_fill(types, driver_spec, ARRAY_SIZE(driver_spec), l, err))
		return err_in(err, "the types of xen-blkfront");
	if (layout_type_bytes(types, "blk_shadow", &l->slot_bytes, err))
		return -1;
	l->ring_bytes = 0;
	if (l->info_rinfo.present
			? layout_fill(types, ring_spec, ARRAY_SIZE(ring_spec), l, err) ||
				  layout_type_bytes(
					  types, "blkfront_ring_info", &l->ring_bytes, err)
			: layout_fill(types, single_spec, ARRAY_SIZE(single_spec), l, err))
		return err_in(err, "the types of xen-blkfront");
	l->status_waiting = UINT32_MAX;
	if (!layout_enum_value(types, "REQ_WAITING", &waiting, NULL) && waiting >= 0)
		l->status_waiting = (uint32_t)waiting;
	l->origin = layout_origin(types);
	return 0;
}

static struct field field_at(uint32_t off, uint32_t bytes)
{
	return (struct field){.present = true, .off = off, .bytes = bytes};
}

static struct field field_bit(uint32_t off, uint8_t which)
{
	return (struct field){
		.present = true, .off = off, .bytes = 4, .bit_off = which, .bit_width = 1};
}

/*
 * The tables follow the declarations: `w` bytes a pointer or long, which is how they are aligned
 * too; what stands between two longs is counted in w, what has a size of its own in bytes.
 */

/* Common to all three: struct blk_shadow of 160 (136) bytes since "xen/blkfront: separate per ring
 * information out of device info", Linux 4.5. */
static void builtin_slot(struct linux_layout *l, uint32_t w)
{
	uint32_t req = w == 8 ? blkif_abi_x86_64.request_bytes : blkif_abi_x86_32.request_bytes;

	l->slot_req = field_at(0, req);
	l->slot_request = field_at(req, w);
	l->slot_grants_used = field_at(req + w, w);
	l->slot_indirect_grants = field_at(req + 2 * w, w);
	l->slot_sg = field_at(req + 3 * w, w);
	l->slot_num_sg = field_at(req + 4 * w, 4);
	l->slot_status = field_at(req + 4 * w + 4, 4);
	l->slot_associated_id = field_at(req + 4 * w + 8, w);
	l->slot_bytes = req + 5 * w + 8;
}

/* From the front ring, which has three indices and a pointer, to ring_ref, evtchn and irq, struct
 * work_struct (four longs), struct gnttab_free_callback (three longs and a u16), to its end. */
static uint32_t linux_builtin_ring_tail(uint32_t w)
{
	return (w == 8 ? 24 : 16) + 64 + 8 + 4 * w + 4 * w;
}

/* The lock, the front ring, and what follows it. "xen/blkfront: limit allocated memory size to
 * actual use case", Linux 5.8, moved the shadow to the end. */
static void builtin_ring(struct linux_layout *l, uint32_t w, uint32_t lock, bool flexible)
{
	uint32_t tail = lock + linux_builtin_ring_tail(w), lists;

	l->ring_pvt = field_at(lock, 4);
	l->ring_cons = field_at(lock + 4, 4);
	l->ring_nr_ents = field_at(lock + 8, 4);
	l->ring_sring = field_at(lock + (w == 8 ? 16 : 12), w);
	l->ring_ref = field_at(lock + (w == 8 ? 24 : 16), 64);
	lists = tail + (flexible ? 0 : LINUX_OLD_SLOTS * l->slot_bytes);
	l->ring_shadow_free = field_at(lists + 5 * w, w); /* two lists and a count */
	l->ring_dev_info = field_at(lists + 6 * w, w);
	l->ring_bytes = lists + 7 * w;
	l->ring_shadow = flexible ? field_at(l->ring_bytes, 0)
				  : field_at(tail, LINUX_OLD_SLOTS * l->slot_bytes);
}

/* vdisk_info, a long, stands before vdevice since Linux 5.18. */
static uint32_t vdisk_info_bytes(const struct linux_builtin_shape *shape)
{
	return shape->which == LINUX_BUILTIN_5_18 ? shape->word : 0;
}

/* xbdev and gd, then two sizes of sectors. */
static uint32_t vdevice_off(const struct linux_builtin_shape *shape)
{
	return shape->mutex_bytes + 2 * shape->word + 8 + vdisk_info_bytes(shape);
}

/* Behind vdevice, handle, connected and nr_ring_pages, rq, and five words of 32 bits. */
uint32_t linux_builtin_tag_set(const struct linux_builtin_shape *shape)
{
	return vdevice_off(shape) + 16 + shape->word +
	       (uint32_t)num_align_up(5 * sizeof(uint32_t), shape->word);
}

static void builtin_features(struct linux_layout *l, uint32_t base)
{
	l->info_discard_granularity = field_at(base + 4, 4);
	l->info_max_indirect = field_at(base + 12, 4);
	/* The later bits (persistent, bounce) moved between releases. */
	l->info_flush = field_bit(base, 0);
	l->info_fua = field_bit(base, 1);
	l->info_discard = field_bit(base, 2);
	l->info_secdiscard = field_bit(base, 3);
}

void linux_layout_builtin(struct linux_layout *l, const struct linux_builtin_shape *shape)
{
	uint32_t w = shape->word, rinfo = shape->rinfo_off, vdevice = vdevice_off(shape);

	*l = (struct linux_layout){
		.grant_gref = field_at(0, 4), /* struct grant since 4.4 */
		.grant_page = field_at(w, w),
		.status_waiting = UINT32_MAX,
		.origin = "built-in",
	};
	builtin_slot(l, w);
	builtin_ring(l, w, shape->lock_bytes, shape->which != LINUX_BUILTIN_4_5);
	l->info_xbdev = field_at(shape->mutex_bytes, w);
	l->info_gd = field_at(shape->mutex_bytes + w, w);
	l->info_vdevice = field_at(vdevice, 4);
	l->info_handle = field_at(vdevice + 4, 2);
	l->info_connected = field_at(vdevice + 8, 4);
	l->info_nr_ring_pages = field_at(vdevice + 12, 4);
	l->info_rq = field_at(vdevice + 16, w);
	/* Before, persistent was a word of its own between them. */
	if (shape->which != LINUX_BUILTIN_4_5)
		builtin_features(l, vdevice + 16 + w);
	if (!rinfo)
		rinfo = linux_builtin_tag_set(shape) + LINUX_TAG_SET_BYTES(w);
	l->info_rinfo = field_at(rinfo, w);
	l->info_nr_rings = field_at(rinfo + w, 4);
	l->info_rinfo_size = field_at(rinfo + w + 4, 4);
	l->info_rinfo_size.present = shape->which != LINUX_BUILTIN_4_5;
	l->info_list = field_at(rinfo + w + 8 + 4 * w, w);
}
