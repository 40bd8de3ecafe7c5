/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/layout.h"

#define ROW(t, m, d, r)                                                                            \
	{                                                                                          \
		.type = (t), .member = (m), .dest = offsetof(struct linux_layout, d),              \
		.required = (r)                                                                    \
	}
#define NEED(t, m, d) ROW(t, m, d, true)
#define MAY(t, m, d)  ROW(t, m, d, false)

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

int linux_layout_driver(const struct layout *types, struct linux_layout *l, struct err *err)
{
	int64_t waiting;

	if (layout_fill(types, driver_spec, ARRAY_SIZE(driver_spec), l, err))
		return err_in(err, "the types of xen-blkfront");
	if (layout_type_bytes(types, "blkfront_ring_info", &l->ring_bytes, err) ||
		layout_type_bytes(types, "blk_shadow", &l->slot_bytes, err))
		return -1;
	l->status_waiting = UINT32_MAX;
	if (!layout_enum_value(types, "REQ_WAITING", &waiting, NULL) && waiting >= 0)
		l->status_waiting = (uint32_t)waiting;
	l->origin = layout_origin(types);
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

	*l = (struct linux_layout){
		.grant_gref = at(0, 4), /* struct grant since 4.4 */
		.grant_page = at(8, 8),
		.status_waiting = UINT32_MAX,
		.origin = "built-in",
	};
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
