/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_facts.h - what a Linux kernel says of itself: release, host name, command line, clocks.
 */
#ifndef XB_KERNEL_LINUX_FACTS_H
#define XB_KERNEL_LINUX_FACTS_H

#include "kernel/linux.h"

/* Where they stand, by the kernel's own types. */
struct linux_facts_layout {
	/* struct uts_namespace */
	struct field release, version, machine, nodename;
	/* struct timekeeper, struct clocksource */
	struct field clock, shift, xtime_nsec, base, xtime_sec, clock_name;
};
void linux_facts_layout(const struct layout *types, struct linux_facts_layout *ret);

/* Into k->facts, from k->symbols; without them only what the kernel's banner says. `l` may lack any
 * member. */
void linux_read_facts(struct linux_kernel *k, const struct linux_facts_layout *l);
/* The clocks alone, anew. */
void linux_read_clock(struct linux_kernel *k);

#endif
