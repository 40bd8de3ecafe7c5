/* SPDX-License-Identifier: BSD-2-Clause
 *
 * disk.h - a disk: a file or a block device, read and, when asked, written in place. Raw ones
 * directly, disk images of other formats through qemu-nbd, which must be installed for them.
 */
#ifndef XB_IO_DISK_H
#define XB_IO_DISK_H

#include "base/err.h"

/* The numbers stand in undo files. */
enum disk_format {
	DISK_RAW = 0,
	DISK_QCOW2 = 1,
	DISK_VHD = 2, /* fixed and dynamic; qemu calls it vpc */
	DISK_VHDX = 3,
	DISK_VMDK = 4,
	DISK_VDI = 5,
	DISK_NR_FORMATS,
	DISK_UNSAID, /* raw, unless it looks like another; has no name */
};

struct nbd_handle;
struct nbd_lib;

struct disk {
	int fd;			/* of the file or device itself, whatever its format */
	struct nbd_handle *nbd; /* owned; NULL: raw */
	struct nbd_lib *lib;	/* owned; of nbd */
	enum disk_format format;
	char *path;	   /* owned; absolute, without symbolic links */
	uint64_t bytes;	   /* as the guest sees it */
	bool block;	   /* a block device */
	bool write;	   /* it was opened for writing */
	uint64_t dev, ino; /* of a file st_dev and st_ino; of a device st_rdev and 0 */
};

#define DISK_INIT                                                                                  \
	{                                                                                          \
		.fd = -1                                                                           \
	}

/* "qcow2": as the user writes it. */
const char *disk_format_name(enum disk_format format);

struct door_passes;
/* For who will read it once the door is shut. */
void disk_pass_add(struct door_passes *list, const char *path, enum disk_format format);
/* Load what such disks need, before the door is shut; without it they fail when they are opened. */
void disk_prepare(const struct door_passes *list);

/* What a file of a format other than raw begins or ends with. */
#define DISK_MAX_MAGIC 21u
struct disk_magic {
	enum disk_format format;
	unsigned off, len; /* len at most DISK_MAX_MAGIC */
	const char *magic;
	bool at_end; /* off counts from the end */
};
/* NULL: there are no more. */
const struct disk_magic *disk_magic(size_t index);

/* What qemu calls it ("vpc"); DISK_UNSAID has none. */
const char *disk_format_of_qemu(enum disk_format format);

/*
 * "VDEV=[FORMAT:]PATH" as the user writes it: the guest's device into vdev, which has room for cap
 * bytes; the path, which points into text; DISK_UNSAID without a format. ERR_USAGE.
 */
int disk_parse(const char *text, char *vdev, size_t cap, const char **path,
	enum disk_format *format, struct err *err) MUST_CHECK;

#define DISK_WRITE  1u
#define DISK_SHARED 2u /* also when something else uses it */

/*
 * ERR_UNSUPPORTED: DISK_UNSAID and the disk looks like a format other than raw. A guest can write
 * such a header to its raw disk, and a header can name other files, so its word is not taken. Of a
 * format without a server, ERR_SYSTEM. With DISK_WRITE, O_EXCL on a block device unless
 * DISK_SHARED, which the kernel refuses while it is mounted or part of another device
 * (ERR_REFUSED).
 */
int disk_open(struct disk *d, const char *path, enum disk_format format, unsigned flags,
	struct err *err) MUST_CHECK;
int disk_read(
	const struct disk *d, uint64_t off, void *buf, size_t len, struct err *err) MUST_CHECK;
int disk_write(const struct disk *d, uint64_t off, const void *buf, size_t len,
	struct err *err) MUST_CHECK;
/* Zeros, which take no room where there is none yet: a hole of a file stays one. */
int disk_zero(const struct disk *d, uint64_t off, size_t len, struct err *err) MUST_CHECK;
int disk_sync(const struct disk *d, struct err *err) MUST_CHECK;
/*
 * Discard whole sectors: a file gets a hole, a block device BLKDISCARD, an image what its server
 * does. ERR_UNSUPPORTED: the disk or its file system cannot.
 */
int disk_discard(const struct disk *d, uint64_t off, uint64_t len, struct err *err) MUST_CHECK;
/* Ask the kernel to read from the medium next time; it may not. Only what is synced is dropped. */
void disk_forget_cache(const struct disk *d);
/* The kernel tells of late errors here. */
int disk_close(struct disk *d, struct err *err) MUST_CHECK;
void disk_drop(struct disk *d);

#endif
