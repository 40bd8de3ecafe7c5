/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xbd.h - the parts of the NetBSD xbd decoder, private to frontend/netbsd/.
 *
 * The driver: NetBSD sys/arch/xen/xen/xbd.c 1.36 with the recovery ring, Xen 2.0, i386 without
 * PAE. One interface carries every disk: one shared ring (blk_ring), one log (rec_ring).
 *
 * The work goes in three steps, each a file: find the objects (by_symbols.c or by_scan.c
 * fill `struct nb_place`), read them (read.c fills `struct nb_state`) and recover what the
 * driver never logged, the sector (sector.c). emit.c turns the result into devices.
 */
#ifndef XB_FRONTEND_NETBSD_XBD_H
#define XB_FRONTEND_NETBSD_XBD_H

#include "frontend/frontend.h"
#include "guest/p2m.h"

/* xen/include/public/io/blkif.h of Xen 2.0, packed, i386. */
#define NB_SLOTS	 64u /* BLKIF_RING_SIZE */
#define NB_SLOT_BYTES	 60u /* sizeof(blkif_request_t) */
#define NB_LOG_BYTES	 (NB_SLOTS * NB_SLOT_BYTES)
#define NB_MAX_SEGS	 11u /* BLKIF_MAX_SEGMENTS_PER_REQUEST */
#define NB_RING_HDR	 8u  /* req_prod, resp_prod */
#define NB_RING_BYTES	 (NB_RING_HDR + NB_LOG_BYTES)
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
#define NB_KERNEL_LOW 0xc0000000u
#define NB_XEN_LOW    0xfc000000u

/* struct xbdreq: an array of 64, of which 63 are ever used. */
#define NB_XBDREQ_BYTES 44u
#define NB_XBDREQ_USED	63u
#define NB_MAXPHYS	65536u /* i386: the most that one struct buf carries */

struct nb_value { /* a variable of the driver */
	bool known;
	uint32_t v;
};

/* Where things are. */
struct nb_place {
	enum blk_located by;
	bool found;	     /* rec_ring was found: log_va holds, or log_null */
	bool log_null;	     /* rec_ring == NULL: nothing was connected yet */
	uint32_t log_va;     /* the array that rec_ring points to */
	uint32_t ring_va;    /* the page that blk_ring points to; 0 unknown or NULL */
	uint32_t p2m_va;     /* xpmap_phys_to_machine_mapping; 0 unknown */
	uint32_t vbd_va;     /* vbd_info; 0 unknown */
	uint32_t statics_va; /* of the rec_ring variable; 0 unknown */
	struct nb_value nr_vbds, free_head, req_prod, resp_cons, state, recovery;
};

struct nb_va_map { /* the first kernel address of each frame; 0 = not mapped by the kernel */
	uint32_t *va;
	uint64_t nr;
};

struct nb_wire { /* blkif_request_t in host order */
	uint8_t op, nr_seg;
	uint16_t device;
	uint32_t id;
	uint64_t sector;
	uint32_t fas[NB_MAX_SEGS];
};

struct nb_xbdreq {
	bool known;
	uint32_t parent;
	int64_t bn; /* parent: next block to issue */
	int32_t bqueue, bdone, breq;
};

struct nb_vbd {
	uint64_t sectors;
	uint16_t device, info;
};

struct nb_sector {
	enum io_sector_from from;
	uint64_t sector;
	const char *why_not; /* static text when from is IO_SECTOR_UNKNOWN */
};

/* What stands there. Owns p2m. */
struct nb_state {
	struct nb_place at;
	bool log_known;
	struct nb_wire log[NB_SLOTS];
	unsigned nr_used, nr_free;
	bool free_list_ok;
	bool ring_known;
	pfn_t ring_pfn;
	uint32_t req_prod, resp_prod; /* of the shared ring */
	uint32_t pvt_prod, rsp_cons;
	bool indices_inferred; /* pvt_prod and rsp_cons were worked out from the log */
	uint8_t ring[NB_RING_BYTES];
	struct nb_xbdreq own[NB_SLOTS], parent[NB_SLOTS];
	struct nb_vbd vbd[NB_MAX_VBDS];
	unsigned nr_vbds;
	struct p2m *p2m; /* NULL unknown */
	struct nb_sector sector[NB_SLOTS];
};

static inline bool nb_is_used(const struct nb_wire *w)
{
	return w->id >= NB_FIRST_PTR;
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
/* The request that stands at a free-running index of the shared ring. */
struct nb_wire nb_ring_request(const struct nb_state *st, uint32_t index);
/* op, segment count and each segment are such as the driver makes. */
bool nb_wire_ok(const struct nb_wire *w);
uint64_t nb_wire_bytes(const struct nb_wire *w);
/* Do the segments of `logged` (pseudo-physical) stand at the start of the words of `wire` (machine
 * frames)? Unknown when a frame cannot be translated. */
enum tri nb_same_geometry(
	struct p2m *p2m, const struct nb_wire *logged, const struct nb_wire *wire);
/* The free slot that no other free slot links to, if there is exactly one (or no free slot). */
struct nb_value nb_free_head(const struct nb_wire log[NB_SLOTS]);
/* From `head` through the links: ends at NIL after each free slot exactly once. */
bool nb_free_list_ok(const struct nb_wire log[NB_SLOTS], uint32_t head);
/* Name of a disk by its virtual-device number: "hda1", "sdb", "vbd-4711". */
void nb_device_name(uint16_t device, char *buf, size_t cap);
/* Is it a number that a configuration of Xen 2.0 gives to a disk? */
bool nb_device_known(uint16_t device);

/* place->found tells whether it worked. Errors only for memory. */
int nb_locate_symbols(struct guest *g, const struct symbols *file, struct snapshot *s,
	struct nb_place *place, struct err *err) MUST_CHECK;
int nb_locate_scan(
	struct guest *g, struct snapshot *s, struct nb_place *place, struct err *err) MUST_CHECK;
/* Machine frames of the source host; says in s (may be NULL) whence. NULL in *ret when the guest's
 * table cannot be found. */
int nb_open_p2m(struct guest *g, uint32_t va, struct snapshot *s, struct p2m **ret,
	struct err *err) MUST_CHECK;
/* The shared-ring page with which the log agrees; 0 when none does. */
uint32_t nb_scan_ring(struct guest *g, const struct nb_va_map *map,
	const struct nb_wire log[NB_SLOTS], struct p2m *p2m);
/* vbd_info without a pointer to it; 0 when no table, or more than one, fits the log. */
uint32_t nb_scan_vbds(struct guest *g, const struct nb_va_map *map,
	const struct nb_wire log[NB_SLOTS], unsigned *ret_nr);
/* How many entries of a vbd_info table are sane, from the first on. */
unsigned nb_vbds_parse(const uint8_t *bytes, size_t len, struct nb_vbd vbd[NB_MAX_VBDS]);

/* Read everything that `place` names. */
int nb_read(struct guest *g, const struct nb_place *place, struct snapshot *s, struct nb_state *st,
	struct err *err) MUST_CHECK;
void nb_state_fini(struct nb_state *st);

/* The sectors of the used slots. `findings` may be NULL. */
void nb_recover_sectors(
	const struct nb_state *st, struct nb_sector ret[NB_SLOTS], struct finding_list *findings);

/* Append the devices. */
int nb_emit(struct guest *g, struct nb_state *st, bool confirmed, struct snapshot *s,
	struct err *err) MUST_CHECK;

#endif
