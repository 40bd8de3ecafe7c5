/* SPDX-License-Identifier: BSD-2-Clause
 *
 * device.c - a device of xen-blkfront: its facts and its rings.
 */
#include "frontend/linux/ctx.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "frontend/linux/rings.h"
#include "frontend/blkif_abi.h"

/* Block sizes are powers of two; no disk announces a physical size beyond some MiB. */
#define MAX_BLOCK_BYTES (16u << 20)

/* enum blkif_state: the driver is in blkfront_resume(), its shadow is being re-issued. */
#define BLKIF_STATE_SUSPENDED 2u
#define BLKIF_STATE_CONNECTED 1u
#define BLKIF_NR_STATES	      4u

#define ROW(type, member, dest, required)                                                          \
	{                                                                                          \
		type, member, offsetof(struct linux_disk_layout, dest), required                   \
	}

static const struct field_spec disk_specs[] = {
	ROW("gendisk", "disk_name", name, true),
	ROW("gendisk", "part0", part0, false),
	ROW("gendisk", "part0.nr_sects", part0_nr_sects, false), /* a pointer since Linux 5.11 */
	ROW("block_device", "bd_nr_sectors", nr_sectors, false),
	ROW("block_device", "bd_read_only", read_only, false),
	ROW("block_device", "__bd_flags", flags, false), /* holds read-only since 6.10 */
	ROW("request_queue", "limits.logical_block_size", logical_size, false),
	ROW("request_queue", "limits.physical_block_size", physical_size, false),
	ROW("request_queue", "flush_list", requeue_list, false), /* since 6.5 */
	ROW("request_queue", "elevator", elevator, false),	 /* NULL: no I/O scheduler */
	ROW("elevator_queue", "type", elevator_type, false),
	ROW("elevator_type", "elevator_name", elevator_name, false), /* a pointer since 5.18 */
	ROW("xenbus_device", "nodename", nodename, false),
	ROW("xenbus_device", "otherend_id", otherend_id, false),
};

void linux_disk_layout(const struct layout *types, struct linux_disk_layout *ret)
{
	/* Behind three ints since 2.6. */
	static const struct linux_disk_layout usual = {
		.name = {.present = true, .off = 12, .bytes = 32},
	};

	if (!types || layout_fill(types, disk_specs, ARRAY_SIZE(disk_specs), ret, NULL))
		*ret = usual;
}

static int decode_rings(struct linux_ctx *c, gva_t info, struct blkdev *d, struct err *err)
{
	struct linux_rings r;
	unsigned i;

	if (!linux_find_rings(c, info, d, &r)) {
		d->requests_known = false;
		return 0;
	}
	if (!r.nr) /* not connected yet, or being torn down */
		return 0;
	c->left.rings -= r.nr;
	d->rings = calloc(r.nr, sizeof(*d->rings));
	if (!d->rings)
		return err_nomem(err, "the rings of a device");
	for (i = 0; i < r.nr; i++) {
		d->nr_rings = i + 1;
		if (linux_decode_ring(
			    c, info, d, i, gva_add(r.first, i * r.stride), r.entries, err))
			return -1;
	}
	return 0;
}

static enum tri tri_of(struct linux_ctx *c, gva_t base, const struct field *f)
{
	uint64_t v;

	if (layout_read(c->g, base, f, &v, NULL))
		return TRI_UNKNOWN;
	return v ? TRI_YES : TRI_NO;
}

bool linux_vdev_name(uint64_t vdevice, char *buf, size_t cap)
{
	uint64_t disk, part;
	char letters[8];
	int at = sizeof(letters) - 1;

	if (vdevice >> 28 == 1) { /* extended: 1 << 28 | disk << 8 | partition */
		disk = vdevice >> 8 & 0xfffff;
		part = vdevice & 0xff;
	} else if (vdevice >> 8 == 202) {
		disk = vdevice >> 4 & 0xf;
		part = vdevice & 0xf;
	} else {
		return false;
	}
	letters[at] = '\0';
	for (disk++; disk && at; disk /= 26)
		letters[--at] = (char)('a' + --disk % 26);
	snprintf(buf, cap, part ? "xvd%s%u" : "xvd%s", letters + at, (unsigned)part);
	return true;
}

