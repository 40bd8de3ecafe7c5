/* SPDX-License-Identifier: BSD-2-Clause
 *
 * kdump_file.h - the bytes of a kdump file, which may lie in the file in pieces.
 *
 * makedumpfile's flattened form (its IMPLEMENTATION file, and QEMU's dump/dump.c): 16 bytes
 * "makedumpfile", u64 type 1, u64 version 1, up to byte 4096; then pieces {i64 offset, i64 bytes,
 * data} until an offset below 0; all big-endian.
 */
#ifndef XB_CHECKPOINT_KDUMP_FILE_H
#define XB_CHECKPOINT_KDUMP_FILE_H

#include "io/source.h"

struct kdump_piece {
	uint64_t at, bytes; /* of the dump */
	uint64_t off;	    /* in the file */
};

struct kdump_file {
	const struct source *src;
	struct kdump_piece *pieces; /* ascending, disjoint */
	size_t nr, cap;
	bool cut; /* the file ends before the last piece does */
};

bool kdump_file_is_flat(const struct source *src, uint64_t off);
/* The file from off on; flat: in pieces. ERR_CORRUPT: pieces that overlap, or none at all. */
int kdump_file_open(
	struct kdump_file *k, const struct source *src, uint64_t off, struct err *err) MUST_CHECK;
void kdump_file_close(struct kdump_file *k);
/* Where the last piece ends. */
uint64_t kdump_file_end(const struct kdump_file *k);
/* False: not all of it is there. */
bool kdump_file_read(const struct kdump_file *k, uint64_t at, size_t len, void *buf);

#endif
