/* SPDX-License-Identifier: BSD-2-Clause
 *
 * unpack.h - turn an input that is compressed, or comes through a pipe, into an unlinked, sparse
 * temporary file in TMPDIR or /var/tmp.
 */
#ifndef XB_IO_UNPACK_H
#define XB_IO_UNPACK_H

#include "base/err.h"

/* How many leading bytes unpack_name() wants to see. */
#define UNPACK_MAGIC_BYTES 6

/* The name of the compression that these leading bytes announce, or NULL. */
const char *unpack_name(const uint8_t *head, size_t len);

struct unpacked {
	int fd; /* of the temporary file, for reading */
	uint64_t bytes;
	const char *compression; /* NULL: there was none, it is copied as it is */
};

/*
 * All of a file, or what can be read from a pipe or socket to its end. `path` is for messages;
 * `most` is as many bytes as may come out, 0 the bounds of base/limits.h.
 */
int unpack_fd(
	int fd, const char *path, uint64_t most, struct unpacked *ret, struct err *err) MUST_CHECK;

#endif
