/* SPDX-License-Identifier: BSD-2-Clause
 *
 * guard.h - the two processes of guard, and what they say to each other.
 *
 * One hands the stream on (guard/pass.h). The watcher gets a copy, keeps it (guard/keep.h), judges
 * it when it is whole, and says so through a pipe: once, or it ends without having said anything.
 */
#ifndef XB_CMD_GUARD_H
#define XB_CMD_GUARD_H

#include <sys/types.h>

#include "cmd/judge.h"

struct watch_options {
	struct judge *judge;
	const char *report_path, *keep_path; /* or NULL */
	bool force;
	uint64_t memory_limit;
};

/* What the watcher says. */
struct verdict {
	uint8_t said;	/* enum cmd_status: judge.said */
	uint8_t status; /* judge_status() of it */
};

struct watcher {
	pid_t pid;  /* 0: there is none */
	int copy;   /* takes the stream; handed over to who writes it */
	int answer; /* gives the verdict */
};

#define WATCHER_INIT                                                                               \
	{                                                                                          \
		.copy = -1, .answer = -1                                                           \
	}

/* The watcher has no other open descriptors of ours than standard error. */
int watch_start(struct watcher *w, const struct watch_options *opt, struct err *err) MUST_CHECK;
/* Wait for the verdict, at most so long; -1: as long as it takes. False: it has none (yet). */
bool watch_verdict(struct watcher *w, int wait_ms, struct verdict *ret);
/* Wait until it is gone. True: with *ret_status; false: a signal ended it, *ret_signal. */
bool watch_end(struct watcher *w, int *ret_status, int *ret_signal);
/* Its work is not wanted any more. */
void watch_kill(struct watcher *w);

/*
 * guard_command.c: the command that gets the stream, at *ret_in. What it answers goes straight to
 * standard output, which then is not ours any more: who reads there sees its end when it ends.
 */
int command_start(char **argv, pid_t *ret_pid, int *ret_in, struct err *err) MUST_CHECK;
/* Its exit status, as a shell has it. */
int command_wait(pid_t pid);
/* It has got no end of the stream, and is to give up: by itself, or it is ended. */
void command_dismiss(pid_t pid);

#endif
