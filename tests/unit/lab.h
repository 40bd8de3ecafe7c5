/* SPDX-License-Identifier: BSD-2-Clause
 *
 * lab.h - a reduced real checkpoint in memory, to be damaged word by word and judged again.
 *
 * The fixtures of tests/fixtures without their empty pages (tests/tools/shrink.py): a run takes
 * some 20 ms, with sanitizers. Needs no checkpoints beside the project.
 */
#ifndef XB_TESTS_LAB_H
#define XB_TESTS_LAB_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "check/catalogue.h"
#include "check/check.h"
#include "check/specials.h"
#include "frontend/frontend.h"

struct lab {
	uint8_t *bytes, *good; /* as it is now, and as it was */
	size_t nr;
	struct frontend_options opt;
	struct ckpt *ck;
	struct guest *g;
	struct snapshot snap; /* its findings too are judged */
	struct check_special *specials;
	size_t nr_specials;
	struct check_result out;
};

/* Of a long series, each so many-th case (tests/run.sh, SAMPLE). */
static inline size_t test_sample(void)
{
	const char *set = getenv("SAMPLE");
	int n = set ? atoi(set) : 1;

	return n > 1 ? (size_t)n : 1;
}

static inline void lab_forget(struct lab *l)
{
	check_result_fini(&l->out);
	snapshot_fini(&l->snap);
	free(l->specials);
	guest_close(l->g);
	ckpt_close(l->ck);
	l->ck = NULL;
	l->g = NULL;
	l->specials = NULL;
}

/* Look at the bytes as they are. */
static inline void lab_run(struct lab *l)
{
	struct check_input in = {0};
	struct err err = ERR_INIT;
	struct source *src;

	lab_forget(l);
	if (source_from_memory(l->bytes, l->nr, "lab", &src, &err) ||
		ckpt_open_source(src, &l->ck, &err) ||
		guest_open(memory_of_ckpt(l->ck), &l->g, &err) ||
		frontend_analyse(l->g, &l->opt, &l->snap, &err) ||
		check_specials(memory_of_ckpt(l->ck), &l->specials, &l->nr_specials, &err))
		fail_msg("%s", err.text);
	frontend_report_missing(ckpt_info(l->ck), &l->snap);
	in.snap = &l->snap;
	in.info = ckpt_info(l->ck);
	in.memory = memory_of_ckpt(l->ck);
	in.specials = l->specials;
	in.nr_specials = l->nr_specials;
	check_run(&in, &l->out);
	assert_false(l->out.no_memory);
}

/* What the command prints. */
static inline void lab_take(struct lab *l, const char *cmd)
{
	size_t cap = (size_t)64 << 20, got;
	FILE *f = popen(cmd, "r");

	assert_non_null(f);
	l->good = malloc(cap);
	assert_non_null(l->good);
	while (l->nr < cap && (got = fread(l->good + l->nr, 1, cap - l->nr, f)) > 0)
		l->nr += got;
	assert_int_equal(pclose(f), 0);
	assert_true(l->nr && l->nr < cap);
	l->bytes = malloc(l->nr);
	assert_non_null(l->bytes);
	memcpy(l->bytes, l->good, l->nr);
	lab_run(l);
}

static inline void lab_load(struct lab *l, const char *fixture, enum frontend_locate locate)
{
	const char *top = getenv("SRCDIR");
	char cmd[2048];

	*l = (struct lab){.opt.locate = locate};
	if (!top)
		top = ".";
	snprintf(cmd, sizeof(cmd), "python3 '%s/tests/tools/shrink.py' '%s/tests/fixtures/%s'", top,
		top, fixture);
	lab_take(l, cmd);
}

/* The whole of a small checkpoint; skips where there is none. */
static inline void lab_load_real(struct lab *l, const char *name, enum frontend_locate locate)
{
	const char *cache = getenv("XBDSNAP_CACHE");
	char cmd[4096];

	*l = (struct lab){.opt.locate = locate};
	if (!cache)
		skip();
	snprintf(cmd, sizeof(cmd), "cat '%s/%s/image.save'", cache, name);
	lab_take(l, cmd);
}

static inline void lab_close(struct lab *l)
{
	lab_forget(l);
	free(l->bytes);
	free(l->good);
}

