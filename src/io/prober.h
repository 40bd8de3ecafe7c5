/* SPDX-License-Identifier: BSD-2-Clause
 *
 * prober.h - libblkid, in a process of its own (probe.h is for who wants to know something).
 *
 * libblkid tries dozens of readers on what a guest wrote, and those for systems of long ago have
 * been looked at by few: libblkid 2.38 copies up to 64 KiB from behind the label of an OCFS volume,
 * as util-linux d7fa8ed63d (2022) says, and since then others have been mended each year. What it
 * is linked with is the host's. So it may fail: the process is confined as the decoder is
 * (sandbox.h), bounded for each question, has the disk of that question open and nothing else, and
 * its answer is not believed. Where the door is open (--no-sandbox) there is no such process.
 */
#ifndef XB_IO_PROBER_H
#define XB_IO_PROBER_H

#include <sys/types.h>

#include "io/probe.h"

enum prober_what {
	PROBER_FILE_SYSTEM, /* enum probe_for */
	PROBER_ANYTHING,
	PROBER_TABLE,
};

/* A message; the disk comes beside it. */
struct prober_call {
	uint32_t what;			/* enum prober_what */
	uint64_t start, bytes, sectors; /* bytes 0: to the end; sectors: of the disk, for a table */
};

struct prober_answer {
	int32_t rc; /* -1: it cannot be looked at */
	union {
		struct probed content;
		struct probed_table table;
	};
};

/* Is it one to this call, whoever sent it? Not asked where rc is -1. */
bool prober_answer_sound(const struct prober_call *c, const struct prober_answer *a);

/* Ask libblkid here and now. *ret is zeros. */
void prober_look(const struct prober_call *c, int disk, struct prober_answer *ret);

/*
 * A process that answers calls until nobody is there. Its socket, on which nobody waits for longer
 * than for any answer, and its number, for util_stop_child(); -1 and errno.
 */
int prober_start(pid_t *ret) MUST_CHECK;

#endif
