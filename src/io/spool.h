/* SPDX-License-Identifier: BSD-2-Clause
 *
 * spool.h - bytes that come through a pipe, kept until they are looked at: in memory up to a limit,
 * then in a temporary file (io/temp.h).
 *
 * Addresses are the caller's: anything that ascends. What is no longer needed gives its room back.
 */
#ifndef XB_IO_SPOOL_H
#define XB_IO_SPOOL_H

#include "base/err.h"

struct spool;

struct spool *spool_new(uint64_t memory_limit, struct err *err);
void spool_free(struct spool *s);

int spool_write(
	struct spool *s, uint64_t at, const void *buf, size_t len, struct err *err) MUST_CHECK;
/* Move bytes from a pipe. Fewer than len: the pipe has ended; *ret says how many. */
int spool_take(struct spool *s, uint64_t at, int pipe, uint64_t len, uint64_t *ret,
	struct err *err) MUST_CHECK;
/* These pages are not asked for again. */
void spool_drop(struct spool *s, uint64_t at, uint64_t len);
/* All of it, from address 0 on, to read. Nothing is written or dropped any more. */
int spool_map(struct spool *s, const uint8_t **ret, struct err *err) MUST_CHECK;

#endif
