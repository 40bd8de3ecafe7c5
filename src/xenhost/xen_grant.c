/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xen_grant.c - a page that a domain has granted to this one, as its backend here maps it. Once
 * more, read-only, and for as long as it takes to copy it.
 */
#ifdef HAVE_XEN
#include "xenhost/xen_priv.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

int xen_read_granted(void *arg, uint32_t domid, uint32_t ref, uint8_t *buf, struct err *err)
{
	struct xen_handles *x = arg;
	const void *page;
	int failed = 0;

	errno = x->grants_errno;
	if (!x->grants)
		return err_sys(err, "cannot ask for granted pages");
	page = xengnttab_map_grant_ref(x->grants, domid, ref, PROT_READ);
	if (page) {
		memcpy(buf, page, PAGE_BYTES);
		xengnttab_unmap(x->grants, (void *)(uintptr_t)page, 1);
	} else {
		failed = err_sys(err, "cannot map grant %u of domain %u", ref, domid);
	}
	return failed;
}

#endif
