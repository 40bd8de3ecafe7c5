/* SPDX-License-Identifier: BSD-2-Clause
 *
 * syscalls.h - the list of system calls that a confined process has, through libseccomp.
 */
#ifndef XB_IO_SYSCALLS_H
#define XB_IO_SYSCALLS_H

#include "io/sandbox.h"

/* Of the kernel and of this build. */
bool syscalls_available(void);
/* For this process and all its threads, for good. All others fail with EPERM. */
int syscalls_confine(enum sandbox_kind kind, struct err *err) MUST_CHECK;

#endif
