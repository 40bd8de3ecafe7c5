/* SPDX-License-Identifier: BSD-2-Clause
 *
 * libblkid in a process of its own: what it says arrives, what it cannot say is an answer too, and
 * an answer of somebody who was taken over is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/limits.h"
#include "base/num.h"
#include "io/message.h"
#include "io/prober.h"

#define DISK_BYTES (16u << 20)

/* A DOS table (MBR) of one partition of all but the first MiB, and in it the header of a swap area
 * of version 1 with a label (linux/include/uapi/linux/swap.h's union swap_header). */
static int make_disk(void)
{
	const uint8_t entry[16] = {[4] = 0x82, [9] = 8, [13] = 0x78};
	const uint8_t swap[8] = {1, 0, 0, 0, 0xff, 0x0e, 0, 0};
	int fd = memfd_create("disk", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, DISK_BYTES), 0);
	assert_int_equal(pwrite(fd, entry, 16, 446), 16);
	assert_int_equal(pwrite(fd, "\x55\xaa", 2, 510), 2);
	assert_int_equal(pwrite(fd, swap, 8, (1 << 20) + 1024), 8);
	assert_int_equal(pwrite(fd, "made up", 7, (1 << 20) + 1052), 7);
	assert_int_equal(pwrite(fd, "SWAPSPACE2", 10, (1 << 20) + PAGE_BYTES - 10), 10);
	return fd;
}

static bool ask(int socket, const struct prober_call *c, int disk, struct prober_answer *a)
{
	return message_send(socket, c, sizeof(*c), disk) &&
	       message_receive(socket, a, sizeof(*a), NULL);
}

static void test_asked(void **state UNUSED)
{
	struct prober_call c = {.what = PROBER_TABLE, .sectors = DISK_BYTES / SECTOR_BYTES};
	int disk = make_disk(), socket;
	struct prober_answer a;
	pid_t pid;

	socket = prober_start(&pid);
	assert_true(socket >= 0 && pid > 0);
	assert_true(ask(socket, &c, disk, &a));
	assert_int_equal(a.rc, 0);
	assert_true(prober_answer_sound(&c, &a));
	assert_string_equal(a.table.type, "dos");
	assert_int_equal(a.table.nr, 1);
	assert_int_equal(a.table.v[0].start, 2048);
	assert_int_equal(a.table.v[0].nr, 0x7800);
	assert_int_equal(a.table.v[0].number, 1);

	c = (struct prober_call){.what = PROBER_ANYTHING, .start = 1 << 20, .bytes = 15 << 20};
	assert_true(ask(socket, &c, disk, &a));
	assert_int_equal(a.rc, 0);
	assert_true(prober_answer_sound(&c, &a));
	assert_string_equal(a.content.type, "swap");
	assert_string_equal(a.content.label, "made up");
	assert_false(a.content.unsure);

	/* A guest has no swap area mounted. */
	c.what = PROBER_FILE_SYSTEM;
	assert_true(ask(socket, &c, disk, &a));
	assert_string_equal(a.content.type, "");

	/* Behind its end there is nothing to be asked about. */
	c.start = 1u << 30;
	assert_true(ask(socket, &c, disk, &a));
	assert_int_equal(a.rc, -1);
	util_stop_child(&pid);
	assert_int_equal(pid, 0);
	assert_false(ask(socket, &c, disk, &a));
	close(socket);
	close(disk);
}

/* Of the wrong size, and without a disk. */
static void test_nonsense(void **state UNUSED)
{
	struct prober_call c = {.what = PROBER_ANYTHING};
	struct prober_answer a;
	int i, socket;
	pid_t pid;

	for (i = 0; i < 2; i++) {
		socket = prober_start(&pid);
		assert_true(socket >= 0);
		assert_true(message_send(socket, &c, sizeof(c) - (i ? 0 : 1), -1));
		assert_false(message_receive(socket, &a, sizeof(a), NULL));
		util_stop_child(&pid);
		close(socket);
	}
}

/* It ends with who asks, and is bounded for the question at hand. */
static void test_bounded(void **state UNUSED)
{
	struct prober_call c = {.what = PROBER_ANYTHING};
	int disk = make_disk(), socket, status;
	struct prober_answer a;
	struct rlimit limit;
	pid_t pid;

	socket = prober_start(&pid);
	assert_true(socket >= 0);
	assert_true(ask(socket, &c, disk, &a));
	assert_int_equal(prlimit(pid, RLIMIT_CPU, NULL, &limit), 0);
	assert_in_range(limit.rlim_cur, LIMIT_PROBE_SECONDS, LIMIT_PROBE_SECONDS + 5);
#ifndef __SANITIZE_ADDRESS__
	assert_int_equal(prlimit(pid, RLIMIT_DATA, NULL, &limit), 0);
	assert_int_equal(limit.rlim_cur, LIMIT_MEMORY_BYTES);
#endif
	close(socket);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	close(disk);
}

static void test_not_believed(void **state UNUSED)
{
	struct prober_call c = {.what = PROBER_ANYTHING};
	struct prober_answer a = {0};
	const uint8_t two = 2;

	assert_true(prober_answer_sound(&c, &a));
	memset(a.content.type, 'x', sizeof(a.content.type));
	assert_false(prober_answer_sound(&c, &a));
	a = (struct prober_answer){0};
	memset(a.content.uuid, 'x', sizeof(a.content.uuid));
	assert_false(prober_answer_sound(&c, &a));
	a = (struct prober_answer){0};
	memset(a.content.label, 'x', sizeof(a.content.label));
	assert_false(prober_answer_sound(&c, &a));
	a = (struct prober_answer){0};
	memcpy(&a.content.unsure, &two, 1);
	assert_false(prober_answer_sound(&c, &a));
}

static void test_table_not_believed(void **state UNUSED)
{
	const struct prober_call c = {.what = PROBER_TABLE, .sectors = 1000};
	const struct prober_answer good = {
		.table = {.type = "gpt",
			.nr = 2,
			.v = {{.start = 0, .nr = 1000}, {.start = 999, .nr = 1}}}};
	struct prober_answer a = good;
	const uint8_t two = 2;

	assert_true(prober_answer_sound(&c, &a));
	a.table.nr = PROBE_MAX_PARTITIONS + 1;
	assert_false(prober_answer_sound(&c, &a));
	a = good;
	a.table.v[1].nr = 2;
	assert_false(prober_answer_sound(&c, &a));
	a = good;
	a.table.v[1].start = UINT64_MAX;
	assert_false(prober_answer_sound(&c, &a));
	a = good;
	a.table.v[0].nr = 0;
	assert_false(prober_answer_sound(&c, &a));
	a = good;
	memcpy(&a.table.v[0].extended, &two, 1);
	assert_false(prober_answer_sound(&c, &a));
	a = good;
	memset(a.table.type, 'x', sizeof(a.table.type));
	assert_false(prober_answer_sound(&c, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_not_believed),
		cmocka_unit_test(test_table_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
