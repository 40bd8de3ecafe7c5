/* SPDX-License-Identifier: BSD-2-Clause
 *
 * progress.h - work that may be long: it tells how far it is, and stops when it is asked to.
 */
#ifndef XB_IO_PROGRESS_H
#define XB_IO_PROGRESS_H

#include "base/err.h"

struct progress {
	/* `what` is static text: "saved", "written" ... Bytes. NULL: silent. */
	void (*show)(void *arg, const char *what, uint64_t done, uint64_t all);
	void *arg;
};

/* Is SIGINT, SIGTERM or SIGHUP, which the caller has blocked, waiting? */
bool progress_interrupted(void);
/* Between two steps. ERR_SYSTEM: interrupted. */
int progress_step(const struct progress *p, const char *what, uint64_t done, uint64_t all,
	struct err *err) MUST_CHECK;

#endif
