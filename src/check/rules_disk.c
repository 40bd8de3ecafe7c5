/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The disk that will stand behind a device after the restore, against the pending requests and
 * against what the guest remembers of it.
 */
#include "check/run.h"

#include <inttypes.h>
#include <string.h>

#include "check/disk_facts.h"

static const struct check_disk *disk_of(const struct check_run *run)
{
	return check_disk_of(run->in->disks, run->in->nr_disks, run->dev);
}

static void beyond_end(struct check_run *run)
{
	const struct check_disk *disk = disk_of(run);
	const struct io_request *r;
	uint64_t start, end;
	size_t i = 0;

	while (disk && (r = run_next(run, &i)))
		if (io_request_range(r, &start, &end) && end > disk->bytes / SECTOR_BYTES)
			run_broken_request(run, r,
				"sectors %" PRIu64 " to %" PRIu64 ", %s has %" PRIu64, start,
				end - 1, disk->path, disk->bytes / SECTOR_BYTES);
}

static void check_size(struct check_run *run)
{
	const struct check_disk *disk = disk_of(run);
	uint64_t sectors, known = run->dev->nr_sectors;

	if (!disk)
		return;
	sectors = disk->bytes / SECTOR_BYTES;
	if (known == BLK_UNKNOWN_U64)
		run_skip(run, "the guest's idea of the disk's size was not found");
	else if (sectors != known)
		run_broken_as(run, sectors < known ? "XB402" : "XB403", -1, -1,
			"%s has %" PRIu64 " sectors, the guest knows %" PRIu64, disk->path, sectors,
			known);
}

static void whole_blocks(struct check_run *run)
{
	const struct check_disk *disk = disk_of(run);
	const struct io_request *r;
	uint64_t start, end;
	uint32_t unit;
	size_t i = 0;

	if (!disk || !disk->logical_block_bytes) /* a file takes any sector */
		return;
	unit = MAX(disk->logical_block_bytes / SECTOR_BYTES, 1u);
	while ((r = run_next(run, &i)))
		if (io_request_range(r, &start, &end) && (start % unit || end % unit))
			run_broken_request(run, r,
				"sectors %" PRIu64 " to %" PRIu64
				" are not whole blocks of %s (%u bytes)",
				start, end - 1, disk->path, disk->logical_block_bytes);
}

static void block_size(struct check_run *run)
{
	const struct check_disk *disk = disk_of(run);
	uint32_t known = run->dev->logical_block_bytes;

	if (!disk || !disk->logical_block_bytes)
		return;
	if (!known)
		run_skip(run, "the guest's idea of the block size was not found");
	else if (known != disk->logical_block_bytes)
		run_broken(run, -1, -1, "%s has blocks of %u bytes, the guest knows %u", disk->path,
			disk->logical_block_bytes, known);
}

static const struct check_disk_fs *fs_at(const struct check_disk *disk, uint64_t start)
{
	size_t i;

	for (i = 0; i < disk->nr_fs; i++)
		if (disk->fs[i].start == start)
			return &disk->fs[i];
	return NULL;
}

/*
 * What libblkid calls a file system that a driver of Linux has mounted. One driver mounts several
 * (ext4 takes ext2 and ext3), and the kernel's name need not be libblkid's. "": nothing is known of
 * what it mounts (a program behind FUSE), or libblkid does not know it.
 */
static const char *const types[][2] = {
	{"ext2", "ext4"}, /* with CONFIG_EXT4_USE_FOR_EXT2 */
	{"ext3", "ext2"},
	{"ext3", "ext4"},
	{"ext4", "ext2"},
	{"ext4", "ext3"},
	{"msdos", "vfat"},
	{"ntfs3", "ntfs"},
	{"iso9660", "udf"},
	{"udf", "iso9660"},
	{"fuseblk", ""},
	{"sysv", ""},
	{"v7", ""},
	{"affs", ""},
	{"efs", ""},
	{"omfs", ""},
	{"qnx4", ""},
	{"qnx6", ""},
	{"adfs", ""},
};

enum same { SAME_NO, SAME_YES, SAME_UNKNOWN };

static enum same same_type(const char *mounted, const char *seen)
{
	enum same ret = strcmp(mounted, seen) ? SAME_NO : SAME_YES;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(mounted, types[i][0]))
			continue;
		if (!types[i][1][0])
			return SAME_UNKNOWN;
		if (!strcmp(seen, types[i][1]))
			ret = SAME_YES;
	}
	return ret;
}

