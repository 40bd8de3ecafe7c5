/* SPDX-License-Identifier: BSD-2-Clause
 *
 * keeper.h - who opens files for a process whose door is shut (door.h), and the words they use.
 *
 * One call is one message of a SOCK_SEQPACKET socket, one answer another, which carries a
 * descriptor where the call gives one. The keeper believes nothing that it is asked: lengths,
 * strings and numbers are checked, paths must be those of its own list, and what it renames or
 * removes it has made itself.
 */
#ifndef XB_IO_KEEPER_H
#define XB_IO_KEEPER_H

#include <sys/types.h>

#include <limits.h>

#include "io/door.h"

enum keeper_op {
	KEEPER_OPEN,
	KEEPER_STAT,
	KEEPER_REALPATH,
	KEEPER_MKDIR,
	KEEPER_TEMP,
	KEEPER_CREATE_BESIDE,
	KEEPER_RENAME,
	KEEPER_LINK,
	KEEPER_UNLINK,
	KEEPER_OPEN_FOLDER,
	KEEPER_DISK_USE,
	KEEPER_SERVE_IMAGE,
	KEEPER_PROBER,
	KEEPER_ORDER,
	KEEPER_CARRY_OUT,
	KEEPER_JOURNAL,
	KEEPER_HOLD,
	KEEPER_RELEASE,
	KEEPER_NR_OPS,
};

struct keeper_call {
	uint32_t op;			      /* enum keeper_op */
	uint32_t flags;			      /* of open() or renameat2(); 1: an image */
	char path[PATH_MAX], other[PATH_MAX]; /* NUL-terminated */
};

struct keeper_answer {
	int32_t rc, number; /* 0, or -1 and an errno; a descriptor comes beside it */
	int32_t value;	    /* enum disk_use; of a hold that failed enum err_class */
	uint64_t amount;    /* nanoseconds */
	struct stat st;
	char text[PATH_MAX]; /* a path, or why; "" none */
};

/*
 * Serve calls until the other end is closed. A signal that the descriptor `signals` tells of (a
 * signalfd) goes on to the process `child`. -1: memory.
 */
int keeper_serve(int socket, int signals, pid_t child, const struct door_passes *passes,
	struct err *err) MUST_CHECK;

#endif
