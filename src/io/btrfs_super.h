/* SPDX-License-Identifier: BSD-2-Clause
 *
 * btrfs_super.h - the superblock of btrfs. It is the same on a disk and in the memory of a kernel
 * that has it mounted.
 */
#ifndef XB_IO_BTRFS_SUPER_H
#define XB_IO_BTRFS_SUPER_H

#include "base/util.h"

#define BTRFS_SUPER_BYTES  4096u
#define BTRFS_SUPER_COPIES 3u
#define BTRFS_CHUNK_ARRAY  2048u

struct btrfs_super {
	uint8_t uuid[16];
	uint64_t generation;		     /* the transaction that it is of */
	uint64_t place;			     /* of this copy, bytes from the start of the device */
	uint64_t root, chunk_root, log_root; /* logical addresses */
	uint64_t device;		     /* the number of this device */
	uint32_t sector_bytes, node_bytes;
	unsigned chunk_level;
	uint32_t chunks_bytes; /* of what follows, at most BTRFS_CHUNK_ARRAY */
	const uint8_t *chunks; /* into raw: the chunks of the system */
};

/* From the start of the device: 64 KiB, 64 MiB, 256 GiB. */
uint64_t btrfs_super_place(unsigned copy);
/* False: it is none. */
bool btrfs_super_parse(const uint8_t raw[BTRFS_SUPER_BYTES], struct btrfs_super *ret);

#endif
