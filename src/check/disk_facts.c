/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads a disk, never writes: its size, its block size, and what lies on it.
 *
 * ext2/3/4 superblock offsets: Linux fs/ext4/ext4.h, struct ext4_super_block (1024 bytes at byte
 * 1024); journal superblock: include/linux/jbd2.h, journal_superblock_t (big-endian).
 */
#include "check/disk_facts.h"

#include <blkid/blkid.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cursor.h"
#include "base/num.h"
#include "io/hold.h"

#define EXT_SUPER_BYTES	  1024u
#define EXT_MAGIC	  0xef53u
#define EXT_COMPAT_BACKUP 1u   /* s_jnl_backup_type: s_jnl_blocks is the journal's i_block */
#define EXT_RECOVER	  0x4u /* s_feature_incompat */
#define EXT_EXTENT_MAGIC  0xf30au
#define JBD_MAGIC	  0xc03b3998u

/* First block of the journal, by the copy of its inode's block map in the superblock; 0 unknown. */
static uint64_t journal_block(const uint8_t *sb)
{
	const uint8_t *map = sb + 268; /* s_jnl_blocks: an extent header, then extents */

	if (sb[253] != EXT_COMPAT_BACKUP)
		return 0;
	if (num_le16(map) != EXT_EXTENT_MAGIC)
		return num_le32(map); /* the old block map: i_block[0] */
	if (!num_le16(map + 2) || num_le16(map + 6) || num_le32(map + 12))
		return 0; /* empty, deeper than one level, or not from block 0 */
	return num_le32(map + 20) | (uint64_t)num_le16(map + 18) << 32;
}

static uint64_t journal_sequence(const struct disk *disk, uint64_t start, const uint8_t *sb)
{
	uint64_t block = journal_block(sb), off, log = num_le32(sb + 24);
	uint8_t jsb[32];
	struct cursor c;
	struct err err;
	uint32_t magic;

	if (!block || log > 6 || !num_mul(block, 1024ull << log, &off) ||
		!num_add(off, start * SECTOR_BYTES, &off) || off > INT64_MAX ||
		disk_read(disk, off, jsb, sizeof(jsb), &err))
		return BLK_UNKNOWN_U64;
	c = cur_over(jsb, sizeof(jsb), off, "journal superblock");
	magic = cur_be32(&c);
	cur_skip(&c, 20); /* type, header sequence, block size, length, first block */
	return magic == JBD_MAGIC ? cur_be32(&c) : BLK_UNKNOWN_U64;
}

static void read_ext(const struct disk *disk, struct check_disk_fs *fs)
{
	uint8_t sb[EXT_SUPER_BYTES];
	struct err err;

	if (strncmp(fs->type, "ext", 3) || fs->start > (INT64_MAX >> 10) ||
		disk_read(disk, fs->start * SECTOR_BYTES + 1024, sb, sizeof(sb), &err) ||
		num_le16(sb + 56) != EXT_MAGIC)
		return;
	fs->super_known = true;
	/* libblkid cuts white space off. */
	snprintf(fs->label, sizeof(fs->label), "%.16s", (const char *)sb + 120);
	fs->mtime = num_le32(sb + 44) | (uint64_t)sb[0x275] << 32;
	fs->wtime = num_le32(sb + 48) | (uint64_t)sb[0x274] << 32;
	fs->mnt_count = num_le16(sb + 52);
	fs->recover = num_le32(sb + 96) & EXT_RECOVER;
	fs->journal_sequence = journal_sequence(disk, fs->start, sb);
}

static void value(blkid_probe pr, const char *name, char *buf, size_t cap)
{
	const char *v;

	if (!blkid_probe_lookup_value(pr, name, &v, NULL))
		snprintf(buf, cap, "%s", v);
}

/* Superblocks stand at the start of what they describe, some at its end. */
#define PROBE_START (2u << 20)
#define PROBE_END   (1u << 20)

static int copy_part(const struct disk *disk, int fd, uint64_t off, uint64_t len, struct err *err)
{
	uint8_t buf[65536];
	uint64_t end = MIN(off + len, disk->bytes);

	for (; off < end; off += sizeof(buf)) {
		size_t n = (size_t)MIN(end - off, (uint64_t)sizeof(buf));

		if (disk_read(disk, off, buf, n, err))
			return -1;
		if (pwrite(fd, buf, n, (off_t)off) != (ssize_t)n)
			return err_sys(err, "cannot copy %s for a look at it", disk->path);
	}
	return 0;
}