/* Disk names are letters, then digits; anything else is not a name. */
static bool plausible_name(const char *name)
{
	size_t letters = strspn(name, "abcdefghijklmnopqrstuvwxyz");

	return letters && strlen(name) < 32 &&
	       letters + strspn(name + letters, "0123456789") == strlen(name);
}

bool linux_disk_name(struct linux_ctx *c, uint64_t gd, char *buf, size_t cap)
{
	struct err ignored = ERR_INIT;

	return c->disk.name.present &&
	       !guest_read_str(c->g, gva_add(GVA(gd), c->disk.name.off), buf, cap, &ignored) &&
	       plausible_name(buf);
}

static void name_device(struct linux_ctx *c, uint64_t gd, uint64_t vdevice, struct blkdev *d)
{
	char name[32];

	if (gd && linux_disk_name(c, gd, name, sizeof(name)))
		snprintf(d->name, sizeof(d->name), "%s", name);
	else if (vdevice != BLK_UNKNOWN_U64 && linux_vdev_name(vdevice, d->name, sizeof(d->name)))
		return;
	else if (vdevice != BLK_UNKNOWN_U64)
		snprintf(d->name, sizeof(d->name), "vbd-%" PRIu64, vdevice);
	else
		snprintf(d->name, sizeof(d->name), "vbd");
}

static const char *state_name(uint64_t connected)
{
	static const char *const names[] = {"disconnected", "connected", "suspended", "error"};

	return connected < ARRAY_SIZE(names) ? names[connected] : "unknown";
}

/* A size of blocks, or 0: unknown. */
static uint32_t block_bytes(uint64_t v)
{
	return v >= SECTOR_BYTES && v <= MAX_BLOCK_BYTES && !(v & (v - 1)) ? (uint32_t)v : 0;
}

/* More sectors than 64 bits can count the bytes of are no capacity. */
static uint64_t capacity_of(uint64_t sectors)
{
	return sectors > UINT64_MAX / SECTOR_BYTES ? BLK_UNKNOWN_U64 : sectors;
}

/* Capacity and write protection lie in the whole-disk partition, a structure of its own since
 * Linux 5.11. */
static void decode_capacity(struct linux_ctx *c, gva_t gd, struct blkdev *d)
{
	/* include/linux/blk_types.h: BD_READ_ONLY, above the 8 bits of the partition number. */
	static const unsigned bd_read_only = 1u << 8;
	const struct linux_disk_layout *l = &c->disk;
	struct err ignored = ERR_INIT;
	uint64_t part0, flags;

	if (l->part0_nr_sects.present) {
		d->nr_sectors =
			capacity_of(layout_read_or(c->g, gd, &l->part0_nr_sects, BLK_UNKNOWN_U64));
		return;
	}
	if (layout_read(c->g, gd, &l->part0, &part0, &ignored) || !part0)
		return;
	d->nr_sectors =
		capacity_of(layout_read_or(c->g, GVA(part0), &l->nr_sectors, BLK_UNKNOWN_U64));
	if (l->read_only.present)
		d->read_only = tri_of(c, GVA(part0), &l->read_only);
	else if (!layout_read(c->g, GVA(part0), &l->flags, &flags, &ignored))
		d->read_only = flags & bd_read_only ? TRI_YES : TRI_NO;
}

