/* SPDX-License-Identifier: BSD-2-Clause
 *
 * netbsd.h - the NetBSD kernel of a guest of Xen 2.0, and what its host told it.
 */
#ifndef XB_KERNEL_NETBSD_H
#define XB_KERNEL_NETBSD_H

#include "guest/guest.h"
#include "kernel/facts.h"

/* A guest of Xen 2.0, i386 without PAE? */
bool netbsd_may_run(const struct guest *g);

/* start_info, which stands at the start of the record with which the guest asked to be suspended.
 */
struct netbsd_start_info {
	uint32_t mfn_list; /* address of the table of machine frames */
	char cmdline[257];
};
/* False: there is none. */
bool netbsd_read_start_info(struct guest *g, struct netbsd_start_info *ret);

/* Who runs there is only said when the kernel's own text proves it. */
void netbsd_read_facts(struct guest *g, struct guest_facts *ret);

#endif
