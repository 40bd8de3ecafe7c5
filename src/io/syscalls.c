/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/syscalls.h"

#ifdef HAVE_SECCOMP

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

bool syscalls_available(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0 && seccomp_api_get() >= 1;
}

static void release_ctx(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

/* What a process needs that computes, and reads and writes what is open. */
static const int calls[] = {
	/* open files */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev),
	SCMP_SYS(lseek),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(fadvise64),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(fcntl),
	SCMP_SYS(fchmod),
	SCMP_SYS(umask),
	SCMP_SYS(tee),
	SCMP_SYS(splice),
	SCMP_SYS(sendfile),
	SCMP_SYS(copy_file_range),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(pipe2),
	SCMP_SYS(memfd_create),
	/* whether there is a file, which says what a folder is (source.c) */
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	/* the keeper, and a server of images, which are open too */
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	/* memory */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(mincore),
	/* threads, time, signals of our own */
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getrandom),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getrusage),
	SCMP_SYS(times),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
#ifdef __SANITIZE_ADDRESS__
	/* The sanitizer reads its own mappings, and looks for leaks from a tracing thread. */
	SCMP_SYS(openat),
	SCMP_SYS(open),
	SCMP_SYS(readlink),
	SCMP_SYS(getdents64),
	SCMP_SYS(getdents),
	SCMP_SYS(ptrace),
	SCMP_SYS(wait4),
	SCMP_SYS(clone),
	SCMP_SYS(prctl),
	SCMP_SYS(tgkill),
	SCMP_SYS(getppid),
	SCMP_SYS(newfstatat),
	SCMP_SYS(mmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(capget),
	SCMP_SYS(process_vm_readv),
#endif
};

static int add_calls(scmp_filter_ctx ctx)
{
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < ARRAY_SIZE(calls); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	return rc;
}

/* ioctl(2)s of what is open: terminals, and the sizes of block devices. */
static int add_ioctls(scmp_filter_ctx ctx)
{
	static const unsigned long allowed[] = {TCGETS, TIOCGWINSZ, FIONREAD, BLKGETSIZE64,
		BLKSSZGET, BLKPBSZGET, BLKROGET, BLKDISCARD};
	size_t i;
	int rc = 0;

	for (i = 0; !rc && i < ARRAY_SIZE(allowed); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
			SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)allowed[i], 0));
	return rc;
}

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

/* Calls that are harmless with some arguments: no code, no other process, no name of a file. */
static int add_narrow(scmp_filter_ctx ctx)
{
	int rc = 0;

	rc = rc ? rc
		: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rc = rc ? rc
		: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
			  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rc = rc ? rc
		: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
			  SCMP_A0(SCMP_CMP_MASKED_EQ, THREAD_FLAGS, THREAD_FLAGS));
	/* Its flags are in memory, where no filter sees them; the C library then takes clone(). */
	rc = rc ? rc : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	rc = rc ? rc
		: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
			  SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
	rc = rc ? rc
		: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
			  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	rc = rc ? rc
		: seccomp_rule_add(
			  ctx, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_EQ, 0, 0));
	return rc;
}

#define MAX_FD 1024

/* What libxencall, libxenforeignmemory and libxengnttab open. */
static bool is_xen_device(int fd)
{
	char name[32], path[64] = "";

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return readlink(name, path, sizeof(path) - 1) > 0 &&
	       (!strncmp(path, "/dev/xen/", 9) || !strncmp(path, "/proc/xen/", 10));
}

/* Hypercalls, and mappings of another domain's memory: calls of the libraries' own, by number. */
static int add_xen_devices(scmp_filter_ctx ctx)
{
	int fd, rc = 0;

	for (fd = 0; !rc && fd < MAX_FD; fd++)
		if (is_xen_device(fd))
			rc = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)fd, 0));
	return rc;
}

int syscalls_confine(enum sandbox_kind kind, struct err *err)
{
	CLEANUP(release_ctx) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (!ctx)
		return err_nomem(err, "the list of system calls");
	rc = add_calls(ctx);
	if (!rc)
		rc = add_ioctls(ctx);
	if (!rc)
		rc = add_narrow(ctx);
	if (!rc && kind == SANDBOX_XEN)
		rc = add_xen_devices(ctx);
	if (!rc)
		rc = seccomp_load(ctx);
	errno = -rc;
	return rc ? err_sys(err, "cannot confine the process") : 0;
}

#else

bool syscalls_available(void)
{
	return false;
}

int syscalls_confine(enum sandbox_kind kind UNUSED, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "built without seccomp");
}

#endif