/* A path in xenstore, below the guest's own directory. */
static bool is_nodename(const char *text)
{
	static const char start[] = "device/";
	size_t i;

	for (i = 0; text[i]; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return !strncmp(text, start, sizeof(start) - 1);
}

static void decode_xenbus(struct linux_ctx *c, gva_t info, struct blkdev *d)
{
	struct err ignored = ERR_INIT;
	uint64_t xb = layout_read_or(c->g, info, &c->l.info_xbdev, 0);
	uint64_t name, domid;

	if (!xb)
		return;
	if (!layout_read(c->g, GVA(xb), &c->disk.nodename, &name, &ignored) && name &&
		(guest_read_str(c->g, GVA(name), d->nodename, sizeof(d->nodename), &ignored) ||
			!is_nodename(d->nodename)))
		d->nodename[0] = '\0';
	if (!layout_read(c->g, GVA(xb), &c->disk.otherend_id, &domid, &ignored) &&
		domid < XEN_FIRST_RESERVED_DOMID)
		d->backend_domid = (int)domid;
}

/* The I/O scheduler sorts what is submitted to the queue. Its name is text or points to some. */
static void decode_scheduler(struct linux_ctx *c, gva_t rq, struct blkdev *d)
{
	const struct linux_disk_layout *l = &c->disk;
	uint64_t elevator = layout_read_or(c->g, rq, &l->elevator, UINT64_MAX), type, name = 0;
	struct err ignored;

	if (elevator == UINT64_MAX)
		return;
	snprintf(d->scheduler, sizeof(d->scheduler), elevator ? "?" : "none");
	type = elevator ? layout_read_or(c->g, GVA(elevator), &l->elevator_type, 0) : 0;
	if (!type || !l->elevator_name.present)
		return;
	name = l->elevator_name.bytes == c->word
		       ? layout_read_or(c->g, GVA(type), &l->elevator_name, 0)
		       : type + l->elevator_name.off;
	if (!name ||
		guest_read_str(c->g, GVA(name), d->scheduler, sizeof(d->scheduler), &ignored) ||
		!*d->scheduler)
		snprintf(d->scheduler, sizeof(d->scheduler), "?");
}

/* What the driver cannot have written there. Without it a rule has nothing to judge. */
static void judge_facts(struct linux_ctx *c, gva_t info, const struct blkdev *d)
{
	const struct linux_layout *l = &c->l;
	uint64_t state = layout_read_or(c->g, info, &l->info_connected, 0), gd, pages;
	uint64_t handle = layout_read_or(c->g, info, &l->info_handle, d->handle & UINT16_MAX);
	const struct finding_at at = finding_at_device(d->name);
	char name[32];

	if (state >= BLKIF_NR_STATES)
		finding_add(&c->s->findings, "XB311", at,
			"%s: its state is 0x%" PRIx64 ", which is no state", d->name, state);
	if (d->handle != BLK_UNKNOWN_U64 && handle != (d->handle & UINT16_MAX))
		finding_add(&c->s->findings, "XB311", at,
			"%s: it is device %" PRIu64 " with the handle %" PRIu64, d->name, d->handle,
			handle);
	gd = layout_read_or(c->g, info, &l->info_gd, 0);
	if (l->info_gd.present && state == BLKIF_STATE_CONNECTED &&
		!linux_disk_name(c, gd, name, sizeof(name)))
		finding_add(&c->s->findings, "XB311", at,
			"%s: its disk would be at 0x%" PRIx64 ", where none is", d->name, gd);
	pages = layout_read_or(c->g, info, &l->info_nr_ring_pages, 0);
	if (pages > BLKIF_MAX_RING_PAGES)
		finding_add(&c->s->findings, "XB311", at,
			"%s: each ring would have %" PRIu64
			" shared pages, at most %u are possible",
			d->name, pages, BLKIF_MAX_RING_PAGES);
}

/* The release of the guest's kernel as one number, a.b.c; 0 not known. */
#define RELEASE(a, b, c) ((a) << 20 | (b) << 10 | (c))
static unsigned kernel_release(const struct linux_ctx *c)
{
	const char *text = c->facts && *c->facts->release ? c->facts->release : c->s->guest.release;
	unsigned major = 0, minor = 0, patch = 0;

	if (sscanf(text, "%u.%u.%u", &major, &minor, &patch) < 2 || major > 99 || minor > 999)
		return 0;
	return RELEASE(major, minor, MIN(patch, 1023u));
}

/* How it resumes, by what its structures have; where those do not tell, by the release. */
static void decode_resume(struct linux_ctx *c, struct blkdev *d)
{
	const struct linux_layout *l = &c->l;
	unsigned release = kernel_release(c);

	if (c->disk.logical_size.present)
		d->requeue = c->disk.requeue_list.present ? BLK_REQUEUE_FIRST_FIRST
							  : BLK_REQUEUE_LAST_FIRST;
	if (!l->slot_indirect_grants.present) {
		d->repost = l->slot_grants_used.present ? BLK_REPOST_COPIES : BLK_REPOST_SLOTS;
		d->counts_on_barriers =
			d->repost == BLK_REPOST_SLOTS && release < RELEASE(2, 6, 37);
	} else if (l->info_requests.present || l->info_rinfo_size.present) {
		d->repost = BLK_REPOST_COLLECT;
	} else if (!l->info_rinfo.present || (release && release < RELEASE(4, 8, 0))) {
		d->repost = BLK_REPOST_RECOVER;
	}
	/* The queue of before blk-mq, which 4.3 brought: each goes to its head, the last first. */
	if (d->repost == BLK_REPOST_RECOVER && release && release < RELEASE(4, 3, 0))
		d->requeue = BLK_REQUEUE_FIRST_FIRST;
}

static void decode_facts(struct linux_ctx *c, gva_t info, struct blkdev *d)
{
	const struct linux_layout *l = &c->l;
	uint64_t gd = layout_read_or(c->g, info, &l->info_gd, 0);
	uint64_t rq = layout_read_or(c->g, info, &l->info_rq, 0), connected;

	d->va = info;
	d->located_by = c->located_by;
	d->status_waiting = l->status_waiting;
	d->driver = &frontend_linux_blkfront;
	d->handle = layout_read_or(c->g, info, &l->info_vdevice, BLK_UNKNOWN_U64);
	name_device(c, gd, d->handle, d);
	connected = layout_read_or(c->g, info, &l->info_connected, UINT64_MAX);
	snprintf(d->state, sizeof(d->state), "%s", state_name(connected));
	if (connected <= BLKIF_STATE_SUSPENDED)
		d->recovering = connected == BLKIF_STATE_SUSPENDED ? TRI_YES : TRI_NO;
	d->feature_flush = tri_of(c, info, &l->info_flush);
	d->feature_fua = tri_of(c, info, &l->info_fua);
	d->feature_discard = tri_of(c, info, &l->info_discard);
	d->feature_secure_discard = tri_of(c, info, &l->info_secdiscard);
	d->feature_persistent = tri_of(c, info, &l->info_persistent);
	d->bounce = tri_of(c, info, &l->info_bounce);
	d->max_indirect_segments =
		layout_read_or(c->g, info, &l->info_max_indirect, BLK_UNKNOWN_U64);
	d->discard_granularity =
		layout_read_or(c->g, info, &l->info_discard_granularity, BLK_UNKNOWN_U64);
	decode_resume(c, d);
	if (rq) {
		d->logical_block_bytes =
			block_bytes(layout_read_or(c->g, GVA(rq), &c->disk.logical_size, 0));
		d->physical_block_bytes =
			block_bytes(layout_read_or(c->g, GVA(rq), &c->disk.physical_size, 0));
		decode_scheduler(c, GVA(rq), d);
	}
	if (!d->logical_block_bytes)
		d->logical_block_bytes =
			block_bytes(layout_read_or(c->g, info, &l->info_sector_size, 0));
	if (!d->physical_block_bytes)
		d->physical_block_bytes =
			block_bytes(layout_read_or(c->g, info, &l->info_physical_size, 0));
	if (gd)
		decode_capacity(c, GVA(gd), d);
	decode_xenbus(c, info, d);
}

/* Types in the guest's memory may say anything; a slot has to hold a request all the same. */
static bool slot_is_sane(struct linux_ctx *c, const struct blkdev *d)
{
	const struct linux_layout *l = &c->l;

	if (l->slot_bytes <= LINUX_MAX_SLOT_BYTES &&
		num_range_ok(l->slot_req.off, c->abi->request_bytes, l->slot_bytes))
		return true;
	finding_add(&c->s->findings, "XB311", finding_at_device(d->name),
		"%s: a shadow slot of %u bytes with its request at byte %u is impossible", d->name,
		l->slot_bytes, l->slot_req.off);
	return false;
}

int linux_decode_device(struct linux_ctx *c, gva_t info, struct blkdev *d, struct err *err)
{
	decode_facts(c, info, d);
	judge_facts(c, info, d);
	d->requests_known = slot_is_sane(c, d);
	if (!d->requests_known)
		return 0;
	if (decode_rings(c, info, d, err))
		return -1;
	return linux_decode_queue(c, info, d, err);
}
