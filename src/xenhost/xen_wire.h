/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xen_wire.h - the words of xen_door.h. Each call is one message, each answer another; pages and
 * what is long go through a window of memory. Both ends are the same program, forked: structures
 * have one layout, and static texts one address. No call has an address in it.
 */
#ifndef XB_XENHOST_XEN_WIRE_H
#define XB_XENHOST_XEN_WIRE_H

#include "xenhost/xen_ops.h"

#define XEN_WINDOW_PAGES 256u
#define XEN_WINDOW_BYTES ((size_t)XEN_WINDOW_PAGES * PAGE_BYTES)

enum xen_what {
	XEN_VERSION,
	XEN_FIND, /* the domain of --live; its word is not sent */
	XEN_DOMAIN,
	XEN_OWN_DOMID,
	XEN_VBDS,    /* a long result: the disks, then the rings of each */
	XEN_FRAMES,  /* into the window */
	XEN_GRANTED, /* into the window; arg: the grant */
	XEN_PARAM,   /* arg: its index */
	XEN_CPUS,    /* a struct xen_cpus into the window */
	XEN_P2M,     /* a long result; arg: checked */
	XEN_FETCH,   /* a windowful of the last long result, from byte arg on */
	XEN_NR_WHATS,
};

struct xen_call {
	uint32_t what; /* enum xen_what */
	uint32_t domid;
	uint64_t arg, nr; /* nr: of frames */
	uint64_t frames[XEN_WINDOW_PAGES];
};

struct xen_answer {
	int32_t rc;
	struct err err;
	uint64_t value, bytes; /* bytes: of a long result */
	struct xenhost_domain domain;
	struct xenhost_p2m p2m; /* but for the table */
	bool ok[XEN_WINDOW_PAGES];
};

#endif
