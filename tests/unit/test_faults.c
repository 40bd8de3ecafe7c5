/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Opening bad checkpoints: each fault gives its finding or its refusal; every truncation at a
 * record's border, and thousands of flipped bytes, end in a documented class.
 */
#include "made.h"

#include <dirent.h>
#include <inttypes.h>

#include "check/catalogue.h"

/* -- what a restore would refuse */

static const struct {
	const char *recipe, *rule;
	unsigned times;
} faults[] = {
	{"stub", "XB001", 1},
	{"no-end", "XB001", 1},
	{"padding", "XB002", 1},
	{"reserved", "XB003", 1},
	{"repeat-in-batch", "XB004", 1},
	{"order", "XB005", 1},
	{"second-pv-info", "XB005", 1},
	{"second-static-end", "XB005", 1},
	{"shared-info-first", "XB005", 1},
	{"no-static-end", "XB005", 2},
	{"pages-before-p2m", "XB005", 1},
	{"foreign", "XB006", 1},
	{"v3-in-v2", "XB006", 1},
	{"emulator-of-pv", "XB006", 2},
	{"emulator-of-pvh", "XB006", 1},
	{"colo-state", "XB006", 1},
	{"no-shared-info", "XB007", 1},
	{"no-vcpu0", "XB007", 1},
	{"part-without-basic", "XB007", 1},
	{"no-hvm-context", "XB007", 1},
	{"tsc-size", "XB008", 1},
	{"p2m-count", "XB009", 1},
	{"p2m-gap", "XB009", 1},
	{"p2m-absent", "XB010", 1},
	{"root-type", "XB010", 1},
	{"root-absent", "XB010", 1},
	{"start-info-gone", "XB010", 1},
	{"store-gone", "XB010", 1},
	{"console-gone", "XB010", 1},
	{"optional", "XB011", 1},
	{"optional-many", "XB011", 100},
	{"unknown-record", "XB012", 1},
	{"optional-libxl", "XB012", 1},
	{"trailing", "XB013", 1},
	{"config-broken", "XB014", 1},
	{"config-none", "XB014", 1},
	{"config-no-type", "XB014", 1},
	{"config-too-long", "XB015", 1},
	{"config-short", "XB015", 1},
	{"xl-swapped", "XB015", 1},
	{"xl-flags", "XB015", 1},
	{"xl-lies", "XB015", 1},
	{"no-hvm-cpu", "XB007", 1},
	{"xsave-size", "XB008", 1},
	{"part-without-header", "XB008", 1},
	{"empty-policy", "XB008", 1},
	{"start-info-type", "XB010", 1},
	{"xen20-suspend", "XB020", 1},
	{"epochs", "XB017", 1},
	{"epochs-libxl", "XB017", 1},
	{"hvm-magic", "XB021", 1},
	{"hvm-version", "XB021", 1},
	{"hvm-header-size", "XB021", 1},
	{"hvm-context-cut", "XB021", 1},
	{"emulator-id", "XB023", 1},
	{"emulator-strings", "XB023", 1},
	{"too-many-vcpus", "XB024", 1},
	{"too-many-hvm-vcpus", "XB024", 1},
	{"toolstack", "XB025", 1},
	{"config-type", "XB026", 1},
};

static void each_fault_gives_its_finding(void **state UNUSED)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		struct stream s = make(faults[i].recipe);
		struct ckpt *ck = open_made(&s, faults[i].recipe);
		const struct finding_list *list = ckpt_findings(ck);

		if (finding_seen(list, faults[i].rule) != faults[i].times)
			fail_msg("%s: %s was found %" PRIu64 " times, expected %u",
				faults[i].recipe, faults[i].rule,
				finding_seen(list, faults[i].rule), faults[i].times);
		for (j = 0; j < list->nr; j++) {
			assert_non_null(catalogue_find(list->v[j].rule));
			if (strcmp(list->v[j].rule, faults[i].rule) &&
				strcmp(faults[i].recipe, "no-static-end"))
				fail_msg("%s: also %s, %s", faults[i].recipe, list->v[j].rule,
					list->v[j].message);
		}
		assert_int_equal(ckpt_info(ck)->complete, strcmp(faults[i].rule, "XB001") ? 1 : 0);
		ckpt_close(ck);
		free(s.bytes);
	}
}

/* libxl's own end inside a checkpoint: the libxc stream never came to its end. */
static void a_checkpoint_is_no_end(void **state UNUSED)
{
	struct stream s = make("epochs-no-end");
	struct ckpt *ck = open_made(&s, "epochs-no-end");

	assert_false(ckpt_info(ck)->complete);
	assert_non_null(strstr(ckpt_info(ck)->incomplete_why, "inside a checkpoint"));
	assert_int_equal(finding_seen(ckpt_findings(ck), "XB001"), 1);
	assert_int_equal(finding_seen(ckpt_findings(ck), "XB016"), 1);
	ckpt_close(ck);
	free(s.bytes);
}

