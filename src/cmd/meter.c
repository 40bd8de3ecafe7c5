/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/meter.h"

#include <inttypes.h>
#include <unistd.h>

#define LONG_MS 500 /* what takes longer is long work */

static long elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	if (clock_gettime(CLOCK_MONOTONIC, &now))
		return 0;
	return (now.tv_sec - since->tv_sec) * 1000 + (now.tv_nsec - since->tv_nsec) / 1000000;
}

static void show_progress(void *arg, const char *what, uint64_t done, uint64_t all)
{
	struct meter *m = arg;
	unsigned percent = all ? (unsigned)(done / (all / 100 + 1)) : 100;

	if (what != m->what) {
		meter_end(m);
		m->what = what;
		m->percent = 101;
		if (clock_gettime(CLOCK_MONOTONIC, &m->since))
			m->since = (struct timespec){0};
	}
	if (done >= all)
		percent = 100;
	if (percent == m->percent || elapsed_ms(&m->since) < LONG_MS)
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
