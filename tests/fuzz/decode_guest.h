/* SPDX-License-Identifier: BSD-2-Clause
 *
 * decode_guest.h - find and decode the frontends of a guest that may be damaged, for fuzzers.
 */
#ifndef XB_TESTS_FUZZ_DECODE_GUEST_H
#define XB_TESTS_FUZZ_DECODE_GUEST_H

#include <stdio.h>

#include "check/catalogue.h"
#include "check/check.h"
#include "frontend/frontend.h"

#include "still_guest.h"

/* What every snapshot promises its users, and that the rules can be asked. */
static inline void decode_check(
	const struct snapshot *s, const struct ckpt_info *info, struct memory m)
{
	const struct check_input in = {.snap = s, .info = info, .memory = m};
	struct check_result out = {0};
	size_t i, k;

	for (i = 0; i < s->nr_devices; i++)
		for (k = 0; k < s->devices[i].nr_requests; k++)
			if (s->devices[i].requests[k].ring >= s->devices[i].nr_rings)
				abort();
	for (i = 0; i < s->findings.nr; i++)
		if (!catalogue_find(s->findings.v[i].rule))
			abort();
	check_run(&in, &out);
	check_result_fini(&out);
}

/* Returns how many requests there are. */
static inline size_t decode_guest(const struct still_guest *made)
{
	const struct frontend_options opt = {.config = ckpt_info(made->ck)};
	struct snapshot s = {0};
	size_t nr = 0, i;
	struct guest *g;

	if (guest_open(still_memory(made), &g, NULL))
		return 0;
	if (!frontend_analyse(g, &opt, &s, NULL))
		decode_check(&s, ckpt_info(made->ck), guest_memory(g));
	for (i = 0; i < s.nr_devices; i++)
		nr += s.devices[i].nr_requests;
	snapshot_fini(&s);
	guest_close(g);
	return nr;
}

/* An undamaged guest whose requests are not found would fuzz nothing. */
static inline void decode_reached(const struct still_guest *made, const char *what)
{
	if (decode_guest(made))
		return;
	fprintf(stderr, "%s: no requests are found\n", what);
	abort();
}

#endif
