/* SPDX-License-Identifier: BSD-2-Clause
 *
 * outfile.h - an output file that appears whole or not at all.
 *
 * An existing one (io/whole.h) is replaced only when that was asked for. "-" is standard output:
 * like a device or a pipe it gets the bytes at the end, unless it is a terminal.
 */
#ifndef XB_CMD_OUTFILE_H
#define XB_CMD_OUTFILE_H

#include "io/inputs.h"
#include "io/whole.h"

struct outfile {
	struct whole_file file; /* with a sink, one without a name */
	int sink;		/* gets the bytes at the end; -1: the file gets its name */
	bool replace;
};

#define OUTFILE_INIT                                                                               \
	{                                                                                          \
		.file = WHOLE_INIT, .sink = -1                                                     \
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
