/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The door and its keeper: what a process gets that asks for files, and what it does not. The child
 * plays the confined process, of an honest kind first, then of another.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/disk.h"
#include "io/hold.h"
#include "io/keeper.h"
#include "io/whole.h"

static char dir[64], in[128], out[128], other[128], folder[128], link_to_in[128];

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state UNUSED)
{
	snprintf(dir, sizeof(dir), "/tmp/xbdsnap-door-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(in, sizeof(in), "%s/in", dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	snprintf(folder, sizeof(folder), "%s/folder", dir);
	snprintf(link_to_in, sizeof(link_to_in), "%s/link", dir);
	write_text(in, "the input");
	write_text(other, "not named");
	return symlink(in, link_to_in);
}

static int teardown(void **state UNUSED)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

/* Run fn in a child whose door is shut, and keep it. Its exit status: the line that failed. */
static struct door_work work; /* of the keeper */

static int behind_the_door(int (*fn)(int socket))
{
	struct door_pass named[] = {{in, DOOR_READ, NULL}, {link_to_in, DOOR_READ, "qcow2"},
		{out, DOOR_OUTPUT, NULL}, {folder, DOOR_FOLDER, NULL}};
	const struct door_passes passes = {.v = named, .nr = ARRAY_SIZE(named), .work = work};
	int ends[2], status, signals;
	struct err err;
	sigset_t none;
	pid_t pid;

	sigemptyset(&none);
	signals = signalfd(-1, &none, SFD_CLOEXEC);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	pid = fork();
	if (!pid) {
		close(ends[0]);
		door_shut(ends[1]);
		_exit(fn(ends[1]));
	}
	close(ends[1]);
	assert_int_equal(keeper_serve(ends[0], signals, pid, &passes, &err), 0);
	close(ends[0]);
	close(signals);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The line, so that a failure says where. */
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			return __LINE__ % 250 + 1;                                                 \
	} while (0)

static int honest(int socket UNUSED)
{
	struct whole_file f;
	struct stat st;
	struct err err;
	char buf[32] = "", path[160], *real;
	int fd = door_open(in, O_RDONLY);

	CHECK(fd >= 0 && read(fd, buf, sizeof(buf)) == 9 && !strcmp(buf, "the input"));
	close(fd);
	CHECK(!door_stat(in, &st) && st.st_size == 9);
	real = door_realpath(link_to_in);
	CHECK(real && !strcmp(real, in));
	free(real);
	fd = door_temp();
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	CHECK(!whole_open(&f, out, false, &err) && !whole_write(&f, 0, "new", 3, &err) &&
		!whole_commit(&f, false, &err));
	CHECK(!whole_open(&f, out, false, &err) && whole_commit(&f, false, &err) &&
		err.cls == ERR_REFUSED); /* it exists */
	CHECK(!whole_open(&f, out, false, &err) && !whole_write(&f, 0, "newer", 5, &err) &&
		!whole_commit(&f, true, &err));
	CHECK(!door_mkdir(folder));
	snprintf(path, sizeof(path), "%s/name", folder);
	CHECK(!whole_open(&f, path, false, &err) && !whole_write(&f, 0, "in", 2, &err) &&
		!whole_commit(&f, false, &err));
	CHECK(!whole_open(&f, out, false, &err)); /* left behind: the keeper removes it */
	return 0;
}

static void read_text(const char *path, char *buf, size_t cap)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, cap - 1, f);
	buf[n] = 0;
	fclose(f);
}

static size_t nr_files(void)
{
	char cmd[128];
	FILE *p;
	size_t nr = 0;
	int c;

	snprintf(cmd, sizeof(cmd), "find %s -type f", dir);
	p = popen(cmd, "r");
	assert_non_null(p);
	while ((c = fgetc(p)) != EOF)
		nr += c == '\n';
	pclose(p);
	return nr;
}

static void test_honest(void **state UNUSED)
{
	char buf[32], path[160];

	assert_int_equal(behind_the_door(honest), 0);
	read_text(out, buf, sizeof(buf));
	assert_string_equal(buf, "newer");
	snprintf(path, sizeof(path), "%s/name", folder);
	read_text(path, buf, sizeof(buf));
	assert_string_equal(buf, "in");
	assert_int_equal(nr_files(), 4); /* in, other, out, folder/name: no temporary is left */
}

