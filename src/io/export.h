/* SPDX-License-Identifier: BSD-2-Clause
 *
 * export.h - a disk image as a plain file, for programs that know no image formats.
 */
#ifndef XB_IO_EXPORT_H
#define XB_IO_EXPORT_H

#include <sys/types.h>

#include "io/disk.h"

struct exported {
	char dir[64], file[80], pid_file[80];
	pid_t server;
};

/*
 * x->file shows what the guest would see on the image, read-only, until export_close().
 * qemu-storage-daemon serves it through FUSE; without them ERR_SYSTEM. SIGINT, SIGTERM and SIGHUP
 * must be blocked meanwhile, or the server could outlive us.
 */
int export_open(
	struct exported *x, const char *path, enum disk_format format, struct err *err) MUST_CHECK;
void export_close(struct exported *x);

#endif
