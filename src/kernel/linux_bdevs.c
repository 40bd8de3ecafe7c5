/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux_bdevs.h"

#include <ctype.h>
#include <string.h>

#include "base/limits.h"

/* DISK_MAX_PARTS is 256; the low byte of block_device.__bd_flags (BD_PARTNO, since 6.10). */
#define MAX_PARTS   256u
#define PARTNO_MASK 0xffu

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct linux_bdevs_layout, dest), false                     \
	}

static const struct field_spec specs[] = {
	MAY("block_device", "bd_disk", disk),
	MAY("block_device", "bd_partno", partno),    /* until 6.9 */
	MAY("block_device", "__bd_flags", flags),    /* since then */
	MAY("block_device", "bd_start_sect", start), /* since 5.11 */
	MAY("block_device", "bd_part", part),	     /* until then */
	MAY("hd_struct", "start_sect", part_start),
	MAY("hd_struct", "partno", part_no),
	MAY("gendisk", "disk_name", disk_name),
	MAY("gendisk", "part_tbl", part_tbl),
	MAY("disk_part_tbl", "len", tbl_len), /* until 5.10 */
	MAY("disk_part_tbl", "part", tbl_part),
	MAY("super_block", "s_list", s_list),
	MAY("super_block", "s_bdev", s_bdev),
	MAY("super_block", "s_type", s_type),
	MAY("super_block", "s_inodes", s_inodes),
	MAY("file_system_type", "name", type_name),
	MAY("inode", "i_sb_list", i_sb_list),
	MAY("bdev_inode", "vfs_inode", bi_inode),
	MAY("bdev_inode", "bdev", bi_bdev),
};

void linux_bdevs_init(struct linux_bdevs *b, const struct linux_kernel *k)
{
	*b = (struct linux_bdevs){.k = k};
	if (k->types)
		layout_fill_known(k->types, specs, ARRAY_SIZE(specs), &b->l);
}

void linux_bdevs_fini(struct linux_bdevs *b)
{
	free(b->v);
	*b = (struct linux_bdevs){0};
}

/* ---- names and places --------------------------------------------------------------------- */

static bool read_disk(const struct linux_bdevs *b, uint64_t gendisk, struct linux_bdev *ret)
{
	size_t i;

	*ret = (struct linux_bdev){0};
	if (!gendisk || !b->l.disk_name.present ||
		guest_read_str(b->k->g, GVA(gendisk + b->l.disk_name.off), ret->disk,
			MIN(sizeof(ret->disk), (size_t)b->l.disk_name.bytes + 1), NULL))
		return false;
	for (i = 0; ret->disk[i]; i++)
		if (!isgraph((unsigned char)ret->disk[i]))
			return false;
	return i > 0;
}

static bool read_part(const struct linux_bdevs *b, uint64_t part, struct linux_bdev *ret)
{
	uint64_t partno;

	if (!part || layout_read(b->k->g, GVA(part), &b->l.part_start, &ret->start, NULL) ||
		layout_read(b->k->g, GVA(part), &b->l.part_no, &partno, NULL))
		return false;
	ret->partno = (uint32_t)partno;
	return true;
}

bool linux_bdev_read(const struct linux_bdevs *b, uint64_t bdev, struct linux_bdev *ret)
{
	struct guest *g = b->k->g;
	uint64_t partno;

	if (!read_disk(b, layout_pointer(b->k->g, bdev, &b->l.disk), ret))
		return false;
	if (!b->l.start.present)
		return read_part(b, layout_pointer(b->k->g, bdev, &b->l.part), ret);
	if (layout_read(g, GVA(bdev), &b->l.start, &ret->start, NULL) ||
		layout_read(g, GVA(bdev), b->l.partno.present ? &b->l.partno : &b->l.flags, &partno,
			NULL))
		return false;
	ret->partno = (uint32_t)partno & PARTNO_MASK;
	return true;
}

bool linux_bdev_of_disk(
	const struct linux_bdevs *b, uint64_t gendisk, uint32_t partno, struct linux_bdev *ret)
{
	uint64_t table, len, part;
	unsigned word = guest_word_bytes(b->k->g);

	if (!read_disk(b, gendisk, ret))
		return false;
	if (!partno)
		return true;
	table = layout_pointer(b->k->g, gendisk, &b->l.part_tbl);
	if (!table || !b->l.tbl_part.present || partno >= MAX_PARTS ||
		layout_read(b->k->g, GVA(table), &b->l.tbl_len, &len, NULL) || partno >= len ||
		guest_read_word(
			b->k->g, GVA(table + b->l.tbl_part.off + word * partno), &part, NULL))
		return false;
	return read_part(b, part, ret);
}

