/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Streams of Xen 3.0 to 4.5, as tests/tools/mklegacy.py writes them of small guests whose pages
 * tell who they are.
 */
#include "made.h"

#include <dirent.h>
#include <inttypes.h>

#include "check/catalogue.h"
#include "guest/guest.h"

/* Of the made-up guests: frames whose content is a pattern of their number, and those that a table
 * maps at a known address. */
#define NR_PAGES    40u
#define ROOT	    5u
#define START_INFO  6u
#define FIRST_DATA  16u
#define NR_MAPPED   8u
#define FIRST_TABLE 10u

static char legacy_dir[] = "/tmp/xbdsnap-legacy-XXXXXX";

static int make_legacy(void **state UNUSED)
{
	char args[128];
	uint8_t none[1];

	if (!mkdtemp(legacy_dir))
		return -1;
	snprintf(args, sizeof(args), "--corpus %s", legacy_dir);
	run_tool("mklegacy.py", args, none, sizeof(none));
	return 0;
}

static int remove_legacy(void **state UNUSED)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -r '%s'", legacy_dir);
	return system(cmd);
}

static struct stream load(const char *name)
{
	struct stream s = {.bytes = malloc(MAX_STREAM_BYTES * 2)};
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", legacy_dir, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	assert_non_null(s.bytes);
	s.nr = fread(s.bytes, 1, MAX_STREAM_BYTES * 2, f);
	fclose(f);
	return s;
}

static bool has(const char *name, const char *part)
{
	return strstr(name, part) != NULL;
}

struct kind {
	enum ckpt_guest_type type;
	unsigned word_bytes, levels;
	uint64_t mapped; /* the address of FIRST_DATA */
};

static struct kind kind_of(const char *name)
{
	if (has(name, "2level"))
		return (struct kind){CKPT_GUEST_PV, 4, 2, 0xc0000000};
	if (has(name, "pae"))
		return (struct kind){CKPT_GUEST_PV, 4, 3, 0xc0000000};
	if (has(name, "pv64"))
		return (struct kind){CKPT_GUEST_PV, 8, 4, 0xffff888000000000};
	return (struct kind){CKPT_GUEST_HVM, 8, 4, 0};
}

/* The content of a page as the guest had it at last: u64 frame, u64 0, then a pattern. */
static void check_page(const struct ckpt *ck, const char *name, uint64_t pfn)
{
	struct ckpt_page page = ckpt_page(ck, PFN(pfn));
	unsigned i;

	if (page.kind != CKPT_PAGE_DATA || !page.data)
		fail_msg("%s: page 0x%x has no data", name, (unsigned)pfn);
	if (page.type)
		return;
	if (pfn == START_INFO && ckpt_info(ck)->guest_type == CKPT_GUEST_PV) {
		assert_memory_equal(page.data, "xen-3.0-x86_", 12);
		return;
	}
	if (num_le64(page.data) != pfn || num_le64(page.data + 8))
		fail_msg("%s: page 0x%x holds %" PRIx64 ", version %" PRIu64, name, (unsigned)pfn,
			num_le64(page.data), num_le64(page.data + 8));
	for (i = 16; i < PAGE_BYTES; i++)
		assert_int_equal(page.data[i], (pfn * 7 + i % 16) & 0xff);
}

static void check_mapping(struct ckpt *ck, const struct kind *kind)
{
	struct err err = ERR_INIT;
	struct guest *g;
	uint64_t word;
	unsigned i;

	if (guest_open(memory_of_ckpt(ck), &g, &err))
		fail_msg("%s", err.text);
	assert_int_equal(guest_pt_levels(g), kind->levels);
	assert_int_equal(guest_word_bytes(g), kind->word_bytes);
	for (i = 0; i < NR_MAPPED; i++) {
		if (guest_read_u64(g, GVA(kind->mapped + i * PAGE_BYTES), &word, &err))
			fail_msg("%s", err.text);
		assert_int_equal(word, FIRST_DATA + i);
	}
	guest_close(g);
}

