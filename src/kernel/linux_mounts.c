/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Walks super_blocks (fs/super.c), where every mounted superblock of the kernel stands.
 *
 * For ext2, ext3 and ext4 the guest's copy of the on-disk superblock is found as well. Its place
 * in struct ext4_sb_info (s_es) is known only to the module's types; but the structure it points
 * to has a magic number and the UUID that the VFS knows too, so that it is recognised by content.
 */
#include "kernel/linux_mounts.h"

#include <string.h>

#include "base/limits.h"
#include "io/ext_super.h"
#include "kernel/linux_btrfs.h"
#include "kernel/linux_xfs.h"

/* s_es is among the first members of struct ext4_sb_info (and of ext2's), s_journal stands in its
 * first 2 KiB; j_superblock is among the first members of journal_t. */
#define EXT_SB_INFO_WORDS 256u
#define JOURNAL_WORDS	  32u

#define SB_RDONLY 1u /* include/linux/fs.h */

struct fs_layout {
	struct field list, bdev, type, uuid, flags, info;
	struct field disk, start, part, part_start, disk_name, type_name;
};

#define SPEC(type, member, dest, required)                                                         \
	{                                                                                          \
		type, member, offsetof(struct fs_layout, dest), required                           \
	}

static const struct field_spec specs[] = {
	SPEC("super_block", "s_list", list, true),
	SPEC("super_block", "s_bdev", bdev, true),
	SPEC("super_block", "s_type", type, true),
	SPEC("super_block", "s_flags", flags, true),
	SPEC("super_block", "s_uuid", uuid, false),
	SPEC("super_block", "s_fs_info", info, false),
	SPEC("block_device", "bd_disk", disk, true),
	SPEC("block_device", "bd_start_sect", start, false), /* since 5.11 */
	SPEC("block_device", "bd_part", part, false),	     /* until then */
	SPEC("hd_struct", "start_sect", part_start, false),
	SPEC("gendisk", "disk_name", disk_name, true),
	SPEC("file_system_type", "name", type_name, true),
};

struct walk {
	struct guest *g;
	struct fs_layout l;
	bool (*wanted)(void *arg, const char *disk);
	void *arg;
	struct linux_mounts *ret;
	const struct linux_kernel *k;
	struct mounted_fs fs; /* of which devices are being added */
	bool no_memory;
};

static bool read_pointer(struct walk *w, uint64_t base, const struct field *f, uint64_t *ret)
{
	return !layout_read(w->g, GVA(base), f, ret, NULL) && guest_is_kernel_addr(w->g, *ret);
}

/* First sector of what the block device stands for: a partition, or 0 the whole disk. */
static bool find_start(struct walk *w, uint64_t bdev, uint64_t *ret)
{
	uint64_t part;

	if (w->l.start.present)
		return !layout_read(w->g, GVA(bdev), &w->l.start, ret, NULL);
	return read_pointer(w, bdev, &w->l.part, &part) &&
	       !layout_read(w->g, GVA(part), &w->l.part_start, ret, NULL);
}

/* The disk of a block device. False when it is none that is asked for, or nothing says where on it.
 */
static bool find_disk(struct walk *w, uint64_t bdev, struct mounted_fs *fs)
{
	uint64_t disk;

	if (!read_pointer(w, bdev, &w->l.disk, &disk) ||
		guest_read_str(
			w->g, GVA(disk + w->l.disk_name.off), fs->disk, sizeof(fs->disk), NULL) ||
		!w->wanted(w->arg, fs->disk))
		return false;
	if (find_start(w, bdev, &fs->start))
		return true;
	w->ret->start_unknown = true;
	return false;
}

static void uuid_text(const uint8_t *u, char *buf, size_t cap)
{
	static const uint8_t none[16];

	buf[0] = '\0';
	if (memcmp(u, none, sizeof(none)))
		snprintf(buf, cap,
			"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
			u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11],
			u[12], u[13], u[14], u[15]);
}

static void take_super(struct mounted_fs *fs, const struct ext_super *super)
{
	fs->super_known = true;
	snprintf(fs->label, sizeof(fs->label), "%s", super->label);
	fs->mtime = super->mtime;
	fs->wtime = super->wtime;
	fs->mnt_count = super->mnt_count;
	fs->journal = super->has_journal;
	fs->recover = super->needs_recovery;
}

static bool read_ext_super(struct walk *w, uint64_t at, const uint8_t *uuid, struct ext_super *ret)
{
	uint8_t raw[EXT_SUPER_BYTES];

	return !guest_read(w->g, GVA(at), raw, sizeof(raw), NULL) && ext_super_parse(raw, ret) &&
	       !memcmp(ret->uuid, uuid, sizeof(ret->uuid));
}

/* Is there a journal_t, whose superblock says how far the log has come? */
static bool is_journal(struct walk *w, uint64_t at, uint64_t *sequence)
{
	unsigned i, word_bytes = guest_word_bytes(w->g);
	uint8_t raw[EXT_JOURNAL_BYTES];
	uint64_t to;

	for (i = 0; i < JOURNAL_WORDS; i++) {
		if (guest_read_word(w->g, GVA(at + i * word_bytes), &to, NULL))
			return false;
		if (guest_is_kernel_addr(w->g, to) && to % 1024 == 0 &&
			!guest_read(w->g, GVA(to), raw, sizeof(raw), NULL) &&
			ext_journal_parse(raw, sequence))
			return true;
	}
	return false;
}

