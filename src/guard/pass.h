/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pass.h - hand a stream on, byte by byte unchanged, with a copy for who looks at it.
 *
 * Content goes from pipe to pipe in the kernel (splice, tee) where that works, headers are read,
 * so that it is known where the stream ends. Whatever happens to the copy, the stream goes on.
 * SIGPIPE is the caller's to ignore.
 */
#ifndef XB_GUARD_PASS_H
#define XB_GUARD_PASS_H

#include "checkpoint/stream_walk.h"
#include "base/err.h"

struct pass {
	int in, out;
	int copy; /* a pipe; -1: none, or no more */
	/* Asked when all of the stream has come, its copy has its end, and what completes the guest
	 * and the stream waits to be handed on; and where it is no longer understood. False: that
	 * is all. NULL: nobody is asked, nothing waits. */
	bool (*may_end)(void *arg);
	/* Now and then. NULL: nobody wants to know. */
	void (*show)(void *arg, uint64_t bytes);
	void *arg;

	/* filled */
	uint64_t bytes; /* handed on */
	bool known;	/* it began like a stream that can be followed */
	bool whole;	/* the record that completes it has gone */
	bool held;	/* may_end() said no: the stream ends here, */
	uint8_t *tail;	/* and this is what was left out; NULL: there was no memory for it */
	size_t tail_bytes;
	char lost[160]; /* why the copy is not whole; "" when it is */

	/* its own */
	struct stream_walk walk;
	int between[2]; /* a pipe, where `in` is none */
	int from;	/* what content is spliced out of */
	bool in_copies, out_copies;
	bool waits; /* what comes goes to the tail */
};

#define PASS_INIT                                                                                  \
	{                                                                                          \
		.in = -1, .out = -1, .copy = -1, .walk = STREAM_WALK_INIT, .between = { -1, -1 }   \
	}

/* Until the end of the input, or may_end() stops it. ERR_SYSTEM: reading or writing failed; the
 * one who is written to may be gone (sys_errno EPIPE). Closes p->copy. */
int pass_stream(struct pass *p, struct err *err) MUST_CHECK;
void pass_fini(struct pass *p);

/* As much room in a pipe as can be had; whatever else it is stays as it is. */
void pass_widen(int fd);

#endif