static void check_config(const struct ckpt_info *info, const char *name)
{
	bool wrapped = has(info->layers[0], "xend") || has(info->layers[0], "xl") ||
		       has(info->layers[0], "libvirt");

	if (has(info->layers[0], "xapi v2")) {
		assert_string_equal(info->name, "made");
		assert_string_equal(info->uuid, "00000000-1111-2222-3333-444444444444");
	}
	if (!wrapped)
		return;
	if (!info->name || strcmp(info->name, "made"))
		fail_msg("%s: the guest's name is %s", name, info->name ? info->name : "unknown");
	assert_string_equal(info->uuid, "00000000-1111-2222-3333-444444444444");
	assert_int_equal(info->config_vcpus, 2);
	assert_int_equal(info->nr_disks, 1);
	assert_string_equal(info->disks[0].vdev, "xvda");
	assert_string_equal(info->disks[0].path, "vg/made");
	assert_false(info->disks[0].read_only);
}

static void check_one(const char *name)
{
	struct stream s = load(name);
	struct ckpt *ck = open_made(&s, name);
	const struct ckpt_info *info = ckpt_info(ck);
	struct kind kind = kind_of(name);
	/* An SMP guest of 3.0 gives up its other vcpus before it is saved. */
	size_t nr_vcpus =
		has(name, "-3.0") || has(name, "hybrid") || has(name, "2level-xend") ? 1 : 2;
	uint64_t pfn;
	/* These end in an epoch of which nothing may count. */
	bool cut = has(name, "remus") && !has(name, "remus-4.5");
	unsigned i;

	if (info->complete == cut)
		fail_msg("%s: %s", name, info->incomplete_why);
	assert_int_equal(finding_seen(ckpt_findings(ck), "XB016"), cut);
	assert_int_equal(info->guest_type, kind.type);
	if (ckpt_nr_vcpus(ck) != nr_vcpus)
		fail_msg("%s: %zu vcpus", name, ckpt_nr_vcpus(ck));
	for (pfn = 0; pfn < NR_PAGES; pfn++)
		check_page(ck, name, pfn);
	assert_int_equal(info->nr_data_pages, NR_PAGES);
	if (kind.type == CKPT_GUEST_PV) {
		assert_int_equal(info->nr_pfns, 64);
		assert_int_equal(ckpt_vcpu(ck, 0)->root.v, ROOT);
		assert_int_equal(ckpt_vcpu(ck, 0)->dx, START_INFO);
		assert_int_equal(ckpt_nr_p2m_frames(ck), 1);
		assert_memory_equal(ckpt_shared_info(ck), "SHIN", 4);
		check_mapping(ck, &kind);
	}
	check_config(info, name);
	for (i = 0; i < ckpt_findings(ck)->nr; i++) {
		const struct finding *f = &ckpt_findings(ck)->v[i];

		if (catalogue_find(f->rule)->severity == SEVERITY_ERROR &&
			strcmp(f->rule, has(name, "no-xsave") ? "XB008"
					: cut		      ? "XB001"
							      : ""))
			fail_msg("%s: %s: %s", name, f->rule, f->message);
	}
	ckpt_close(ck);
	free(s.bytes);
}

static void every_kind_is_read(void **state UNUSED)
{
	DIR *d = opendir(legacy_dir);
	struct dirent *e;
	unsigned nr = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			check_one(e->d_name);
			nr++;
		}
	closedir(d);
	assert_true(nr >= 38);
}

static void hvm_parameters_are_kept(void **state UNUSED)
{
	static const struct {
		unsigned index;
		uint64_t value;
	} want[] = {{1, 60}, {5, 61}, {6, 62}, {9, 3}, {12, 0xfeffe000}, {15, 0xfef00000}, {17, 59},
		{19, 1}, {27, 55}, {28, 56}, {29, 57}, {32, 50}, {33, 8}, {34, 0xfc00}};
	struct stream s = load("hvm-4.5-json");
	struct ckpt *ck = open_made(&s, "hvm-4.5-json");
	uint64_t value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(want); i++) {
		assert_true(ckpt_hvm_param(ck, want[i].index, &value));
		assert_int_equal(value, want[i].value);
	}
	assert_false(ckpt_hvm_param(ck, 2, &value));
	assert_int_equal(ckpt_info(ck)->nr_emulator_records, 1);
	ckpt_close(ck);
	free(s.bytes);
}

