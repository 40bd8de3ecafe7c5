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
#include "frontend/netbsd/wire.h"
#include "kernel/netbsd.h"

/* Where things are. */
struct nb_place {
	enum blk_located by;
	bool found;	     /* rec_ring was found: log_va holds, or log_null */
	bool log_null;	     /* rec_ring == NULL: nothing was connected yet */
	uint32_t log_va;     /* the array that rec_ring points to */
	uint32_t ring_va;    /* the page that blk_ring points to; 0 unknown or NULL */
	bool ring_null;	     /* blk_ring was read, and is NULL: there is no ring now */
	uint32_t p2m_va;     /* xpmap_phys_to_machine_mapping; 0 unknown */
	uint32_t vbd_va;     /* vbd_info; 0 unknown */
	uint32_t statics_va; /* of the rec_ring variable; 0 unknown */
	struct nb_value nr_vbds, free_head, req_prod, resp_cons, state, recovery;
};

struct nb_va_map { /* the first kernel address of each frame; 0 = not mapped by the kernel */
	uint32_t *va;
	uint64_t nr;
};

struct nb_xbdreq {
	bool known;
	uint32_t parent;
	int64_t bn; /* parent: next block to issue */
	int32_t bqueue, bdone, breq;
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
	enum io_indices indices; /* of pvt_prod and rsp_cons */
	uint8_t ring[NB_RING_BYTES];
	struct nb_xbdreq own[NB_SLOTS], parent[NB_SLOTS];
	struct nb_vbd vbd[NB_MAX_VBDS];
	unsigned nr_vbds;
	struct p2m *p2m; /* NULL unknown */
	struct nb_sector sector[NB_SLOTS];
	unsigned confirmed_by; /* BLK_CONFIRMED_* */
	bool confirmed;
};

/* What resume does, and the ring that it makes. */
extern const struct frontend_resume nb_resume;
int nb_ring_image(const struct resume_item *v, size_t nr, bool skip_unknown,
	struct resume_ring *ret, struct err *err) MUST_CHECK;

/* place->found tells whether it worked. Errors only for memory. */
int nb_locate_symbols(struct guest *g, const struct symbols *file, struct snapshot *s,
	struct nb_place *place, struct err *err) MUST_CHECK;
int nb_locate_scan(
	struct guest *g, struct snapshot *s, struct nb_place *place, struct err *err) MUST_CHECK;
/* Machine frames of the source host; says in s (may be NULL) whence. NULL in *ret when the guest's
 * table cannot be found. */
int nb_open_p2m(struct guest *g, uint32_t va, struct snapshot *s, struct p2m **ret,
	struct err *err) MUST_CHECK;
/* Read everything that `place` names. */
int nb_read(struct guest *g, const struct nb_place *place, struct snapshot *s, struct nb_state *st,
	struct err *err) MUST_CHECK;
void nb_state_fini(struct nb_state *st);

/* The sectors of the used slots. `findings` may be NULL. */
void nb_recover_sectors(
	const struct nb_state *st, struct nb_sector ret[NB_SLOTS], struct finding_list *findings);

/* Append the devices. */
int nb_emit(struct guest *g, struct nb_state *st, struct snapshot *s, struct err *err) MUST_CHECK;

#endif
