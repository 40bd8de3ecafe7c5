/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Unit tests of io/source: what opens, what is refused, and compressed input; of io/crc32c; and of
 * the devices that io/hold reads out of sysfs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "io/crc32c.h"
#include "io/hold.h"
#include "io/source.h"

#define DATA_BYTES (300u << 10)

static char dir[] = "/tmp/xbdsnap-source-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void fill(uint8_t *buf)
{
	size_t i;

	/* Text, a long zero stretch that crosses pages, noise. */
	for (i = 0; i < DATA_BYTES; i++)
		buf[i] = i < 5000     ? (uint8_t)('a' + i % 23)
			 : i < 200001 ? 0
				      : (uint8_t)(i * 2654435761u >> 24);
}

static void write_file(const char *name, const void *buf, size_t n)
{
	FILE *f = fopen(path_of(name), "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(buf, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void refuse(const char *path, enum err_class cls, const char *text)
{
	struct err err = ERR_INIT;
	struct source *src;

	assert_int_equal(source_open(path, &src, &err), -1);
	assert_int_equal(err.cls, cls);
	if (!strstr(err.text, text))
		fail_msg("'%s' does not say '%s'", err.text, text);
}

static void a_file_is_one_range(void **state UNUSED)
{
	struct err err = ERR_INIT;
	struct source *src;
	uint8_t copy[4];

	write_file("plain", "0123456789", 10);
	assert_int_equal(source_open(path_of("plain"), &src, &err), 0);
	assert_int_equal(source_bytes(src), 10);
	assert_null(source_compression(src));
	assert_memory_equal(source_at(src, 3, 4), "3456", 4);
	assert_non_null(source_at(src, 10, 0));
	assert_null(source_at(src, 10, 1));
	assert_null(source_at(src, 11, 0));
	assert_null(source_at(src, 1, UINT64_MAX));
	assert_null(source_at(src, UINT64_MAX, 2));
	assert_string_equal(source_path(src), path_of("plain"));
	assert_true(source_copy(src, 6, 4, copy));
	assert_memory_equal(copy, "6789", 4);
	assert_false(source_copy(src, 7, 4, copy));
	assert_false(source_copy(src, UINT64_MAX, 2, copy));
	source_advise_sequential(src, true);
	source_close(src);
}

static void an_empty_file_opens(void **state UNUSED)
{
	struct err err = ERR_INIT;
	struct source *src;

	write_file("empty", "", 0);
	assert_int_equal(source_open(path_of("empty"), &src, &err), 0);
	assert_int_equal(source_bytes(src), 0);
	assert_non_null(source_at(src, 0, 0));
	assert_null(source_at(src, 0, 1));
	source_close(src);
}

static void what_is_no_file_is_refused(void **state UNUSED)
{
	refuse(dir, ERR_SYSTEM, "Is a directory");
	refuse(path_of("missing"), ERR_SYSTEM, "No such file");
	refuse("/dev/null", ERR_UNSUPPORTED, "character device");
}

/* Bytes that come in pieces, with a stretch of zeros that becomes a hole, are all there. */
static void a_pipe_is_read_to_its_end(void **state UNUSED)
{
	static uint8_t want[300000];
	struct err err = ERR_INIT;
	struct source *src;
	char cmd[512];
	size_t i;

	for (i = 0; i < sizeof(want); i++)
		want[i] = i > 100000 && i < 200000 ? 0 : (uint8_t)(i * 7 + i / 251);
	write_file("piped", want, sizeof(want));
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	snprintf(cmd, sizeof(cmd),
		"cd '%s' && (head -c 70001 piped; sleep 0.1; tail -c +70002 piped) >fifo &", dir);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(source_open(path_of("fifo"), &src, &err), 0);
	assert_int_equal(source_bytes(src), sizeof(want));
	assert_memory_equal(source_at(src, 0, sizeof(want)), want, sizeof(want));
	assert_null(source_at(src, 0, sizeof(want) + 1));
	source_close(src);
}

static const struct {
	const char *name, *command;
} packers[] = {
	{"gzip", "gzip -1"},
	{"bzip2", "bzip2 -1"},
	{"xz", "xz -0"},
	{"lz4", "lz4 -1 -q"},
	{"zstd", "zstd -1 -q"},
};

/* False when the packer is not installed. */
static bool pack(const char *command, const char *from, const char *to)
{
	char cmd[1024], tool[32];

	snprintf(tool, sizeof(tool), "%.*s", (int)strcspn(command, " "), command);
	snprintf(cmd, sizeof(cmd), "command -v %s >/dev/null", tool);
	if (system(cmd))
		return false;
	snprintf(cmd, sizeof(cmd), "%s < '%s/%s' > '%s/%s'", command, dir, from, dir, to);
	assert_int_equal(system(cmd), 0);
	return true;
}

static void packed_files_are_unpacked(void **state UNUSED)
{
	uint8_t *buf = malloc(DATA_BYTES);
	struct err err = ERR_INIT;
	struct source *src;
	unsigned seen = 0;
	size_t i;

	assert_non_null(buf);
	fill(buf);
	write_file("data", buf, DATA_BYTES);
	for (i = 0; i < ARRAY_SIZE(packers); i++) {
		if (!pack(packers[i].command, "data", "packed"))
			continue;
		if (source_open(path_of("packed"), &src, &err))
			fail_msg("%s: %s", packers[i].name, err.text);
		assert_string_equal(source_compression(src), packers[i].name);
		assert_int_equal(source_bytes(src), DATA_BYTES);
		assert_memory_equal(source_at(src, 0, DATA_BYTES), buf, DATA_BYTES);
		source_close(src);
		seen++;
	}
	assert_true(seen > 0);
	free(buf);
}

/* A tail of zeros is a hole at the end: the size must still be right. */
static void zeros_at_the_end_are_kept(void **state UNUSED)
{
	static const uint8_t zeros[70000];
	struct err err = ERR_INIT;
	struct source *src;

	write_file("data", zeros, sizeof(zeros));
	if (!pack("gzip", "data", "packed"))
		skip();
	assert_int_equal(source_open(path_of("packed"), &src, &err), 0);
	assert_int_equal(source_bytes(src), sizeof(zeros));
	assert_memory_equal(source_at(src, 0, sizeof(zeros)), zeros, sizeof(zeros));
	source_close(src);
}

static void cut_packed_files_are_corrupt(void **state UNUSED)
{
	uint8_t *buf = malloc(DATA_BYTES);
	struct stat st;
	size_t i;

	assert_non_null(buf);
	fill(buf);
	write_file("data", buf, DATA_BYTES);
	free(buf);
	for (i = 0; i < ARRAY_SIZE(packers); i++) {
		static const int cuts[] = {1, 7, 1000};
		unsigned j;

		for (j = 0; j < ARRAY_SIZE(cuts); j++) {
			if (!pack(packers[i].command, "data", "packed"))
				break;
			assert_int_equal(stat(path_of("packed"), &st), 0);
			assert_int_equal(truncate(path_of("packed"), st.st_size - cuts[j]), 0);
			refuse(path_of("packed"), ERR_CORRUPT, packers[i].name);
		}
	}
}

/* RFC 3720, B.4, and the check value of the CRC catalogues. */
static void crc32c_is_castagnolis(void **state UNUSED)
{
	uint8_t bytes[32] = {0};
	size_t i;

	assert_int_equal(crc32c(0, "", 0), 0);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46dd794e);
}

static int set_up(void **state UNUSED)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state UNUSED)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -r '%s'", dir);
	return system(cmd);
}