/* Words without a page: those of a ballooned guest, BROKEN and missing ones. */
static void pages_without_data_are_told_apart(void **state UNUSED)
{
	struct stream s = load("pv64-4.3-broken");
	struct ckpt *ck = open_made(&s, "pv64-4.3-broken");

	/* The list of missing frames comes later than the batch. */
	assert_int_equal(ckpt_page(ck, PFN(63)).kind, CKPT_PAGE_NO_DATA);
	assert_int_equal(ckpt_page(ck, PFN(50)).kind, CKPT_PAGE_NO_DATA);
	assert_int_equal(ckpt_page(ck, PFN(64)).kind, CKPT_PAGE_ABSENT);
	ckpt_close(ck);
	free(s.bytes);
}

/* A vcpu that never used xsave has no state of it in the file, whatever the header announced. */
static void a_missing_xsave_state_is_found(void **state UNUSED)
{
	struct stream s = load("pv64-4.5-no-xsave");
	struct ckpt *ck = open_made(&s, "pv64-4.5-no-xsave");

	assert_int_equal(ckpt_nr_vcpus(ck), 2);
	assert_int_equal(finding_seen(ckpt_findings(ck), "XB008"), 1);
	assert_int_equal(ckpt_vcpu(ck, 1)->ip, 0xffff888000000001);
	ckpt_close(ck);
	free(s.bytes);
}

/* ---- epochs ------------------------------------------------------------------------------- */

/* What a tool prints about a stream that is then loaded: numbers, one a line, ascending. */
static size_t make_and_list(
	const char *options, const char *list, struct stream *ret, size_t *v, size_t cap)
{
	char args[512], *text = malloc(65536), *line, *rest = NULL;
	const char *more = strchr(options, ' ');
	size_t nr = 0;

	assert_non_null(text);
	snprintf(args, sizeof(args), "%.*s %s/.one --%s /dev/stdout %s", (int)(more - options),
		options, legacy_dir, list, more);
	text[run_tool("mklegacy.py", args, (uint8_t *)text, 65535)] = 0;
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		assert_true(nr < cap);
		v[nr++] = strtoul(line, NULL, 10);
	}
	free(text);
	*ret = load(".one");
	return nr;
}

#define MAX_LIST 4096u

/* Every page of the two is the same. */
static void check_same(struct ckpt *a, struct ckpt *b, const char *what, size_t cut)
{
	uint64_t pfn;

	for (pfn = 0; pfn < 64; pfn++) {
		struct ckpt_page p = ckpt_page(a, PFN(pfn)), q = ckpt_page(b, PFN(pfn));

		if (p.kind != q.kind || p.type != q.type ||
			(p.data && memcmp(p.data, q.data, PAGE_BYTES)))
			fail_msg("%s cut at %zu: page 0x%x is another", what, cut, (unsigned)pfn);
	}
	assert_int_equal(ckpt_nr_vcpus(a), ckpt_nr_vcpus(b));
}

/* Wherever the file ends, the state is that of the last epoch that is whole. */
static void a_cut_epoch_leaves_no_trace(void **state UNUSED)
{
	static const char *const options[] = {
		"made:pv64 --since 4.2 --tools 64 --remus 3 --compress --split",
		"made:pae --since 4.0 --tools 32 --remus 2",
		"made:hvm --since 4.2 --tools 64 --qemu remus --remus 2 --compress",
	};
	size_t *marks = calloc(MAX_LIST, sizeof(*marks)), epochs[8], i, k, e, nr_marks, nr_epochs;
	struct stream s;

	assert_non_null(marks);
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		nr_epochs = make_and_list(options[i], "epochs", &s, epochs, ARRAY_SIZE(epochs));
		free(s.bytes);
		nr_marks = make_and_list(options[i], "marks", &s, marks, MAX_LIST);
		assert_true(nr_epochs > 2 && nr_marks > 20);
		for (k = e = 0; k < nr_marks; k++) {
			struct stream cut = {s.bytes, marks[k]}, whole = {s.bytes, 0};
			struct ckpt *a, *b;

			while (e + 1 < nr_epochs && epochs[e + 1] <= cut.nr)
				e++;
			whole.nr = epochs[e];
			if (cut.nr < epochs[0])
				continue;
			a = open_made(&cut, options[i]);
			b = open_made(&whole, options[i]);
			assert_true(ckpt_info(b)->complete);
			check_same(a, b, options[i], cut.nr);
			ckpt_close(a);
			ckpt_close(b);
		}
		free(s.bytes);
	}
	free(marks);
}

/* ---- damage ------------------------------------------------------------------------------- */

