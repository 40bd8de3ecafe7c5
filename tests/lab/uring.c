/* SPDX-License-Identifier: BSD-2-Clause */
#include "uring.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRIES 256u
/* _IO(0x12, 0) of include/uapi/linux/blkdev.h, Linux 6.12 (commit 50c52250e2d7). */
#define URING_CMD_DISCARD 0x1200u

static void *map_part(const struct uring *u, size_t bytes, off_t at)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, u->fd, at);
}

static int open_ring(struct uring *u)
{
	u->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &u->p);
	if (u->fd < 0)
		return -1;
	u->sq = map_part(
		u, u->p.sq_off.array + u->p.sq_entries * sizeof(uint32_t), IORING_OFF_SQ_RING);
	u->cq = map_part(u, u->p.cq_off.cqes + u->p.cq_entries * sizeof(struct io_uring_cqe),
		IORING_OFF_CQ_RING);
	u->sqes = map_part(u, u->p.sq_entries * sizeof(*u->sqes), IORING_OFF_SQES);
	return u->sq == MAP_FAILED || u->cq == MAP_FAILED || u->sqes == MAP_FAILED ? -1 : 0;
}

static uint32_t *word(char *ring, uint32_t offset)
{
	return (uint32_t *)(void *)(ring + offset);
}

int uring_discard(struct uring *u, int fd, uint64_t at, uint64_t bytes)
{
	uint32_t *tail, index;
	struct io_uring_sqe *e;

	if (!u->sq && open_ring(u))
		return -1;
	tail = word(u->sq, u->p.sq_off.tail);
	index = *tail & *word(u->sq, u->p.sq_off.ring_mask);
	e = &u->sqes[index];
	memset(e, 0, sizeof(*e));
	e->opcode = IORING_OP_URING_CMD;
	e->fd = fd;
	e->cmd_op = URING_CMD_DISCARD;
	e->addr = at;
	e->addr3 = bytes;
	word(u->sq, u->p.sq_off.array)[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, u->fd, 1, 0, 0, NULL, 0) != 1)
		return -1;
	u->in_flight++;
	return 0;
}

unsigned uring_await(struct uring *u)
{
	unsigned i, bad = 0;

	for (i = 0; i < u->in_flight; i++) {
		uint32_t *head = word(u->cq, u->p.cq_off.head);
		uint32_t mask = *word(u->cq, u->p.cq_off.ring_mask);
		struct io_uring_cqe *e;

		while (syscall(SYS_io_uring_enter, u->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) <
			0)
			if (errno != EINTR)
				return bad + u->in_flight - i;
		e = (struct io_uring_cqe *)(void *)(u->cq + u->p.cq_off.cqes) + (*head & mask);
		bad += e->res != 0;
		__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	}
	return bad;
}
