/* SPDX-License-Identifier: BSD-2-Clause
 *
 * util.h - compiler attributes, scope cleanup, growable arrays and texts.
 *
 * Locals that own something carry a CLEANUP_* attribute; ownership leaves a scope with take().
 */
#ifndef XB_BASE_UTIL_H
#define XB_BASE_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <time.h>

#define MUST_CHECK     __attribute__((warn_unused_result))
#define PRINTF(fmt, a) __attribute__((format(printf, fmt, a)))
#define UNUSED	       __attribute__((unused))
#define CLEANUP(fn)    __attribute__((cleanup(fn)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define MIN(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) min_a_ = (a);                                                        \
		__typeof__(b) min_b_ = (b);                                                        \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})
#define MAX(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) max_a_ = (a);                                                        \
		__typeof__(b) max_b_ = (b);                                                        \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})

/* Hand over what a CLEANUP_* local owns: yields the pointer and leaves NULL behind. */
#define take(p)                                                                                    \
	({                                                                                         \
		__typeof__(p) take_ = (p);                                                         \
		(p) = NULL;                                                                        \
		take_;                                                                             \
	})

void util_free_ptr(void *pp);
void util_close_fd(int *fd);
void util_close_file(FILE **f);
/* Every descriptor from one to the other, whether it is open or not. */
void util_close_range(unsigned from, unsigned to);
/* Kill a child that writes nothing, and wait for it; *pid becomes 0; 0: there is none. */
void util_stop_child(pid_t *pid);

#define CLEANUP_FREE  CLEANUP(util_free_ptr)
#define CLEANUP_CLOSE CLEANUP(util_close_fd)
#define CLEANUP_FILE  CLEANUP(util_close_file)

/*
 * Make room for at least `want` elements of `each` bytes behind *array (capacity *cap, in
 * elements), at least doubling it. Returns -1 when memory or the address space is exhausted; the
 * array is then unchanged. The new elements are not initialised.
 */
int util_grow(void *array, size_t *cap, size_t want, size_t each) MUST_CHECK;

/*
 * One more zeroed element of `each` bytes behind *array, whose capacity is the next power of two of
 * its length *nr. NULL when memory or the address space is exhausted; the array is then unchanged.
 */
void *util_append_zeroed(void *array, size_t *nr, size_t each) MUST_CHECK;

/*
 * Of `nr` elements of `each` bytes, which ascend by the uint64_t that each has at byte `at`: how
 * many are not behind `key`. The last of those is the only one that can have it in it.
 */
size_t util_count_until(const void *array, size_t nr, size_t each, size_t at, uint64_t key);

/* 0 where there is no such clock. */
uint64_t util_now_ns(clockid_t clock);

/* All of it, to what has no place to write at. -1 and errno. */
int util_write(int fd, const void *buf, size_t len) MUST_CHECK;

/* Nothing but zeros? */
bool util_is_zero(const void *p, size_t bytes);

/*
 * The first of `needle` in `bytes` bytes; NULL where it is not. memmem() of glibc takes twenty
 * times as long in pages of zeros, of which guests are full, for some texts ("NetBSD ").
 */
const void *util_find(const void *hay, size_t bytes, const void *needle, size_t len);

/* Append a line to *text, which is owned and may be NULL. Without memory the line is lost. */
void util_note(char **text, const char *fmt, ...) PRINTF(2, 3);
void util_vnote(char **text, const char *fmt, va_list ap) PRINTF(2, 0);

#endif
