/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Opening checkpoints: the real ones, when they are there; made ones of every kind, good, faulty
 * and broken; every truncation at a record's border, and thousands of flipped bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "check/catalogue.h"
#include "checkpoint/checkpoint.h"

#define MAX_STREAM_BYTES (512u << 10)

/* What a tool under tests/tools prints. */
static size_t run_tool(const char *tool, const char *args, uint8_t *buf, size_t cap)
{
	const char *src = getenv("SRCDIR");
	char cmd[2048];
	size_t n = 0, got;
	FILE *f;

	snprintf(cmd, sizeof(cmd), "python3 '%s/tests/tools/%s' %s", src ? src : ".", tool, args);
	f = popen(cmd, "r");
	assert_non_null(f);
	while (n < cap && (got = fread(buf + n, 1, cap - n, f)) > 0)
		n += got;
	assert_int_equal(pclose(f), 0);
	assert_true(n < cap);
	return n;
}

struct stream {
	uint8_t *bytes;
	size_t nr;
};

/* Every recipe of mkstream.py, made once. */
static char made_dir[] = "/tmp/xbdsnap-made-XXXXXX";

static int make_all(void **state UNUSED)
{
	char args[128];
	uint8_t none[1];

	if (!mkdtemp(made_dir))
		return -1;
	snprintf(args, sizeof(args), "--corpus %s", made_dir);
	run_tool("mkstream.py", args, none, sizeof(none));
	return 0;
}

static int remove_all(void **state UNUSED)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -r '%s'", made_dir);
	return system(cmd);
}

static struct stream make(const char *recipe)
{
	struct stream s = {.bytes = malloc(MAX_STREAM_BYTES)};
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", made_dir, recipe);
	f = fopen(path, "rb");
	assert_non_null(f);
	assert_non_null(s.bytes);
	s.nr = fread(s.bytes, 1, MAX_STREAM_BYTES, f);
	fclose(f);
	return s;
}

static int open_bytes(const void *bytes, size_t nr, struct ckpt **ret, struct err *err)
{
	struct source *src;

	if (source_from_memory(bytes, nr, "made", &src, err))
		return -1;
	return ckpt_open_source(src, ret, err);
}

static struct ckpt *open_made(const struct stream *s, const char *name)
{
	struct ckpt *ck = NULL;
	struct err err = ERR_INIT;

	if (open_bytes(s->bytes, s->nr, &ck, &err))
		fail_msg("%s: %s", name, err.text);
	return ck;
}

/* -- real checkpoints */

static const char *const images[] = {
	"linux-6.1-base",
	"linux-6.1-nopersist",
	"linux-6.1-indirect",
	"linux-6.1-mq",
	"linux-6.1-flush",
	"linux-6.1-pvh",
	"linux-6.1-hvm",
	"linux-6.1-ext4",
	"linux-6.12-discard",
	"xen2-netbsd",
};

static void image_path(const char *name, char *buf, size_t cap)
{
	const char *cache = getenv("XBDSNAP_CACHE");

	if (!cache)
		skip();
	snprintf(buf, cap, "%s/%s/image.save", cache, name);
}

/* CRC-32 (IEEE 802.3), eight bytes at a time. */
static uint32_t crc_table[8][256];

static void crc_init(void)
{
	uint32_t i, j;

	for (i = 0; i < 256; i++) {
		uint32_t c = i;

		for (j = 0; j < 8; j++)
			c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
		crc_table[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (j = 1; j < 8; j++)
			crc_table[j][i] =
				crc_table[j - 1][i] >> 8 ^ crc_table[0][crc_table[j - 1][i] & 0xff];
}

static uint32_t crc_bytes(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t word;
	unsigned i;

	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint32_t next = 0;

		memcpy(&word, p, 8);
		word ^= crc;
		for (i = 0; i < 8; i++)
			next ^= crc_table[7 - i][word >> 8 * i & 0xff];
		crc = next;
	}
	for (; n; n--, p++)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *p) & 0xff];
	return ~crc;
}