void linux_bdev_name(const struct linux_bdev *d, char *buf, size_t cap)
{
	size_t n = strlen(d->disk);
	bool digit = n && isdigit((unsigned char)d->disk[n - 1]);

	if (d->partno)
		snprintf(buf, cap, "%s%s%u", d->disk, digit ? "p" : "", d->partno);
	else
		snprintf(buf, cap, "%s", d->disk);
}

/* ---- what is mounted ---------------------------------------------------------------------- */

static void note_super(struct linux_bdevs *b, uint64_t sb)
{
	uint64_t bdev = layout_pointer(b->k->g, sb, &b->l.s_bdev),
		 type = layout_pointer(b->k->g, sb, &b->l.s_type);
	uint64_t name = type ? layout_pointer(b->k->g, type, &b->l.type_name) : 0;
	struct linux_super *s;

	if (!name || util_grow(&b->v, &b->cap, b->nr + 1, sizeof(*b->v)))
		return;
	s = &b->v[b->nr];
	*s = (struct linux_super){.sb = sb, .bdev = bdev};
	if (!guest_read_str(b->k->g, GVA(name), s->type, sizeof(s->type), NULL))
		b->nr++;
}

static void list_supers(struct linux_bdevs *b)
{
	uint64_t node;
	unsigned i;
	gva_t head;

	b->listed = true;
	if (!b->l.s_list.present || symbols_get(b->k->symbols, "super_blocks", &head, NULL))
		return;
	node = head.v;
	for (i = 0; i < KERNEL_MAX_SUPERS; i++) {
		if (guest_read_word(b->k->g, GVA(node), &node, NULL) || node == head.v ||
			!guest_is_kernel_addr(b->k->g, node))
			return;
		note_super(b, node - b->l.s_list.off);
	}
}

const struct linux_super *linux_super_at(struct linux_bdevs *b, size_t index)
{
	if (!b->listed)
		list_supers(b);
	return index < b->nr ? &b->v[index] : NULL;
}

void linux_super_inodes(
	const struct linux_bdevs *b, uint64_t sb, uint64_t *left, linux_inode_fn *fn, void *arg)
{
	uint64_t head = sb + b->l.s_inodes.off, node = head, i;
	uint64_t most = limit_in_guest(KERNEL_MAX_INODES,
		memory_info(guest_memory(b->k->g)).nr_data_pages, KERNEL_INODE_BYTES);

	if (!b->l.s_inodes.present || !b->l.i_sb_list.present)
		return;
	for (i = 0; i < most && *left; i++) {
		if (guest_read_word(b->k->g, GVA(node), &node, NULL) || node == head ||
			!guest_is_kernel_addr(b->k->g, node))
			return;
		--*left;
		fn(arg, node - b->l.i_sb_list.off);
	}
}

struct bdev_walk {
	const struct linux_bdevs *b;
	linux_bdev_fn *fn;
	void *arg;
};

static void visit_bdev(void *arg, uint64_t inode)
{
	const struct bdev_walk *w = arg;

	w->fn(w->arg, inode, inode - w->b->l.bi_inode.off + w->b->l.bi_bdev.off);
}

void linux_bdevs_each(struct linux_bdevs *b, uint64_t *left, linux_bdev_fn *fn, void *arg)
{
	struct bdev_walk w = {b, fn, arg};
	const struct linux_super *s;
	size_t i;

	if (!b->l.bi_inode.present || !b->l.bi_bdev.present)
		return;
	for (i = 0; (s = linux_super_at(b, i)); i++)
		if (!strcmp(s->type, "bdev"))
			linux_super_inodes(b, s->sb, left, visit_bdev, &w);
}

const char *linux_bdev_fs(struct linux_bdevs *b, uint64_t bdev)
{
	const struct linux_super *s;
	size_t i;

	for (i = 0; bdev && (s = linux_super_at(b, i)); i++)
		if (s->bdev == bdev)
			return s->type;
	return NULL;
}
