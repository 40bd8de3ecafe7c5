/* SPDX-License-Identifier: BSD-2-Clause
 *
 * sandbox.h - what a process gives up before it looks at bytes that a guest has written.
 *
 * For good and with all its threads. What the kernel does not have is left out, and said.
 */
#ifndef XB_IO_SANDBOX_H
#define XB_IO_SANDBOX_H

#include "base/err.h"

/* What holds. */
enum sandbox_layer {
	SANDBOX_SECCOMP = 1,   /* seccomp(2): a list of system calls */
	SANDBOX_LANDLOCK = 2,  /* landlock(7): no path, no network */
	SANDBOX_PRIVILEGE = 4, /* no capability, and none to come */
	SANDBOX_NR_BITS = 8,
};
/* "seccomp", "Landlock", "no capabilities": of one bit. */
const char *sandbox_layer_name(unsigned layer);

enum sandbox_kind {
	/* Nothing can be opened, sent, run or signalled: door.h gives the files. */
	SANDBOX_CLOSED,
	/* The same, but for ioctl(2) of Xen's devices that are open by now: for who asks the
	 * hypervisor, and decodes nothing (xenhost/xen_door.h). */
	SANDBOX_XEN,
};

/*
 * *ret: what holds from now on, in bits of enum sandbox_layer. Fails when the kernel refuses what
 * it has; a kernel without is no failure.
 */
int sandbox_enter(enum sandbox_kind kind, unsigned *ret, struct err *err) MUST_CHECK;
/* What would hold: a process of its own is confined, and asked. 0: nothing, or it cannot be. */
unsigned sandbox_try(enum sandbox_kind kind);
/* Is memory bounded? Not in a build with the address sanitizer. */
bool sandbox_bounds_memory(void);

/* Bounds hold where a process is confined, and bind the whole of it. */

/*
 * Bounds for one more input of so many bytes (unpacked), whatever stands in it: private memory and
 * time of the processor, by base/limits.h and far above what any sound input takes. They add up.
 */
void sandbox_bound(uint64_t input_bytes);
/* Of such an input the pages are counted: they are what it may take memory for. */
void sandbox_settle(uint64_t input_bytes, uint64_t pages);
/* The same of a live domain of so many pages: memory, and at each look at it time. */
void sandbox_bound_live(uint64_t pages);
void sandbox_bound_look(uint64_t pages);
/* Around the unpacking of an input, which may be one of several at once: room for its window. */
void sandbox_begin_unpacking(void);
void sandbox_end_unpacking(void);
/* Room for the types and symbols of a kernel's own file. */
void sandbox_allow_symbols(void);

#endif