static bool is_refused(int fd)
{
	return fd < 0 && errno == EPERM;
}

static int dishonest(int socket UNUSED)
{
	struct err err;
	uint64_t ns;
	char path[200], *temp, *real;
	struct stat st;

	CHECK(is_refused(door_open(other, O_RDONLY)));
	CHECK(is_refused(door_open("/etc/passwd", O_RDONLY)));
	CHECK(is_refused(door_open(in, O_RDWR)));
	CHECK(is_refused(door_open(in, O_WRONLY)));
	CHECK(is_refused(door_open(out, O_WRONLY | O_CREAT)));
	CHECK(is_refused(door_open(out, O_WRONLY | O_TRUNC)));
	CHECK(is_refused(door_open(dir, O_RDONLY | O_DIRECTORY)));
	CHECK(is_refused(door_open(folder, O_RDWR | O_TMPFILE)));
	CHECK(is_refused(door_stat(other, &st)));
	real = door_realpath(other);
	CHECK(!real && errno == EPERM);
	CHECK(is_refused(door_mkdir(other)));
	CHECK(is_refused(door_create_beside(in, &temp)));
	CHECK(is_refused(door_open_folder_of("/etc/passwd")));
	snprintf(path, sizeof(path), "%s/../other", folder);
	CHECK(is_refused(door_open(path, O_RDONLY)));
	CHECK(is_refused(door_create_beside(path, &temp)));
	snprintf(path, sizeof(path), "%s/..", folder);
	CHECK(is_refused(door_create_beside(path, &temp)));
	snprintf(path, sizeof(path), "%s/sub/name", folder);
	CHECK(is_refused(door_create_beside(path, &temp)));
	/* What was not made here is neither named nor removed; what was, gets no other name. */
	CHECK(is_refused(door_rename(in, out, 0)));
	CHECK(is_refused(door_link(in, out)));
	CHECK(is_refused(door_unlink(in)));
	CHECK(is_refused(door_unlink(out)));
	CHECK(door_create_beside(out, &temp) >= 0);
	CHECK(is_refused(door_rename(temp, in, 0)));
	CHECK(is_refused(door_rename(temp, "/etc/passwd", 0)));
	CHECK(is_refused(door_rename(temp, out, RENAME_EXCHANGE)));
	CHECK(!door_unlink(temp));
	CHECK(is_refused(door_unlink(temp)));
	free(temp);
	CHECK(door_disk_use(other, false) < 0 && errno == EPERM);
	/* Served is what the command line calls an image, in its format. */
	CHECK(door_serve_image(other, "qcow2") < 0 && errno == EPERM);
	CHECK(door_serve_image(out, "qcow2") < 0 && errno == EPERM);
	CHECK(door_serve_image(in, "vmdk") < 0 && errno == EPERM);
	/* Nothing is held that the command line does not ask for, and nothing let go. */
	CHECK(door_hold_begin(&err) && err.sys_errno == EPERM);
	CHECK(door_hold_end(&ns, &err) && err.sys_errno == EPERM);
	return 0;
}

static void test_dishonest(void **state UNUSED)
{
	char buf[32];

	assert_int_equal(behind_the_door(dishonest), 0);
	read_text(in, buf, sizeof(buf));
	assert_string_equal(buf, "the input");
	read_text(other, buf, sizeof(buf));
	assert_string_equal(buf, "not named");
}

