/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads a disk, never writes: its size, its block size, and what lies on it.
 */
#include "check/disk_facts.h"

#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/num.h"
#include "io/btrfs_super.h"
#include "io/ext_super.h"
#include "io/hold.h"
#include "io/probe.h"

static uint64_t journal_sequence(
	const struct disk *disk, uint64_t start, const struct ext_super *super)
{
	uint8_t raw[EXT_JOURNAL_BYTES];
	uint64_t off, sequence;
	struct err err;

	if (!super->journal_block || !super->block_bytes ||
		!num_mul(super->journal_block, super->block_bytes, &off) ||
		!num_add(off, start * SECTOR_BYTES, &off) || off > INT64_MAX ||
		disk_read(disk, off, raw, sizeof(raw), &err) || !ext_journal_parse(raw, &sequence))
		return BLK_UNKNOWN_U64;
	return sequence;
}

static void read_ext(const struct disk *disk, struct check_disk_fs *fs)
{
	uint8_t raw[EXT_SUPER_BYTES];
	struct ext_super super;
	struct err err;

	if (strncmp(fs->type, "ext", 3) || fs->start > (INT64_MAX >> 10) ||
		disk_read(disk, fs->start * SECTOR_BYTES + EXT_SUPER_OFFSET, raw, sizeof(raw),
			&err) ||
		!ext_super_parse(raw, &super))
		return;
	fs->super_known = true;
	/* libblkid cuts white space off. */
	snprintf(fs->label, sizeof(fs->label), "%s", super.label);
	fs->mtime = super.mtime;
	fs->wtime = super.wtime;
	fs->mnt_count = super.mnt_count;
	fs->recover = super.needs_recovery;
	fs->journal_sequence = journal_sequence(disk, fs->start, &super);
}

static void read_btrfs(const struct disk *disk, struct check_disk_fs *fs)
{
	uint64_t at = fs->start * SECTOR_BYTES + btrfs_super_place(0);
	uint8_t raw[BTRFS_SUPER_BYTES];
	struct btrfs_super super;

	if (!strcmp(fs->type, "btrfs") && !disk_read(disk, at, raw, sizeof(raw), NULL) &&
		btrfs_super_parse(raw, &super))
		fs->generation = super.generation;
}

#define XLOG_HEADER 0xfeedbabeu /* fs/xfs/libxfs/xfs_log_format.h; the cycle is the next word */

static void read_xfs_log(
	const struct disk *disk, const struct mounted_fs *own, struct check_disk_fs *fs)
{
	uint8_t raw[8];
	uint64_t at;

	if (strcmp(fs->type, "xfs") != 0 || !own || own->log_cycle == FS_UNKNOWN_U64 ||
		!num_add(own->log_sector, fs->start, &at) || at > INT64_MAX / SECTOR_BYTES ||
		disk_read(disk, at * SECTOR_BYTES, raw, sizeof(raw), NULL))
		return;
	fs->log_cycle = num_be32(raw);
	if (fs->log_cycle == XLOG_HEADER)
		fs->log_cycle = num_be32(raw + 4);
}

/* own: what the guest has mounted there; NULL: nothing. */
static int add_fs(struct check_disk *d, const struct disk *disk, uint64_t start,
	const struct mounted_fs *own, struct err *err)
{
	struct check_disk_fs *fs;
	struct probed found;
	struct err why;
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
	fs->journal_sequence = fs->generation = fs->log_cycle = BLK_UNKNOWN_U64;
	if (probe_content(disk, start * SECTOR_BYTES, 0, PROBE_FILE_SYSTEM, &found, &why) &&
		why.cls != ERR_CORRUPT)
		return err_set(err, why.cls, "%s", why.text);
	fs->unsure = found.unsure;
	memcpy(fs->type, found.type, sizeof(fs->type));
	memcpy(fs->uuid, found.uuid, sizeof(fs->uuid));
	memcpy(fs->label, found.label, sizeof(fs->label));
	read_ext(disk, fs);
	read_btrfs(disk, fs);
	read_xfs_log(disk, own, fs);
	return 0;
}

static int look_at_disk(
	struct check_disk *d, const struct disk *disk, const struct blkdev *dev, struct err *err)
{
	int block = 0;
	size_t i;

	d->bytes = disk->bytes;
	d->user = disk_user(disk);
	if (disk->block && !disk->nbd && ioctl(disk->fd, BLKSSZGET, &block))
		return err_sys(err, "cannot ask %s for its block size", d->path);
	d->logical_block_bytes = block > 0 ? (uint32_t)block : 0;
	for (i = 0; i < dev->nr_fs; i++)
		if (add_fs(d, disk, dev->fs[i].start, &dev->fs[i], err))
			return -1;
	return add_fs(d, disk, 0, NULL, err);
}

const struct check_disk *check_disk_of(
	const struct check_disk *v, size_t nr, const struct blkdev *dev)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (blkdev_is_named(dev, v[i].vdev))
			return &v[i];
	return NULL;
}

int check_disk_open(struct check_disk *d, const struct blkdev *dev, struct err *err)
{
	if (disk_open(&d->disk, d->path, d->format, 0, err))
		return -1;
	d->opened = true;
	return look_at_disk(d, &d->disk, dev, err);
}

void check_disk_fini(struct check_disk *d)
{
	if (d->opened)
		disk_drop(&d->disk);
	free(d->path);
	free(d->fs);
	memset(d, 0, sizeof(*d));
}
