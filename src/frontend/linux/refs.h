/* SPDX-License-Identifier: BSD-2-Clause
 *
 * refs.h - the grants of pending requests against what the kernel says of its grants.
 */
#ifndef XB_FRONTEND_LINUX_REFS_H
#define XB_FRONTEND_LINUX_REFS_H

#include "frontend/request.h"
#include "kernel/linux.h"

/* Findings XB321 and XB322 of the devices of `s`. -1: no memory. */
int linux_check_refs(const struct linux_kernel *k, struct snapshot *s, struct err *err) MUST_CHECK;

#endif
