/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_grants.h - which grant references a Linux guest holds for free, and which it wants back
 * that a backend keeps.
 */
#ifndef XB_KERNEL_LINUX_GRANTS_H
#define XB_KERNEL_LINUX_GRANTS_H

#include "kernel/linux.h"

struct linux_grants {
	uint8_t *bits;	  /* owned: a bit for each free one; NULL: not known which are free */
	uint32_t nr_refs; /* that have a bit */
	bool deferred_known;
	uint32_t nr_deferred, first_deferred;
};

/* What is not found, or contradicts itself, stays unknown. -1: no memory. */
int linux_grants_read(
	const struct linux_kernel *k, struct linux_grants *ret, struct err *err) MUST_CHECK;
/* False also where it is not known. */
bool linux_grant_is_free(const struct linux_grants *gr, int64_t ref);
void linux_grants_free(struct linux_grants *gr);

#endif
