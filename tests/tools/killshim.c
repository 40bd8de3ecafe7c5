/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * To be preloaded: let the n-th call that changes or syncs a file go wrong.
 *
 * KILLSHIM_AT=N counts pwrite, fsync, fdatasync, fallocate, renameat2, link, the close of a file
 * that is open for writing, and libnbd's writes, flushes and trims from 1; KILLSHIM_HOW says what
 * happens then: kill (SIGKILL before it), torn (SIGKILL after KILLSHIM_SECTORS sectors of a
 * pwrite), enospc, eio, eintr (nothing is done), short (half of a pwrite), zero (a pwrite of
 * nothing), int (SIGINT, and the call goes on), slow (each pwrite takes N ms), norename (no
 * renameat2() at all), noname (no link() either), server (SIGKILL for the qemu-nbd that we
 * started, and the call goes on). With KILLSHIM_COUNT=FILE the number of calls is written there.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static long calls;

/* It inherits us, but what it calls is its own matter. */
static int is_server(void)
{
	return !strcmp(program_invocation_short_name, "qemu-nbd");
}

/* At once: who is confined ends later than its keeper, or by a signal, and opens nothing. */
static void report_calls(void)
{
	const char *path = getenv("KILLSHIM_COUNT");
	FILE *f = path ? fopen(path, "w") : NULL;

	if (f) {
		fprintf(f, "%ld\n", calls);
		fclose(f);
	}
}

static const char *how(void)
{
	const char *at = getenv("KILLSHIM_AT"), *what = getenv("KILLSHIM_HOW");

	if (is_server())
		return "";
	calls++;
	report_calls();
	return calls == (at ? atol(at) : 0) && what ? what : "";
}

static int is_a_server(int pid)
{
	char path[64], name[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	f = fopen(path, "r");
	if (f && !fgets(name, sizeof(name), f))
		*name = 0;
	if (f)
		fclose(f);
	return !strcmp(name, "qemu-nbd\n");
}

/* Who looks at the guest is another. */
static void kill_children(void)
{
	char path[64];
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "r");
	while (f && fscanf(f, "%d", &pid) == 1)
		if (is_a_server(pid))
			kill(pid, SIGKILL);
	if (f)
		fclose(f);
}

/* -1: it failed; 0: go on. */
static int go_wrong(const char *what)
{
	if (!strcmp(what, "kill") || !strcmp(what, "torn"))
		kill(getpid(), SIGKILL);
	if (!strcmp(what, "int"))
		kill(getpid(), SIGINT);
	if (!strcmp(what, "server"))
		kill_children();
	if (!strcmp(what, "enospc"))
		errno = ENOSPC;
	else if (!strcmp(what, "eio"))
		errno = EIO;
	else if (!strcmp(what, "eintr"))
		errno = EINTR;
	else
		return 0;
	return -1;
}

/* A file or a block device, not a memfd. */
static int is_named(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) && st.st_nlink;
}

static ssize_t do_pwrite(const char *name, int fd, const void *buf, size_t len, off_t off)
{
	ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, name);
	const char *what = is_named(fd) ? how() : "", *sectors = getenv("KILLSHIM_SECTORS");
	const char *mode = getenv("KILLSHIM_HOW"), *at = getenv("KILLSHIM_AT");

	if (mode && at && !strcmp(mode, "slow"))
		usleep((useconds_t)atol(at) * 1000);

	if (!strcmp(what, "torn") && real(fd, buf, (size_t)atol(sectors) * 512 % len, off) < 0)
		return -1;
	if (!strcmp(what, "short") && len > 1)
		len /= 2;
	if (!strcmp(what, "zero"))
		return 0;
	return go_wrong(what) ? -1 : real(fd, buf, len, off);
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	return do_pwrite("pwrite", fd, buf, len, off);
}

ssize_t pwrite64(int fd, const void *buf, size_t len, off_t off)
{
	return do_pwrite("pwrite64", fd, buf, len, off);
}

int fsync(int fd)
{
	int (*real)(int) = dlsym(RTLD_NEXT, "fsync");

	return go_wrong(how()) ? -1 : real(fd);
}

int fdatasync(int fd)
{
	int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");

	return go_wrong(how()) ? -1 : real(fd);
}

int fallocate(int fd, int mode, off_t off, off_t len)
{
	int (*real)(int, int, off_t, off_t) = dlsym(RTLD_NEXT, "fallocate");

	return go_wrong(how()) ? -1 : real(fd, mode, off, len);
}

static int is_mode(const char *mode)
{
	const char *set = getenv("KILLSHIM_HOW");

	return set && !strcmp(set, mode);
}

int renameat2(int from_dir, const char *from, int dir, const char *to, unsigned flags)
{
	int (*real)(int, const char *, int, const char *, unsigned) = dlsym(RTLD_NEXT, "renameat2");

	if (is_mode("norename") || is_mode("noname")) {
		errno = EINVAL;
		return -1;
	}
	return go_wrong(how()) ? -1 : real(from_dir, from, dir, to, flags);
}

int link(const char *from, const char *to)
{
	int (*real)(const char *, const char *) = dlsym(RTLD_NEXT, "link");

	if (is_mode("noname")) {
		errno = EPERM;
		return -1;
	}
	return go_wrong(how()) ? -1 : real(from, to);
}

/* Linux closes it in any case. */
int close(int fd)
{
	int (*real)(int) = dlsym(RTLD_NEXT, "close");
	int flags = fcntl(fd, F_GETFL), rc, saved;

	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || !is_named(fd))
		return real(fd);
	rc = go_wrong(how());
	saved = errno;
	if (real(fd))
		return -1;
	errno = saved;
	return rc;
}

/* Of an error that is ours libnbd has no text. */
int nbd_pwrite(void *nbd, const void *buf, size_t len, uint64_t off, uint32_t flags)
{
	int (*real)(void *, const void *, size_t, uint64_t, uint32_t) =
		dlsym(RTLD_NEXT, "nbd_pwrite");

	return go_wrong(how()) ? -1 : real(nbd, buf, len, off, flags);
}

int nbd_flush(void *nbd, uint32_t flags)
{
	int (*real)(void *, uint32_t) = dlsym(RTLD_NEXT, "nbd_flush");

	return go_wrong(how()) ? -1 : real(nbd, flags);
}

int nbd_trim(void *nbd, uint64_t len, uint64_t off, uint32_t flags)
{
	int (*real)(void *, uint64_t, uint64_t, uint32_t) = dlsym(RTLD_NEXT, "nbd_trim");

	return go_wrong(how()) ? -1 : real(nbd, len, off, flags);
}

/* Of those that we started some count, too: the last word is ours. */
__attribute__((destructor)) static void report_at_end(void)
{
	if (calls)
		report_calls();
}
