/* SPDX-License-Identifier: BSD-2-Clause
 *
 * btrfs: its superblocks stand at fixed places; all else is in chunks, each for data, metadata or
 * the tree of chunks itself, which says where on the device they are. Whose data a block is, is not
 * looked up.
 *
 * Layouts: Linux include/uapi/linux/btrfs_tree.h, little-endian and packed.
 */
#include "ondisk/fs.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "io/btrfs_super.h"

#define MAX_CHUNKS     65536u /* of 1 GiB and more, on large devices */
#define MAX_LEVEL      8u     /* BTRFS_MAX_LEVEL */
#define MAX_NODE_BYTES 65536u

#define KEY_BYTES    17u /* objectid, type, offset */
#define HEADER_BYTES 101u
#define ITEM_BYTES   25u
#define LINK_BYTES   33u
#define CHUNK_BYTES  48u /* before its stripes */
#define STRIPE_BYTES 32u
#define KEY_CHUNK    228u

/* type of a chunk: BTRFS_BLOCK_GROUP_* */
enum { DATA = 1, SYSTEM = 2, METADATA = 4, RAID0 = 8, RAID10 = 64, RAID5 = 128, RAID6 = 256 };

struct chunk {
	uint64_t place, bytes; /* on this device */
	uint64_t logical, type;
};

struct btrfs {
	struct view *view;
	struct btrfs_super super;
	struct chunk *v; /* owned; ascending by place once they are all there */
	size_t nr, cap;
	size_t nr_system; /* the first ones, the superblock's: the tree of chunks is in them */
	bool all;	  /* the tree was read to its end */
	bool no_memory;
};

/* ---- chunks ------------------------------------------------------------------------------- */

/* Bytes of a chunk on each of its devices. */
static uint64_t share_of(uint64_t bytes, uint64_t type, unsigned stripes, unsigned copies)
{
	unsigned parts = 1;

	if (type & RAID0)
		parts = stripes;
	else if (type & RAID10 && copies)
		parts = stripes / copies;
	else if (type & RAID5 && stripes > 1)
		parts = stripes - 1;
	else if (type & RAID6 && stripes > 2)
		parts = stripes - 2;
	return bytes / MAX(parts, 1u);
}

static bool put_chunk(struct btrfs *b, const struct chunk *one)
{
	size_t i;

	/* Those of the system stand in the superblock, too. */
	for (i = 0; i < b->nr_system && one->type & SYSTEM; i++)
		if (b->v[i].place == one->place)
			return true;
	if (b->nr == MAX_CHUNKS)
		return false;
	if (util_grow(&b->v, &b->cap, b->nr + 1, sizeof(*b->v))) {
		b->no_memory = true;
		return false;
	}
	b->v[b->nr++] = *one;
	return true;
}

/* Its stripes on this device. *used: bytes of it. */
static bool take_chunk(
	struct btrfs *b, uint64_t logical, const uint8_t *p, uint32_t size, uint32_t *used)
{
	unsigned i, stripes;
	struct chunk one = {.logical = logical};

	if (size < CHUNK_BYTES)
		return false;
	stripes = num_le16(p + 44);
	if (size - CHUNK_BYTES < stripes * STRIPE_BYTES)
		return false;
	*used = CHUNK_BYTES + stripes * STRIPE_BYTES;
	one.type = num_le64(p + 24);
	one.bytes = share_of(num_le64(p), one.type, stripes, num_le16(p + 46));
	for (i = 0; i < stripes; i++) {
		const uint8_t *s = p + CHUNK_BYTES + i * STRIPE_BYTES;

		one.place = num_le64(s + 8);
		if (num_le64(s) == b->super.device &&
			num_range_ok(one.place, one.bytes, b->view->bytes) && !put_chunk(b, &one))
			return false;
	}
	return true;
}

/* Keys and chunks behind each other, in the superblock. */
static bool take_system(struct btrfs *b)
{
	uint32_t at = 0, used, size = b->super.chunks_bytes;
	const uint8_t *p = b->super.chunks;

	while (at + KEY_BYTES <= size) {
		if (p[at + 8] != KEY_CHUNK ||
			!take_chunk(b, num_le64(p + at + 9), p + at + KEY_BYTES,
				size - at - KEY_BYTES, &used))
			return false;
		at += KEY_BYTES + used;
		b->nr_system = b->nr;
	}
	return true;
}

/* ---- the tree ----------------------------------------------------------------------------- */

/* Where on this device a node of the tree of chunks is. */
static bool find_node(const struct btrfs *b, uint64_t logical, uint64_t *ret)
{
	size_t i;

	for (i = 0; i < b->nr_system; i++)
		if (b->v[i].type & SYSTEM && !(b->v[i].type & (RAID0 | RAID10 | RAID5 | RAID6)) &&
			logical >= b->v[i].logical && logical - b->v[i].logical < b->v[i].bytes) {
			*ret = b->v[i].place + (logical - b->v[i].logical);
			return true;
		}
	return false;
}

static bool read_node(struct btrfs *b, uint64_t logical, unsigned level, uint8_t *node)
{
	uint64_t at;

	return find_node(b, logical, &at) &&
	       !view_read(b->view, at, node, b->super.node_bytes, NULL) &&
	       num_le64(node + 48) == logical && node[100] == level;
}

