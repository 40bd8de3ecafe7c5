/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * To be preloaded: what a guest could do that has taken over the decoder, or what asks libblkid.
 * The first call of btf__new(), in the middle of decoding, or of blkid_new_probe(), tries to get
 * out, by system call, and tells of each attempt on standard error.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void tell(const char *what, long rc)
{
	char line[128];
	int n = snprintf(
		line, sizeof(line), "escape: %s: %s\n", what, rc >= 0 ? "done" : strerror(errno));

	(void)!write(STDERR_FILENO, line, (size_t)n);
}

/* IOCTL_PRIVCMD_HYPERCALL of any file that is open, or the host that fakexen.c is: done where this
 * process has that. */
static long try_hypercall(void)
{
	int (*has_host)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "fakexen_is_open");
	int fd;

	for (fd = 0; fd < 64; fd++)
		if (!syscall(SYS_ioctl, fd, 0x305000, NULL) || errno != EPERM)
			return 0;
	return has_host && has_host() ? 0 : -1;
}

static void try_all(void)
{
	char program[] = "/bin/true";
	char *argv[] = {program, NULL};

	tell("open", syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY, 0));
	tell("create",
		syscall(SYS_openat, AT_FDCWD, "/tmp/xbdsnap-escaped", O_WRONLY | O_CREAT, 0600));
	tell("connect", syscall(SYS_socket, AF_INET, SOCK_STREAM, 0));
	tell("signal", syscall(SYS_kill, getppid(), 0));
	tell("code", syscall(SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	tell("hypercall", try_hypercall());
	tell("exec", syscall(SYS_execve, program, argv, NULL));
}

void *btf__new(const void *data, uint32_t size);
void *blkid_new_probe(void);

void *btf__new(const void *data, uint32_t size)
{
	void *(*real)(const void *, uint32_t) =
		(void *(*)(const void *, uint32_t))dlsym(RTLD_NEXT, "btf__new");
	static int tried;

	if (!tried++)
		try_all();
	return real(data, size);
}

/* Beside the socket on which it is asked, standard error, and one disk. */
static long try_other_files(void)
{
	int fd, nr = 0;

	for (fd = 0; fd < 1024; fd++)
		nr += syscall(SYS_fcntl, fd, F_GETFD) >= 0;
	errno = EPERM;
	return nr > 3 ? 0 : -1;
}

void *blkid_new_probe(void)
{
	void *(*real)(void) = (void *(*)(void))dlsym(RTLD_NEXT, "blkid_new_probe");
	static int tried;

	if (!tried++) {
		try_all();
		tell("files", try_other_files());
	}
	return real();
}
