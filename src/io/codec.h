/* SPDX-License-Identifier: BSD-2-Clause
 *
 * codec.h - unpack small blocks: the pages of compressed dumps.
 *
 * zlib and zstd are linked in, as libarchive needs them anyway; LZO and snappy are loaded when a
 * block is packed with them.
 */
#ifndef XB_IO_CODEC_H
#define XB_IO_CODEC_H

#include "base/util.h"

enum codec_kind {
	CODEC_ZLIB,
	CODEC_LZO,
	CODEC_SNAPPY,
	CODEC_ZSTD,
};

struct codecs;

struct codecs *codecs_new(void); /* NULL: no memory */
/* Load what unpacking may need, while it can be opened. */
void codecs_load(void);
void codecs_free(struct codecs *c);
/* Unpack in[len] into exactly out_len bytes. False: *why says why, static text. */
bool codec_unpack(struct codecs *c, enum codec_kind kind, const uint8_t *in, size_t len,
	uint8_t *out, size_t out_len, const char **why);

#endif
