/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xen_priv.h - the libraries in this process, private to xen_*.c of a build with them.
 */
#ifndef XB_XENHOST_XEN_PRIV_H
#define XB_XENHOST_XEN_PRIV_H

#include "xenhost/xen_ops.h"

#define XC_WANT_COMPAT_MAP_FOREIGN_API 1
#include <xenctrl.h>
#include <xengnttab.h>
#include <xenguest.h>
#include <xenstore.h>

struct xen_handles {
	xc_interface *xch;
	struct xs_handle *xs;
	xengnttab_handle *grants; /* NULL: there is no such device here, */
	int grants_errno;	  /* for this reason */
	xentoollog_logger quiet;
};

/* A logger that says nothing: the libraries would print to stderr. */
void xen_silence(xentoollog_logger *logger);

/* One frame through a read-only mapping. */
bool xen_read_frame(struct xen_handles *x, uint32_t domid, uint64_t frame, uint8_t *buf);

/* Of struct xen_ops; arg is the struct xen_handles. */
int xen_read_granted(void *arg, uint32_t domid, uint32_t ref, uint8_t *buf, struct err *err);
bool xen_hvm_param(void *arg, uint32_t domid, uint64_t index, uint64_t *ret);
int xen_read_cpus(
	void *arg, const struct xenhost_domain *dom, struct xen_cpus *ret, struct err *err);
int xen_p2m(void *arg, const struct xenhost_domain *dom, bool checked, struct xenhost_p2m *ret,
	struct err *err);

#endif
