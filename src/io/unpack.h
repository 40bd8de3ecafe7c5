/* SPDX-License-Identifier: BSD-2-Clause
 *
 * unpack.h - turn an input that is compressed, or comes through a pipe, into an unlinked, sparse
 * temporary file in TMPDIR or /var/tmp.
 */
#ifndef XB_IO_UNPACK_H
#define XB_IO_UNPACK_H

#include "base/err.h"

/* The most that is unpacked, or taken from a pipe. A larger guest is better put into a file
 * by hand, and a decompression bomb ends here. */
#define UNPACK_MAX_BYTES (UINT64_C(64) << 30)

/* How many leading bytes unpack_name() wants to see. */
#define UNPACK_MAGIC_BYTES 6

/* The name of the compression that these leading bytes announce, or NULL. */
const char *unpack_name(const uint8_t *head, size_t len);

/*
 * Unpack fd (at offset 0) into a new temporary file; *ret_fd is then open for reading, *ret_bytes
 * its size. `path` and `name` are for messages.
 */
int unpack_file(int fd, const char *path, const char *name, int *ret_fd, uint64_t *ret_bytes,
	struct err *err) MUST_CHECK;
/* The same of what can be read from fd, a pipe or socket, to its end; *ret_name is its compression,
 * or NULL: then as it is. It is copied once. */
int unpack_stream(int fd, const char *path, const char **ret_name, int *ret_fd, uint64_t *ret_bytes,
	struct err *err) MUST_CHECK;

#endif
