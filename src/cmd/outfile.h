/* SPDX-License-Identifier: BSD-2-Clause
 *
 * outfile.h - an output file that appears whole or not at all.
 *
 * Written under a temporary name in the same folder and renamed at the end; outfile_drop() removes
 * it. An existing file is replaced only when that was asked for.
 */
#ifndef XB_CMD_OUTFILE_H
#define XB_CMD_OUTFILE_H

#include "base/err.h"

struct outfile {
	char *path, *temp; /* owned */
	int fd;
};

#define OUTFILE_INIT                                                                               \
	{                                                                                          \
		.fd = -1                                                                           \
	}

int outfile_open(struct outfile *f, const char *path, struct err *err) MUST_CHECK;
int outfile_write_at(
	struct outfile *f, uint64_t off, const void *buf, size_t len, struct err *err) MUST_CHECK;
/* Sync, close and give it its name. */
int outfile_commit(struct outfile *f, bool replace, struct err *err) MUST_CHECK;
void outfile_drop(struct outfile *f);

#endif
