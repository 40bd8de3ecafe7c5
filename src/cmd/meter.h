/* SPDX-License-Identifier: BSD-2-Clause
 *
 * meter.h - progress on a terminal: one line on standard error, written over and over.
 */
#ifndef XB_CMD_METER_H
#define XB_CMD_METER_H

#include "cmd/cmd.h"
#include "io/progress.h"

struct meter {
	struct progress progress; /* to hand on; refers to the meter */
	FILE *out;
	const char *what;  /* that is going on */
	uint64_t since_ns; /* CLOCK_MONOTONIC */
	unsigned percent;
	bool shown; /* the line is not ended */
};

/* Silent unless standard error is a terminal, and with -q. */
void meter_start(struct meter *m, const struct cmd_env *env);
/* Before anything else is said. */
void meter_end(struct meter *m);

#endif