static const struct {
	const char *recipe;
	enum err_class cls;
	const char *text;
} refusals[] = {
	{"bad-count-zero", ERR_CORRUPT, "0 entries in 0x8 bytes"},
	{"bad-count-big", ERR_CORRUPT, "16777216 entries in 0x1010 bytes"},
	{"bad-page-type", ERR_CORRUPT, "entry 0 is 0x6000000000000001, expected a type"},
	{"bad-page-reserved", ERR_CORRUPT, "expected bits 59-52 to be 0"},
	{"bad-pfn-pv", ERR_CORRUPT, "expected a pfn of at most 0x3ff"},
	{"bad-pfn-hvm", ERR_CORRUPT, "expected a pfn of at most 0xffffffffff"},
	{"bad-page-size", ERR_CORRUPT, "length 0x1008, expected 0x1010"},
	{"bad-record-length", ERR_CORRUPT, "length 0xffffffff, expected at most 0x8000000"},
	{"bad-pv-info", ERR_CORRUPT, "width 8 with 3 levels"},
	{"bad-context-size", ERR_CORRUPT, "5168 bytes, expected 5176"},
	{"bad-vcpu-id", ERR_CORRUPT, "vcpu 70000, expected below 4096"},
	{"bad-shared-info", ERR_CORRUPT, "4000 bytes, expected 4096"},
	{"bad-page-shift", ERR_CORRUPT, "page shift 13, expected 12"},
	{"bad-guest-type", ERR_CORRUPT, "guest type 5"},
	{"bad-second-libxc", ERR_CORRUPT, "a second LIBXC_CONTEXT"},
	{"bad-no-libxc", ERR_CORRUPT, "no libxc stream follows"},
	{"bad-byte-order", ERR_CORRUPT, "byte order mark 0x01010101"},
	{"bad-xen20-count", ERR_CORRUPT, "count 5000"},
	{"bad-xen20-config", ERR_CORRUPT, "no configuration at 0x1018"},
	{"bad-text", ERR_CORRUPT, "not a checkpoint: no known format begins with 54 68 69 73"},
	{"empty", ERR_CORRUPT, "the file is empty"},
	{"un-big-endian", ERR_UNSUPPORTED, "big-endian"},
	{"un-libxl-big-endian", ERR_UNSUPPORTED, "big-endian"},
	{"un-libxc-v4", ERR_UNSUPPORTED, "version 4, expected 2 or 3"},
	{"un-elf-core", ERR_CORRUPT, "section headers at 0x40 are beyond the end of the file"},
	{"un-vmcore", ERR_CORRUPT, "2 program headers at 0x40 are beyond the end of the file"},
	{"un-xc-core", ERR_CORRUPT, "do not fit each other"},
	{"un-qevm", ERR_UNSUPPORTED, "QEVM"},
	{"un-lzop", ERR_UNSUPPORTED, "packed with lzop"},
	{"un-kdump", ERR_CORRUPT, "kdump file without a header at its start"},
};

static void refusals_say_why(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct stream s = make(refusals[i].recipe);
		struct err err = ERR_INIT;
		struct ckpt *ck;

		if (!open_bytes(s.bytes, s.nr, &ck, &err))
			fail_msg("%s was opened", refusals[i].recipe);
		if (err.cls != refusals[i].cls || !strstr(err.text, refusals[i].text))
			fail_msg("%s: class %d: %s", refusals[i].recipe, err.cls, err.text);
		free(s.bytes);
	}
}

/* -- hostile input */

/* Open, touch everything that can be asked for, close. The bytes are copied to a block of just
 * their size, so that the sanitizer sees a read behind them. Returns the class of the result. */
static enum err_class exercise(const uint8_t *bytes, size_t nr, bool *ret_complete)
{
	uint8_t *exact = malloc(nr ? nr : 1);
	struct err err = ERR_INIT;
	struct ckpt *ck;
	size_t i;

	assert_non_null(exact);
	memcpy(exact, bytes, nr);
	*ret_complete = false;
	if (!open_bytes(exact, nr, &ck, &err)) {
		uint64_t pages = 0, sum = 0;

		*ret_complete = ckpt_info(ck)->complete;
		for (i = 0; i < ckpt_nr_runs(ck); i++) {
			struct ckpt_run run = ckpt_run(ck, i);
			struct ckpt_page page = ckpt_page(ck, PFN(run.pfn + run.nr - 1));

			assert_int_equal(page.type, run.type);
			assert_int_equal(!!page.data, ckpt_type_has_data(run.type));
			if (page.data)
				sum += page.data[0] + page.data[PAGE_BYTES - 1];
			pages += run.nr;
		}
		for (i = 0; i < ckpt_nr_p2m_frames(ck); i++)
			sum += ckpt_p2m_frame(ck, i).v;
		for (i = 0; i < ckpt_nr_vcpus(ck); i++)
			sum += ckpt_vcpu(ck, i)->ctx[ckpt_vcpu(ck, i)->ctx_bytes - 1];
		assert_true(pages >= ckpt_info(ck)->nr_data_pages || sum);
		assert_true(ckpt_info(ck)->complete || ckpt_info(ck)->incomplete_why[0]);
		for (i = 0; i < ckpt_findings(ck)->nr; i++)
			assert_non_null(catalogue_find(ckpt_findings(ck)->v[i].rule));
		ckpt_close(ck);
	}
	free(exact);
	return err.cls;
}

