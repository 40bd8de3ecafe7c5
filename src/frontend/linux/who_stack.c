/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The block devices between a file and its disk: device-mapper, and md, Linux' software RAID.
 */
#include "frontend/linux/who.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

/* ---- device-mapper ------------------------------------------------------------------------ */

struct dm_layout {
	/* struct dm_target_io, dm_io, dm_target, target_type, mapped_device, hash_cell */
	struct field clone, io, target, old_sector;
	struct field orig_bio, md, type, type_name, interface, cell_name;
};

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct dm_layout, dest), false                              \
	}

static const struct field_spec dm_specs[] = {
	MAY("dm_target_io", "clone", clone),
	MAY("dm_target_io", "io", io),
	MAY("dm_target_io", "ti", target),
	MAY("dm_target_io", "old_sector", old_sector), /* since 5.17 */
	MAY("dm_io", "orig_bio", orig_bio),
	MAY("dm_io", "md", md),
	MAY("dm_target", "type", type),
	MAY("target_type", "name", type_name),
	MAY("mapped_device", "interface_ptr", interface),
	MAY("hash_cell", "name", cell_name),
};

static void read_text(
	struct linux_who *w, uint64_t base, const struct field *f, char *buf, size_t cap)
{
	uint64_t text = base ? layout_pointer(w->g, base, f) : 0;

	if (!text || guest_read_str(w->g, GVA(text), buf, cap, NULL))
		*buf = '\0';
}

static void put_layer(
	struct who *t, const char *name, const char *kind, const char *label, uint64_t sector)
{
	struct who_layer *layer = who_add_layer(t);

	if (!layer)
		return;
	snprintf(layer->name, sizeof(layer->name), "%s", name);
	snprintf(layer->kind, sizeof(layer->kind), "%s", kind);
	snprintf(layer->label, sizeof(layer->label), "%s", label);
	layer->sector = sector;
}

/* The disk of the bio, and its partition. */
static bool read_device(struct linux_who *w, uint64_t bio, struct linux_bdev *ret)
{
	if (w->l.bi_bdev.present)
		return linux_bdev_read(&w->bdevs, layout_pointer(w->g, bio, &w->l.bi_bdev), ret);
	return linux_bdev_of_disk(&w->bdevs, layout_pointer(w->g, bio, &w->l.bi_disk),
		(uint32_t)layout_read_or(w->g, GVA(bio), &w->l.bi_partno, 0), ret);
}

void linux_put_device(struct linux_who *w, uint64_t bio, uint64_t sector, const char *kind,
	const char *label, struct who *t)
{
	struct linux_bdev d;
	char name[64];

	if (!read_device(w, bio, &d)) {
		who_lost(t, "the block device of the bio at 0x%" PRIx64, bio);
		return;
	}
	put_layer(t, d.disk, kind, label, sector);
	if (!d.partno)
		return;
	linux_bdev_name(&d, name, sizeof(name));
	put_layer(t, name, "partition", "",
		sector != WHO_UNKNOWN_U64 && sector >= d.start ? sector - d.start
							       : WHO_UNKNOWN_U64);
}

uint64_t linux_bio_sector(struct linux_who *w, uint64_t bio)
{
	return layout_read_or(w->g, GVA(bio), &w->l.bi_sector, WHO_UNKNOWN_U64);
}

/* Where in the original's data the copy begins; WHO_UNKNOWN_U64. */
static uint64_t place_in_original(struct linux_who *w, const struct dm_layout *l,
	const struct linux_bio_part *at, uint64_t tio, uint64_t orig)
{
	uint64_t old = layout_read_or(w->g, GVA(tio), &l->old_sector, WHO_UNKNOWN_U64);
	uint64_t start = linux_bio_sector(w, orig), size;
	uint64_t all = layout_read_or(w->g, GVA(orig), &w->bio.size, 0);

	if (layout_read(w->g, GVA(at->made), &w->bio.size, &size, NULL))
		return WHO_UNKNOWN_U64;
	if (size == all)
		return 0;
	if (old == WHO_UNKNOWN_U64 || start == WHO_UNKNOWN_U64 || old < start ||
		old - start > all / SECTOR_BYTES)
		return WHO_UNKNOWN_U64;
	return (old - start) * SECTOR_BYTES;
}

bool linux_end_dm(struct linux_who *w, struct linux_bio_part *at, struct who *t,
	struct linux_origin *o UNUSED)
{
	struct dm_layout l = {0};
	uint64_t tio, io, orig, skip, type, md, start;
	char kind[32], label[128];

