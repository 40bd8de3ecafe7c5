/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux_ext4.h"

#include <string.h>

#include "base/num.h"

#define SUPER_OFFSET 1024u
#define SUPER_BYTES  1024u
#define SUPER_MAGIC  0xef53u
/* s_feature_incompat and s_feature_ro_compat */
#define INCOMPAT_META_BG   0x10u
#define INCOMPAT_64BIT	   0x80u
#define RO_COMPAT_BIGALLOC 0x200u
#define MAX_GROUPS	   (1u << 20) /* of 128 MiB each, usually: 128 TiB */
/* bg_flags */
#define INODE_UNINIT 1u
#define BLOCK_UNINIT 2u
/* i_flags */
#define ENCRYPT_FL	0x800u
#define JOURNAL_DATA_FL 0x4000u
#define EXTENTS_FL	0x80000u
#define INLINE_DATA_FL	0x10000000u
/* Extent trees. */
#define EXTENT_MAGIC	0xf30au
#define EXTENT_BYTES	12u /* of the header and of each entry */
#define MAX_DEPTH	5u
#define MAX_WRITTEN_LEN 32768u /* a longer one is not written yet */
#define MAX_EXTENTS	65536u
#define MAX_NODES	4096u /* of a tree, besides its root */
#define INODE_DATA	60u

static uint64_t div_up(uint64_t n, uint64_t by)
{
	return n / by + (n % by != 0);
}

struct super {
	uint64_t block_bytes, first_block, per_group, inodes_per_group, inode_bytes, desc_bytes;
	uint64_t groups;
};

/* Read the guest's own copy of a part of the device, within one page. */
static bool read_cached(
	struct linux_cache *c, uint64_t mapping, uint64_t off, void *buf, size_t bytes)
{
	uint64_t page = linux_cache_find(c, mapping, off >> PAGE_SHIFT);
	pfn_t pfn;

	return page && linux_pages_pfn(&c->k->pages, page, &pfn) &&
	       !guest_read_frame(c->k->g, pfn, off & PAGE_OFFSET_MASK, buf, bytes, NULL);
}

static bool parse_super(const uint8_t *raw, struct super *s)
{
	uint32_t incompat = num_le32(raw + 0x60), log = num_le32(raw + 0x18);
	uint64_t blocks = num_le32(raw + 0x04);

	if (num_le16(raw + 0x38) != SUPER_MAGIC || log > 6 || incompat & INCOMPAT_META_BG ||
		num_le32(raw + 0x64) & RO_COMPAT_BIGALLOC)
		return false;
	if (incompat & INCOMPAT_64BIT)
		blocks |= (uint64_t)num_le32(raw + 0x150) << 32;
	*s = (struct super){
		.block_bytes = 1024ull << log,
		.first_block = num_le32(raw + 0x14),
		.per_group = num_le32(raw + 0x20),
		.inodes_per_group = num_le32(raw + 0x28),
		.inode_bytes = num_le32(raw + 0x4c) ? num_le16(raw + 0x58) : 128,
		.desc_bytes = incompat & INCOMPAT_64BIT ? num_le16(raw + 0xfe) : 32,
	};
	if (!s->per_group || s->first_block >= blocks || s->desc_bytes < 32 ||
		s->desc_bytes > 1024 || s->desc_bytes & (s->desc_bytes - 1))
		return false;
	s->groups = div_up(blocks - s->first_block, s->per_group);
	return s->groups <= MAX_GROUPS && s->inodes_per_group <= 65536 * 8 &&
	       s->inode_bytes <= 4096;
}

const char *linux_ext4_part_name(enum ext4_part part)
{
	static const char *const names[EXT4_NR_PARTS] = {
		[EXT4_GROUPS] = "group descriptors",
		[EXT4_BLOCK_BITMAP] = "block bitmap",
		[EXT4_INODE_BITMAP] = "inode bitmap",
		[EXT4_INODE_TABLE] = "inode table",
	};

	return names[part];
}

static bool put_range(struct linux_ext4 *e, uint64_t start, uint64_t nr, enum ext4_part part)
{
	if (!nr)
		return true;
	if (util_grow(&e->fixed, &e->cap, e->nr + 1, sizeof(*e->fixed)))
		return false;
	e->fixed[e->nr++] = (struct ext4_range){start, nr, part};
	return true;
}

static uint64_t read_wide(const uint8_t *raw, const struct super *s, unsigned low, unsigned high)
{
	return num_le32(raw + low) |
	       (s->desc_bytes >= 64 ? (uint64_t)num_le32(raw + high) << 32 : 0);
}

/* What was not initialized is made up in memory and may differ on the disk. */
static bool put_group(struct linux_ext4 *e, const struct super *s, const uint8_t *raw)
{
	unsigned flags = num_le16(raw + 0x12);
	uint64_t table = div_up(s->inodes_per_group * s->inode_bytes, s->block_bytes);

	return (flags & BLOCK_UNINIT ||
		       put_range(e, read_wide(raw, s, 0x0, 0x20), 1, EXT4_BLOCK_BITMAP)) &&
	       (flags & INODE_UNINIT ||
		       (put_range(e, read_wide(raw, s, 0x4, 0x24), 1, EXT4_INODE_BITMAP) &&
			       put_range(
				       e, read_wide(raw, s, 0x8, 0x28), table, EXT4_INODE_TABLE)));
}

