/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The disk that will stand behind a device after the restore, against the pending requests and
 * against what the guest remembers of it.
 */
#include "check/run.h"

#include <string.h>

static const struct check_disk *disk_of(const struct check_run *run)
{
	size_t i;

	for (i = 0; i < run->in->nr_disks; i++)
		if (check_disk_is_for(&run->in->disks[i], run->dev))
			return &run->in->disks[i];
	return NULL;
}

bool check_is_named(const struct blkdev *dev, const char *vdev)
{
	char number[24];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)dev->handle);
	return !strcmp(vdev, dev->name) ||
	       (dev->handle != BLK_UNKNOWN_U64 && !strcmp(vdev, number));
}

bool check_disk_is_for(const struct check_disk *disk, const struct blkdev *dev)
{
	return check_is_named(dev, disk->vdev);
}

static void size(struct check_run *run)
{
	const struct check_disk *disk = disk_of(run);
	uint64_t sectors, known = run->dev->nr_sectors, start, end;
	const struct io_request *r;
	size_t i = 0;

	if (!disk)
		return;
	sectors = disk->bytes / SECTOR_BYTES;
	if (known == BLK_UNKNOWN_U64) {
		run_skip(run, "XB402", "the guest's idea of the disk's size was not found");
		run_skip(run, "XB403", "the guest's idea of the disk's size was not found");
	} else if (sectors < known) {
		run_broken(run, "XB402", -1, -1, "%s has %llu sectors, the guest knows %llu",
			disk->path, (unsigned long long)sectors, (unsigned long long)known);
	} else if (sectors > known) {
		run_broken(run, "XB403", -1, -1, "%s has %llu sectors, the guest knows %llu",
			disk->path, (unsigned long long)sectors, (unsigned long long)known);
	}
	while ((r = run_next(run, &i)))
		if (request_range(r, &start, &end) && end > sectors)
			run_broken_request(run, "XB401", r, "sectors %llu to %llu, %s has %llu",
				(unsigned long long)start, (unsigned long long)(end - 1),
				disk->path, (unsigned long long)sectors);
}

static void blocks(struct check_run *run)
{
	const struct check_disk *disk = disk_of(run);
	uint32_t unit, known = run->dev->logical_block_bytes;
	uint64_t start, end;
	const struct io_request *r;
	size_t i = 0;

	if (!disk || !disk->logical_block_bytes) /* a file takes any sector */
		return;
	unit = MAX(disk->logical_block_bytes / SECTOR_BYTES, 1u);
	while ((r = run_next(run, &i)))
		if (request_range(r, &start, &end) && (start % unit || end % unit))
			run_broken_request(run, "XB404", r,
				"sectors %llu to %llu are not whole blocks of %s (%u bytes)",
				(unsigned long long)start, (unsigned long long)(end - 1),
				disk->path, disk->logical_block_bytes);
	if (!known)
		run_skip(run, "XB405", "the guest's idea of the block size was not found");
	else if (known != disk->logical_block_bytes)
		run_broken(run, "XB405", -1, -1, "%s has blocks of %u bytes, the guest knows %u",
			disk->path, disk->logical_block_bytes, known);
}

static const struct check_disk_fs *fs_at(const struct check_disk *disk, uint64_t start)
{
	size_t i;

	for (i = 0; i < disk->nr_fs; i++)
		if (disk->fs[i].start == start && disk->fs[i].type[0])
			return &disk->fs[i];
	return NULL;
}

/* True: it is the file system that the guest has mounted. */
static bool same_identity(struct check_run *run, const struct check_disk *disk,
	const struct mounted_fs *own, const struct check_disk_fs *now)
{
	if (!now)
		run_broken(run, "XB406", -1, -1,
			"the guest has %s mounted from sector %llu, %s has no file system there",
			own->type, (unsigned long long)own->start, disk->path);
	else if (strcmp(own->type, now->type))
		run_broken(run, "XB406", -1, -1, "the guest has %s mounted, %s holds %s", own->type,
			disk->path, now->type);
	else if (own->uuid[0] && now->uuid[0] && strcmp(own->uuid, now->uuid))
		run_broken(run, "XB406", -1, -1,
			"the guest has file system %s mounted, %s holds %s", own->uuid, disk->path,
			now->uuid);
	else
		return true;
	return false;
}

