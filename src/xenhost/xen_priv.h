/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xen_priv.h - the handle, private to xen_*.c of a build with the Xen libraries.
 */
#ifndef XB_XENHOST_XEN_PRIV_H
#define XB_XENHOST_XEN_PRIV_H

#include "xenhost/xenhost.h"

#define XC_WANT_COMPAT_MAP_FOREIGN_API 1
#include <xenctrl.h>
#include <xengnttab.h>
#include <xenguest.h>
#include <xenstore.h>

struct xenhost {
	xc_interface *xch;
	struct xs_handle *xs;
	xengnttab_handle *grants; /* NULL: there is no such device here, */
	int grants_errno;	  /* for this reason */
	xentoollog_logger quiet;
};

/* A logger that says nothing: the libraries would print to stderr. */
void xen_silence(xentoollog_logger *logger);

/* One frame through a read-only mapping. */
bool xen_read_frame(struct xenhost *x, uint32_t domid, uint64_t frame, uint8_t *buf);

#endif
