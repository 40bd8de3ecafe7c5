/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xenbus.h - NetBSD's block frontend of Xen 3 and newer (sys/arch/xen/xen/xbd_xenbus.c).
 *
 * Its softc has an array of requests, one for each entry of the ring, right behind the front ring
 * and a grant (before 2018 an event channel in between). What a request is and where on the disk
 * stands in the shared ring only. Layouts of struct xbd_req, of 4 and 8 bytes a pointer:
 *
 *   until 2018   next, u16 id, u32 grants[11], int segments, buf *, void *data        64, 80 bytes
 *   since        next, u16 id, dma map, parent, child, bool, u32 grants[22], buf *,
 *                void *data, indirect *                                             124, 160 bytes
 *
 * The ids are the indices, so that array and stride prove themselves. Behind the array stands the
 * head of the list of free requests.
 */
#ifndef XB_FRONTEND_NETBSD_XENBUS_H
#define XB_FRONTEND_NETBSD_XENBUS_H

#include "frontend/driver_ring.h"
#include "frontend/frontend.h"

#define NX_REQS		 32u
#define NX_MAX_REQ_BYTES 192u
#define NX_MAX_GRANTS	 22u

struct nx_req_layout {
	uint16_t bytes;
	uint8_t grants, nr_grants, data;
	uint8_t nseg; /* 0: there is no such member */
};

struct nx_device {
	struct front_ring ring;
	gva_t reqs;
	const struct nx_req_layout *at;
	/* Of the members behind the array, where they were told: */
	bool tail_known;
	uint32_t state;
	uint64_t nr_sectors; /* of the disk's own size */
	uint64_t sector_bytes, handle, info;
};

/* What array_driver.h asks for, of devices that are struct nx_device. */
bool nx_match(struct guest *g, const struct front_ring *r, void *ret);
int nx_by_symbols(struct guest *g, const struct symbols *symbols, void *v, size_t max, size_t *nr,
	struct err *err) MUST_CHECK;
int nx_decode(struct guest *g, const void *device, const struct ckpt_info *config,
	struct snapshot *s, struct err *err) MUST_CHECK;

#endif
