/* SPDX-License-Identifier: BSD-2-Clause
 *
 * overlay.h - a throw-away disk on top of another.
 */
#ifndef XB_IO_OVERLAY_H
#define XB_IO_OVERLAY_H

#include "io/disk.h"

/*
 * A new qcow2 image at path, whose content is that of base until it is written. ERR_REFUSED: the
 * path is taken. qemu-img makes it; it must be installed. After a failure nothing is left.
 */
int overlay_create(
	const char *base, enum disk_format format, const char *path, struct err *err) MUST_CHECK;

#endif
