/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux_witness.h"

#include <string.h>

#include "base/num.h"
#include "base/limits.h"
#include "kernel/linux_bdevs.h"
#include "kernel/linux_ext4.h"

#define MODE_TYPE     0170000u /* include/uapi/linux/stat.h */
#define MODE_REGULAR  0100000u
#define EXT_SUPER_END 2048u

struct witness_layout {
	/* struct inode, block_device */
	struct field data, mode, size;
	struct field holder, openers, nr_sectors, part, part_sects;
};

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct witness_layout, dest), false                         \
	}

static const struct field_spec specs[] = {
	MAY("inode", "i_data", data),
	MAY("inode", "i_mode", mode),
	MAY("inode", "i_size", size),
	MAY("block_device", "bd_holder", holder),
	MAY("block_device", "bd_openers", openers),
	MAY("block_device", "bd_nr_sectors", nr_sectors), /* since 5.11 */
	MAY("block_device", "bd_part", part),		  /* until then */
	MAY("hd_struct", "nr_sects", part_sects),
};

/* A block device that lies on one of the disks asked for. */
struct device {
	uint64_t at, mapping;
	uint64_t start, nr; /* sectors on its disk */
	size_t disk;	    /* index in the list of names */
	bool whole;
	bool claimed, in_use;
	const struct linux_super *fs;
};

struct collector {
	const struct linux_kernel *k;
	const struct linux_witness_options *opt;
	const char *const *disks;
	size_t nr_disks;
	struct witness_list *ret;
	struct witness_layout l;
	struct linux_cache cache;
	struct linux_bdevs bdevs;
	struct linux_module ext4;
	struct linux_ext4_inodes ext4_inodes;
	bool files_known;	/* ext4_inodes is */
	struct device *devices; /* owned */
	size_t nr_devices, cap_devices;
	uint64_t share; /* of all pages, in 1/2^32: those whose hash is below are looked at */
	bool counting, no_memory;
	/* The mapping that is walked. */
	const struct device *dev;
	const struct linux_ext4 *fs;	    /* its metadata, or that of the file */
	const struct ext4_extents *extents; /* of a file; NULL: of the device itself */
	uint64_t mapping, limit;	    /* bytes that count */
};

/* ---- the devices -------------------------------------------------------------------------- */

static const struct linux_super *mounted_from(struct collector *c, uint64_t bdev)
{
	const struct linux_super *s;
	size_t i;

	for (i = 0; (s = linux_super_at(&c->bdevs, i)); i++)
		if (s->bdev == bdev)
			return s;
	return NULL;
}

static uint64_t sectors_of(const struct collector *c, uint64_t bdev)
{
	uint64_t part;

	if (c->l.nr_sectors.present)
		return layout_read_or(c->k->g, GVA(bdev), &c->l.nr_sectors, 0);
	part = layout_pointer(c->k->g, bdev, &c->l.part);
	return part ? layout_read_or(c->k->g, GVA(part), &c->l.part_sects, 0) : 0;
}

/* A whole disk of which a partition is claimed has the function for its holder that says so
 * (block/bdev.c). */
static bool is_claimed(const struct collector *c, uint64_t bdev)
{
	uint64_t holder = layout_read_or(c->k->g, GVA(bdev), &c->l.holder, 1);
	gva_t partition;

	return holder && (symbols_get(c->k->symbols, "bd_may_claim", &partition, NULL) ||
				 holder != partition.v);
}

static void note_device(void *arg, uint64_t inode, uint64_t bdev)
{
	struct collector *c = arg;
	struct linux_bdev d;
	size_t i;

	if (!linux_bdev_read(&c->bdevs, bdev, &d))
		return;
	for (i = 0; i < c->nr_disks && strcmp(c->disks[i], d.disk); i++)
		;
	if (i == c->nr_disks || c->nr_devices == KERNEL_MAX_BDEVS)
		return;
	if (util_grow(&c->devices, &c->cap_devices, c->nr_devices + 1, sizeof(*c->devices))) {
		c->no_memory = true;
		return;
	}
	c->devices[c->nr_devices++] = (struct device){.at = bdev,
		.mapping = inode + c->l.data.off,
		.start = d.start,
		.nr = sectors_of(c, bdev),
		.disk = i,
		.whole = !d.partno,
		.claimed = is_claimed(c, bdev),
		.in_use = layout_read_or(c->k->g, GVA(bdev), &c->l.openers, 1) != 0};
}