/* FAT, NTFS and others have shorter ones, which libblkid writes in another way than we do. */
static bool uuids_differ(const struct mounted_fs *own, const struct check_disk_fs *now)
{
	return strlen(own->uuid) == strlen(now->uuid) && strcmp(own->uuid, now->uuid) != 0;
}

/* True: it is the file system that the guest has mounted. */
static bool same_identity(struct check_run *run, const struct check_disk *disk,
	const struct mounted_fs *own, const struct check_disk_fs *now)
{
	enum same same = now ? same_type(own->type, now->type) : SAME_NO;

	if (same == SAME_UNKNOWN || (now && now->unsure)) {
		run_skip_as(run, "XB406", "what the guest has mounted as %s cannot be recognised",
			own->type);
		run_skip_as(run, "XB407", "what the guest has mounted as %s cannot be recognised",
			own->type);
	} else if (!now || !now->type[0])
		run_broken_as(run, "XB406", -1, -1,
			"the guest has %s mounted from sector %" PRIu64
			", %s has no file system there",
			own->type, own->start, disk->path);
	else if (same == SAME_NO)
		run_broken_as(run, "XB406", -1, -1, "the guest has %s mounted, %s holds %s",
			own->type, disk->path, now->type);
	else if (uuids_differ(own, now))
		run_broken_as(run, "XB406", -1, -1,
			"the guest has file system %s mounted, %s holds %s", own->uuid, disk->path,
			now->uuid);
	else
		return true;
	return false;
}

static bool is_later(uint64_t disk, uint64_t guest)
{
	return disk != BLK_UNKNOWN_U64 && guest != BLK_UNKNOWN_U64 && disk > guest;
}

/* Transaction numbers are 32 bits and wrap. */
static bool journal_later(uint64_t disk, uint64_t guest)
{
	return disk != BLK_UNKNOWN_U64 && guest != BLK_UNKNOWN_U64 &&
	       (int32_t)((uint32_t)disk - (uint32_t)guest) > 0;
}

/* Does a request that is still to come write the superblock of ext2, 3 or 4, 1024 bytes at 1024? */
static bool super_in_flight(const struct check_run *run, const struct mounted_fs *own)
{
	const struct io_request *r;
	uint64_t start, end;
	size_t i = 0;

	while ((r = run_next(run, &i)))
		if (io_request_changes_disk(r) && io_request_range(r, &start, &end) &&
			start < own->start + 4 && end > own->start + 2)
			return true;
	return false;
}

/* In memory the label changes first. The same write time on both sides says that the disk has what
 * the guest wrote last, unless that is on its way. */
static bool was_relabelled(
	const struct check_run *run, const struct mounted_fs *own, const struct check_disk_fs *now)
{
	return strcmp(now->label, own->label) != 0 && !is_later(own->wtime, now->wtime) &&
	       !super_in_flight(run, own);
}

/* A file system that was frozen for a snapshot has its journal at rest. */
static bool journal_closed(
	const struct check_run *run, const struct mounted_fs *own, const struct check_disk_fs *now)
{
	return own->journal && own->recover && !own->read_only && !now->recover &&
	       !super_in_flight(run, own);
}

/* A superblock is written when all else of its transaction is there. What is not newer than the
 * last one that the guest itself began to write is the guest's. */
static void compare_btrfs(struct check_run *run, const struct check_disk *disk,
	const struct mounted_fs *own, const struct check_disk_fs *now)
{
	if (own->committed == FS_UNKNOWN_U64 || now->generation == BLK_UNKNOWN_U64)
		run_skip_as(run, "XB407",
			"the transaction of the btrfs file system is not known on both sides");
	else if (now->generation > own->written)
		run_broken_as(run, "XB407", -1, -1,
			"%s is at transaction %" PRIu64 ", the guest has written %" PRIu64 " last",
			disk->path, now->generation, own->written);
	else if (now->generation < own->committed)
		run_broken_as(run, "XB407", -1, -1,
			"%s is at transaction %" PRIu64 ", the guest has completed %" PRIu64
			" on it: it is an older state of the disk",
			disk->path, now->generation, own->committed);
}