static uint32_t crc_of_pages(const struct ckpt *ck, uint64_t *ret_nr)
{
	uint32_t crc = 0, j;
	size_t i;

	*ret_nr = 0;
	for (i = 0; i < ckpt_nr_runs(ck); i++) {
		struct ckpt_run run = ckpt_run(ck, i);

		for (j = 0; ckpt_type_has_data(run.type) && j < run.nr; j++) {
			struct ckpt_page page = ckpt_page(ck, PFN(run.pfn + j));
			uint8_t head[9];

			assert_non_null(page.data);
			num_put_le64(head, run.pfn + j);
			head[8] = page.type;
			crc = crc_bytes(crc, head, sizeof(head));
			crc = crc_bytes(crc, page.data, PAGE_BYTES);
			(*ret_nr)++;
		}
	}
	return crc;
}

static struct json_object *want(struct json_object *o, const char *name)
{
	struct json_object *v;

	assert_true(json_object_object_get_ex(o, name, &v));
	return v;
}

static void compare_disks(const struct ckpt_info *info, struct json_object *disks)
{
	size_t i;

	assert_int_equal(info->nr_disks, json_object_array_length(disks));
	for (i = 0; i < info->nr_disks; i++) {
		struct json_object *pair = json_object_array_get_idx(disks, i);
		const char *path = json_object_get_string(json_object_array_get_idx(pair, 1));

		assert_string_equal(info->disks[i].vdev,
			json_object_get_string(json_object_array_get_idx(pair, 0)));
		assert_string_equal(
			info->disks[i].path ? info->disks[i].path : "", path ? path : "");
	}
}

static void compare_vcpus(const struct ckpt *ck, struct json_object *vcpus)
{
	size_t i;

	assert_int_equal(ckpt_nr_vcpus(ck), json_object_array_length(vcpus));
	for (i = 0; i < ckpt_nr_vcpus(ck); i++) {
		struct json_object *pair = json_object_array_get_idx(vcpus, i);
		char root[32];

		assert_int_equal(ckpt_vcpu(ck, i)->id,
			json_object_get_int(json_object_array_get_idx(pair, 0)));
		snprintf(
			root, sizeof(root), "0x%llx", (unsigned long long)ckpt_vcpu(ck, i)->root.v);
		assert_string_equal(
			root, json_object_get_string(json_object_array_get_idx(pair, 1)));
	}
}

/* Everything that the second reader says of the file. */
static void compare(const struct ckpt *ck, struct json_object *second)
{
	static const char *const types[] = {"unknown", "pv", "pvh", "hvm"};
	const struct ckpt_info *info = ckpt_info(ck);
	struct json_object *layers = want(second, "layers");
	uint64_t nr;
	size_t i;

	assert_int_equal(info->complete, json_object_get_boolean(want(second, "complete")));
	assert_int_equal(info->nr_layers, json_object_array_length(layers));
	for (i = 0; i < info->nr_layers; i++)
		assert_string_equal(info->layers[i],
			json_object_get_string(json_object_array_get_idx(layers, i)));
	assert_string_equal(types[info->guest_type], json_object_get_string(want(second, "guest")));
	assert_int_equal(info->word_bytes, json_object_get_int(want(second, "word_bytes")));
	assert_int_equal(info->pt_levels, json_object_get_int(want(second, "pt_levels")));
	assert_int_equal(info->nr_pfns, json_object_get_int64(want(second, "nr_pfns")));
	assert_int_equal(info->nr_data_pages, json_object_get_int64(want(second, "nr_data_pages")));
	assert_int_equal(info->nr_repeats, json_object_get_int64(want(second, "nr_repeats")));
	assert_int_equal(
		info->nr_emulator_records, json_object_get_int(want(second, "emulator_records")));
	compare_disks(info, want(second, "disks"));
	compare_vcpus(ck, want(second, "vcpus"));
	assert_int_equal(crc_of_pages(ck, &nr),
		(uint32_t)json_object_get_int64(want(second, "pages_crc32")));
	assert_int_equal(nr, info->nr_data_pages);
}

static void compare_file(const struct ckpt *ck, const char *path)
{
	uint8_t text[8192];
	char args[1100];
	struct json_object *second;

	snprintf(args, sizeof(args), "'%s'", path);
	text[run_tool("second_reader.py", args, text, sizeof(text) - 1)] = 0;
	second = json_tokener_parse((const char *)text);
	assert_non_null(second);
	compare(ck, second);
	json_object_put(second);
}

