/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/meter.h"

#include <inttypes.h>
#include <unistd.h>

#define LONG_NS UINT64_C(500000000) /* what takes longer is long work */

static void show_progress(void *arg, const char *what, uint64_t done, uint64_t all)
{
	struct meter *m = arg;
	unsigned percent = all ? (unsigned)(done / (all / 100 + 1)) : 100;

	if (what != m->what) {
		meter_end(m);
		m->what = what;
		m->percent = 101;
		m->since_ns = util_now_ns(CLOCK_MONOTONIC);
	}
	if (done >= all)
		percent = 100;
	if (percent == m->percent || util_now_ns(CLOCK_MONOTONIC) - m->since_ns < LONG_NS)
		return;
	m->percent = percent;
	m->shown = true;
	fprintf(m->out, "\r%3u %% of %" PRIu64 " KiB %s", percent, all >> 10, what);
	fflush(m->out);
}

void meter_start(struct meter *m, const struct cmd_env *env)
{
	bool on = !env->quiet && isatty(fileno(env->talk));

	*m = (struct meter){
		.progress = {.show = on ? show_progress : NULL, .arg = m}, .out = env->talk};
}

void meter_end(struct meter *m)
{
	if (m->shown)
		fputc('\n', m->out);
	m->shown = false;
}
