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

static uint64_t find_gendisk(struct linux_who *w, uint64_t bio)
{
	uint64_t bdev;

	if (!w->l.bi_bdev.present)
		return layout_pointer(w->g, bio, &w->l.bi_disk);
	bdev = layout_pointer(w->g, bio, &w->l.bi_bdev);
	return bdev ? layout_pointer(w->g, bdev, &w->bdevs.l.disk) : 0;
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

/* ---- parts and copies --------------------------------------------------------------------- */

/* How far behind the data of `above` the part begins, where they are in one table; negative: that
 * has gone on since. */
static bool find_distance(
	struct linux_who *w, const struct linux_bio_part *at, uint64_t above, int64_t *ret)
{
	struct linux_bio_iter part, all;
	struct linux_bvec_place from, to;
	uint64_t bytes;

	if (!linux_bio_start(w->g, &w->bio, at->bio, &part, NULL) ||
		!linux_bio_start(w->g, &w->bio, above, &all, NULL) || !part.vec || !all.vec)
		return false;
	from = linux_bio_place(&w->bio, &all);
	to = linux_bio_place(&w->bio, &part);
	if (linux_bvec_bytes(w->g, &w->bio, &from, &to, &w->left, &bytes)) {
		*ret = (int64_t)(bytes + at->skip);
		return part.vec == all.vec || (bytes < all.size && at->skip < all.size - bytes);
	}
	if (part.vec != all.vec || !linux_bvec_bytes(w->g, &w->bio, &to, &from, &w->left, &bytes))
		return false;
	*ret = (int64_t)at->skip - (int64_t)bytes;
	return true;
}

/* To the bio of which the part is a piece or a copy; *ret is its place in that. False: it is not
 * known which part it is. */
static bool move_up(struct linux_who *w, struct linux_bio_part *at, uint64_t above, int64_t *ret)
{
	if (find_distance(w, at, above, ret)) {
		at->made = above; /* the data are the same, and stay where they are */
		return true;
	}
	if (at->bio != at->made || layout_read_or(w->g, GVA(above), &w->bio.size, 0) !=
					   layout_read_or(w->g, GVA(at->made), &w->bio.size, 1))
		return false;
	*ret = (int64_t)at->skip;
	at->bio = at->made = above;
	return true;
}

static uint64_t add_bytes(uint64_t sector, int64_t bytes)
{
	return sector == WHO_UNKNOWN_U64 ? sector
					 : sector + (uint64_t)(bytes / (int64_t)SECTOR_BYTES);
}

/* ---- device-mapper: targets ---------------------------------------------------------------- */

/* A discard, say, has no data by which to tell. */
static bool place_without_data(struct linux_who *w, const struct dm_layout *l,
	struct linux_bio_part *at, uint64_t tio, uint64_t orig, int64_t *ret)
{
	uint64_t old = layout_read_or(w->g, GVA(tio), &l->old_sector, WHO_UNKNOWN_U64);
	uint64_t start = linux_bio_sector(w, orig);
	uint64_t all = layout_read_or(w->g, GVA(orig), &w->bio.size, 0);

	if (old == WHO_UNKNOWN_U64 || start == WHO_UNKNOWN_U64 || old < start ||
		old - start > all / SECTOR_BYTES || at->bio != at->made)
		return false;
	*ret = (int64_t)((old - start) * SECTOR_BYTES + at->skip);
	at->bio = at->made = orig;
	return true;
}

bool linux_end_dm(struct linux_who *w, struct linux_bio_part *at, struct who *t,
	struct linux_origin *o UNUSED)
{
	struct dm_layout l = {0};
	uint64_t tio, io, orig, type, md;
	char kind[32], label[128];
	int64_t place;

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
	if (!move_up(w, at, orig, &place) && !place_without_data(w, &l, at, tio, orig, &place)) {
		who_lost(t, "which part of device-mapper's bio it is");
		return false;
	}
	linux_put_device(w, orig, add_bytes(linux_bio_sector(w, orig), place),
		*kind ? kind : "device-mapper", label, t);
	return true;
}

/* The place of the part in the bio that dm-crypt made, whose pages are its own: from the first. */
static bool place_in_crypt(struct linux_who *w, const struct linux_bio_part *at, uint64_t *ret)
{
	struct linux_bio_iter part;
	struct linux_bvec_place from, to;

	if (!linux_bio_start(w->g, &w->bio, at->bio, &part, NULL) || !part.vec)
		return false;
	from = (struct linux_bvec_place){part.vec, 0};
	to = linux_bio_place(&w->bio, &part);
	if (!linux_bvec_bytes(w->g, &w->bio, &from, &to, &w->left, ret))
		return false;
	*ret += at->skip;
	return true;
}

/* What it enciphers or deciphers: struct dm_crypt_io.base_bio. */
bool linux_end_crypt(struct linux_who *w, struct linux_bio_part *at, struct who *t,
	struct linux_origin *o UNUSED)
{
	static const struct field_spec spec[] = {{"dm_crypt_io", "base_bio", 0, false}};
	struct field base = {0};
	uint64_t bio, skip, all;
	int64_t same;

	if (at->end->types)
		layout_fill_known(at->end->types, spec, 1, &base);
	bio = layout_pointer(w->g, at->private, &base);
	if (bio && find_distance(w, at, bio, &same)) {
		at->made = bio; /* what is read is deciphered where it lies */
		return true;
	}
	all = layout_read_or(w->g, GVA(bio), &w->bio.size, 0);
	if (!bio || !place_in_crypt(w, at, &skip) || skip > all || at->bytes > all - skip) {
		who_lost(t, "dm-crypt's own bio");
		return false;
	}
	at->bio = at->made = bio;
	at->skip = skip;
	return true;
}

/* ---- md ----------------------------------------------------------------------------------- */

/*
 * The accounting of md-mod wraps a bio that comes in; raid1 and raid10 make one of it for each
 * mirror. raid0 sends that of the accounting, or what it splits off, on to a disk. Those of raid5
 * and raid6 have pages of their own, so that what they are for is not known.
 */
struct md_layout {
	/* struct r1bio or r10bio */
	struct field master, sector;
	/* struct md_io_acct until 6.5, md_io_clone since */
	struct field acct_bio, clone_bio, acct_own, clone_own;
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
	MAY_MD("md_io_acct", "bio_clone", acct_own),
	MAY_MD("md_io_clone", "bio_clone", clone_own),
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
	/* The bio is a part of it; bi_private said so, too, once. */
	layout_fill_known(at->end->types, acct_specs, ARRAY_SIZE(acct_specs), &l);
	if (l.acct_own.present)
		return layout_pointer(w->g, at->made - l.acct_own.off, &l.acct_bio);
	return l.clone_own.present ? layout_pointer(w->g, at->made - l.clone_own.off, &l.clone_bio)
				   : 0;
}

/* ---- md: bios that are sent on as they are --------------------------------------------------- */

struct personality_layout {
	/* struct gendisk, block_device_operations, mddev, md_personality */
	struct field fops, private_data, submit, pers, name, head_name;
};

#define MAY_PERS(type, member, dest)                                                               \
	{                                                                                          \
		type, member, offsetof(struct personality_layout, dest), false                     \
	}

static const struct field_spec personality_specs[] = {
	MAY_PERS("gendisk", "fops", fops), MAY_PERS("gendisk", "private_data", private_data),
	MAY_PERS("block_device_operations", "submit_bio", submit),		   /* since 5.9 */
	MAY_PERS("mddev", "pers", pers), MAY_PERS("md_personality", "name", name), /* until 6.14 */
	MAY_PERS("md_personality", "head.name", head_name),			   /* since then */
};

/* "raid0", of an array of md; "" of another's device. */
static void read_personality(struct linux_who *w, uint64_t gendisk, char *buf, size_t cap)
{
	struct personality_layout l = {0};
	const struct linux_function *submit;
	uint64_t fops, mddev, pers;

	*buf = '\0';
	layout_fill_known(w->k->types, personality_specs, ARRAY_SIZE(personality_specs), &l);
	fops = layout_pointer(w->g, gendisk, &l.fops);
	submit = linux_code_at(&w->code, fops ? layout_pointer(w->g, fops, &l.submit) : 0);
	if (strcmp(submit->name, "md_submit_bio") || !submit->types)
		return;
	layout_fill_known(submit->types, personality_specs, ARRAY_SIZE(personality_specs), &l);
	mddev = layout_pointer(w->g, gendisk, &l.private_data);
	pers = mddev ? layout_pointer(w->g, mddev, &l.pers) : 0;
	read_text(w, pers, l.name.present ? &l.name : &l.head_name, buf, cap);
}

/* What the bio `above` was made for, where `below` has gone on to another device; `sector` is on
 * that. */
static void put_remapper(
	struct linux_who *w, uint64_t below, uint64_t above, uint64_t sector, struct who *t)
{
	uint64_t gendisk = find_gendisk(w, above);
	char kind[32];

	if (!gendisk || gendisk == find_gendisk(w, below))
		return;
	read_personality(w, gendisk, kind, sizeof(kind));
	linux_put_device(w, above, sector, *kind ? kind : "remapped", "", t);
	if (sector == WHO_UNKNOWN_U64)
		who_lost(t, "where on the device above it is");
}

bool linux_end_md(struct linux_who *w, struct linux_bio_part *at, struct who *t,
	struct linux_origin *o UNUSED)
{
	const char *kind;
	uint64_t sector, below = at->made, bio = find_above(w, at, &kind, &sector);
	int64_t place;

	if (!bio || !move_up(w, at, bio, &place)) {
		who_lost(t, "the bio above that of md");
		return false;
	}
	if (kind)
		linux_put_device(w, bio, add_bytes(sector, place), kind, "", t);
	else
		put_remapper(w, below, bio, add_bytes(linux_bio_sector(w, bio), place), t);
	return true;
}

/* The pages of a stripe are the array's own: what they were computed of, or gathered from. */
bool linux_end_raid5(struct linux_who *w UNUSED, struct linux_bio_part *at UNUSED, struct who *t,
	struct linux_origin *o UNUSED)
{
	who_lost(t, "what is above the stripes of md's raid5 or raid6");
	return false;
}

/* A piece, split off the front of the bio at bi_private, and perhaps sent on to another device. */
bool linux_end_chain(struct linux_who *w, struct linux_bio_part *at, struct who *t,
	struct linux_origin *o UNUSED)
{
	uint64_t below = at->made, above = at->private, sector = WHO_UNKNOWN_U64;
	int64_t place;

	at->made = above;
	if (!guest_is_kernel_addr(w->g, above))
		return true;			 /* which the next step says */
	if (find_distance(w, at, above, &place)) /* not of a discard, say */
		sector = add_bytes(linux_bio_sector(w, above), place);
	put_remapper(w, below, above, sector, t);
	return true;
}
