/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What is read from the host: a disk (a real one with ext4, and files of our own), and a list of
 * the target's features.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "check/check.h"
#include "check/caps.h"
#include "check/disk_facts.h"

static char *write_temp(const char *text, size_t bytes)
{
	char *path = strdup("/tmp/xbdsnap-test-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, bytes), (ssize_t)bytes);
	close(fd);
	return path;
}

static int read_caps(const char *text, struct check_caps **ret, size_t *nr, struct err *err)
{
	char *path = write_temp(text, strlen(text));
	int status = check_caps_read(path, ret, nr, err);

	unlink(path);
	free(path);
	return status;
}

static void caps_from_lines(void **state UNUSED)
{
	struct check_caps *c;
	struct err err;
	size_t nr;

	assert_int_equal(read_caps("# from xenstore\nfeature-flush-cache = 1\n\n"
				   "feature-max-indirect-segments=256\nmode=r\nsectors=65536\n",
				 &c, &nr, &err),
		0);
	assert_int_equal(nr, 1);
	assert_int_equal(c->flush, TRI_YES);
	assert_int_equal(c->barrier, TRI_NO);
	assert_true(c->max_indirect_segments == 256);
	assert_true(c->max_queues == BLK_UNKNOWN_U64);
	assert_true(c->read_only_known && c->read_only);
	assert_true(c->sectors == 65536);
	free(c);
}

static void caps_from_json(void **state UNUSED)
{
	struct check_caps *c;
	struct err err;
	size_t nr;

	assert_int_equal(
		read_caps("{\"feature-barrier\": 1, \"feature-discard\": true}", &c, &nr, &err), 0);
	assert_int_equal(nr, 1);
	assert_int_equal(c->barrier, TRI_YES);
	assert_int_equal(c->discard, TRI_YES);
	assert_string_equal(c->device, "");
	free(c);
	assert_int_equal(
		read_caps("{\"xvda\": {\"sector-size\": 4096}, \"xvdb\": {\"mode\": \"w\"}}", &c,
			&nr, &err),
		0);
	assert_int_equal(nr, 2);
	assert_string_equal(c[0].device, "xvda");
	assert_true(c[0].sector_bytes == 4096);
	assert_true(c[1].read_only_known && !c[1].read_only);
	free(c);
}

static void caps_refuse_nonsense(void **state UNUSED)
{
	static const char *const bad[] = {"feature-flush-cache", "feature-flush-cache=yes",
		"mode=rw", "feature-fnord=1", "{\"sectors\": -1}", "{\"xvda\": {\"mode\": 1}}",
		"{broken", "{\"sectors\": null}", "sectors=0x"};
	struct check_caps *c;
	struct err err;
	size_t nr, i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if (read_caps(bad[i], &c, &nr, &err) != -1)
			fail_msg("accepted: %s", bad[i]);
		assert_int_equal(err.cls, ERR_USAGE);
		assert_null(c);
	}
	assert_int_equal(check_caps_read("/nonexistent/caps", &c, &nr, &err), -1);
	assert_int_equal(err.cls, ERR_SYSTEM);
}

static struct check_disk disk_at(const char *path)
{
	struct check_disk d = {.path = strdup(path)};

	assert_non_null(d.path);
	strcpy(d.vdev, "xvda");
	return d;
}

static void blank_file_holds_no_fs(void **state UNUSED)
{
	static const char blank[1 << 20];
	char *path = write_temp(blank, sizeof(blank));
	struct check_disk d = disk_at(path);
	const struct blkdev dev = {0};
	struct err err;

	assert_int_equal(check_disk_open(&d, &dev, &err), 0);
	assert_true(d.bytes == 1 << 20);
	assert_int_equal(d.logical_block_bytes, 0);
	assert_int_equal(d.nr_fs, 1);
	assert_string_equal(d.fs[0].type, "");
	assert_false(d.fs[0].super_known);
	check_disk_fini(&d);
	unlink(path);
	free(path);
}

static void missing_disk_is_said(void **state UNUSED)
{
	struct check_disk d = disk_at("/nonexistent/disk");
	const struct blkdev dev = {0};
	struct err err;

	assert_int_equal(check_disk_open(&d, &dev, &err), -1);
	assert_int_equal(err.cls, ERR_SYSTEM);
	check_disk_fini(&d);
	d = disk_at("/dev/null");
	assert_int_equal(check_disk_open(&d, &dev, &err), -1);
	assert_int_equal(err.cls, ERR_USAGE);
	check_disk_fini(&d);
}

/* A journal's place that leads outside the file, or anywhere else, must not matter. */
static void hostile_superblock_is_harmless(void **state UNUSED)
{
	static char image[64 << 10];
	struct check_disk d;
	const struct blkdev dev = {0};
	struct err err;
	char *path;

	memset(image + 1024, 0xff, 1024);
	image[1024 + 56] = 0x53;
	image[1024 + 57] = (char)0xef;
	image[1024 + 253] = 1;
	path = write_temp(image, sizeof(image));
	d = disk_at(path);
	assert_int_equal(check_disk_open(&d, &dev, &err), 0);
	if (d.fs[0].super_known)
		assert_true(d.fs[0].journal_sequence == BLK_UNKNOWN_U64);
	check_disk_fini(&d);
	unlink(path);
	free(path);
}

/* Expected values: dumpe2fs -h of e2fsprogs 1.47. */
static void real_ext4(void **state UNUSED)
{
	const char *cache = getenv("XBDSNAP_CACHE");
	const struct blkdev dev = {0};
	struct check_disk d;
	struct err err;
	char path[512];

	if (!cache)
		skip();
	snprintf(path, sizeof(path), "%s/linux-6.1-ext4/disk-before-xvdb.img", cache);
	if (access(path, R_OK))
		skip();
	d = disk_at(path);
	assert_int_equal(check_disk_open(&d, &dev, &err), 0);
	assert_int_equal(d.nr_fs, 1);
	assert_string_equal(d.fs[0].type, "ext4");
	assert_string_equal(d.fs[0].uuid, "11111111-2222-3333-4444-555555555555");
	assert_string_equal(d.fs[0].label, "STUCKEXT4");
	assert_true(d.fs[0].super_known && d.fs[0].recover);
	assert_true(d.fs[0].mnt_count == 1);
	assert_true(d.fs[0].wtime == 1795413049); /* 2026-11-23 05:50:49 UTC */
	assert_true(d.fs[0].mtime == 1795413049);
	assert_true(d.fs[0].journal_sequence == 2);
	check_disk_fini(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caps_from_lines),
		cmocka_unit_test(caps_from_json),
		cmocka_unit_test(caps_refuse_nonsense),
		cmocka_unit_test(blank_file_holds_no_fs),
		cmocka_unit_test(missing_disk_is_said),
		cmocka_unit_test(hostile_superblock_is_harmless),
		cmocka_unit_test(real_ext4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
