/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xenhost_none.c - what stands in for the Xen libraries in a build without them.
 */
#include "xenhost/xenhost.h"

#ifndef HAVE_XEN

static int refuse_all(struct err *err)
{
	err_set(err, ERR_UNSUPPORTED, "built without Xen support, so no live domain can be asked");
	return err_override(err, "xen");
}

int xenhost_open(struct xenhost **ret UNUSED, struct err *err)
{
	return refuse_all(err);
}

int xenhost_pause(
	const struct xenhost_domain *dom UNUSED, struct pause_hold **ret UNUSED, struct err *err)
{
	return refuse_all(err);
}

#endif
