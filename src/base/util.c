/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/util.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void util_free_ptr(void *pp)
{
	void *p;

	memcpy(&p, pp, sizeof(p));
	free(p);
}

void util_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

void util_close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Kernels older than 5.9 have no call for all of them. */
void util_close_range(unsigned from, unsigned to)
{
	unsigned end = (unsigned)MIN(sysconf(_SC_OPEN_MAX), 65536L);

	if (from > to)
		return;
#ifdef SYS_close_range
	if (!syscall(SYS_close_range, from, to, 0u))
		return;
#endif
	for (; from <= to && from < end; from++)
		close((int)from);
}

void util_stop_child(pid_t *pid)
{
	if (!*pid)
		return;
	kill(*pid, SIGKILL);
	while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
		;
	*pid = 0;
}

int util_grow(void *array, size_t *cap, size_t want, size_t each)
{
	size_t next = *cap ? *cap : 8;
	size_t bytes;
	void *old, *grown;

	if (want <= *cap)
		return 0;
	while (next < want)
		if (__builtin_mul_overflow(next, (size_t)2, &next))
			return -1;
	if (__builtin_mul_overflow(next, each, &bytes))
		return -1;
	memcpy(&old, array, sizeof(old));
	grown = realloc(old, bytes);
	if (!grown)
		return -1;
	memcpy(array, &grown, sizeof(grown));
	*cap = next;
	return 0;
}

void *util_append_zeroed(void *array, size_t *nr, size_t each)
{
	unsigned char *base, *grown;

	memcpy(&base, array, sizeof(base));
	if (!(*nr & (*nr - 1))) {
		size_t cap = *nr ? *nr * 2 : 1, bytes;

		if (__builtin_mul_overflow(cap, each, &bytes))
			return NULL;
		grown = realloc(base, bytes);
		if (!grown)
			return NULL;
		base = grown;
		memcpy(array, &base, sizeof(base));
	}
	return memset(base + (*nr)++ * each, 0, each);
}

void util_vnote(char **text, const char *fmt, va_list ap)
{
	char *line = NULL, *all = NULL;

	if (vasprintf(&line, fmt, ap) < 0)
		return;
	if (asprintf(&all, "%s%s\n", *text ? *text : "", line) >= 0) {
		free(*text);
		*text = all;
	}
	free(line);
}

size_t util_count_until(const void *array, size_t nr, size_t each, size_t at, uint64_t key)
{
	const uint8_t *base = array;
	size_t lo = 0, hi = nr;
	uint64_t v;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		memcpy(&v, base + mid * each + at, sizeof(v));
		if (v <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint64_t util_now_ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t))
		return 0;
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

int util_write(int fd, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

bool util_is_zero(const void *p, size_t bytes)
{
	const uint8_t *b = p;

	return !bytes || (!b[0] && !memcmp(b, b + 1, bytes - 1));
}

const void *util_find(const void *hay, size_t bytes, const void *needle, size_t len)
{
	const uint8_t *at = hay, *wanted = needle;
	size_t left = bytes;

	while (len && left >= len) {
		const uint8_t *first = memchr(at, wanted[0], left - len + 1);

		if (!first || !memcmp(first, wanted, len))
			return first;
		left -= (size_t)(first + 1 - at);
		at = first + 1;
	}
	return NULL;
}

void util_note(char **text, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	util_vnote(text, fmt, ap);
	va_end(ap);
}
