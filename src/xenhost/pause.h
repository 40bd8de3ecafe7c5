/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pause.h - a domain that is paused for as long as somebody looks, and never longer.
 *
 * A child process holds the pause. It lets the domain go when it is told to, when its parent is
 * gone, however that ended, and after PAUSE_LIMIT_MS all the same; it is in a session of its own
 * and heeds no signal that can be heeded. If the child itself is killed, the parent lets the domain
 * go. Xen counts pauses: one of somebody else's stays.
 */
#ifndef XB_XENHOST_PAUSE_H
#define XB_XENHOST_PAUSE_H

#include "base/err.h"

#define PAUSE_LIMIT_MS 10000u

struct pause_ops {
	void *arg;
	/* Called in the process that is to do it, before the others: what it needs of its own, as
	 * a handle of the hypervisor does not outlive a fork. NULL: errno. */
	void *(*open)(void *arg);
	int (*pause)(void *handle); /* -1: errno */
	int (*unpause)(void *handle);
	void (*close)(void *handle);
	unsigned limit_ms; /* PAUSE_LIMIT_MS, but for tests */
};

struct pause_hold;

/* Returns once the domain is paused. */
int pause_begin(const struct pause_ops *ops, struct pause_hold **ret, struct err *err) MUST_CHECK;
/*
 * Let it go, in any case. *ret_ns: how long it was paused at most. -1: it had gone before, because
 * it took too long or the child was killed; what was seen is not of one instant.
 */
int pause_end(struct pause_hold *p, uint64_t *ret_ns, struct err *err) MUST_CHECK;

#endif
