/* SPDX-License-Identifier: BSD-2-Clause
 *
 * LD_PRELOAD: one sector of a file of BAD_SIZE bytes, at byte BAD_AT, cannot be read.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

typedef ssize_t pread_fn(int fd, void *buf, size_t bytes, off64_t off);

static int is_bad(int fd, size_t bytes, off64_t off)
{
	const char *at = getenv("BAD_AT"), *size = getenv("BAD_SIZE");
	struct stat st;

	if (!at || !size || fstat(fd, &st) || st.st_size != atoll(size))
		return 0;
	return off < atoll(at) + 512 && off + (off64_t)bytes > atoll(at);
}

ssize_t pread64(int fd, void *buf, size_t bytes, off64_t off)
{
	pread_fn *real;

	if (is_bad(fd, bytes, off)) {
		errno = EIO;
		return -1;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "pread64");
	return real(fd, buf, bytes, off);
}

ssize_t pread(int fd, void *buf, size_t bytes, off_t off)
{
	return pread64(fd, buf, bytes, off);
}
