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

/* Takes the snapshot's contents. Returns how many requests there are. */
static inline size_t decode_judge(struct snapshot *s, const struct still_guest *made, bool found)
{
	size_t nr = 0, i;

	if (found)
		decode_check(s, ckpt_info(made->ck), still_memory(made));
	for (i = 0; i < s->nr_devices; i++)
		nr += s->devices[i].nr_requests;
	snapshot_fini(s);
	return nr;
}

/* As a command does it: the kernel first, then every driver there is. */
static inline size_t decode_guest(const struct still_guest *made)
{
	const struct frontend_options opt = {.config = ckpt_info(made->ck)};
	struct snapshot s = {0};
	struct guest *g;
	size_t nr;

	if (guest_open(still_memory(made), &g, NULL))
		return 0;
	nr = decode_judge(&s, made, !frontend_analyse(g, &opt, &s, NULL));
	guest_close(g);
	return nr;
}

/* ---- what is known before the damage ------------------------------------------------------ */

/*
 * To find the kernel and to ask ten drivers for what they do not know takes four fifths of the
 * time. Where an input does not ask for that, the kernel is the one that was found in the
 * undamaged guest, and only the driver that it has is asked.
 */
struct decode_known {
	struct guest *g;
	struct kernel kernel;
	const struct frontend_ops *driver;
};

/* An undamaged guest whose requests are not found would fuzz nothing. */
static inline void decode_learn(
	const struct still_guest *made, const char *what, struct decode_known *ret)
{
	const struct frontend_options opt = {.config = ckpt_info(made->ck)};
	struct snapshot s = {0};

	if (guest_open(still_memory(made), &ret->g, NULL))
		abort();
	kernel_open(ret->g, NULL, true, &ret->kernel);
	if (!frontend_analyse(ret->g, &opt, &s, NULL) && s.nr_devices)
		ret->driver = s.devices[0].driver;
	if (!decode_judge(&s, made, true) || !ret->driver) {
		fprintf(stderr, "%s: no requests are found\n", what);
		abort();
	}
}

static inline void decode_by(
	const struct decode_known *k, const struct still_guest *made, enum frontend_locate how)
{
	const struct frontend_options opt = {.locate = how, .config = ckpt_info(made->ck)};
	struct snapshot s = {0};

	if (!guest_reload(k->g, NULL))
		decode_judge(&s, made, !k->driver->find(k->g, &k->kernel, &opt, &s, NULL));
}

/* `way` of an input: one in 32 whole. */
static inline void decode_so(
	const struct decode_known *k, const struct still_guest *made, unsigned way)
{
	if (way % 32)
		decode_by(k, made, FRONTEND_LOCATE_AUTO);
	else
		decode_guest(made);
}

/* ---- one of several guests ---------------------------------------------------------------- */

#define DECODE_HEAD	   2u
#define DECODE_FIRST_FRAME 3u /* in front of it is what no edit shall change */

struct decode_base {
	struct still_guest guest;
	struct decode_known known;
	uint64_t at[STILL_MAX_PAGES]; /* of pages that hold something, in the file */
	size_t nr;
};

/* Takes the image over, and learns what is in it. */
static inline void decode_make(struct decode_base *b, uint8_t *bytes, size_t size, const char *what)
{
	uint64_t pfn;

	still_open(&b->guest, bytes, size, NULL, 0);
	for (pfn = DECODE_FIRST_FRAME; pfn < b->guest.info.nr_pfns && b->nr < STILL_MAX_PAGES;
		pfn++) {
		struct ckpt_page page = ckpt_page(b->guest.ck, PFN(pfn));

		if (page.data && !util_is_zero(page.data, PAGE_BYTES))
			b->at[b->nr++] = page.off;
	}
	decode_learn(&b->guest, what, &b->known);
}

/* An input: a byte that chooses the guest, the way, edits. */
static inline void decode_input(
	struct decode_base *bases, size_t nr_bases, const uint8_t *data, size_t size)
{
	struct decode_base *b;

	if (size < DECODE_HEAD)
		return;
	b = &bases[data[0] % nr_bases];
	still_edit(&b->guest, b->at, b->nr, data + DECODE_HEAD, size - DECODE_HEAD);
	decode_so(&b->known, &b->guest, data[1]);
	still_undo(&b->guest, b->at, b->nr, data + DECODE_HEAD, size - DECODE_HEAD);
}

#endif