static void real_checkpoints_equal_the_second_reader(void **state UNUSED)
{
	struct err err = ERR_INIT;
	char path[1024];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(images); i++) {
		struct ckpt *ck = NULL;

		image_path(images[i], path, sizeof(path));
		if (ckpt_open(path, &ck, &err))
			fail_msg("%s", err.text);
		if (ckpt_findings(ck)->nr)
			fail_msg("%s: %s", images[i], ckpt_findings(ck)->v[0].message);
		compare_file(ck, path);
		ckpt_close(ck);
	}
}

/* A million frames without data cost a few runs. */
static void frames_without_data_collapse(void **state UNUSED)
{
	struct err err = ERR_INIT;
	struct ckpt *ck;
	char path[1024];

	image_path("linux-6.1-pvh", path, sizeof(path));
	assert_int_equal(ckpt_open(path, &ck, &err), 0);
	assert_true(ckpt_info(ck)->nr_pfns > 1000000);
	assert_true(ckpt_nr_file_runs(ck) < 100);
	ckpt_close(ck);
}

static void the_netbsd_image_lacks_three_pages(void **state UNUSED)
{
	static const uint64_t missing[] = {1914, 1917, 1958}; /* its truth.json */
	struct err err = ERR_INIT;
	struct ckpt *ck;
	char path[1024];
	size_t i;

	image_path("xen2-netbsd", path, sizeof(path));
	assert_int_equal(ckpt_open(path, &ck, &err), 0);
	assert_int_equal(ckpt_info(ck)->nr_data_pages, 2045);
	for (i = 0; i < ARRAY_SIZE(missing); i++)
		assert_int_equal(ckpt_page(ck, PFN(missing[i])).kind, CKPT_PAGE_NO_DATA);
	assert_int_equal(ckpt_page(ck, PFN(2048)).kind, CKPT_PAGE_ABSENT);
	ckpt_close(ck);
}

/* -- made ones: what is good */

static void good_streams_equal_the_second_reader(void **state UNUSED)
{
	static const char *const recipes[] = {"pv64-v3", "pv64-v2", "pv64-libxl", "empty-parts",
		"hvm-v2", "pvh", "hvm-la57", "hvm-pae", "hvm-2level", "hvm-no-paging", "xl-swapped",
		"xl-extra", "pv32", "live", "verify", "epochs", "epochs-libxl", "xen20", "xen20-0",
		"xen20-verify"};
	struct err err = ERR_INIT;
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(recipes); i++) {
		struct ckpt *ck = NULL;

		snprintf(path, sizeof(path), "%s/%s", made_dir, recipes[i]);
		if (ckpt_open(path, &ck, &err))
			fail_msg("%s: %s", recipes[i], err.text);
		if (ckpt_findings(ck)->nr)
			fail_msg("%s: %s", recipes[i], ckpt_findings(ck)->v[0].message);
		assert_true(ckpt_info(ck)->complete);
		compare_file(ck, path);
		ckpt_close(ck);
	}
}

/* A made page begins with its frame and its version. */
static void assert_version(const struct ckpt *ck, uint64_t pfn, uint64_t version)
{
	struct ckpt_page page = ckpt_page(ck, PFN(pfn));

	assert_int_equal(page.kind, CKPT_PAGE_DATA);
	assert_int_equal(num_le64(page.data), pfn);
	assert_int_equal(num_le64(page.data + 8), version);
}

static void the_last_copy_of_a_live_stream_counts(void **state UNUSED)
{
	struct stream s = make("live");
	struct ckpt *ck = open_made(&s, "live");

	assert_version(ck, 2, 3);
	assert_version(ck, 1, 0);
	assert_version(ck, 12, 1);
	assert_int_equal(ckpt_page(ck, PFN(12)).type, 0); /* was a table, is none */
	assert_int_equal(ckpt_page(ck, PFN(3)).kind, CKPT_PAGE_NO_DATA);
	assert_version(ck, 13, 1); /* had no data at first */
	assert_version(ck, 14, 1);
	assert_int_equal(ckpt_page(ck, PFN(15)).kind, CKPT_PAGE_BROKEN);
	assert_int_equal(ckpt_page(ck, PFN(16)).kind, CKPT_PAGE_ABSENT);
	assert_int_equal(ckpt_info(ck)->nr_repeats, 7);
	ckpt_close(ck);
	free(s.bytes);
}

