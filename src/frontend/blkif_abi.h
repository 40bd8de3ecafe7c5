/* SPDX-License-Identifier: BSD-2-Clause
 *
 * blkif_abi.h - requests and responses as they stand in a shared block ring of Xen 3 and later.
 *
 * Two layouts exist (xen/include/public/io/blkif.h compiled for 32 and 64 bit); a frontend uses the
 * one of its own width. The shadow of a Linux frontend holds requests of the same layout.
 */
#ifndef XB_FRONTEND_BLKIF_ABI_H
#define XB_FRONTEND_BLKIF_ABI_H

#include "base/util.h"

#define BLKIF_OP_READ	       0
#define BLKIF_OP_WRITE	       1
#define BLKIF_OP_WRITE_BARRIER 2
#define BLKIF_OP_FLUSH	       3
#define BLKIF_OP_DISCARD       5
#define BLKIF_OP_INDIRECT      6

#define BLKIF_DISCARD_SECURE 1u

#define BLKIF_MAX_SEGMENTS	 11u   /* in the request itself */
#define BLKIF_MAX_INDIRECT_PAGES 8u    /* pages of segments that a request can name */
#define BLKIF_SEGS_PER_PAGE	 512u  /* in one indirect page */
#define BLKIF_MAX_INDIRECT	 4096u /* the product: the most that the wire can say */
#define BLKIF_SEG_BYTES		 8u    /* in a request and in an indirect page, both layouts */
#define BLKIF_MAX_RING_PAGES	 16u   /* ring-page-order <= 4: io/ring.h users since Linux 4.2 */
#define BLKIF_MAX_RING_ENTRIES	 512u

/* Of the shared page, io/ring.h: producers and event indices, then padding up to the entries. */
#define BLKIF_SRING_REQ_PROD  0u
#define BLKIF_SRING_REQ_EVENT 4u
#define BLKIF_SRING_RSP_PROD  8u
#define BLKIF_SRING_RSP_EVENT 12u
#define BLKIF_SRING_PAD	      16u
#define BLKIF_SRING_HEADER    64u

/* Byte offsets of one layout. Operation, count and handle stand at 0, 1 and 2 in both. */
struct blkif_abi {
	const char *name; /* as the xenstore node "protocol" spells it */
	uint8_t request_bytes, response_bytes;
	uint8_t id, sector, seg;
	uint8_t discard_nr_sectors;
	uint8_t indirect_handle, indirect_grefs;
	uint8_t rsp_op, rsp_status; /* the response's id is at 0 */
};

extern const struct blkif_abi blkif_abi_x86_64, blkif_abi_x86_32;
#define BLKIF_MAX_REQUEST_BYTES 112u /* of the longer one */

struct blkif_wire_seg {
	uint32_t gref;
	uint8_t first, last; /* sectors within the page, inclusive */
};

struct blkif_wire_request {
	uint8_t op;	 /* BLKIF_OP_* as stored */
	uint8_t data_op; /* the operation on data: an indirect request's own, else op */
	uint8_t flag;	 /* discard */
	uint16_t nr_seg; /* that the request claims; 0 for a discard */
	uint16_t handle; /* the vdevice's low half */
	uint64_t id, sector;
	uint64_t nr_sectors;			       /* discard only */
	struct blkif_wire_seg seg[BLKIF_MAX_SEGMENTS]; /* all of them, used or not; not indirect */
	uint32_t indirect_gref[BLKIF_MAX_INDIRECT_PAGES];
};

struct blkif_wire_response {
	uint64_t id;
	uint8_t op;
	int16_t status;
};

/* `raw` has request_bytes (response_bytes) bytes. Every bit pattern decodes to something. */
void blkif_decode_request(
	const struct blkif_abi *abi, const uint8_t *raw, struct blkif_wire_request *ret);
void blkif_decode_response(
	const struct blkif_abi *abi, const uint8_t *raw, struct blkif_wire_response *ret);
struct blkif_wire_seg blkif_decode_seg(const uint8_t *raw);

/* Entries of a ring of that many pages: the largest power of two that fits. */
uint32_t blkif_ring_entries(const struct blkif_abi *abi, unsigned nr_pages);
/* Byte offset of an entry, by its free-running index, from the start of the shared ring. */
uint64_t blkif_ring_off(const struct blkif_abi *abi, uint32_t entries, uint32_t index);

#endif
