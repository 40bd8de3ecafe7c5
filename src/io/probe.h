/* SPDX-License-Identifier: BSD-2-Clause
 *
 * probe.h - what libblkid says of a disk: the partitions of it, and what lies in a stretch of it.
 * Where the door is shut another process asks it (prober.h). Where it fails, at whatever stands
 * there, that is ERR_CORRUPT, and the rest goes on. Threads may ask.
 */
#ifndef XB_IO_PROBE_H
#define XB_IO_PROBE_H

#include "io/disk.h"

struct probed {
	char type[32]; /* libblkid's TYPE ("ext4", "swap", "LVM2_member"); "" none recognised */
	bool unsure;   /* then because it saw several, or could not look */
	char uuid[64], label[64];
};

enum probe_for {
	PROBE_FILE_SYSTEM, /* what a guest can have mounted */
	PROBE_ANYTHING,	   /* swap areas and members of something, too */
};

/* Bytes from `start` on; 0 of them: to the end of the disk. *ret is unsure where that fails. */
int probe_content(const struct disk *d, uint64_t start, uint64_t bytes, enum probe_for what,
	struct probed *ret, struct err *err) MUST_CHECK;

#define PROBE_MAX_PARTITIONS 256u

struct probed_partition {
	uint64_t start, nr; /* sectors of 512 bytes */
	uint32_t number;
	bool extended; /* it holds others */
};

struct probed_table {
	char type[16]; /* "dos", "gpt"; "" there is none */
	struct probed_partition v[PROBE_MAX_PARTITIONS];
	size_t nr;
};

int probe_table(const struct disk *d, struct probed_table *ret, struct err *err) MUST_CHECK;

#endif