static bool later(uint64_t disk, uint64_t guest)
{
	return disk != BLK_UNKNOWN_U64 && guest != BLK_UNKNOWN_U64 && disk > guest;
}

/* Transaction numbers are 32 bits and wrap. */
static bool journal_later(uint64_t disk, uint64_t guest)
{
	return disk != BLK_UNKNOWN_U64 && guest != BLK_UNKNOWN_U64 &&
	       (int32_t)((uint32_t)disk - (uint32_t)guest) > 0;
}

/* What the guest holds in memory is never older than what it has written itself. */
static void compare_state(struct check_run *run, const struct check_disk *disk,
	const struct mounted_fs *own, const struct check_disk_fs *now)
{
	if (!own->super_known || !now->super_known)
		run_skip(run, "XB407",
			"the write time of the %s file system is not known on both sides",
			own->type);
	else if (later(now->mnt_count, own->mnt_count) || later(now->mtime, own->mtime))
		run_broken(run, "XB407", -1, -1,
			"%s was mounted since the save (mount count %llu, the guest's is %llu)",
			disk->path, (unsigned long long)now->mnt_count,
			(unsigned long long)own->mnt_count);
	else if (strcmp(now->label, own->label))
		run_broken(run, "XB407", -1, -1,
			"the label of %s was changed since the save, to '%s' from '%s'", disk->path,
			now->label, own->label);
	else if (later(now->wtime, own->wtime))
		run_broken(run, "XB407", -1, -1,
			"the superblock of %s was written at %llu, the guest's own copy is of %llu",
			disk->path, (unsigned long long)now->wtime, (unsigned long long)own->wtime);
	else if (own->journal && !own->read_only && !now->recover)
		run_broken(run, "XB407", -1, -1,
			"the journal of %s was closed or replayed, while the guest has it open",
			disk->path);
	else if (journal_later(now->journal_sequence, own->journal_sequence))
		run_broken(run, "XB407", -1, -1,
			"the journal of %s is at transaction %llu, the guest knows of %llu",
			disk->path, (unsigned long long)now->journal_sequence,
			(unsigned long long)own->journal_sequence);
}

static void file_systems(struct check_run *run)
{
	const struct check_disk *disk = disk_of(run);
	size_t i;

	if (!disk)
		return;
	if (!run->dev->fs_known) {
		run_skip(run, "XB406", "the guest's mounted file systems were not found");
		run_skip(run, "XB407", "the guest's mounted file systems were not found");
		return;
	}
	if (!run->dev->nr_fs) {
		run_skip(
			run, "XB406", "the guest has no file system mounted from this disk itself");
		run_skip(
			run, "XB407", "the guest has no file system mounted from this disk itself");
	}
	for (i = 0; i < run->dev->nr_fs; i++) {
		const struct mounted_fs *own = &run->dev->fs[i];
		const struct check_disk_fs *now = fs_at(disk, own->start);

		if (same_identity(run, disk, own, now))
			compare_state(run, disk, own, now);
	}
}

static void use(struct check_run *run)
{
	const struct check_disk *disk = disk_of(run);

	if (!disk)
		return;
	if (run->in->restored)
		run_skip(run, "XB408", "the restored domain uses the disk by now");
	else if (disk->user)
		run_broken(run, "XB408", -1, -1, "%s is in use on this host: %s", disk->path,
			disk->user);
}

static const struct check_rule rules[] = {
	{"XB401 XB402 XB403", size},
	{"XB404 XB405", blocks},
	{"XB406 XB407", file_systems},
	{"XB408", use},
};

const struct check_rules check_rules_disk = {rules, ARRAY_SIZE(rules)};