/* Look behind each pointer at the start of the driver's private structure. */
static void find_ext_super(struct walk *w, uint64_t sb, const uint8_t *uuid, struct mounted_fs *fs)
{
	unsigned i, word_bytes = guest_word_bytes(w->g);
	struct ext_super super;
	uint64_t info, at;

	if (strncmp(fs->type, "ext", 3) || layout_read(w->g, GVA(sb), &w->l.info, &info, NULL))
		return;
	for (i = 0; i < EXT_SB_INFO_WORDS; i++) {
		if (guest_read_word(w->g, GVA(info + i * word_bytes), &at, NULL))
			return;
		if (!guest_is_kernel_addr(w->g, at) || at % word_bytes)
			continue;
		if (!fs->super_known && at % EXT_SUPER_BYTES == 0 &&
			read_ext_super(w, at, uuid, &super))
			take_super(fs, &super);
		else if (fs->super_known && fs->journal && fs->journal_sequence == FS_UNKNOWN_U64 &&
			 is_journal(w, at, &fs->journal_sequence))
			return;
	}
}

static int put_fs(struct walk *w, const struct mounted_fs *fs)
{
	struct linux_mounts *m = w->ret;

	if (util_grow(&m->v, &m->cap, m->nr + 1, sizeof(*m->v)))
		return -1;
	m->v[m->nr++] = *fs;
	return 0;
}

/* A device of a btrfs, which may have several. */
static void add_device(void *arg, uint64_t bdev)
{
	struct walk *w = arg;
	struct mounted_fs one = w->fs;

	if (find_disk(w, bdev, &one))
		w->no_memory |= put_fs(w, &one);
}

static void read_uuid(struct walk *w, uint64_t sb, uint8_t uuid[16], struct mounted_fs *fs)
{
	if (w->l.uuid.present && w->l.uuid.bytes == 16 &&
		!guest_read(w->g, GVA(sb + w->l.uuid.off), uuid, 16, NULL))
		uuid_text(uuid, fs->uuid, sizeof(fs->uuid));
}

/* -1 only without memory. */
static int add_fs(struct walk *w, uint64_t sb, struct err *err)
{
	struct mounted_fs fs = {.journal_sequence = FS_UNKNOWN_U64,
		.committed = FS_UNKNOWN_U64,
		.log_cycle = FS_UNKNOWN_U64};
	uint64_t type, name, bdev, info;
	uint8_t uuid[16] = {0};

	if (layout_read(w->g, GVA(sb), &w->l.type, &type, NULL) ||
		layout_read(w->g, GVA(type), &w->l.type_name, &name, NULL) ||
		guest_read_str(w->g, GVA(name), fs.type, sizeof(fs.type), NULL))
		return 0;
	fs.read_only = layout_read_or(w->g, GVA(sb), &w->l.flags, 0) & SB_RDONLY;
	read_uuid(w, sb, uuid, &fs);
	info = layout_read_or(w->g, GVA(sb), &w->l.info, 0);
	if (!strcmp(fs.type, "btrfs")) {
		w->fs = fs;
		linux_btrfs_read(w->k, info, &w->fs, add_device, w);
	} else if (read_pointer(w, sb, &w->l.bdev, &bdev) && find_disk(w, bdev, &fs)) {
		if (!strcmp(fs.type, "xfs"))
			linux_xfs_read(w->k, info, &fs);
		else if (fs.uuid[0])
			find_ext_super(w, sb, uuid, &fs);
		w->no_memory |= put_fs(w, &fs);
	}
	return w->no_memory ? err_nomem(err, "noting a file system") : 0;
}

static int walk_supers(struct walk *w, uint64_t head, struct err *err)
{
	uint64_t at = head;
	unsigned i;

	for (i = 0; i < KERNEL_MAX_SUPERS; i++) {
		if (guest_read_word(w->g, GVA(at), &at, NULL))
			return 0;
		if (at == head) {
			w->ret->complete = true;
			return 0;
		}
		if (!guest_is_kernel_addr(w->g, at) || at < w->l.list.off)
			return 0;
		if (add_fs(w, at - w->l.list.off, err))
			return -1;
	}
	return 0;
}

int linux_mounts_read(const struct linux_kernel *k, bool (*wanted)(void *arg, const char *disk),
	void *arg, struct linux_mounts *ret, struct err *err)
{
	struct walk w = {.g = k->g, .k = k, .wanted = wanted, .arg = arg, .ret = ret};
	gva_t head;

	*ret = (struct linux_mounts){0};
	if (!k->types)
		return err_set(err, ERR_NOTFOUND, "the kernel's types are not known");
	if (symbols_get(k->symbols, "super_blocks", &head, err) ||
		layout_fill(k->types, specs, ARRAY_SIZE(specs), &w.l, err))
		return -1;
	if (walk_supers(&w, head.v, err)) {
		linux_mounts_free(ret);
		return -1;
	}
	return 0;
}

void linux_mounts_free(struct linux_mounts *m)
{
	free(m->v);
	*m = (struct linux_mounts){0};
}
