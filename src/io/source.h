/* SPDX-License-Identifier: BSD-2-Clause
 *
 * source.h - read-only input as one range of bytes.
 *
 * The file is opened O_RDONLY and mapped; a gzip, bzip2, xz, lz4 or zstd file is unpacked first
 * (libarchive's raw filter) into an unlinked, sparse temporary file in $TMPDIR or /var/tmp, and a
 * pipe is copied into one. Block devices work, and "-" is standard input. Pointers that source_at()
 * returns stay valid until source_close().
 */
#ifndef XB_IO_SOURCE_H
#define XB_IO_SOURCE_H

#include <sys/stat.h>

#include "base/err.h"

struct source;

int source_open(const char *path, struct source **ret, struct err *err) MUST_CHECK;
/* Where it is unpacked, or comes through a pipe, it may be so long; 0: the bounds of unpack.h. */
int source_open_at_most(
	const char *path, uint64_t most, struct source **ret, struct err *err) MUST_CHECK;
/* Over memory of the caller's, which must outlive the source (tests, fuzzing). */
int source_from_memory(const void *buf, size_t len, const char *name, struct source **ret,
	struct err *err) MUST_CHECK;
/*
 * The same, where the bytes do not stand one behind the other: those from v[i].off on, up to the
 * next piece's, stand from base + v[i].at on. Ascending, the first at offset 0; `v` is borrowed
 * too. What lies in two pieces has no pointer: source_at() gives NULL.
 */
struct source_piece {
	uint64_t off, at;
};
int source_from_pieces(const uint8_t *base, const struct source_piece *v, size_t nr, uint64_t len,
	const char *name, struct source **ret, struct err *err) MUST_CHECK;
void source_close(struct source *src);

const char *source_path(const struct source *src);
/* Of the file as it was opened, packed or not; zeros for memory. */
const struct stat *source_stat(const struct source *src);
/* Is the file still what it was when it was opened: the same one, as long, not written to?
 * ERR_SYSTEM. Nothing can be told of pipes, which were copied, and of block devices. */
int source_check(const struct source *src, struct err *err) MUST_CHECK;
uint64_t source_bytes(const struct source *src);
/* "gzip", "xz", ...; NULL when the file was not compressed. */
const char *source_compression(const struct source *src);
/* The bytes [off, off+len), or NULL when they are not all inside. len 0 gives non-NULL. */
const uint8_t *source_at(const struct source *src, uint64_t off, uint64_t len);
/*
 * Copy the bytes, where that costs less than to have the kernel map them: of an open file, what is
 * looked at once and lies far from all else. False: they must be asked for with source_at().
 */
bool source_copy(const struct source *src, uint64_t off, size_t len, uint8_t *buf);
/* How many bytes from off on, which is inside, stand one behind the other. */
uint64_t source_stretch(const struct source *src, uint64_t off);
/*
 * Tell the kernel how the mapping will be read next; advice only. At first it is not sequential:
 * nothing is read ahead. The index steps from header to header, megabytes apart, and the kernel's
 * read-ahead around each would bring in the whole file.
 */
void source_advise_sequential(const struct source *src, bool sequential);

#endif