/* xen-blkback's physical_device: "MAJOR:MINOR", in hexadecimal, a line. */
static void a_device_is_found_in_sysfs(void **state UNUSED)
{
	char pattern[256];

	write_file("vbd-1-51712", "fd:1a\n", 6);
	write_file("vbd-2-768", "7:10000", 7);
	write_file("vbd-3-832", "", 0);
	snprintf(pattern, sizeof(pattern), "%s/vbd-*", dir);
	assert_true(disk_listed(pattern, makedev(0xfd, 0x1a)));
	assert_true(disk_listed(pattern, makedev(7, 0x10000)));
	assert_false(disk_listed(pattern, makedev(0xfd, 1)));
	assert_false(disk_listed(pattern, makedev(0, 0)));
	snprintf(pattern, sizeof(pattern), "%s/none-*", dir);
	assert_false(disk_listed(pattern, makedev(0xfd, 0x1a)));
}

#define STEP_BYTES (4u << 20)
#define NR_STEPS   16u

/* Pages of a file that stand in the kernel's cache. */
static size_t nr_cached(int fd, size_t bytes)
{
	static unsigned char in_core[NR_STEPS * STEP_BYTES / 4096];
	void *p = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	size_t i, nr = 0;

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(mincore(p, bytes, in_core), 0);
	assert_int_equal(munmap(p, bytes), 0);
	for (i = 0; i < bytes / 4096; i++)
		nr += in_core[i] & 1;
	return nr;
}

