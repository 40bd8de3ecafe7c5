/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A hostile disk: what one write over all of it is for. The input is pages, each behind its number
 * (32 bits, little-endian); the rest of the disk is zeros. seeds_ondisk makes some.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "base/num.h"
#include "ondisk/ondisk.h"

#define DISK_PAGES (128u << 8) /* 128 MiB */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void look_at(int fd)
{
	struct disk disk = {.fd = fd, .bytes = (uint64_t)DISK_PAGES * PAGE_BYTES};
	struct blkdev dev = {0};
	struct io_request *r = io_request_append(&dev.requests, &dev.nr_requests);
	size_t i;

	if (!r)
		return;
	r->op = IO_WRITE;
	r->sector_from = IO_SECTOR_SHADOW;
	r->nr_sectors = disk.bytes / SECTOR_BYTES;
	if (!ondisk_note(&disk, &dev, NULL))
		for (i = 0; i < r->nr_meaning; i++)
			free(ondisk_without(r, &r->meaning[i]));
	blkdev_fini(&dev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)DISK_PAGES * PAGE_BYTES))
		abort();
	for (; bytes > 4;
		data += MIN(bytes, PAGE_BYTES + 4u), bytes -= MIN(bytes, PAGE_BYTES + 4u)) {
		off_t at = (off_t)(num_le32(data) % DISK_PAGES) * PAGE_BYTES;

		if (pwrite(fd, data + 4, MIN(bytes - 4, (size_t)PAGE_BYTES), at) < 0)
			abort();
	}
	look_at(fd);
	close(fd);
	return 0;
}