static void truncate_everywhere(const char *recipe)
{
	struct stream s = make(recipe);
	char args[128], *text = malloc(65536), *line, *rest = NULL;
	bool complete;

	assert_non_null(text);
	snprintf(args, sizeof(args), "--boundaries %s", recipe);
	text[run_tool("mkstream.py", args, (uint8_t *)text, 65535)] = 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		size_t border = strtoul(line, NULL, 10), cut;

		for (cut = border ? border - 1 : 0; cut <= border + 1 && cut < s.nr; cut++) {
			enum err_class cls = exercise(s.bytes, cut, &complete);

			if (cls != ERR_NONE && cls != ERR_CORRUPT && cls != ERR_UNSUPPORTED)
				fail_msg("%s cut at %zu: class %d", recipe, cut, cls);
			if (complete)
				fail_msg("%s cut at %zu of %zu is called complete", recipe, cut,
					s.nr);
		}
	}
	exercise(s.bytes, s.nr, &complete);
	assert_true(complete);
	free(text);
	free(s.bytes);
}

static void every_truncation_is_noticed(void **state UNUSED)
{
	static const char *const recipes[] = {"pv64-v3", "pv64-v2", "hvm-v2", "pvh", "pv32", "live",
		"epochs", "epochs-libxl", "xen20", "xen20-verify"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(recipes); i++)
		truncate_everywhere(recipes[i]);
}

/* xorshift64* (Vigna 2016): the same flips in every run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* A byte outside of page data most of the time: flips in pages change nothing. */
static size_t flip_at(const struct stream *s, uint64_t *seed)
{
	size_t at = next_random(seed) % s->nr;
	unsigned tries;

	for (tries = 0; tries < 8 && at > 32 && at + 32 < s->nr; tries++) {
		/* Made pages repeat every 16 bytes, with a step of one. */
		if (s->bytes[at] != s->bytes[at + 16] || s->bytes[at] != s->bytes[at - 16])
			break;
		at = next_random(seed) % s->nr;
	}
	return at;
}

static void flipped_bytes_end_in_a_class(void **state UNUSED)
{
	static const char *const recipes[] = {
		"pv64-v3", "pv64-v2", "hvm-v2", "pvh", "live", "epochs-libxl", "xen20"};
	uint64_t seed = 0x9e3779b97f4a7c15;
	unsigned seen[ERR_USAGE + 1] = {0};
	size_t i, round, k;
	bool complete;

	for (i = 0; i < ARRAY_SIZE(recipes); i++) {
		struct stream s = make(recipes[i]);
		uint8_t *copy = malloc(s.nr);

		assert_non_null(copy);
		for (round = 0; round < 1000; round++) {
			memcpy(copy, s.bytes, s.nr);
			for (k = next_random(&seed) % 4 + 1; k; k--)
				copy[flip_at(&s, &seed)] ^= (uint8_t)(1 + next_random(&seed) % 255);
			seen[exercise(copy, s.nr, &complete)]++;
		}
		free(copy);
		free(s.bytes);
	}
	assert_int_equal(seen[ERR_NONE] + seen[ERR_CORRUPT] + seen[ERR_UNSUPPORTED],
		1000 * ARRAY_SIZE(recipes));
	/* The flips reach something: not all of them are in page data. */
	assert_true(seen[ERR_NONE] > 100);
	assert_true(seen[ERR_CORRUPT] > 100);
}

/* Inputs that the fuzzer found to reach something of their own. */
static void the_kept_corpus_ends_in_a_class(void **state UNUSED)
{
	const char *src = getenv("SRCDIR");
	uint8_t *buf = malloc(MAX_STREAM_BYTES);
	char dir[1024], path[2048];
	unsigned seen = 0;
	struct dirent *e;
	bool complete;
	DIR *d;

	assert_non_null(buf);
	snprintf(dir, sizeof(dir), "%s/tests/fuzz/corpus/ckpt", src ? src : ".");
	d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d))) {
		enum err_class cls;
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		f = e->d_name[0] == '.' ? NULL : fopen(path, "rb");
		if (!f)
			continue;
		cls = exercise(buf, fread(buf, 1, MAX_STREAM_BYTES, f), &complete);
		fclose(f);
		if (cls != ERR_NONE && cls != ERR_CORRUPT && cls != ERR_UNSUPPORTED)
			fail_msg("%s: class %d", e->d_name, cls);
		seen++;
	}
	closedir(d);
	free(buf);
	assert_true(seen > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault_gives_its_finding),
		cmocka_unit_test(a_checkpoint_is_no_end),
		cmocka_unit_test(refusals_say_why),
		cmocka_unit_test(every_truncation_is_noticed),
		cmocka_unit_test(flipped_bytes_end_in_a_class),
		cmocka_unit_test(the_kept_corpus_ends_in_a_class),
	};

	return cmocka_run_group_tests_name("faults", tests, make_all, remove_all);
}