	if (at->end->types)
		layout_fill_known(at->end->types, dm_specs, ARRAY_SIZE(dm_specs), &l);
	tio = l.clone.present ? at->made - l.clone.off : 0;
	io = tio ? layout_pointer(w->g, tio, &l.io) : 0;
	orig = io ? layout_pointer(w->g, io, &l.orig_bio) : 0;
	if (!orig) {
		who_lost(t, "device-mapper's own bio: %s",
			tio ? "it is not there" : "its types are not known");
		return false;
	}
	type = layout_pointer(w->g, layout_pointer(w->g, tio, &l.target), &l.type);
	read_text(w, type, &l.type_name, kind, sizeof(kind));
	md = layout_pointer(w->g, io, &l.md);
	read_text(w, md ? layout_pointer(w->g, md, &l.interface) : 0, &l.cell_name, label,
		sizeof(label));
	skip = place_in_original(w, &l, at, tio, orig);
	start = linux_bio_sector(w, orig);
	if (skip == WHO_UNKNOWN_U64 || start == WHO_UNKNOWN_U64) {
		who_lost(t, "which part of device-mapper's bio it is");
		return false;
	}
	at->bio = at->made = orig;
	at->skip += skip;
	linux_put_device(
		w, orig, start + at->skip / SECTOR_BYTES, *kind ? kind : "device-mapper", label, t);
	return true;
}

/* What it enciphers or deciphers: struct dm_crypt_io.base_bio. */
bool linux_end_crypt(struct linux_who *w, struct linux_bio_part *at, struct who *t,
	struct linux_origin *o UNUSED)
{
	static const struct field_spec spec[] = {{"dm_crypt_io", "base_bio", 0, false}};
	struct field base = {0};
	uint64_t bio;

	if (at->end->types)
		layout_fill_known(at->end->types, spec, 1, &base);
	bio = layout_pointer(w->g, at->private, &base);
	if (!bio || layout_read_or(w->g, GVA(bio), &w->bio.size, 0) !=
			    layout_read_or(w->g, GVA(at->made), &w->bio.size, 1)) {
		who_lost(t, "dm-crypt's own bio");
		return false;
	}
	at->bio = at->made = bio;
	return true;
}

/* ---- md ----------------------------------------------------------------------------------- */

/*
 * The accounting of md-mod wraps a bio that comes in; raid1 and raid10 make one of it for each
 * mirror. Those of raid5 and raid6 have pages of their own, so that what they are for is not known.
 */
struct md_layout {
	/* struct r1bio or r10bio */
	struct field master, sector;
	/* struct md_io_acct until 6.5, md_io_clone since */
	struct field acct_bio, clone_bio;
};

#define MAY_MD(type, member, dest)                                                                 \
	{                                                                                          \
		type, member, offsetof(struct md_layout, dest), false                              \
	}

static const struct field_spec raid1_specs[] = {
	MAY_MD("r1bio", "master_bio", master),
	MAY_MD("r1bio", "sector", sector),
};

static const struct field_spec raid10_specs[] = {
	MAY_MD("r10bio", "master_bio", master),
	MAY_MD("r10bio", "sector", sector),
};

static const struct field_spec acct_specs[] = {
	MAY_MD("md_io_acct", "orig_bio", acct_bio),
	MAY_MD("md_io_clone", "orig_bio", clone_bio),
};

/* A mirror's bio: *sector is its place on the array. */
static uint64_t find_master(struct linux_who *w, const struct linux_bio_part *at,
	const struct field_spec specs[2], uint64_t *sector)
{
	struct md_layout l = {0};
	uint64_t master;

	layout_fill_known(at->end->types, specs, 2, &l);
	master = layout_pointer(w->g, at->private, &l.master);
	return master && !layout_read(w->g, GVA(at->private), &l.sector, sector, NULL) ? master : 0;
}

/* The bio of which md made this one; 0: that is not known. *kind: "raid1"; NULL: it is where it
 * was. */
static uint64_t find_above(
	struct linux_who *w, const struct linux_bio_part *at, const char **kind, uint64_t *sector)
{
	struct md_layout l = {0};
	const char *end = at->end->name;

	*kind = NULL;
	if (!at->end->types)
		return 0;
	if (!strncmp(end, "raid10_", 7)) {
		*kind = "raid10";
		return find_master(w, at, raid10_specs, sector);
	}
	if (!strncmp(end, "raid1_", 6)) {
		*kind = "raid1";
		return find_master(w, at, raid1_specs, sector);
	}
	layout_fill_known(at->end->types, acct_specs, ARRAY_SIZE(acct_specs), &l);
	return layout_pointer(w->g, at->private, l.acct_bio.present ? &l.acct_bio : &l.clone_bio);
}

bool linux_end_md(struct linux_who *w, struct linux_bio_part *at, struct who *t,
	struct linux_origin *o UNUSED)
{
	const char *kind;
	uint64_t sector, bio = find_above(w, at, &kind, &sector);

	if (!bio || (kind && layout_read_or(w->g, GVA(bio), &w->bio.size, 0) !=
				     layout_read_or(w->g, GVA(at->made), &w->bio.size, 1))) {
		who_lost(t, "the bio above that of md");
		return false;
	}
	if (kind)
		linux_put_device(w, bio, sector + at->skip / SECTOR_BYTES, kind, "", t);
	at->made = bio;
	return true;
}