/* libblkid wants a file: those parts of an image that it looks at, in memory. */
static int image_part(const struct disk *disk, uint64_t start, int *ret, struct err *err)
{
	uint64_t tail = disk->bytes > PROBE_END ? disk->bytes - PROBE_END : 0;

	*ret = memfd_create("xbdsnap-probe", MFD_CLOEXEC);
	if (*ret < 0 || ftruncate(*ret, (off_t)disk->bytes))
		return err_sys(err, "cannot make a copy of %s for a look at it", disk->path);
	return copy_part(disk, *ret, start, PROBE_START, err) ||
			       copy_part(disk, *ret, MAX(tail, start), PROBE_END, err)
		       ? -1
		       : 0;
}

/* blkid_do_safeprobe(): 0 found, 1 nothing, negative: several, or it failed. Only file systems
 * count: the guest has one mounted there, and the remains of a RAID at the end of a disk are
 * common. */
static void take_probe(blkid_probe pr, struct check_disk_fs *fs)
{
	int rc;

	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(
		pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
	blkid_probe_filter_superblocks_usage(pr, BLKID_FLTR_ONLYIN, BLKID_USAGE_FILESYSTEM);
	rc = blkid_do_safeprobe(pr);
	fs->unsure = rc < 0;
	if (rc)
		return;
	value(pr, "TYPE", fs->type, sizeof(fs->type));
	value(pr, "UUID", fs->uuid, sizeof(fs->uuid));
	value(pr, "LABEL", fs->label, sizeof(fs->label));
}

/* What lies at a sector. */
static int probe_fs(int fd, struct check_disk_fs *fs, struct err *err)
{
	blkid_probe pr = blkid_new_probe();

	if (!pr)
		return err_nomem(err, "probing a disk");
	fs->unsure = true;
	if (!blkid_probe_set_device(pr, fd, (blkid_loff_t)(fs->start * SECTOR_BYTES), 0))
		take_probe(pr, fs);
	blkid_free_probe(pr);
	return 0;
}

static int add_fs(struct check_disk *d, const struct disk *disk, uint64_t start, struct err *err)
{
	CLEANUP_CLOSE int part = -1;
	struct check_disk_fs *fs;
	size_t i;

	for (i = 0; i < d->nr_fs; i++)
		if (d->fs[i].start == start)
			return 0;
	if (start >= d->bytes / SECTOR_BYTES)
		return 0;
	fs = realloc(d->fs, (d->nr_fs + 1) * sizeof(*fs));
	if (!fs)
		return err_nomem(err, "probing a disk");
	d->fs = fs;
	fs = &d->fs[d->nr_fs++];
	memset(fs, 0, sizeof(*fs));
	fs->start = start;
	fs->journal_sequence = BLK_UNKNOWN_U64;
	if ((disk->nbd && image_part(disk, start * SECTOR_BYTES, &part, err)) ||
		probe_fs(disk->nbd ? part : disk->fd, fs, err))
		return -1;
	read_ext(disk, fs);
	return 0;
}

static int look(
	struct check_disk *d, const struct disk *disk, const struct blkdev *dev, struct err *err)
{
	int block = 0;
	size_t i;

	d->bytes = disk->bytes;
	d->user = disk_user(disk);
	if (disk->block && !disk->nbd && ioctl(disk->fd, BLKSSZGET, &block))
		return err_sys(err, "cannot ask %s for its block size", d->path);
	d->logical_block_bytes = block > 0 ? (uint32_t)block : 0;
	if (add_fs(d, disk, 0, err))
		return -1;
	for (i = 0; i < dev->nr_fs; i++)
		if (add_fs(d, disk, dev->fs[i].start, err))
			return -1;
	return 0;
}

int check_disk_open(struct check_disk *d, const struct blkdev *dev, struct err *err)
{
	struct disk disk;
	int rc;

	if (disk_open(&disk, d->path, d->format, 0, err))
		return -1;
	rc = look(d, &disk, dev, err);
	disk_drop(&disk);
	return rc;
}

void check_disk_fini(struct check_disk *d)
{
	free(d->path);
	free(d->fs);
	memset(d, 0, sizeof(*d));
}