/* Open and look at everything; the class of the error, ERR_NONE when it opened. */
static enum err_class look_at(const uint8_t *bytes, size_t nr, bool *complete)
{
	uint8_t *exact = malloc(nr ? nr : 1);
	struct err err = ERR_INIT;
	struct ckpt *ck;
	uint64_t sum = 0;
	size_t i;

	assert_non_null(exact);
	memcpy(exact, bytes, nr);
	*complete = false;
	if (!open_bytes(exact, nr, &ck, &err)) {
		for (i = 0; i < ckpt_nr_runs(ck); i++) {
			struct ckpt_run run = ckpt_run(ck, i);
			struct ckpt_page page = ckpt_page(ck, PFN(run.pfn + run.nr - 1));

			sum += page.data ? page.data[PAGE_BYTES - 1] : 0;
		}
		for (i = 0; i < ckpt_nr_vcpus(ck); i++)
			sum += ckpt_vcpu(ck, i)->ctx[ckpt_vcpu(ck, i)->ctx_bytes - 1];
		*complete = ckpt_info(ck)->complete;
		if (!*complete && !has(ckpt_info(ck)->incomplete_why, "0x"))
			fail_msg("no offset in: %s", ckpt_info(ck)->incomplete_why);
		ckpt_close(ck);
	}
	free(exact);
	return sum == UINT64_MAX ? ERR_NONE : err.cls;
}

/* Each border of a part, one byte before and behind it. */
static void cut_everywhere(const char *options)
{
	size_t *marks = calloc(MAX_LIST, sizeof(*marks)), i, nr, cut;
	struct stream s;
	bool complete;

	assert_non_null(marks);
	nr = make_and_list(options, "marks", &s, marks, MAX_LIST);
	for (i = 0; i < nr; i++) {
		size_t border = marks[i];

		for (cut = border ? border - 1 : 0; cut <= border + 1 && cut < s.nr; cut++) {
			enum err_class cls = look_at(s.bytes, cut, &complete);

			if (cls != ERR_NONE && cls != ERR_CORRUPT)
				fail_msg("%s cut at %zu: class %d", options, cut, cls);
			if (complete)
				fail_msg("%s cut at %zu of %zu is called complete", options, cut,
					s.nr);
		}
	}
	look_at(s.bytes, s.nr, &complete);
	assert_true(complete);
	free(marks);
	free(s.bytes);
}

static void every_cut_is_noticed(void **state UNUSED)
{
	static const char *const options[] = {
		"made:pv64 --since 3.0 --tools 64",
		"made:pv64 --since 3.1 --tools 64 --wrap xend --live",
		"made:pv64 --since 4.4 --tools 64 --wrap xl --live --tmem --verify",
		"made:pv64 --since 4.5 --tools 32 --wrap xl-json --odd-block",
		"made:2level --since 3.0 --tools 32 --wrap xend --list-bytes 4096",
		"made:pae --since 4.1 --tools 32",
		"made:hvm --since 4.2 --tools 64 --wrap xl --qemu 0002",
		"made:hvm --since 4.5 --tools 32 --wrap xl-json --qemu 0002",
		"made:pv64 --since 4.4 --wrap libvirt1",
		"made:hvm --since 4.4 --wrap xapi2 --qemu 0002",
		"made:hvm --since 4.1 --tools 32 --wrap xapi1 --qemu xapi",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(options); i++)
		cut_everywhere(options[i]);
}

/* xorshift64* (Vigna 2016): the same flips in every run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Outside of the pages, most of the time. */
static size_t flip_at(const struct stream *s, uint64_t *seed)
{
	size_t at = next_random(seed) % s->nr;
	unsigned tries;

	for (tries = 0; tries < 12 && at > 32 && at + 32 < s->nr; tries++) {
		if (s->bytes[at] != s->bytes[at + 16] || s->bytes[at] != s->bytes[at - 16])
			break;
		at = next_random(seed) % s->nr;
	}
	return at;
}

