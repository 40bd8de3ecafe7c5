/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uring.h - discards that nobody waits for, through io_uring. No wait is uninterruptible.
 */
#ifndef LAB_URING_H
#define LAB_URING_H

#include <linux/io_uring.h>
#include <stdint.h>

struct uring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq; /* NULL: not in use */
	struct io_uring_sqe *sqes;
	unsigned in_flight;
};

/* Bytes of a block device; -1 with errno. */
int uring_discard(struct uring *u, int fd, uint64_t at, uint64_t bytes);
/* For all; how many failed. */
unsigned uring_await(struct uring *u);

#endif
