/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Opening good checkpoints, real and made: everything that is said of them, and every page, equals
 * what an independent reader says.
 */
#include "check/check.h"
#include "check/specials.h"

#include "made.h"

#include <json-c/json.h>
#include <inttypes.h>

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
		snprintf(root, sizeof(root), "0x%" PRIx64, ckpt_vcpu(ck, i)->root.v);
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
		"xl-extra", "pv32", "live", "verify", "epochs", "epochs-libxl", "p2m-grows",
		"parts-first", "xen20", "xen20-0", "xen20-verify"};
	struct err err = ERR_INIT;
	char path[128];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(recipes); i++) {
		struct ckpt *ck = NULL;

		snprintf(path, sizeof(path), "%s/%s", made_dir, recipes[i]);
		if (ckpt_open(path, &ck, &err))
			fail_msg("%s: %s", recipes[i], err.text);
		/* What is said of them all the same: test_faults.c. */
		if (ckpt_findings(ck)->nr != finding_seen(ckpt_findings(ck), "XB017") +
						     !strcmp(recipes[i], "xl-swapped"))
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

/* Its list of p2m pages names one page 1,025 times. */
static void special_pages_are_listed_once(void **state UNUSED)
{
	struct stream s = make("pv32");
	struct ckpt *ck = open_made(&s, "pv32");
	struct check_special *v;
	struct err err;
	size_t nr, i, nr_p2m = 0;

	assert_int_equal(check_specials(memory_of_ckpt(ck), &v, &nr, &err), 0);
	for (i = 0; i < nr; i++) {
		assert_true(!i || v[i].pfn > v[i - 1].pfn);
		nr_p2m += !strcmp(v[i].what, "page of the p2m table");
	}
	assert_int_equal(nr_p2m, 1);
	free(v);
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

static void put(uint8_t **p, uint64_t v, unsigned bytes)
{
	while (bytes--) {
		*(*p)++ = (uint8_t)v;
		v >>= 8;
	}
}

/* One list of frames without data, alternately of two types. */
static size_t make_patchwork(uint8_t *buf, unsigned nr)
{
	static const uint8_t head[40] = {255, 255, 255, 255, 255, 255, 255, 255, 'X', 'E', 'N', 'F',
		0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 12, 0, 0, 0, 4, 0, 0, 0, 17, 0, 0,
		0};
	uint8_t *p = buf;
	unsigned i;

	memcpy(p, head, sizeof(head));
	p += sizeof(head);
	put(&p, 1, 4);
	put(&p, 8 + 8 * nr, 4);
	put(&p, nr, 8);
	for (i = 0; i < nr; i++)
		put(&p, (uint64_t)(14 + i % 2) << 60 | i, 8);
	put(&p, 0, 8);
	return (size_t)(p - buf);
}

static void an_index_cannot_outgrow_its_file(void **state UNUSED)
{
	uint8_t *buf = malloc(400000);
	struct err err = ERR_INIT;
	struct source *src;
	struct ckpt *ck;

	assert_non_null(buf);
	assert_int_equal(
		source_from_memory(buf, make_patchwork(buf, 30000), "made up", &src, &err), 0);
	assert_int_equal(ckpt_open_source(src, &ck, &err), 0);
	assert_int_equal(ckpt_nr_runs(ck), 30000);
	ckpt_close(ck);
	assert_int_equal(
		source_from_memory(buf, make_patchwork(buf, 40000), "made up", &src, &err), 0);
	assert_int_equal(ckpt_open_source(src, &ck, &err), -1);
	assert_int_equal(err.cls, ERR_CORRUPT);
	assert_non_null(strstr(err.text, "PAGE_DATA record at 0x28"));
	free(buf);
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
		cmocka_unit_test(special_pages_are_listed_once),
		cmocka_unit_test(the_p2m_list_may_come_in_parts),
		cmocka_unit_test(both_xen20_contexts_are_understood),
		cmocka_unit_test(an_index_cannot_outgrow_its_file),
	};

	crc_init();
	return cmocka_run_group_tests_name("parse", tests, make_all, remove_all);
}