/* Where the guest's log goes on, nobody but another can have written in this turn of it. */
static void compare_xfs(struct check_run *run, const struct check_disk *disk,
	const struct mounted_fs *own, const struct check_disk_fs *now)
{
	if (own->log_cycle == FS_UNKNOWN_U64 || now->log_cycle == BLK_UNKNOWN_U64)
		run_skip_as(
			run, "XB407", "where the log of the xfs file system goes on is not known");
	else if (now->log_cycle >= own->log_cycle)
		run_broken_as(run, "XB407", -1, -1,
			"the log of %s was written in its cycle %" PRIu64
			" at a place that the guest has not come to in its cycle %" PRIu64,
			disk->path, now->log_cycle, own->log_cycle);
}

/* What the guest holds in memory is never older than what it has written itself. */
static void compare_ext(struct check_run *run, const struct check_disk *disk,
	const struct mounted_fs *own, const struct check_disk_fs *now)
{
	if (!own->super_known || !now->super_known)
		run_skip_as(run, "XB407",
			"the write time of the %s file system is not known on both sides",
			own->type);
	else if (is_later(now->mnt_count, own->mnt_count) || is_later(now->mtime, own->mtime))
		run_broken_as(run, "XB407", -1, -1,
			"%s was mounted since the save (mount count %" PRIu64
			", the guest's is %" PRIu64 ")",
			disk->path, now->mnt_count, own->mnt_count);
	else if (was_relabelled(run, own, now))
		run_broken_as(run, "XB407", -1, -1,
			"the label of %s was changed since the save, to '%s' from '%s'", disk->path,
			now->label, own->label);
	else if (is_later(now->wtime, own->wtime))
		run_broken_as(run, "XB407", -1, -1,
			"the superblock of %s was written at %" PRIu64
			", the guest's own copy is of %" PRIu64,
			disk->path, now->wtime, own->wtime);
	else if (journal_closed(run, own, now))
		run_broken_as(run, "XB407", -1, -1,
			"the journal of %s was closed or replayed, while the guest has it open",
			disk->path);
	else if (journal_later(now->journal_sequence, own->journal_sequence))
		run_broken_as(run, "XB407", -1, -1,
			"the journal of %s is at transaction %" PRIu64
			", the guest knows of %" PRIu64,
			disk->path, now->journal_sequence, own->journal_sequence);
}

static void compare_state(struct check_run *run, const struct check_disk *disk,
	const struct mounted_fs *own, const struct check_disk_fs *now)
{
	if (!strcmp(own->type, "btrfs"))
		compare_btrfs(run, disk, own, now);
	else if (!strcmp(own->type, "xfs"))
		compare_xfs(run, disk, own, now);
	else
		compare_ext(run, disk, own, now);
}

static void file_systems(struct check_run *run)
{
	const struct check_disk *disk = disk_of(run);
	size_t i;

	if (!disk)
		return;
	if (!run->dev->fs_known) {
		run_skip(run, "the guest's mounted file systems were not found");
		return;
	}
	if (!run->dev->nr_fs)
		run_skip(run, "the guest has no file system mounted from this disk itself");
	for (i = 0; i < run->dev->nr_fs; i++) {
		const struct mounted_fs *own = &run->dev->fs[i];
		const struct check_disk_fs *now = fs_at(disk, own->start);

		if (same_identity(run, disk, own, now))
			compare_state(run, disk, own, now);
	}
}

static void check_use(struct check_run *run)
{
	const struct check_disk *disk = disk_of(run);

	if (!disk)
		return;
	if (run->in->restored)
		run_skip(run, "the restored domain uses the disk by now");
	else if (run->dev->read_only == TRI_YES && disk->user)
		run_skip(run,
			"the guest has the disk read-only, so that others may use it too (%s)",
			disk->user);
	else if (disk->user)
		run_broken(run, -1, -1, "%s is in use on this host: %s", disk->path, disk->user);
}

static const struct check_rule rules[] = {
	{{"XB401"}, beyond_end},
	{{"XB402", "XB403"}, check_size},
	{{"XB404"}, whole_blocks},
	{{"XB405"}, block_size},
	{{"XB406", "XB407"}, file_systems},
	{{"XB408"}, check_use},
};

const struct check_rules check_rules_disk = {NULL, rules, ARRAY_SIZE(rules)};
