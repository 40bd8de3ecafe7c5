/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What a confined process cannot do, tried by system call: each attempt is made in a child of its
 * own, which says by its exit status how it went.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/ptrace.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/sandbox.h"

/* The sanitizer's own needs are let through in its build. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#else
#define SANITIZED false
#endif

#define REFUSED 10 /* EPERM or EACCES */
#define DONE	11
#define OTHER	12

static int outcome(long rc)
{
	if (rc >= 0)
		return DONE;
	return errno == EPERM || errno == EACCES ? REFUSED : OTHER;
}

static int attempt(enum sandbox_kind kind, long (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct err err;
		unsigned layers;

		_exit(sandbox_enter(kind, &layers, &err) ? 1 : outcome(fn()));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static long open_file(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
}

static long open_old(void)
{
	return syscall(SYS_open, "/etc/passwd", O_RDONLY, 0);
}

static long create_file(void)
{
	return syscall(SYS_openat, AT_FDCWD, "/tmp/escaped", O_WRONLY | O_CREAT, 0600);
}

static long open_newest(void)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = {O_RDONLY, 0, 0};

	return syscall(437 /* openat2 */, AT_FDCWD, "/etc/passwd", &how, sizeof(how));
}

static long make_socket(void)
{
	return syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long connect_unix(void)
{
	return syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
}

static long run_program(void)
{
	char sh[] = "/bin/true";
	char *argv[] = {sh, NULL};

	return syscall(SYS_execve, sh, argv, NULL);
}

static long signal_parent(void)
{
	return syscall(SYS_kill, getppid(), 0);
}

static long signal_thread(void)
{
	return syscall(SYS_tgkill, 1, 1, 0);
}

static long make_process(void)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (!pid)
		_exit(0);
	return pid;
}

static long make_process_old(void)
{
	long pid = syscall(SYS_fork);

	if (!pid)
		_exit(0);
	return pid;
}

static long trace_parent(void)
{
	return syscall(SYS_ptrace, PTRACE_SEIZE, getppid(), 0, 0);
}

static long map_code(void)
{
	return syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0) == -1
		       ? -1
		       : 0;
}

static long make_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return syscall(SYS_mprotect, p, 4096, PROT_READ | PROT_EXEC);
}

static long remove_file(void)
{
	return syscall(SYS_unlinkat, AT_FDCWD, "/tmp/no-such-file", 0);
}

static long rename_file(void)
{
	return syscall(SYS_rename, "/tmp/no-such-file", "/tmp/no-other");
}

static long change_owner(void)
{
	return syscall(SYS_setuid, 1);
}

static long control_tty(void)
{
	char c = 'x';

	return syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, &c);
}

static long bpf_call(void)
{
	return syscall(SYS_bpf, 0, NULL, 0);
}

static long limit_other(void)
{
	struct rlimit lim;

	return syscall(SYS_prlimit64, getppid(), RLIMIT_CPU, NULL, &lim);
}

static long io_ring(void)
{
	char params[256] = {0};

	return syscall(425 /* io_uring_setup */, 1, params);
}

static const struct {
	const char *what;
	long (*fn)(void);
	bool sanitizer; /* its build must be let do this */
} forbidden[] = {
	{"open a file", open_file, true},
	{"open a file by the old call", open_old, true},
	{"open a file by the newest call", open_newest, false},
	{"create a file", create_file, true},
	{"make a network socket", make_socket, false},
	{"make a local socket", connect_unix, false},
	{"run a program", run_program, false},
	{"signal its parent", signal_parent, false},
	{"signal another process's thread", signal_thread, true},
	{"make a process", make_process, true},
	{"make a process by the old call", make_process_old, false},
	{"trace its parent", trace_parent, true},
	{"map code", map_code, true},
	{"make data code", make_code, true},
	{"remove a file", remove_file, false},
	{"rename a file", rename_file, false},
	{"become another user", change_owner, false},
	{"type into a terminal", control_tty, false},
	{"load a program into the kernel", bpf_call, false},
	{"look at another process's limits", limit_other, false},
	{"make a queue of system calls", io_ring, false},
};

