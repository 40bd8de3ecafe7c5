/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_loops.h - loop devices of a Linux guest: block devices whose disk is a file.
 *
 * Structures: drivers/block/loop.c. Their types are those of the module, or the kernel's own.
 */
#ifndef XB_KERNEL_LINUX_LOOPS_H
#define XB_KERNEL_LINUX_LOOPS_H

#include "kernel/linux_bdevs.h"

struct linux_loop_layout {
	/* struct loop_device, loop_cmd */
	struct field backing, offset, limit, disk, iocb, table;
	/* struct request, request_queue, gendisk, file */
	struct field queue, queue_data, major, private_data, mapping;
	uint32_t request_bytes; /* 0 unknown */
};

struct linux_loop {
	uint64_t file, mapping; /* of what it lies on */
	uint64_t offset, limit; /* first byte there, and how many; 0: all that follow */
	char disk[33];		/* "loop0" */
};

struct linux_loops {
	struct linux_bdevs *bdevs; /* borrowed */
	bool listed;
	struct linux_loop *v; /* owned: all that have a file */
	size_t nr, cap;
};

/* `types`: of the module loop, on top of the kernel's. */
void linux_loop_layout(const struct layout *types, struct linux_loop_layout *ret);

void linux_loops_init(struct linux_loops *l, struct linux_bdevs *bdevs);
void linux_loops_fini(struct linux_loops *l);
/* That which has this byte of the file with that struct address_space; *several: more than one has.
 * NULL: none has. */
const struct linux_loop *linux_loop_on(
	struct linux_loops *l, uint64_t mapping, uint64_t position, bool *several);

#endif