static bool take_leaf(struct btrfs *b, const uint8_t *node)
{
	uint32_t i, nr = num_le32(node + 96), room = b->super.node_bytes - HEADER_BYTES, used;

	if (nr > room / ITEM_BYTES)
		return false;
	for (i = 0; i < nr; i++) {
		const uint8_t *item = node + HEADER_BYTES + i * ITEM_BYTES;
		uint32_t at = num_le32(item + 17), size = num_le32(item + 21);

		if (item[8] != KEY_CHUNK)
			continue;
		if (!num_range_ok(at, size, room) ||
			!take_chunk(b, num_le64(item + 9), node + HEADER_BYTES + at, size, &used))
			return false;
	}
	return true;
}

static bool walk_chunks(struct btrfs *b, uint64_t logical, unsigned level)
{
	CLEANUP_FREE uint8_t *node = malloc(b->super.node_bytes);
	uint32_t i, nr;

	b->no_memory |= !node;
	if (!node || level >= MAX_LEVEL || !read_node(b, logical, level, node))
		return false;
	if (!level)
		return take_leaf(b, node);
	nr = num_le32(node + 96);
	if (nr > (b->super.node_bytes - HEADER_BYTES) / LINK_BYTES)
		return false;
	for (i = 0; i < nr; i++)
		if (!walk_chunks(b, num_le64(node + HEADER_BYTES + i * LINK_BYTES + KEY_BYTES),
			    level - 1))
			return false;
	return true;
}

static int by_place(const void *a, const void *b)
{
	const struct chunk *x = a, *y = b;

	return x->place < y->place ? -1 : x->place > y->place;
}

/* ---- the face ----------------------------------------------------------------------------- */

static void close_btrfs(void *state)
{
	struct btrfs *b = state;

	free(b->v);
	free(b);
}

static int open_btrfs(struct view *v, void **ret, struct err *err)
{
	struct btrfs *b = calloc(1, sizeof(*b));
	uint8_t raw[BTRFS_SUPER_BYTES];

	if (!b)
		return err_nomem(err, "a file system");
	b->view = v;
	if (view_read(v, btrfs_super_place(0), raw, sizeof(raw), err) ||
		!btrfs_super_parse(raw, &b->super) || b->super.node_bytes < 4096 ||
		b->super.node_bytes > MAX_NODE_BYTES) {
		close_btrfs(b);
		return err_set(err, ERR_CORRUPT, "its superblock makes no sense");
	}
	b->all = take_system(b) && walk_chunks(b, b->super.chunk_root, b->super.chunk_level);
	b->super.chunks = NULL; /* of raw */
	if (b->no_memory) {
		close_btrfs(b);
		return err_nomem(err, "the chunks of a file system");
	}
	if (b->nr)
		qsort(b->v, b->nr, sizeof(*b->v), by_place);
	*ret = b;
	return 0;
}

static uint64_t tell_chunk(const struct chunk *c, uint64_t off, struct meaning *m)
{
	unsigned kind = c->type & (DATA | SYSTEM | METADATA);
	const char *name = kind == DATA	      ? "data"
			   : kind == SYSTEM   ? "system"
			   : kind == METADATA ? "metadata"
					      : "mixed";

	if (asprintf(&m->detail, "%s chunk %" PRIu64, name, c->logical) < 0)
		m->detail = NULL;
	if (kind == SYSTEM || kind == METADATA)
		m->kind = MEANING_METADATA;
	else
		m->lost = strdup("blocks of btrfs are not looked up");
	return c->bytes - (off - c->place);
}

/* What is in no chunk, up to the next one. */
static uint64_t tell_outside(const struct btrfs *b, uint64_t off, uint64_t next, struct meaning *m)
{
	if (off < 1024 * 1024) /* BTRFS_DEVICE_RANGE_RESERVED */
		m->kind = MEANING_BOOT;
	else if (b->all)
		m->kind = MEANING_FREE;
	else
		m->lost = strdup("the tree of chunks cannot be read");
	return (off < 1024 * 1024 ? MIN(next, (uint64_t)1024 * 1024) : next) - off;
}

/* Superblocks lie within chunks, too, which leave them out. *next: where the next one is. */
static bool find_super(uint64_t off, unsigned *copy, uint64_t *next)
{
	*next = UINT64_MAX;
	for (*copy = 0; *copy < BTRFS_SUPER_COPIES; ++*copy) {
		uint64_t place = btrfs_super_place(*copy);

		if (off >= place && off - place < BTRFS_SUPER_BYTES)
			return true;
		if (place > off)
			*next = MIN(*next, place);
	}
	return false;
}

static uint64_t tell_btrfs(void *state, uint64_t off, uint64_t bytes, struct meaning *m)
{
	const struct btrfs *b = state;
	uint64_t next;
	unsigned copy;
	size_t i;

	if (find_super(off, &copy, &next)) {
		m->kind = copy ? MEANING_SUPER_BACKUP : MEANING_SUPER;
		return MIN(bytes, btrfs_super_place(copy) + BTRFS_SUPER_BYTES - off);
	}
	bytes = MIN(bytes, next - off);
	for (i = 0; i < b->nr && b->v[i].place <= off; i++)
		if (off - b->v[i].place < b->v[i].bytes)
			return MIN(bytes, tell_chunk(&b->v[i], off, m));
	next = i < b->nr ? b->v[i].place : off + bytes;
	next = tell_outside(b, off, next, m);
	return MIN(next, bytes);
}

static const char *const types[] = {"btrfs", NULL};

const struct ondisk_fs ondisk_btrfs = {
	.types = types, .open = open_btrfs, .tell = tell_btrfs, .close = close_btrfs};