static void need_seccomp(void)
{
	if (!(sandbox_try(SANDBOX_CLOSED) & SANDBOX_SECCOMP))
		skip();
}

static void test_refused(void **state UNUSED)
{
	size_t i;

	need_seccomp();
	for (i = 0; i < ARRAY_SIZE(forbidden); i++) {
		if (forbidden[i].sanitizer && SANITIZED)
			continue;
		if (attempt(SANDBOX_CLOSED, forbidden[i].fn) != REFUSED)
			fail_msg("a confined process can %s", forbidden[i].what);
	}
}

/* The attempts themselves are sound: without the filter most of them are no EPERM. */
static void test_attempts(void **state UNUSED)
{
	long (*const fine[])(void) = {open_file, open_old, make_socket, connect_unix, signal_parent,
		make_process, map_code, make_code};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fine); i++)
		assert_int_equal(outcome(fine[i]()), DONE);
}

static long ask_terminal(void)
{
	int fd = syscall(SYS_memfd_create, "x", 0), version = 0;

	return ioctl(fd, TIOCSTI, &version);
}

/* Who looks at a live domain has its devices, and no more than others of the rest. */
static void test_xen_kind(void **state UNUSED)
{
	size_t i;

	need_seccomp();
	for (i = 0; i < ARRAY_SIZE(forbidden); i++) {
		if (forbidden[i].sanitizer && SANITIZED)
			continue;
		if (attempt(SANDBOX_XEN, forbidden[i].fn) != REFUSED)
			fail_msg("who looks at a domain can %s", forbidden[i].what);
	}
	assert_int_equal(attempt(SANDBOX_XEN, ask_terminal), REFUSED);
}

/* A device in /dev/xen, of a mount namespace of our own; -1: that cannot be had here. */
static int fake_device(void)
{
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		mount("x", "/dev", "tmpfs", 0, NULL) || mkdir("/dev/xen", 0700) ||
		mknod("/dev/xen/privcmd", S_IFCHR | 0600, makedev(1, 3)))
		return -1;
	return open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
}

/* What /dev/null answers is that it knows no such call. */
static int ask_device(enum sandbox_kind kind)
{
	int fd = fake_device(), other = open("/proc/self/status", O_RDONLY | O_CLOEXEC), none = 0;
	unsigned layers;
	struct err err;

	if (fd < 0)
		return OTHER;
	if (sandbox_enter(kind, &layers, &err) || !ioctl(other, TIOCSTI, &none) || errno != EPERM ||
		!ioctl(fd, TIOCSTI, &none))
		return 1;
	return errno == ENOTTY ? DONE : outcome(-1);
}

static int in_child(int (*fn)(enum sandbox_kind), enum sandbox_kind kind)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(fn(kind));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_xen_devices(void **state UNUSED)
{
	int said;

	need_seccomp();
	said = in_child(ask_device, SANDBOX_XEN);
	if (said == OTHER)
		skip();
	assert_int_equal(said, DONE);
	assert_int_equal(in_child(ask_device, SANDBOX_CLOSED), REFUSED);
}

static void *touch(void *arg)
{
	*(int *)arg = 42;
	return NULL;
}

/* What the analysis does: threads, memory of its own, reading and writing what is open. */
static long ordinary_work(void)
{
	size_t bytes = 8u << 20;
	char *p = malloc(bytes);
	pthread_t thread;
	int got = 0, fd;

	if (!p)
		return -1;
	memset(p, 1, bytes);
	free(p);
	if (pthread_create(&thread, NULL, touch, &got) || pthread_join(thread, NULL) || got != 42)
		return -1;
	fd = memfd_create("x", MFD_CLOEXEC);
	return fd >= 0 && write(fd, "x", 1) == 1 && !ftruncate(fd, 4096) && !fsync(fd) ? 0 : -1;
}

static void test_allowed(void **state UNUSED)
{
	assert_int_equal(attempt(SANDBOX_CLOSED, ordinary_work), DONE);
}