/* As the index does: a header, megabytes of pages, a header. */
static void what_is_not_looked_at_is_not_read(void **state UNUSED)
{
	const size_t bytes = NR_STEPS * STEP_BYTES;
	struct err err = ERR_INIT;
	struct source *src;
	size_t i, sum = 0;
	int fd = open(path_of("sparse"), O_RDWR | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	assert_int_equal(fsync(fd), 0);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	if (nr_cached(fd, bytes)) {
		close(fd);
		skip(); /* a file system that is all cache */
	}
	assert_int_equal(source_open(path_of("sparse"), &src, &err), 0);
	for (i = 0; i < NR_STEPS; i++)
		sum += *source_at(src, i * STEP_BYTES + 4095, 2);
	assert_int_equal(sum, 0);
	/* The magic of compressed files stands in the first page. */
	assert_true(nr_cached(fd, bytes) <= NR_STEPS + 1);
	source_close(src);
	close(fd);
}

static void append(const char *name)
{
	FILE *f = fopen(path_of(name), "ab");

	assert_non_null(f);
	fputc('x', f);
	assert_int_equal(fclose(f), 0);
}

static void cut(const char *name)
{
	assert_int_equal(truncate(path_of(name), 4000), 0);
}

static void replace(const char *name)
{
	char from[256];

	write_file("other", "other", 5);
	snprintf(from, sizeof(from), "%s", path_of("other"));
	assert_int_equal(rename(from, path_of(name)), 0);
}

static void overwrite(const char *name)
{
	const struct timespec some_time = {.tv_nsec = 20 * 1000000};
	int fd;

	nanosleep(&some_time, NULL); /* the kernel's clock of files ticks slowly */
	fd = open(path_of(name), O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, 100), 1);
	close(fd);
}

static void take_away(const char *name)
{
	assert_int_equal(unlink(path_of(name)), 0);
}

static void a_file_that_changes_is_noticed(void **state UNUSED)
{
	static const struct {
		void (*change)(const char *name);
		const char *word;
	} ways[] = {{append, "was written to"}, {cut, "was cut off"}, {replace, "was replaced"},
		{overwrite, "was changed"}, {take_away, "is gone"}};
	static uint8_t buf[DATA_BYTES];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		struct err err = ERR_INIT;
		struct source *src;

		write_file("changing", buf, sizeof(buf));
		assert_int_equal(source_open(path_of("changing"), &src, &err), 0);
		assert_int_equal(source_check(src, &err), 0);
		ways[i].change("changing");
		assert_int_equal(source_check(src, &err), -1);
		assert_int_equal(err.cls, ERR_SYSTEM);
		if (!strstr(err.text, ways[i].word))
			fail_msg("'%s' does not say '%s'", err.text, ways[i].word);
		source_close(src);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_one_range),
		cmocka_unit_test(an_empty_file_opens),
		cmocka_unit_test(what_is_no_file_is_refused),
		cmocka_unit_test(a_pipe_is_read_to_its_end),
		cmocka_unit_test(packed_files_are_unpacked),
		cmocka_unit_test(zeros_at_the_end_are_kept),
		cmocka_unit_test(cut_packed_files_are_corrupt),
		cmocka_unit_test(crc32c_is_castagnolis),
		cmocka_unit_test(a_device_is_found_in_sysfs),
		cmocka_unit_test(what_is_not_looked_at_is_not_read),
		cmocka_unit_test(a_file_that_changes_is_noticed),
	};

	return cmocka_run_group_tests_name("source", tests, set_up, tear_down);
}
