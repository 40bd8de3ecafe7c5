/* SPDX-License-Identifier: BSD-2-Clause
 *
 * checker.h - the command of `replay --fsck`.
 */
#ifndef XB_CMD_CHECKER_H
#define XB_CMD_CHECKER_H

#include "io/disk.h"

/*
 * Run it by sh with the disk as its last argument: an absolute path, of an image a file that shows
 * its content read-only. *status is its exit status, 128 + n when signal n ended it; its words go
 * to standard error. ERR_SYSTEM: it did not run at all, or a signal that the caller has blocked
 * (progress_interrupted()) came meanwhile.
 */
int checker_run(const char *cmd, const char *disk, enum disk_format format, int *status,
	struct err *err) MUST_CHECK;

#endif