static void pages_resent_for_comparison_do_not_count(void **state UNUSED)
{
	struct stream s = make("verify");
	struct ckpt *ck = open_made(&s, "verify");
	size_t i, ignored = 0;

	assert_version(ck, 2, 0);
	for (i = 0; i < ckpt_nr_file_runs(ck); i++)
		ignored += ckpt_file_run(ck, i).ignored ? ckpt_file_run(ck, i).nr : 0;
	assert_int_equal(ignored, 4);
	ckpt_close(ck);
	free(s.bytes);
}

/* Frame 2 is sent in each epoch, 20+n in epoch n; the cut is in the third. */
static void check_epochs(const char *recipe, unsigned last, bool complete)
{
	struct stream s = make(recipe);
	struct ckpt *ck = open_made(&s, recipe);

	assert_int_equal(ckpt_info(ck)->complete, complete);
	assert_version(ck, 2, last);
	assert_int_equal(ckpt_page(ck, PFN(21)).kind, CKPT_PAGE_DATA);
	assert_int_equal(
		ckpt_page(ck, PFN(22)).kind, last == 2 ? CKPT_PAGE_DATA : CKPT_PAGE_ABSENT);
	assert_int_equal(
		ckpt_page(ck, PFN(3)).kind, last == 2 ? CKPT_PAGE_NO_DATA : CKPT_PAGE_DATA);
	assert_int_equal(ckpt_nr_vcpus(ck), 1);
	assert_int_equal(ckpt_vcpu(ck, 0)->ip, 0x1000 + last);
	assert_int_equal(ckpt_shared_info(ck)[0], 'A' + last);
	ckpt_close(ck);
	free(s.bytes);
}

static void an_epoch_counts_only_when_it_is_whole(void **state UNUSED)
{
	check_epochs("epochs", 2, true);
	check_epochs("epochs-libxl", 2, true);
	check_epochs("epochs-cut", 1, false);
	check_epochs("epochs-broken", 1, false);
}

static void a_folded_cr3_reaches_above_4_gib(void **state UNUSED)
{
	struct stream s = make("pv32");
	struct ckpt *ck = open_made(&s, "pv32");

	assert_int_equal(ckpt_vcpu(ck, 0)->root.v, 0x100003);
	assert_int_equal(ckpt_vcpu(ck, 0)->dx, 6);
	assert_int_equal(ckpt_nr_p2m_frames(ck), 0x401);
	assert_int_equal(ckpt_p2m_frame(ck, 0x400).v, 8);
	ckpt_close(ck);
	free(s.bytes);
}

static void the_p2m_list_may_come_in_parts(void **state UNUSED)
{
	struct stream s = make("p2m-parts");
	struct ckpt *ck = open_made(&s, "p2m-parts");

	assert_int_equal(ckpt_findings(ck)->nr, 0);
	assert_int_equal(ckpt_nr_p2m_frames(ck), 2);
	assert_int_equal(ckpt_p2m_frame(ck, 0).v, 8);
	assert_int_equal(ckpt_p2m_frame(ck, 1).v, 7);
	assert_int_equal(ckpt_info(ck)->nr_pfns, 1024);
	ckpt_close(ck);
	free(s.bytes);
}

