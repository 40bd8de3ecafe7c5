/* SPDX-License-Identifier: BSD-2-Clause
 *
 * undo_format.h - an undo file as bytes, for undo_save.c and undo_revert.c.
 *
 * Little-endian. Of one disk: a header of 64 bytes: "XBUNDO1\n"; u32 flags (1: a block device; enum
 * disk_format from bit 8 on); u32 bytes of the path; u64 bytes of the disk; u64 device and u64
 * inode number; u64 number of blocks; 16 bytes for the device's name in the guest, ended by zero.
 * Then the path, and u32 CRC-32C of all before it. Each block: u64 offset, u32 bytes (whole sectors
 * of 512, at most UNDO_BLOCK), u32 flags (1: what the change leaves there is not known), u32
 * CRC-32C of these 16 bytes and of what follows: the old data, and unless that flag is set a u32
 * CRC-32C of each sector's new data. Blocks ascend and do not overlap. Nothing follows the last
 * block.
 *
 * Of several: "XBUNDO2\n"; u32 number of disks; u32 CRC-32C of these 12 bytes; then for each disk
 * what a file of it alone would hold.
 */
#ifndef XB_IO_UNDO_FORMAT_H
#define XB_IO_UNDO_FORMAT_H

#include "io/undo.h"

#define UNDO_MAGIC_ONE	   "XBUNDO1\n"
#define UNDO_MAGIC_SEVERAL "XBUNDO2\n"
#define UNDO_SEVERAL_BYTES 16u
#define UNDO_HEAD_BYTES	   64u
#define UNDO_VDEV_BYTES	   16u
#define UNDO_HEAD_DEVICE   1u /* flags of a header */
#define UNDO_FORMAT_SHIFT  8
#define UNDO_BLOCK_BYTES   20u /* before a block's data */
#define UNDO_BLOCK_ANY	   1u  /* flags of a block */

#define UNDO_BLOCK  65536u
#define UNDO_SECTOR 512u

#endif
