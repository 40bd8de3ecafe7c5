/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Offsets: Linux fs/ext4/ext4.h, struct ext4_super_block, little-endian; include/linux/jbd2.h,
 * journal_superblock_t, big-endian.
 */
#include "io/ext_super.h"

#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "base/num.h"

#define EXT_MAGIC	 0xef53u
#define EXT_HAS_JOURNAL	 0x4u	 /* s_feature_compat */
#define EXT_RECOVER	 0x4u	 /* s_feature_incompat */
#define EXT_BACKUP	 1u	 /* s_jnl_backup_type: s_jnl_blocks is the journal's i_block */
#define EXT_EXTENT_MAGIC 0xf30au /* eh_magic, fs/ext4/ext4_extents.h */
#define EXT_MAX_LOG	 6u	 /* EXT4_MAX_BLOCK_LOG_SIZE 16: blocks of 64 KiB */
#define JBD_MAGIC	 0xc03b3998u

/* By the copy of the journal inode's block map. */
static uint64_t journal_block(const uint8_t *raw)
{
	const uint8_t *map = raw + 268; /* s_jnl_blocks: an extent header, then extents */

	if (raw[253] != EXT_BACKUP)
		return 0;
	if (num_le16(map) != EXT_EXTENT_MAGIC)
		return num_le32(map); /* the old block map: i_block[0] */
	if (!num_le16(map + 2) || num_le16(map + 6) || num_le32(map + 12))
		return 0; /* empty, deeper than one level, or not from block 0 */
	return num_le32(map + 20) | (uint64_t)num_le16(map + 18) << 32;
}

bool ext_super_parse(const uint8_t raw[EXT_SUPER_BYTES], struct ext_super *ret)
{
	uint32_t log = num_le32(raw + 24);

	if (num_le16(raw + 56) != EXT_MAGIC)
		return false;
	*ret = (struct ext_super){
		.mtime = num_le32(raw + 44) | (uint64_t)raw[0x275] << 32,
		.wtime = num_le32(raw + 48) | (uint64_t)raw[0x274] << 32,
		.mnt_count = num_le16(raw + 52),
		.has_journal = num_le32(raw + 92) & EXT_HAS_JOURNAL,
		.needs_recovery = num_le32(raw + 96) & EXT_RECOVER,
		.block_bytes = log > EXT_MAX_LOG ? 0 : 1024ull << log,
		.journal_block = journal_block(raw),
	};
	memcpy(ret->uuid, raw + 104, sizeof(ret->uuid));
	snprintf(ret->label, sizeof(ret->label), "%.16s", (const char *)raw + 120);
	return true;
}

bool ext_journal_parse(const uint8_t raw[EXT_JOURNAL_BYTES], uint64_t *ret_sequence)
{
	struct cursor c = cur_over(raw, EXT_JOURNAL_BYTES, 0, "journal superblock");

	if (cur_be32(&c) != JBD_MAGIC)
		return false;
	cur_skip(&c, 20); /* type, header sequence, block size, length, first block */
	*ret_sequence = cur_be32(&c);
	return cur_ok(&c);
}
