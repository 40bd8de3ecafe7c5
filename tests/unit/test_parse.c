/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Opening checkpoints: the real ones, when they are there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "checkpoint/checkpoint.h"

struct expected {
	const char *name;
	const char *last_layer;
	enum ckpt_guest_type type;
	unsigned word_bytes, pt_levels;
	size_t nr_vcpus, nr_disks;
	unsigned nr_emulator_records;
};

static const struct expected images[] = {
	{"linux-6.1-base", "libxc v3", CKPT_GUEST_PV, 8, 4, 1, 1, 0},
	{"linux-6.1-nopersist", "libxc v3", CKPT_GUEST_PV, 8, 4, 1, 1, 0},
	{"linux-6.1-indirect", "libxc v3", CKPT_GUEST_PV, 8, 4, 1, 1, 0},
	{"linux-6.1-mq", "libxc v3", CKPT_GUEST_PV, 8, 4, 2, 1, 0},
	{"linux-6.1-flush", "libxc v3", CKPT_GUEST_PV, 8, 4, 1, 1, 0},
	{"linux-6.1-pvh", "libxc v3", CKPT_GUEST_PVH, 8, 4, 1, 1, 0},
	{"linux-6.1-hvm", "libxc v3", CKPT_GUEST_HVM, 8, 4, 1, 1, 1},
	{"linux-6.1-ext4", "libxc v3", CKPT_GUEST_PV, 8, 4, 2, 2, 0},
	{"linux-6.12-discard", "libxc v3", CKPT_GUEST_PV, 8, 4, 1, 1, 0},
	{"xen2-netbsd", "xen 2.0", CKPT_GUEST_PV, 4, 2, 1, 2, 0},
};

static struct ckpt *open_image(const char *name)
{
	const char *cache = getenv("XBDSNAP_CACHE");
	struct ckpt *ck = NULL;
	struct err err = ERR_INIT;
	char path[1024];

	if (!cache)
		skip();
	snprintf(path, sizeof(path), "%s/%s/image.save", cache, name);
	if (ckpt_open(path, &ck, &err))
		fail_msg("%s", err.text);
	return ck;
}

static void real_checkpoints_open_without_a_finding(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(images); i++) {
		const struct expected *want = &images[i];
		struct ckpt *ck = open_image(want->name);
		const struct ckpt_info *info = ckpt_info(ck);

		if (ckpt_findings(ck)->nr)
			fail_msg("%s: %s", want->name, ckpt_findings(ck)->v[0].message);
		assert_true(info->complete);
		assert_string_equal(info->layers[info->nr_layers - 1], want->last_layer);
		assert_int_equal(info->guest_type, want->type);
		assert_int_equal(info->word_bytes, want->word_bytes);
		assert_int_equal(info->pt_levels, want->pt_levels);
		assert_int_equal(ckpt_nr_vcpus(ck), want->nr_vcpus);
		assert_int_equal(info->nr_disks, want->nr_disks);
		assert_int_equal(info->nr_emulator_records, want->nr_emulator_records);
		if (want->type != CKPT_GUEST_PV || want->word_bytes == 4)
			print_message("%s: %llu pfns, %llu pages, %zu runs, name %s\n", want->name,
				(unsigned long long)info->nr_pfns,
				(unsigned long long)info->nr_data_pages, ckpt_nr_runs(ck),
				info->name);
		ckpt_close(ck);
	}
}

static void the_netbsd_image_lacks_three_pages(void **state UNUSED)
{
	static const uint64_t missing[] = {1914, 1917, 1958}; /* its truth.json */
	struct ckpt *ck = open_image("xen2-netbsd");
	size_t i;

	assert_int_equal(ckpt_info(ck)->nr_pfns, 2048);
	assert_int_equal(ckpt_info(ck)->nr_data_pages, 2045);
	for (i = 0; i < ARRAY_SIZE(missing); i++)
		assert_int_equal(ckpt_page(ck, PFN(missing[i])).kind, CKPT_PAGE_NO_DATA);
	assert_int_equal(ckpt_page(ck, PFN(2048)).kind, CKPT_PAGE_ABSENT);
	assert_string_equal(ckpt_info(ck)->disks[0].vdev, "hda1");
	assert_string_equal(ckpt_info(ck)->disks[1].path, "vg0/nbsd-swap");
	ckpt_close(ck);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_checkpoints_open_without_a_finding),
		cmocka_unit_test(the_netbsd_image_lacks_three_pages),
	};

	return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