static void find_devices(struct collector *c)
{
	size_t i;

	linux_bdevs_each(&c->bdevs, &c->cache.left, note_device, c);
	for (i = 0; i < c->nr_devices; i++)
		c->devices[i].fs = mounted_from(c, c->devices[i].at);
}

/* ---- pages -------------------------------------------------------------------------------- */

/* A part of all pages that is the same with the same seed. */
static bool is_chosen(const struct collector *c, uint64_t page)
{
	uint64_t h = (page ^ c->opt->seed) * 0x9e3779b97f4a7c15ull;

	h = (h ^ h >> 29) * 0xbf58476d1ce4e5b9ull;
	return (h >> 32) < c->share;
}

static void put_witness(struct collector *c, uint64_t start, uint64_t pfn, uint64_t offset,
	uint64_t bytes, const char *what)
{
	struct witness_list *l = &c->ret[c->dev->disk];

	if (util_grow(&l->v, &l->cap, l->nr + 1, sizeof(*l->v))) {
		c->no_memory = true;
		return;
	}
	l->v[l->nr++] = (struct witness){.start = c->dev->start * SECTOR_BYTES + start,
		.bytes = (uint32_t)bytes,
		.offset = (uint32_t)offset,
		.pfn = pfn,
		.what = what};
}

/* Does a partition that somebody uses have a part of these bytes of the whole disk? */
static bool in_used_partition(const struct collector *c, uint64_t start, uint64_t bytes)
{
	size_t i;

	for (i = 0; c->dev->whole && i < c->nr_devices; i++) {
		const struct device *d = &c->devices[i];

		if (!d->whole && d->disk == c->dev->disk && (d->in_use || d->claimed) &&
			start < (d->start + d->nr) * SECTOR_BYTES &&
			start + bytes > d->start * SECTOR_BYTES)
			return true;
	}
	return false;
}

/* Where on the device the byte of the mapping is, for how many bytes, and what it is. */
static bool find_place(const struct collector *c, uint64_t at, uint64_t *ret_start,
	uint64_t *ret_bytes, const char **ret_what)
{
	uint64_t each = c->fs ? c->fs->block_bytes : PAGE_BYTES, block = at / each;
	const struct ext4_extent *x;
	const struct ext4_range *r;

	*ret_bytes = each - at % each;
	*ret_start = at;
	if (c->extents) {
		x = linux_ext4_extent(c->extents, block);
		*ret_what = "file data";
		return x && x->start <= UINT64_MAX / each - KERNEL_MAX_INODES &&
		       (*ret_start = (x->start + (block - x->first)) * each + at % each, true);
	}
	if (c->fs) {
		r = linux_ext4_fixed(c->fs, block);
		*ret_what = r ? linux_ext4_part_name(r->part) : NULL;
		return r && at >= EXT_SUPER_END;
	}
	*ret_what = "block device";
	return !in_used_partition(c, at, PAGE_BYTES);
}

/* Page `i` of a folio. */
static void look_at_page(struct collector *c, const struct linux_cache_part *folio, uint64_t i)
{
	uint64_t page = folio->folio + i * c->k->pages.entry_bytes, start, bytes;
	uint64_t at = (folio->index + i) * PAGE_BYTES, end = MIN(at + PAGE_BYTES, c->limit);
	struct linux_cache_part part = *folio;
	const char *what;
	pfn_t pfn;

	if (!linux_pages_pfn(&c->k->pages, page, &pfn))
		return;
	for (part.offset = i * PAGE_BYTES; at < end; at += bytes, part.offset += bytes) {
		bool placed = find_place(c, at, &start, &bytes, &what);

		bytes = part.bytes = MIN(bytes, end - at);
		if (placed && linux_cache_is_clean(&c->cache, &part))
			put_witness(c, start, pfn.v, at & PAGE_OFFSET_MASK, bytes, what);
	}
}

static void look_at_folio(void *arg, uint64_t page, uint64_t index, uint64_t nr)
{
	struct collector *c = arg;
	const struct linux_cache_part folio = {
		.mapping = c->mapping, .folio = page, .index = index};
	uint64_t i;

	for (i = 0; i < nr && c->cache.left && index + i <= c->limit / PAGE_BYTES; i++) {
		c->cache.left--;
		if (is_chosen(c, page + i * c->k->pages.entry_bytes))
			look_at_page(c, &folio, i);
	}
}

