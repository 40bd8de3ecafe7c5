/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Offsets: Linux fs/xfs/libxfs/xfs_format.h, struct xfs_dsb, big-endian.
 */
#include "io/xfs_super.h"

#include "base/num.h"

#define XFS_MAGIC 0x58465342u /* "XFSB" */

static uint64_t be64_at(const uint8_t *raw, unsigned at)
{
	return (uint64_t)num_be32(raw + at) << 32 | num_be32(raw + at + 4);
}

static bool is_power(uint32_t n, uint32_t least, uint32_t most)
{
	return n >= least && n <= most && !(n & (n - 1));
}

/* sb_logstart is a block of an allocation group: the group's number above sb_agblklog bits. */
static uint64_t log_start(const uint8_t *raw, const struct xfs_super *s)
{
	uint64_t at = be64_at(raw, 48), group;
	unsigned bits = raw[124];

	if (!at || bits > 31)
		return 0;
	group = at >> bits;
	return group < s->ags ? group * s->ag_blocks + (at & ((UINT64_C(1) << bits) - 1)) : 0;
}

bool xfs_super_parse(const uint8_t raw[XFS_SUPER_BYTES], struct xfs_super *ret)
{
	struct xfs_super s = {
		.block_bytes = num_be32(raw + 4),
		.blocks = be64_at(raw, 8),
		.ag_blocks = num_be32(raw + 84),
		.ags = num_be32(raw + 88),
		.log_blocks = num_be32(raw + 96),
		.sector_bytes = (uint32_t)raw[102] << 8 | raw[103],
	};

	if (num_be32(raw) != XFS_MAGIC || !is_power(s.block_bytes, 512, 65536) ||
		!is_power(s.sector_bytes, 512, s.block_bytes) || !s.ag_blocks || !s.ags ||
		s.blocks > UINT64_MAX / 65536)
		return false;
	s.log_start = log_start(raw, &s);
	*ret = s;
	return true;
}