/* Of the kernel itself; the sanitizer's build has no Landlock. */
static void test_layers(void **state UNUSED)
{
	long landlock = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	unsigned want = SANDBOX_PRIVILEGE;

	if (!SANITIZED && landlock > 0)
		want |= SANDBOX_LANDLOCK;
#ifdef HAVE_SECCOMP
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0)
		want |= SANDBOX_SECCOMP;
#endif
	assert_int_equal(sandbox_try(SANDBOX_CLOSED), want);
	assert_int_equal(sandbox_try(SANDBOX_XEN), want);
}

static long bounds(void)
{
	struct rlimit data, cpu;

	sandbox_bound((uint64_t)1 << 30);
	sandbox_bound((uint64_t)1 << 20);
	if (getrlimit(RLIMIT_DATA, &data) || getrlimit(RLIMIT_CPU, &cpu))
		return -1;
	if (!SANITIZED && data.rlim_cur != (64u << 20) + 2 * (((uint64_t)1 << 30) + (1u << 20)))
		return -1;
	return cpu.rlim_cur == 120 + 128 ? 0 : -1;
}

static void test_bounds(void **state UNUSED)
{
	assert_int_equal(attempt(SANDBOX_CLOSED, bounds), DONE);
}

/* 16 bytes for each page take the place of two for each byte, where they are fewer. */
static long settled(void)
{
	const uint64_t base = 64u << 20, size = (uint64_t)1 << 30, other = 1u << 20;
	struct rlimit data;

	sandbox_bound(size);
	sandbox_bound(other);
	sandbox_settle(size, size / 4096);
	if (getrlimit(RLIMIT_DATA, &data) || data.rlim_cur != base + size / 256 + 2 * other)
		return -1;
	sandbox_settle(other, UINT64_MAX);
	return getrlimit(RLIMIT_DATA, &data) || data.rlim_cur != base + size / 256 + 2 * other ? -1
											       : 0;
}

/* The room for a window is there while it is needed, before the first bound as well. */
static long unpacking(void)
{
	const uint64_t base = 64u << 20, window = 256u << 20;
	struct rlimit data;

	sandbox_begin_unpacking();
	if (getrlimit(RLIMIT_DATA, &data) || data.rlim_cur != base + window)
		return -1;
	sandbox_bound(1000);
	sandbox_end_unpacking();
	return getrlimit(RLIMIT_DATA, &data) || data.rlim_cur != base + 2000 ? -1 : 0;
}

/* A look adds time, and no memory. */
static long live(void)
{
	struct rlimit data, cpu;

	sandbox_bound_live(1000);
	sandbox_bound_look(1 << 18);
	sandbox_bound_look(1);
	if (getrlimit(RLIMIT_DATA, &data) || getrlimit(RLIMIT_CPU, &cpu))
		return -1;
	if (!SANITIZED && data.rlim_cur != (192u << 20) + 48 * 1000)
		return -1;
	return cpu.rlim_cur == 120 + 129 + 1 ? 0 : -1;
}

static void test_live(void **state UNUSED)
{
	assert_int_equal(attempt(SANDBOX_CLOSED, live), DONE);
}

static void test_settled(void **state UNUSED)
{
	if (SANITIZED)
		skip();
	assert_int_equal(attempt(SANDBOX_CLOSED, settled), DONE);
	assert_int_equal(attempt(SANDBOX_CLOSED, unpacking), DONE);
}

static long allocate_without_end(void)
{
	size_t nr = 0, each = 16u << 20;

	sandbox_bound(0);
	while (nr < 1024) {
		char *p = malloc(each);

		if (!p)
			return nr * each < (80u << 20) ? 0 : -1;
		memset(p, 1, each);
		nr++;
	}
	return -1;
}

static void test_memory(void **state UNUSED)
{
	if (SANITIZED)
		skip();
	assert_int_equal(attempt(SANDBOX_CLOSED, allocate_without_end), DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_xen_kind),
		cmocka_unit_test(test_xen_devices),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