static void look_at_mapping(struct collector *c, uint64_t mapping, uint64_t limit)
{
	uint64_t pages = linux_cache_pages(&c->cache, mapping);

	if (!pages || !limit)
		return;
	if (c->counting) {
		c->ret[c->dev->disk].pages += pages;
		return;
	}
	c->mapping = mapping;
	c->limit = MIN(limit, UINT64_MAX - PAGE_BYTES);
	linux_cache_walk(&c->cache, mapping, look_at_folio, c);
}

/* ---- what can witness --------------------------------------------------------------------- */

static void look_at_file(void *arg, uint64_t inode)
{
	struct collector *c = arg;
	uint64_t mode = layout_read_or(c->k->g, GVA(inode), &c->l.mode, 0), size;
	uint64_t mapping = inode + c->l.data.off;
	struct ext4_extents extents = {0};

	if ((mode & MODE_TYPE) != MODE_REGULAR || !linux_cache_pages(&c->cache, mapping) ||
		layout_read(c->k->g, GVA(inode), &c->l.size, &size, NULL))
		return;
	if (c->counting || linux_ext4_read_extents(&c->cache, &c->ext4_inodes, c->fs,
				   c->dev->mapping, inode, &extents)) {
		c->extents = &extents;
		look_at_mapping(c, mapping, size);
	}
	c->extents = NULL;
	linux_ext4_extents_free(&extents);
}

static void look_at_device(struct collector *c, const struct device *d)
{
	struct linux_ext4 fs = {0};

	c->dev = d;
	c->fs = NULL;
	if (!d->fs && !d->claimed)
		look_at_mapping(c, d->mapping, d->nr * SECTOR_BYTES);
	if (d->fs && !strcmp(d->fs->type, "ext4") && linux_ext4_open(&c->cache, d->mapping, &fs)) {
		c->fs = &fs;
		look_at_mapping(c, d->mapping, d->nr * SECTOR_BYTES);
		if (c->files_known)
			linux_super_inodes(&c->bdevs, d->fs->sb, &c->cache.left, look_at_file, c);
	}
	c->fs = NULL;
	linux_ext4_close(&fs);
}

static void look_at_all(struct collector *c)
{
	size_t i;

	for (i = 0; i < c->nr_devices; i++)
		look_at_device(c, &c->devices[i]);
}

static uint64_t all_pages(const struct collector *c)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < c->nr_disks; i++)
		sum += c->ret[i].pages;
	return sum;
}

static void choose_share(struct collector *c)
{
	uint64_t pages = all_pages(c);

	c->share = 1ull << 32;
	if (pages > c->opt->pages)
		c->share = (uint64_t)((double)c->opt->pages / (double)pages * 4294967296.0);
}

static void close_collector(struct collector *c)
{
	linux_bdevs_fini(&c->bdevs);
	linux_module_close(&c->ext4);
	free(c->devices);
}

int linux_witness_read(const struct linux_kernel *k, const char *const *disks, size_t nr,
	const struct linux_witness_options *opt, struct witness_list *ret, struct err *err)
{
	CLEANUP(close_collector)
	struct collector c = {.k = k, .opt = opt, .disks = disks, .nr_disks = nr, .ret = ret};
	size_t i;

	if (!linux_cache_init(&c.cache, k))
		return 0;
	layout_fill_known(k->types, specs, ARRAY_SIZE(specs), &c.l);
	linux_bdevs_init(&c.bdevs, k);
	if (!c.l.data.present || !c.l.holder.present)
		return 0;
	linux_module_open(k, "ext4", &c.ext4);
	c.files_known =
		linux_ext4_inodes_layout(c.ext4.types ? c.ext4.types : k->types, &c.ext4_inodes);
	find_devices(&c);
	c.counting = true;
	look_at_all(&c);
	choose_share(&c);
	c.counting = false;
	look_at_all(&c);
	for (i = 0; i < nr; i++)
		ret[i].known = c.nr_devices > 0 && c.cache.left;
	return c.no_memory ? err_nomem(err, "the blocks that the guest remembers") : 0;
}
