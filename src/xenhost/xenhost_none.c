/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xenhost_none.c - what stands in for the Xen libraries in a build without them.
 */
#include "xenhost/xenhost.h"

#ifndef HAVE_XEN

int xenhost_open(struct xenhost **ret, struct err *err)
{
	(void)ret;
	err_set(err, ERR_UNSUPPORTED, "built without Xen support, so no live domain can be asked");
	return err_override(err, "xen");
}

void xenhost_close(struct xenhost *x)
{
	(void)x;
}

static int no_xen(struct err *err)
{
	err_set(err, ERR_UNSUPPORTED, "built without Xen support");
	return err_override(err, "xen");
}

int xenhost_domain(struct xenhost *x UNUSED, uint32_t domid UNUSED,
	struct xenhost_domain *ret UNUSED, struct err *err)
{
	return no_xen(err);
}

void xenhost_version(struct xenhost *x UNUSED, unsigned *ret_major, unsigned *ret_minor)
{
	*ret_major = *ret_minor = 0;
}

int xenhost_find(
	struct xenhost *x UNUSED, const char *word UNUSED, uint32_t *ret UNUSED, struct err *err)
{
	return no_xen(err);
}

int xenhost_read_granted(struct xenhost *x UNUSED, uint32_t domid UNUSED, uint32_t ref UNUSED,
	uint8_t *buf UNUSED, struct err *err)
{
	return no_xen(err);
}

uint32_t xenhost_own_domid(struct xenhost *x UNUSED)
{
	return 0;
}

int xenhost_pause(struct xenhost *x UNUSED, const struct xenhost_domain *dom UNUSED,
	struct pause_hold **ret UNUSED, struct err *err)
{
	return no_xen(err);
}

int xenhost_memory(struct xenhost *x UNUSED, const struct xenhost_domain *dom UNUSED,
	struct live_memory **ret UNUSED, struct err *err)
{
	return no_xen(err);
}

int xenhost_read_cpus(struct xenhost *x UNUSED, const struct xenhost_domain *dom UNUSED,
	struct live_memory *m UNUSED, struct err *err)
{
	return no_xen(err);
}

int xenhost_p2m(struct xenhost *x UNUSED, const struct xenhost_domain *dom UNUSED,
	struct xenhost_p2m *ret UNUSED, struct err *err)
{
	return no_xen(err);
}

int xenhost_vbds(struct xenhost *x UNUSED, uint32_t domid UNUSED, struct xenhost_vbd **ret UNUSED,
	size_t *nr UNUSED, struct err *err)
{
	return no_xen(err);
}

int xenhost_read_frames(struct xenhost *x UNUSED, uint32_t domid UNUSED,
	const uint64_t *frames UNUSED, size_t nr UNUSED, uint8_t *buf UNUSED, bool *ok UNUSED,
	struct err *err)
{
	return no_xen(err);
}

#endif
