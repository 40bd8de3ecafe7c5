/* SPDX-License-Identifier: BSD-2-Clause
 *
 * crew.h - the same work on many things, on as many at once as there are processors.
 */
#ifndef XB_BASE_CREW_H
#define XB_BASE_CREW_H

#include "base/util.h"

struct crew_job {
	size_t nr;
	void *arg;
	/* Any thread, in any order: may touch only what belongs to `index`. */
	void (*work)(void *arg, size_t index);
	/* The caller's thread, in the order of the indices, each once its work is done. */
	void (*collect)(void *arg, size_t index);
};

/* Returns when all is taken. Where no thread can be had the caller does the work itself. */
void crew_run(const struct crew_job *job);

#endif
