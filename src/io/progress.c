/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/progress.h"

#include <signal.h>

bool progress_interrupted(void)
{
	sigset_t set;

	return !sigpending(&set) && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) ||
					    sigismember(&set, SIGHUP));
}

int progress_step(
	const struct progress *p, const char *what, uint64_t done, uint64_t all, struct err *err)
{
	if (p && p->show)
		p->show(p->arg, what, done, all);
	return progress_interrupted() ? err_set(err, ERR_SYSTEM, "interrupted") : 0;
}
