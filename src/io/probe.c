/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/probe.h"

#include <blkid/blkid.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/num.h"

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
static int image_part(
	const struct disk *disk, uint64_t start, uint64_t bytes, int *ret, struct err *err)
{
	uint64_t end = bytes ? start + bytes : disk->bytes;
	uint64_t tail = end > PROBE_END ? end - PROBE_END : 0;

	*ret = memfd_create("xbdsnap-probe", MFD_CLOEXEC);
	if (*ret < 0 || ftruncate(*ret, (off_t)disk->bytes))
		return err_sys(err, "cannot make a copy of %s for a look at it", disk->path);
	return copy_part(disk, *ret, start, PROBE_START, err) ||
			       copy_part(disk, *ret, MAX(tail, start), PROBE_END, err)
		       ? -1
		       : 0;
}

static void drop_probe(blkid_probe *pr)
{
	blkid_free_probe(*pr);
}

/* The probe of a stretch; NULL: it cannot be looked at. `copy` stays open as long as it is used;
 * -1: nothing was copied. */
static int start_probe(const struct disk *d, uint64_t start, uint64_t bytes, int *copy,
	blkid_probe *ret, struct err *err)
{
	if (!num_range_ok(start, bytes, MIN(d->bytes, (uint64_t)INT64_MAX)))
		return err_set(
			err, ERR_CORRUPT, "%s ends before byte %" PRIu64, d->path, start + bytes);
	if (d->nbd && image_part(d, start, bytes, copy, err))
		return -1;
	*ret = blkid_new_probe();
	if (!*ret)
		return err_nomem(err, "probing a disk");
	if (blkid_probe_set_device(
		    *ret, d->nbd ? *copy : d->fd, (blkid_loff_t)start, (blkid_loff_t)bytes)) {
		blkid_free_probe(*ret);
		*ret = NULL;
	}
	return 0;
}

/* ---- file systems and the like ------------------------------------------------------------ */

static void copy_value(blkid_probe pr, const char *name, char *buf, size_t cap)
{
	const char *v;

	if (!blkid_probe_lookup_value(pr, name, &v, NULL))
		snprintf(buf, cap, "%s", v);
}

/* Only file systems count where the guest has one mounted: the remains of a RAID at the end of a
 * disk are common. */
int probe_content(const struct disk *d, uint64_t start, uint64_t bytes, enum probe_for what,
	struct probed *ret, struct err *err)
{
	CLEANUP(drop_probe) blkid_probe pr = NULL;
	CLEANUP_CLOSE int copy = -1;
	int rc;

	*ret = (struct probed){.unsure = true};
	if (start_probe(d, start, bytes, &copy, &pr, err))
		return -1;
	if (!pr)
		return 0;
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(
		pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
	if (what == PROBE_FILE_SYSTEM)
		blkid_probe_filter_superblocks_usage(pr, BLKID_FLTR_ONLYIN, BLKID_USAGE_FILESYSTEM);
	/* 0 found, 1 nothing, negative: several, or it failed. */
	rc = blkid_do_safeprobe(pr);
	ret->unsure = rc < 0;
	if (rc)
		return 0;
	copy_value(pr, "TYPE", ret->type, sizeof(ret->type));
	copy_value(pr, "UUID", ret->uuid, sizeof(ret->uuid));
	copy_value(pr, "LABEL", ret->label, sizeof(ret->label));
	return 0;
}

/* ---- partitions --------------------------------------------------------------------------- */

static void take_partition(
	struct probed_table *t, blkid_partition p, blkid_parttable root, uint64_t nr_sectors)
{
	struct probed_partition *to = &t->v[t->nr];
	blkid_loff_t start = blkid_partition_get_start(p), nr = blkid_partition_get_size(p);
	int number = blkid_partition_get_partno(p);

	/* Slices within a partition are that one's. */
	if (start < 0 || nr <= 0 || (uint64_t)start >= nr_sectors ||
		blkid_partition_get_table(p) != root)
		return;
	to->start = (uint64_t)start;
	to->nr = MIN((uint64_t)nr, nr_sectors - to->start);
	to->number = number > 0 ? (uint32_t)number : 0;
	to->extended = blkid_partition_is_extended(p);
	t->nr++;
}

int probe_table(const struct disk *d, struct probed_table *ret, struct err *err)
{
	CLEANUP(drop_probe) blkid_probe pr = NULL;
	CLEANUP_CLOSE int copy = -1;
	blkid_partlist list;
	blkid_parttable root;
	int i;

	*ret = (struct probed_table){0};
	if (start_probe(d, 0, 0, &copy, &pr, err))
		return -1;
	if (!pr)
		return 0;
	blkid_probe_enable_superblocks(pr, 0);
	blkid_probe_enable_partitions(pr, 1);
	list = blkid_probe_get_partitions(pr);
	root = list ? blkid_partlist_get_table(list) : NULL;
	if (!root || !blkid_parttable_get_type(root))
		return 0;
	snprintf(ret->type, sizeof(ret->type), "%s", blkid_parttable_get_type(root));
	for (i = 0; i < blkid_partlist_numof_partitions(list) && ret->nr < PROBE_MAX_PARTITIONS;
		i++)
		take_partition(
			ret, blkid_partlist_get_partition(list, i), root, d->bytes / SECTOR_BYTES);
	return 0;
}