/* Calls that no door of ours sends. Each gets an answer, and none anything else. */
static int malformed(int socket)
{
	struct keeper_call call;
	struct keeper_answer answer;
	size_t len;

	for (len = 1; len < sizeof(call); len += 509) {
		memset(&call, 0x41, sizeof(call));
		CHECK(send(socket, &call, len, 0) == (ssize_t)len);
		CHECK(recv(socket, &answer, sizeof(answer), 0) == sizeof(answer));
		CHECK(answer.rc == -1 && answer.number == EPERM);
	}
	memset(&call, 0x41, sizeof(call)); /* no end of the texts */
	call.op = KEEPER_OPEN;
	CHECK(send(socket, &call, sizeof(call), 0) == sizeof(call));
	CHECK(recv(socket, &answer, sizeof(answer), 0) == sizeof(answer) && answer.rc == -1);
	memset(&call, 0, sizeof(call));
	call.op = KEEPER_NR_OPS;
	CHECK(send(socket, &call, sizeof(call), 0) == sizeof(call));
	CHECK(recv(socket, &answer, sizeof(answer), 0) == sizeof(answer) && answer.rc == -1);
	call.op = UINT32_MAX;
	CHECK(send(socket, &call, sizeof(call), 0) == sizeof(call));
	CHECK(recv(socket, &answer, sizeof(answer), 0) == sizeof(answer) && answer.rc == -1);
	CHECK(door_open(in, O_RDONLY) >= 0); /* and it still serves */
	return 0;
}

static void test_malformed(void **state UNUSED)
{
	assert_int_equal(behind_the_door(malformed), 0);
}

/* A disk is looked at by the keeper, who may open devices and /proc. */
static int look_at_disk(int socket UNUSED)
{
	struct disk d;
	struct err err;

	CHECK(!disk_open(&d, in, DISK_RAW, 0, &err));
	CHECK(disk_use(&d) == DISK_USE_NONE);
	disk_drop(&d);
	return 0;
}

static int look_at_written_disk(int socket UNUSED)
{
	struct disk d;
	struct err err;

	CHECK(!disk_open(&d, in, DISK_RAW, 0, &err));
	CHECK(disk_use(&d) == DISK_USE_WRITER);
	disk_drop(&d);
	return 0;
}

static void test_disk(void **state UNUSED)
{
	int fd;

	assert_int_equal(behind_the_door(look_at_disk), 0);
	fd = open(in, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(behind_the_door(look_at_written_disk), 0);
	close(fd);
}

/* Says the order twice. */
static void repeat_order(void *arg, int order, int result)
{
	char text[16];
	ssize_t n = pread(order, text, sizeof(text), 0);

	assert_ptr_equal(arg, &work);
	assert_true(n > 0);
	assert_int_equal(pwrite(order, "x", 1, 0), -1);
	assert_int_equal(write(result, text, (size_t)n), n);
	assert_int_equal(write(result, text, (size_t)n), n);
}

static int order_something(int to_keeper UNUSED)
{
	int fd = door_order(), result;
	char text[16] = "";

	if (fd < 0 || door_order() >= 0 || errno != EPERM || write(fd, "do it ", 6) != 6)
		return 1;
	result = door_carry_out();
	if (result < 0 || pread(result, text, sizeof(text), 0) != 12 ||
		strcmp(text, "do it do it "))
		return 2;
	/* Nobody changes it any more, and it is done once. */
	if (pwrite(fd, "x", 1, 0) >= 0 || errno != EPERM || ftruncate(fd, 0) == 0)
		return 3;
	if (door_carry_out() >= 0 || errno != EPERM || door_order() >= 0 || errno != EPERM)
		return 4;
	return 0;
}

static void test_an_order(void **state UNUSED)
{
	work = (struct door_work){repeat_order, &work};
	assert_int_equal(behind_the_door(order_something), 0);
	work = (struct door_work){0};
}

/* Who could still change it through a mapping has nothing carried out. */
static int order_and_keep(int to_keeper UNUSED)
{
	int fd = door_order();
	void *p;

	if (fd < 0 || ftruncate(fd, 4096))
		return 1;
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return 2;
	return door_carry_out() >= 0 || errno != EBUSY;
}

static void test_a_kept_order(void **state UNUSED)
{
	work = (struct door_work){repeat_order, &work};
	assert_int_equal(behind_the_door(order_and_keep), 0);
	work = (struct door_work){0};
}

static int order_nothing(int to_keeper UNUSED)
{
	if (door_order() >= 0 || errno != EPERM)
		return 1;
	return door_carry_out() >= 0 || errno != EPERM;
}

static void test_no_order(void **state UNUSED)
{
	assert_int_equal(behind_the_door(order_nothing), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_order),
		cmocka_unit_test(test_a_kept_order),
		cmocka_unit_test(test_no_order),
		cmocka_unit_test_setup_teardown(test_honest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dishonest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disk, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
