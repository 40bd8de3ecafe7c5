/* SPDX-License-Identifier: BSD-2-Clause
 *
 * outfile.h - an output file that appears whole or not at all.
 *
 * A regular file is written under a temporary name in the same folder and renamed at the end;
 * outfile_drop() removes it. An existing one is replaced only when that was asked for. "-" is
 * standard output: like a device or a pipe it gets the bytes at the end, unless it is a terminal.
 */
#ifndef XB_CMD_OUTFILE_H
#define XB_CMD_OUTFILE_H

#include "io/inputs.h"

struct outfile {
	char *path; /* owned; as the user wrote it, for messages */
	char *temp; /* owned; where it can be read meanwhile */
	int fd;
	int sink; /* gets the bytes at the end; -1: the file is renamed */
	bool replace;
};

#define OUTFILE_INIT                                                                               \
	{                                                                                          \
		.fd = -1, .sink = -1                                                               \
	}

/*
 * ERR_REFUSED: it exists and is not to be replaced, it is one of `inputs` (NULL: none), or a block
 * device. ERR_USAGE: a terminal.
 */
int outfile_open(struct outfile *f, const char *path, bool replace, const struct inputs *inputs,
	struct err *err) MUST_CHECK;
int outfile_write_at(
	struct outfile *f, uint64_t off, const void *buf, size_t len, struct err *err) MUST_CHECK;
/* Sync, close and give it its name, or hand the bytes over. */
int outfile_commit(struct outfile *f, struct err *err) MUST_CHECK;
void outfile_drop(struct outfile *f);

/* All of it at once. */
int outfile_put(const char *path, bool replace, const struct inputs *inputs, const void *buf,
	size_t len, struct err *err) MUST_CHECK;

#endif