static int by_start(const void *a, const void *b)
{
	const struct ext4_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

bool linux_ext4_open(struct linux_cache *c, uint64_t mapping, struct linux_ext4 *ret)
{
	uint8_t raw[SUPER_BYTES];
	struct super s;
	uint64_t i, table;

	*ret = (struct linux_ext4){0};
	if (!read_cached(c, mapping, SUPER_OFFSET, raw, sizeof(raw)) || !parse_super(raw, &s))
		return false;
	ret->block_bytes = s.block_bytes;
	table = (s.first_block + 1) * s.block_bytes;
	if (!put_range(ret, s.first_block + 1, div_up(s.groups * s.desc_bytes, s.block_bytes),
		    EXT4_GROUPS))
		return false;
	for (i = 0; i < s.groups; i++)
		if (read_cached(c, mapping, table + i * s.desc_bytes, raw, (size_t)s.desc_bytes) &&
			!put_group(ret, &s, raw))
			return false;
	qsort(ret->fixed, ret->nr, sizeof(*ret->fixed), by_start);
	return true;
}

void linux_ext4_close(struct linux_ext4 *e)
{
	free(e->fixed);
	*e = (struct linux_ext4){0};
}

const struct ext4_range *linux_ext4_fixed(const struct linux_ext4 *e, uint64_t block)
{
	size_t lo = util_count_until(
		e->fixed, e->nr, sizeof(*e->fixed), offsetof(struct ext4_range, start), block);

	return lo && block - e->fixed[lo - 1].start < e->fixed[lo - 1].nr ? &e->fixed[lo - 1]
									  : NULL;
}

/* ---- files -------------------------------------------------------------------------------- */

bool linux_ext4_inodes_layout(const struct layout *types, struct linux_ext4_inodes *ret)
{
	static const struct field_spec specs[] = {
		{"ext4_inode_info", "vfs_inode", offsetof(struct linux_ext4_inodes, vfs_inode),
			true},
		{"ext4_inode_info", "i_data", offsetof(struct linux_ext4_inodes, data), true},
		{"ext4_inode_info", "i_flags", offsetof(struct linux_ext4_inodes, flags), true},
	};

	return types && !layout_fill(types, specs, ARRAY_SIZE(specs), ret, NULL) &&
	       ret->data.bytes == INODE_DATA;
}

struct tree_walk {
	struct linux_cache *c;
	const struct linux_ext4 *e;
	uint64_t mapping; /* of the device */
	struct ext4_extents *ret;
	unsigned left; /* nodes that may still be read */
};

static bool put_leaf(struct tree_walk *w, const uint8_t *entry)
{
	struct ext4_extents *x = w->ret;
	uint64_t len = num_le16(entry + 4);

	if (len > MAX_WRITTEN_LEN)
		return true;
	if (x->nr == MAX_EXTENTS || util_grow(&x->v, &x->cap, x->nr + 1, sizeof(*x->v)))
		return false;
	x->v[x->nr++] = (struct ext4_extent){.first = num_le32(entry),
		.nr = len,
		.start = num_le32(entry + 8) | (uint64_t)num_le16(entry + 6) << 32};
	return true;
}

/* One node of the tree; `depth` it must have, -1 the root may have any. */
static bool walk_tree(struct tree_walk *w, const uint8_t *node, size_t bytes, int depth)
{
	unsigned nr = num_le16(node + 2), have = num_le16(node + 6), i;
	CLEANUP_FREE uint8_t *child = NULL;

	if (num_le16(node) != EXTENT_MAGIC || (nr + 1) * EXTENT_BYTES > bytes || have > MAX_DEPTH ||
		(depth >= 0 && have != (unsigned)depth))
		return false;
	if (have && !(child = malloc(PAGE_BYTES)))
		return false;
	for (i = 1; i <= nr; i++) {
		const uint8_t *entry = node + (size_t)i * EXTENT_BYTES;
		uint64_t block = num_le32(entry + 4) | (uint64_t)num_le16(entry + 8) << 32;

		if (!w->c->left)
			return false;
		w->c->left--;
		if (!have ? !put_leaf(w, entry)
			  : (!w->left-- || block > UINT64_MAX / w->e->block_bytes ||
				    w->e->block_bytes > PAGE_BYTES ||
				    !read_cached(w->c, w->mapping, block * w->e->block_bytes, child,
					    (size_t)w->e->block_bytes) ||
				    !walk_tree(w, child, (size_t)w->e->block_bytes, (int)have - 1)))
			return false;
	}
	return true;
}

bool linux_ext4_read_extents(struct linux_cache *c, const struct linux_ext4_inodes *l,
	const struct linux_ext4 *e, uint64_t mapping, uint64_t inode, struct ext4_extents *ret)
{
	struct tree_walk w = {c, e, mapping, ret, MAX_NODES};
	uint64_t info = inode - l->vfs_inode.off, flags;
	uint8_t root[INODE_DATA];

	*ret = (struct ext4_extents){0};
	return !layout_read(c->k->g, GVA(info), &l->flags, &flags, NULL) && flags & EXTENTS_FL &&
	       !(flags & (ENCRYPT_FL | JOURNAL_DATA_FL | INLINE_DATA_FL)) &&
	       !guest_read(c->k->g, GVA(info + l->data.off), root, sizeof(root), NULL) &&
	       walk_tree(&w, root, sizeof(root), -1);
}

void linux_ext4_extents_free(struct ext4_extents *x)
{
	free(x->v);
	*x = (struct ext4_extents){0};
}

const struct ext4_extent *linux_ext4_extent(const struct ext4_extents *x, uint64_t block)
{
	size_t lo = util_count_until(
		x->v, x->nr, sizeof(*x->v), offsetof(struct ext4_extent, first), block);

	return lo && block - x->v[lo - 1].first < x->v[lo - 1].nr ? &x->v[lo - 1] : NULL;
}
