/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Offsets: Linux include/uapi/linux/btrfs_tree.h, struct btrfs_super_block, little-endian and
 * packed; places: BTRFS_SUPER_INFO_OFFSET, btrfs_sb_offset().
 */
#include "io/btrfs_super.h"

#include <string.h>

#include "base/num.h"

uint64_t btrfs_super_place(unsigned copy)
{
	return copy ? UINT64_C(16384) << 12 * copy : 65536;
}

bool btrfs_super_parse(const uint8_t raw[BTRFS_SUPER_BYTES], struct btrfs_super *ret)
{
	if (memcmp(raw + 64, "_BHRfS_M", 8) != 0)
		return false;
	*ret = (struct btrfs_super){
		.place = num_le64(raw + 48),
		.generation = num_le64(raw + 72),
		.root = num_le64(raw + 80),
		.chunk_root = num_le64(raw + 88),
		.log_root = num_le64(raw + 96),
		.sector_bytes = num_le32(raw + 144),
		.node_bytes = num_le32(raw + 148),
		.chunks_bytes = num_le32(raw + 160),
		.chunk_level = raw[199],
		.device = num_le64(raw + 201),
		.chunks = raw + 811,
	};
	ret->chunks_bytes = MIN(ret->chunks_bytes, BTRFS_CHUNK_ARRAY);
	memcpy(ret->uuid, raw + 32, sizeof(ret->uuid));
	return true;
}
