/* SPDX-License-Identifier: BSD-2-Clause
 *
 * wire.h - the block interface of Xen 2.0 as bytes, and what NetBSD's xbd puts into it.
 *
 * The shared ring and the driver's log hold the same requests. In the log the id is the address of
 * the driver's own request, or of a free slot the link to the next one, and the frames are
 * pseudo-physical and shifted; in the ring the id is the slot in the log.
 */
#ifndef XB_FRONTEND_NETBSD_WIRE_H
#define XB_FRONTEND_NETBSD_WIRE_H

#include "frontend/request.h"
#include "guest/p2m.h"

/* xen/include/public/io/blkif.h of Xen 2.0, packed, i386. */
#define NB_SLOTS	 64u /* BLKIF_RING_SIZE */
#define NB_SLOT_BYTES	 60u /* sizeof(blkif_request_t) */
#define NB_LOG_BYTES	 (NB_SLOTS * NB_SLOT_BYTES)
#define NB_MAX_SEGS	 11u /* BLKIF_MAX_SEGMENTS_PER_REQUEST */
#define NB_RING_HDR	 8u  /* req_prod, resp_prod */
#define NB_RING_BYTES	 (NB_RING_HDR + NB_LOG_BYTES)
#define NB_MAX_FRAME	 (1u << 20) /* of a 32-bit word, above its 12 low bits */
#define NB_OP_READ	 0
#define NB_OP_WRITE	 1
#define NB_OP_PROBE	 2
#define NB_VDISK_BYTES	 12u /* vdisk_t: capacity u64, device u16, info u16 */
#define NB_MAX_VBDS	 64u /* MAX_VBDS */
#define NB_INFO_READONLY 0x40u
#define NB_INFO_VIRTUAL	 0x80u
#define NB_INFO_TYPE	 0x3fu

/* The driver's own constants: PAGE_SIZE - 1 ends the free list, ids from PAGE_SIZE up are
 * pointers; XPMAP_OFFSET (KERNTEXTOFF - KERNBASE) is added to each logged address. */
#define NB_NIL	      4095u
#define NB_FIRST_PTR  4096u
#define NB_BIAS_PAGES 0x100u
#define NB_KERNEL_LOW 0xc0000000u /* KERNBASE */
#define NB_XEN_LOW    0xfc000000u

/* struct xbdreq: an array of 64, of which xbd_scan() puts 63 on the free list. */
#define NB_XBDREQ_BYTES 44u
#define NB_XBDREQ_USED	63u
#define NB_MAXPHYS	65536u /* i386: the most that one struct buf carries */

struct nb_value { /* a variable of the driver */
	bool known;
	uint32_t v;
};

struct nb_wire { /* blkif_request_t in host order */
	uint8_t op, nr_seg;
	uint16_t device;
	uint32_t id;
	uint64_t sector;
	uint32_t fas[NB_MAX_SEGS];
};

struct nb_response { /* blkif_response_t */
	uint32_t id;
	uint8_t op;
	int16_t status;
};

struct nb_vbd {
	uint64_t sectors;
	uint16_t device, info;
};

static inline bool nb_is_used(const struct nb_wire *w)
{
	return w->id >= NB_FIRST_PTR;
}

static inline uint32_t nb_fas(uint32_t frame, unsigned first, unsigned last)
{
	return frame << PAGE_SHIFT | (first & 7) << 3 | (last & 7);
}

static inline unsigned nb_fas_first(uint32_t fas)
{
	return fas >> 3 & 7;
}

static inline unsigned nb_fas_last(uint32_t fas)
{
	return fas & 7;
}

/* Bits 11:6 are zero and the sectors ascend. */
static inline bool nb_fas_ok(uint32_t fas)
{
	return !(fas & 0xfc0) && nb_fas_first(fas) <= nb_fas_last(fas);
}

struct nb_wire nb_wire_parse(const uint8_t bytes[NB_SLOT_BYTES]);
void nb_wire_put(const struct nb_wire *w, uint8_t bytes[NB_SLOT_BYTES]);
struct nb_response nb_response_parse(const uint8_t bytes[NB_SLOT_BYTES]);
/* The slot of the shared ring at a free-running index. */
const uint8_t *nb_ring_slot(const uint8_t ring[NB_RING_BYTES], uint32_t index);
/* The request that stands there. */
struct nb_wire nb_ring_request(const uint8_t ring[NB_RING_BYTES], uint32_t index);
/* op, segment count and each segment are such as the driver makes. */
bool nb_wire_ok(const struct nb_wire *w);
uint64_t nb_wire_bytes(const struct nb_wire *w);
/* Do the segments of `logged` (pseudo-physical) stand at the start of the words of `wire` (machine
 * frames)? Unknown when a frame cannot be translated. */
enum tri nb_same_geometry(
	struct p2m *p2m, const struct nb_wire *logged, const struct nb_wire *wire);
/* The free slot that no other free slot links to, if there is exactly one (or no free slot). */
struct nb_value nb_free_head(const struct nb_wire log[NB_SLOTS]);
/* Where the longest chain of free slots begins, when they are damaged: NB_NIL without free slots.
 */
uint32_t nb_longest_list(const struct nb_wire log[NB_SLOTS]);
/* From `head` through the links: ends at NIL after each free slot exactly once. */
bool nb_free_list_ok(const struct nb_wire log[NB_SLOTS], uint32_t head);
/* Name of a disk by its virtual-device number: "hda1", "sdb", "vbd-4711". */
void nb_device_name(uint16_t device, char *buf, size_t cap);
/* Is it a number that a configuration of Xen 2.0 gives to a disk? */
bool nb_device_known(uint16_t device);
/* How many entries of a vbd_info table are sane, from the first on. */
unsigned nb_vbds_parse(const uint8_t *bytes, size_t len, struct nb_vbd vbd[NB_MAX_VBDS]);

#endif
