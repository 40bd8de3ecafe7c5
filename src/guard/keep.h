/* SPDX-License-Identifier: BSD-2-Clause
 *
 * keep.h - of a stream that comes through a pipe, what an analysis needs when it is over.
 *
 * All of it but the copies of pages that later ones replaced (rounds of a live migration): these
 * give their room back, except page tables, each copy of which the receiver translates. What is
 * handed out reads like the file that the stream would have become.
 */
#ifndef XB_GUARD_KEEP_H
#define XB_GUARD_KEEP_H

#include "io/source.h"

struct keep;

struct keep *keep_new(uint64_t memory_limit, struct err *err);
void keep_free(struct keep *k);
/* Read the pipe to its end. *ret_known: it began like a stream that can be followed. */
int keep_stream(struct keep *k, int pipe, bool *ret_known, struct err *err) MUST_CHECK;
/* After that. The source must not outlive k. */
int keep_source(struct keep *k, const char *name, struct source **ret, struct err *err) MUST_CHECK;

#endif