static void flips_end_in_a_class(void **state UNUSED)
{
	static const char *const names[] = {"pv64-3.0", "pv64-3.2-xend", "pv64-4.4-live",
		"pv64-4.1-xl-32", "pae-3.0.3", "2level-xend", "hvm-4.2-xl", "hvm-3.4-32",
		"pv64-remus-4.5", "hvm-remus", "pv64-libvirt", "hvm-xapi", "hvm-xapi-old"};
	unsigned seen[ERR_USAGE + 1] = {0};
	uint64_t seed = 0x9e3779b97f4a7c15;
	size_t i, round, k;
	bool complete;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct stream s = load(names[i]);
		uint8_t *copy = malloc(s.nr);

		assert_non_null(copy);
		for (round = 0; round < 300; round++) {
			memcpy(copy, s.bytes, s.nr);
			for (k = 0; k <= round % 3; k++)
				copy[flip_at(&s, &seed)] ^= (uint8_t)(1u << next_random(&seed) % 8);
			seen[look_at(copy, s.nr, &complete)]++;
		}
		free(copy);
		free(s.bytes);
	}
	assert_true(seen[ERR_NONE] > 100);
	assert_true(seen[ERR_CORRUPT] > 20);
	assert_int_equal(seen[ERR_SYSTEM] + seen[ERR_REFUSED] + seen[ERR_USAGE], 0);
}

/* ---- recognition -------------------------------------------------------------------------- */

static enum err_class open_head(const uint8_t *bytes, size_t nr)
{
	bool complete;

	return look_at(bytes, nr, &complete);
}

/* What has no magic must prove itself: a list and one batch that nothing follows may be anything.
 */
static void nothing_is_guessed(void **state UNUSED)
{
	struct stream s = load("pv64-3.0");
	uint8_t *zeros = calloc(1, 65536);
	size_t whole = 8 + 8 + 4 + 40 * 8 + 40 * PAGE_BYTES;

	assert_non_null(zeros);
	assert_int_equal(open_head(s.bytes, whole), ERR_CORRUPT);
	assert_int_equal(open_head(s.bytes, s.nr), ERR_NONE);
	/* A frame of the p2m beyond the guest. */
	num_put_le32(s.bytes + 8, 64);
	assert_int_equal(open_head(s.bytes, s.nr), ERR_CORRUPT);
	num_put_le32(s.bytes + 8, 0);
	assert_int_equal(open_head(s.bytes, s.nr), ERR_CORRUPT);
	num_put_le32(s.bytes + 8, 8);
	assert_int_equal(open_head(s.bytes, s.nr), ERR_NONE);
	/* A page number behind the last one, in the first batch. */
	num_put_le32(s.bytes + 20, 64);
	assert_int_equal(open_head(s.bytes, s.nr), ERR_CORRUPT);
	assert_int_equal(open_head(zeros, 65536), ERR_CORRUPT);
	zeros[0] = 64;
	assert_int_equal(open_head(zeros, 65536), ERR_CORRUPT);
	free(zeros);
	free(s.bytes);
}

/* A count of pages or of bytes that the file cannot have costs neither memory nor time. */
static void hostile_numbers_are_refused(void **state UNUSED)
{
	static const struct {
		const char *name;
		size_t at;
		uint32_t value;
	} cases[] = {
		{"pv64-3.2-xend", 16, 0x7fffffff},     /* length of the configuration */
		{"pv64-4.5-no-xsave", 16, 0xfffffff0}, /* of the extended information */
		{"pv64-4.5-no-xsave", 24, 0xfffffff0}, /* of its first block */
		{"pv64-3.0", 0, 0x0fffffff},	       /* p2m_size */
		{"pv64-3.0", 16, 1025},		       /* pages of a batch */
	};
	size_t i;
	bool complete;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stream s = load(cases[i].name);

		num_put_le32(s.bytes + cases[i].at, cases[i].value);
		look_at(s.bytes, s.nr, &complete);
		if (complete)
			fail_msg("%s with 0x%x at %zu", cases[i].name, cases[i].value, cases[i].at);
		free(s.bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_read),
		cmocka_unit_test(hvm_parameters_are_kept),
		cmocka_unit_test(pages_without_data_are_told_apart),
		cmocka_unit_test(a_missing_xsave_state_is_found),
		cmocka_unit_test(a_cut_epoch_leaves_no_trace),
		cmocka_unit_test(every_cut_is_noticed),
		cmocka_unit_test(flips_end_in_a_class),
		cmocka_unit_test(nothing_is_guessed),
		cmocka_unit_test(hostile_numbers_are_refused),
	};

	return cmocka_run_group_tests(tests, make_legacy, remove_legacy);
}
