/* SPDX-License-Identifier: BSD-2-Clause
 *
 * hold.h - may a disk be written: does anything else use it?
 */
#ifndef XB_IO_HOLD_H
#define XB_IO_HOLD_H

#include "io/disk.h"

/* What can use a disk. */
enum disk_use {
	DISK_USE_NONE, /* nothing that can be seen */
	DISK_USE_MOUNT,
	DISK_USE_DEVICE,
	DISK_USE_DOMAIN,
	DISK_USE_LOOP,
	DISK_USE_LOCK,
	DISK_USE_WRITER,
	DISK_NR_USES,
};
enum disk_use disk_use(const struct disk *d);

/*
 * What uses the disk, as static text ("it is mounted"); NULL: nothing that can be seen. Who has a
 * file open for writing without a lock is seen only while we do not write it ourselves.
 */
const char *disk_user(const struct disk *d);

/* Does a file that the glob pattern matches hold the device's "major:minor", in hexadecimal? */
bool disk_listed(const char *pattern, uint64_t dev);

/*
 * ERR_REFUSED when disk_user() names something: it is mounted, or a loop device stands on it, or
 * another process holds a lock (qemu locks its images with open file descriptions); else, of a disk
 * open for writing, take that lock, which lasts until the disk is closed. A device that the kernel
 * itself uses did not open: disk_open().
 */
int disk_hold(const struct disk *d, struct err *err) MUST_CHECK;

/* The same of a path that is not open yet, for the sake of who has it open for writing. */
int disk_look(const char *path, struct err *err) MUST_CHECK;

#endif
