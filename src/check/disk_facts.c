/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads a disk, never writes: its size, its block size, and what lies on it.
 */
#include "check/disk_facts.h"

#include <blkid/blkid.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/num.h"
#include "io/ext_super.h"
#include "io/hold.h"

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

static void copy_value(blkid_probe pr, const char *name, char *buf, size_t cap)
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
	copy_value(pr, "TYPE", fs->type, sizeof(fs->type));
	copy_value(pr, "UUID", fs->uuid, sizeof(fs->uuid));
	copy_value(pr, "LABEL", fs->label, sizeof(fs->label));
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
	if (add_fs(d, disk, 0, err))
		return -1;
	for (i = 0; i < dev->nr_fs; i++)
		if (add_fs(d, disk, dev->fs[i].start, err))
			return -1;
	return 0;
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
	struct disk disk;
	int rc;

	if (disk_open(&disk, d->path, d->format, 0, err))
		return -1;
	rc = look_at_disk(d, &disk, dev, err);
	disk_drop(&disk);
	return rc;
}

void check_disk_fini(struct check_disk *d)
{
	free(d->path);
	free(d->fs);
	memset(d, 0, sizeof(*d));
}