/* The place in the file of a guest address. */
static inline uint64_t lab_off(struct lab *l, uint64_t va)
{
	struct guest_map map;
	struct ckpt_page page;

	if (guest_translate(l->g, GVA(va), &map, NULL))
		fail_msg("0x%" PRIx64 " is not mapped", va);
	page = ckpt_page(l->ck, map.pfn);
	assert_int_equal(page.kind, CKPT_PAGE_DATA);
	return page.off + map.offset;
}

static inline uint8_t *lab_at(struct lab *l, uint64_t va)
{
	return l->bytes + lab_off(l, va);
}

/* What is changed by this is undone by lab_mend(). */
static inline void lab_put(struct lab *l, uint64_t va, uint64_t v, unsigned bytes)
{
	uint8_t *p = lab_at(l, va);

	for (; bytes--; v >>= 8)
		*p++ = (uint8_t)v;
}

static inline uint64_t lab_get(struct lab *l, uint64_t va, unsigned bytes)
{
	const uint8_t *p = lab_at(l, va);
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

static inline void lab_mend(struct lab *l)
{
	memcpy(l->bytes, l->good, l->nr);
}

/* Leave out what only symbols lead to (kallsyms, types, modules): those pages become empty. */
static inline void lab_strip_symbols(struct lab *l)
{
	const enum frontend_locate ways[] = {FRONTEND_LOCATE_SYMBOLS, FRONTEND_LOCATE_SCAN};
	uint64_t pfn, nr = ckpt_info(l->ck)->nr_pfns;
	uint8_t *read_by = calloc(nr, 1);
	struct err err = ERR_INIT;
	unsigned i;

	assert_non_null(read_by);
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		struct frontend_options opt = {.locate = ways[i]};
		struct snapshot s = {0};
		struct guest *g;

		if (guest_open(memory_of_ckpt(l->ck), &g, &err) || guest_track_reads(g, &err) ||
			frontend_analyse(g, &opt, &s, &err))
			fail_msg("%s", err.text);
		for (pfn = 0; pfn < nr; pfn++)
			read_by[pfn] |= (uint8_t)(guest_was_read(g, PFN(pfn)) << i);
		snapshot_fini(&s);
		guest_close(g);
	}
	for (pfn = 0; pfn < nr; pfn++) {
		struct ckpt_page page = ckpt_page(l->ck, PFN(pfn));

		if (read_by[pfn] == 1 && page.kind == CKPT_PAGE_DATA && !ckpt_type_level(page.type))
			memset(l->good + page.off, 0, PAGE_BYTES);
	}
	free(read_by);
	memcpy(l->bytes, l->good, l->nr);
	lab_run(l);
}

static inline size_t lab_nr_findings(const struct lab *l)
{
	return l->out.findings.nr + l->snap.findings.nr;
}

static inline const struct finding *lab_finding(const struct lab *l, size_t i)
{
	return i < l->out.findings.nr ? &l->out.findings.v[i]
				      : &l->snap.findings.v[i - l->out.findings.nr];
}

static inline unsigned lab_seen(const struct lab *l, const char *rule)
{
	size_t i;
	unsigned nr = 0;

	for (i = 0; i < lab_nr_findings(l); i++)
		nr += !strcmp(lab_finding(l, i)->rule, rule);
	return nr;
}

static inline size_t lab_pending(const struct lab *l)
{
	size_t i, nr = 0;

	for (i = 0; i < l->snap.nr_devices; i++)
		nr += l->snap.devices[i].nr_requests;
	return nr;
}

/* The exit status of validate, but for files that are cut. */
static inline int lab_status(const struct lab *l)
{
	enum severity worst = SEVERITY_NOTE;
	size_t i;

	for (i = 0; i < lab_nr_findings(l); i++) {
		enum severity s = catalogue_find(lab_finding(l, i)->rule)->severity;

		worst = MAX(worst, s);
	}
	if (worst == SEVERITY_ERROR)
		return 3;
	if (!l->snap.nr_devices)
		return 4;
	return worst == SEVERITY_WARNING;
}

static inline void lab_print(const struct lab *l, const char *what)
{
	size_t i;

	print_message("%s: status %d, %zu devices, %zu pending\n", what, lab_status(l),
		l->snap.nr_devices, lab_pending(l));
	for (i = 0; i < lab_nr_findings(l); i++)
		print_message("  %s %s slot %d: %s\n", lab_finding(l, i)->rule,
			lab_finding(l, i)->device, lab_finding(l, i)->slot,
			lab_finding(l, i)->message);
}

#endif
