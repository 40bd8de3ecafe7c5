/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/blkif_abi.h"

#include <string.h>

#include "base/frame.h"
#include "base/num.h"

/*
 * x86_64, packed by Linux into the same places:
 *   0 operation u8 | 1 nr_segments u8 | 2 handle u16 | 8 id u64 | 16 sector_number u64
 *   24 seg[11] {gref u32, first u8, last u8, pad u16}
 *   discard: 1 flag, 24 nr_sectors u64
 *   indirect: 1 indirect_op u8, 2 nr_segments u16, 24 handle u16, 28 indirect_grefs u32[8]
 * x86_32 aligns u64 to 4 bytes, so that all from id on stands 4 bytes earlier.
 */
const struct blkif_abi blkif_abi_x86_64 = {
	.name = "x86_64-abi",
	.request_bytes = 112,
	.response_bytes = 16,
	.id = 8,
	.sector = 16,
	.seg = 24,
	.discard_nr_sectors = 24,
	.indirect_handle = 24,
	.indirect_grefs = 28,
	.rsp_op = 8,
	.rsp_status = 10,
};

const struct blkif_abi blkif_abi_x86_32 = {
	.name = "x86_32-abi",
	.request_bytes = 108,
	.response_bytes = 12,
	.id = 4,
	.sector = 12,
	.seg = 20,
	.discard_nr_sectors = 20,
	.indirect_handle = 20,
	.indirect_grefs = 24,
	.rsp_op = 8,
	.rsp_status = 10,
};

struct blkif_wire_seg blkif_decode_seg(const uint8_t *raw)
{
	return (struct blkif_wire_seg){num_le32(raw), raw[4], raw[5]};
}

static void decode_indirect(
	const struct blkif_abi *abi, const uint8_t *raw, struct blkif_wire_request *ret)
{
	unsigned i;

	ret->data_op = raw[1];
	ret->nr_seg = num_le16(raw + 2);
	ret->handle = num_le16(raw + abi->indirect_handle);
	for (i = 0; i < BLKIF_MAX_INDIRECT_PAGES; i++)
		ret->indirect_gref[i] = num_le32(raw + abi->indirect_grefs + 4 * i);
}

void blkif_decode_request(
	const struct blkif_abi *abi, const uint8_t *raw, struct blkif_wire_request *ret)
{
	unsigned i;

	memset(ret, 0, sizeof(*ret));
	ret->op = ret->data_op = raw[0];
	ret->id = num_le64(raw + abi->id);
	ret->sector = num_le64(raw + abi->sector);
	if (ret->op == BLKIF_OP_INDIRECT) {
		decode_indirect(abi, raw, ret);
		return;
	}
	ret->handle = num_le16(raw + 2);
	if (ret->op == BLKIF_OP_DISCARD) {
		ret->flag = raw[1];
		ret->nr_sectors = num_le64(raw + abi->discard_nr_sectors);
		return;
	}
	ret->nr_seg = raw[1];
	for (i = 0; i < BLKIF_MAX_SEGMENTS; i++)
		ret->seg[i] = blkif_decode_seg(raw + abi->seg + BLKIF_SEG_BYTES * i);
}

void blkif_decode_response(
	const struct blkif_abi *abi, const uint8_t *raw, struct blkif_wire_response *ret)
{
	ret->id = num_le64(raw);
	ret->op = raw[abi->rsp_op];
	ret->status = (int16_t)num_le16(raw + abi->rsp_status);
}

uint32_t blkif_ring_entries(const struct blkif_abi *abi, unsigned nr_pages)
{
	uint64_t fit, n = 1;

	if (!nr_pages || nr_pages > BLKIF_MAX_RING_PAGES)
		return 0;
	fit = ((uint64_t)nr_pages * PAGE_BYTES - BLKIF_SRING_HEADER) / abi->request_bytes;
	while (n * 2 <= fit)
		n *= 2;
	return (uint32_t)n;
}

uint64_t blkif_ring_off(const struct blkif_abi *abi, uint32_t entries, uint32_t index)
{
	return BLKIF_SRING_HEADER + (uint64_t)(index & (entries - 1)) * abi->request_bytes;
}
