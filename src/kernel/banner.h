/* SPDX-License-Identifier: BSD-2-Clause
 *
 * banner.h - who runs there, by the version string that a kernel has in its image, for guests that
 * nobody else here knows.
 */
#ifndef XB_KERNEL_BANNER_H
#define XB_KERNEL_BANNER_H

#include "guest/guest.h"
#include "kernel/facts.h"

/*
 * Looks where kernels lie, as the guest maps it, and then at its pages, 1 GiB of them at most;
 * unless the guest's memory shows a Windows kernel at its fixed address, or nothing is mapped, so
 * that no kernel runs. A text that only mentions another kernel does not count: the whole line must
 * be there as the kernel's own build makes it. os stays "" when nobody says who he is.
 */
void banner_read_facts(struct guest *g, struct guest_facts *ret);

#endif