static void both_xen20_contexts_are_understood(void **state UNUSED)
{
	static const char *const recipes[] = {"xen20", "xen20-0"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(recipes); i++) {
		struct stream s = make(recipes[i]);
		struct ckpt *ck = open_made(&s, recipes[i]);

		assert_int_equal(ckpt_vcpu(ck, 0)->ip, 0xc0100000);
		assert_int_equal(ckpt_vcpu(ck, 0)->sp, 0xc07ff000);
		assert_int_equal(ckpt_vcpu(ck, 0)->si, 9);
		assert_string_equal(ckpt_info(ck)->name, "made up");
		assert_string_equal(ckpt_info(ck)->disks[1].path, "/i.iso");
		assert_true(ckpt_info(ck)->disks[1].read_only);
		assert_false(ckpt_info(ck)->disks[0].read_only);
		ckpt_close(ck);
		free(s.bytes);
	}
}

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
	{"no-static-end", "XB005", 2},
	{"pages-before-p2m", "XB005", 2},
	{"foreign", "XB006", 1},
	{"v3-in-v2", "XB006", 1},
	{"no-shared-info", "XB007", 1},
	{"no-vcpu0", "XB007", 1},
	{"no-hvm-context", "XB007", 1},
	{"tsc-size", "XB008", 1},
	{"p2m-count", "XB009", 1},
	{"p2m-gap", "XB009", 1},
	{"p2m-absent", "XB010", 1},
	{"root-type", "XB010", 1},
	{"root-absent", "XB010", 1},
	{"start-info-gone", "XB010", 1},
	{"optional", "XB011", 1},
	{"unknown-record", "XB012", 1},
	{"trailing", "XB013", 1},
	{"config-broken", "XB014", 1},
	{"config-too-long", "XB014", 1},
	{"xl-flags", "XB015", 1},
	{"xl-lies", "XB015", 1},
	{"no-hvm-cpu", "XB007", 1},
	{"xsave-size", "XB008", 1},
	{"part-without-header", "XB008", 1},
	{"empty-policy", "XB008", 1},
	{"start-info-type", "XB010", 1},
	{"xen20-suspend", "XB020", 1},
	{"hvm-magic", "XB021", 1},
	{"hvm-context-cut", "XB021", 1},
	{"emulator-id", "XB023", 1},
	{"emulator-strings", "XB023", 1},
	{"too-many-vcpus", "XB024", 1},
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
			fail_msg("%s: %s was found %llu times, expected %u", faults[i].recipe,
				faults[i].rule,
				(unsigned long long)finding_seen(list, faults[i].rule),
				faults[i].times);
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
	{"un-libvirt", ERR_UNSUPPORTED, "libvirt save image (libxl driver): recognised"},
	{"un-xapi-v2", ERR_UNSUPPORTED, "xapi v2"},
	{"un-xapi-v1", ERR_UNSUPPORTED, "xapi v1"},
	{"un-xend", ERR_UNSUPPORTED, "xend"},
	{"un-elf-core", ERR_UNSUPPORTED, "Xen domain core dump"},
	{"un-vmcore", ERR_UNSUPPORTED, "core dump with segments"},
	{"un-xc-core", ERR_UNSUPPORTED, "xc_core"},
	{"un-qevm", ERR_UNSUPPORTED, "QEVM"},
	{"un-lzop", ERR_UNSUPPORTED, "packed with lzop"},
	{"un-kdump", ERR_UNSUPPORTED, "kdump"},
	{"un-legacy-64", ERR_UNSUPPORTED, "legacy libxc stream"},
	{"un-legacy-32", ERR_UNSUPPORTED, "legacy libxc stream"},
	{"un-legacy-hvm", ERR_UNSUPPORTED, "legacy libxc stream"},
	{"un-xl-legacy", ERR_UNSUPPORTED, "legacy libxc stream (Xen 3.0 to 4.5): recognised"},
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
	static const char *const recipes[] = {"pv64-v3", "pv64-v2", "hvm-v2", "pvh", "live",
		"epochs-libxl", "xen20", "un-legacy-64"};
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
		cmocka_unit_test(real_checkpoints_equal_the_second_reader),
		cmocka_unit_test(frames_without_data_collapse),
		cmocka_unit_test(the_netbsd_image_lacks_three_pages),
		cmocka_unit_test(good_streams_equal_the_second_reader),
		cmocka_unit_test(the_last_copy_of_a_live_stream_counts),
		cmocka_unit_test(pages_resent_for_comparison_do_not_count),
		cmocka_unit_test(an_epoch_counts_only_when_it_is_whole),
		cmocka_unit_test(a_folded_cr3_reaches_above_4_gib),
		cmocka_unit_test(the_p2m_list_may_come_in_parts),
		cmocka_unit_test(both_xen20_contexts_are_understood),
		cmocka_unit_test(each_fault_gives_its_finding),
		cmocka_unit_test(refusals_say_why),
		cmocka_unit_test(every_truncation_is_noticed),
		cmocka_unit_test(flipped_bytes_end_in_a_class),
		cmocka_unit_test(the_kept_corpus_ends_in_a_class),
	};

	crc_init();
	return cmocka_run_group_tests_name("parse", tests, make_all, remove_all);
}
