/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xfs_super.h - the superblock of xfs on a disk.
 */
#ifndef XB_IO_XFS_SUPER_H
#define XB_IO_XFS_SUPER_H

#include "base/util.h"

#define XFS_SUPER_BYTES 512u /* as much of it as is read */

struct xfs_super {
	uint32_t block_bytes, sector_bytes;
	uint64_t blocks;
	uint32_t ag_blocks, ags; /* of an allocation group, and how many there are */
	uint64_t log_start;	 /* in blocks from the start of the disk; 0: it is elsewhere */
	uint32_t log_blocks;
};

/* False: it is none, or makes no sense. */
bool xfs_super_parse(const uint8_t raw[XFS_SUPER_BYTES], struct xfs_super *ret);

#endif
