/* SPDX-License-Identifier: BSD-2-Clause
 *
 * disk.h - a raw disk: a regular file or a block device, read and, when asked, written in place.
 */
#ifndef XB_IO_DISK_H
#define XB_IO_DISK_H

#include "base/err.h"

struct disk {
	int fd;
	char *path; /* owned; absolute, without symbolic links */
	uint64_t bytes;
	bool block;	   /* a block device */
	uint64_t dev, ino; /* of a file st_dev and st_ino; of a device st_rdev and 0 */
};

#define DISK_INIT                                                                                  \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/*
 * ERR_UNSUPPORTED: a format other than raw, by its magic number, unless `raw` says that the guest
 * wrote those bytes. Read-only unless `write`; then O_EXCL on a block device unless `shared`, which
 * the kernel refuses while it is mounted or part of another device.
 */
int disk_open(struct disk *d, const char *path, bool write, bool raw, bool shared,
	struct err *err) MUST_CHECK;
int disk_read(
	const struct disk *d, uint64_t off, void *buf, size_t len, struct err *err) MUST_CHECK;
int disk_write(const struct disk *d, uint64_t off, const void *buf, size_t len,
	struct err *err) MUST_CHECK;
int disk_sync(const struct disk *d, struct err *err) MUST_CHECK;
/*
 * Discard whole sectors: a file gets a hole, a block device BLKDISCARD. ERR_UNSUPPORTED: the disk
 * or its file system cannot.
 */
int disk_discard(const struct disk *d, uint64_t off, uint64_t len, struct err *err) MUST_CHECK;
/* Ask the kernel to read from the medium next time; it may not. Only what is synced is dropped. */
void disk_forget_cache(const struct disk *d);
/* The kernel tells of late errors here. */
int disk_close(struct disk *d, struct err *err) MUST_CHECK;
void disk_drop(struct disk *d);

#endif
