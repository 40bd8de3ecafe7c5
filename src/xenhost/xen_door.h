/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xen_door.h - the hypervisor for a process that must not have it.
 *
 * Whoever holds a handle of the hypervisor can do anything to any domain of the host. So the
 * process that looks at what a guest wrote holds none: another one does, which is asked what
 * xenhost.h offers, and nothing else, of the domains that the command line names, and of no other.
 * It looks at no more of a guest than the tables from which its frames are read, and is confined
 * too, but for calls of Xen's devices.
 */
#ifndef XB_XENHOST_XEN_DOOR_H
#define XB_XENHOST_XEN_DOOR_H

#include "xenhost/xenhost.h"

/* What the command line names. */
struct xen_named {
	const char *word;      /* of --live: a number or a name; NULL none */
	const uint32_t *domid; /* of --domid; NULL none */
};

/* The way there. */
struct xen_door {
	int fd;	      /* a SOCK_SEQPACKET socket */
	void *window; /* memory that both processes see */
};

/* Start that process: it ends when nobody has door->fd any more, and with its parent. */
int xen_door_start(const struct xen_named *named, struct xen_door *ret, struct err *err) MUST_CHECK;
/* For whoever does not ask. */
void xen_door_close(struct xen_door *door);
/* For who asks: takes the door over. Fails as xenhost_open() did there. */
int xen_door_enter(struct xen_door *door, struct xenhost **ret, struct err *err) MUST_CHECK;

/* What that process does, once it has opened x, which is NULL when that failed for `why`: say so,
 * and answer until the other end is closed. */
void xen_door_serve(struct xenhost *x, const struct err *why, const struct xen_named *named,
	const struct xen_door *door);

#endif
