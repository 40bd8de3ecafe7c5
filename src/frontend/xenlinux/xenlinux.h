/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xenlinux.h - the block frontend of Linux 2.4 and 2.6 on Xen 2.0, i386. Private to this folder.
 *
 * One interface carries all disks: one shared ring (blk_ring) and one log of what is in flight,
 * rec_ring[64], which the driver posts again on resume. Source:
 * linux-2.6.11-xen-sparse/drivers/xen/ blkfront/blkfront.c and xen/include/public/io/blkif.h of
 * Xen 2.0.6.
 */
#ifndef XB_FRONTEND_XENLINUX_XENLINUX_H
#define XB_FRONTEND_XENLINUX_XENLINUX_H

#include "frontend/frontend.h"

#define XL_SLOTS	  64u /* BLKIF_RING_SIZE */
#define XL_SLOT_BYTES	  60u /* sizeof(blkif_request_t), packed */
#define XL_LOG_BYTES	  (XL_SLOTS * XL_SLOT_BYTES)
#define XL_MAX_SEGS	  11u
#define XL_RING_HDR	  8u /* req_prod, resp_prod */
#define XL_RING_BYTES	  (XL_RING_HDR + XL_LOG_BYTES)
#define XL_OP_PROBE	  2u
#define XL_RESPONSE_BYTES 7u

/* rec_ring[i].id: the next free slot, NIL behind the last, POPPED for one that is being filled, or
 * the address of the block layer's request. */
#define XL_NIL	      0x0fffffffu
#define XL_POPPED     0x0fffffeeu
#define XL_KERNEL_LOW 0xc0000000u /* PAGE_OFFSET */

struct xl_slot { /* blkif_request_t in host order */
	uint8_t op, nr_seg;
	uint16_t device;
	uint32_t id;
	uint64_t sector;
	uint32_t fas[XL_MAX_SEGS]; /* frame << 12 | first sector << 3 | last */
};

struct xl_state {
	enum blk_located by;
	uint32_t log_va;
	struct xl_slot log[XL_SLOTS];
	unsigned nr_used;
	uint32_t free_head; /* as stored, or as the links tell */
	bool free_list_ok;
	bool ring_known;
	uint32_t ring_va;
	pfn_t ring_pfn;
	uint8_t ring[XL_RING_BYTES];
	uint32_t req_prod, resp_prod; /* of the shared ring */
	uint32_t pvt_prod, rsp_cons;
	bool indices_read;
	enum tri recovering;
};

struct xl_slot xl_parse(const uint8_t raw[XL_SLOT_BYTES]);
const uint8_t *xl_ring_slot(const uint8_t ring[XL_RING_BYTES], uint32_t index);
bool xl_is_used(const struct xl_slot *s);

/* By symbols, or else by shape. False: there is none. */
bool xl_find(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct xl_state *ret);

#endif
