/* SPDX-License-Identifier: BSD-2-Clause */
#include "busy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	WORKERS = 2,
	DEPTH = 6, /* requests of a worker that are on the way */
	SECTOR = 512,
	FIRST = 24000, /* the sector from which on a worker has SPAN each */
	SPAN = 3000,
	BUFFER = 64 << 10,
};

struct worker {
	int fd;
	aio_context_t ctx;
	unsigned number, made, bad;
	char *buf[DEPTH], value[DEPTH]; /* what each was filled with last */
	struct iocb cb[DEPTH];
};

/* Each buffer has a stretch of its own, which it writes and reads in turn; 1 to 88 sectors. */
static int submit(struct worker *w, unsigned i)
{
	static const unsigned sizes[] = {8, 1, 16, 88, 3, 40, 8, 24};
	struct iocb *cb = &w->cb[i], *list[] = {cb};
	unsigned turn = w->made++ / DEPTH / 2,
		 write = !cb->aio_nbytes || cb->aio_lio_opcode == IOCB_CMD_PREAD;
	unsigned bytes = sizes[(turn + i) % 8] * SECTOR;

	if (write)
		w->value[i] = (char)w->made;
	else
		bytes = (unsigned)cb->aio_nbytes;
	memset(w->buf[i], write ? w->value[i] : ~w->value[i], bytes);
	*cb = (struct iocb){.aio_data = i,
		.aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
		.aio_fildes = (uint32_t)w->fd,
		.aio_buf = (uintptr_t)w->buf[i],
		.aio_nbytes = bytes,
		.aio_offset = (int64_t)(FIRST + w->number * SPAN + i * 128) * SECTOR};
	return syscall(SYS_io_submit, w->ctx, 1, list) == 1 ? 0 : -1;
}

static void check(struct worker *w, const struct io_event *ev)
{
	const char *buf = w->buf[ev->data];
	size_t bytes = w->cb[ev->data].aio_nbytes;

	w->bad += ev->res != (int64_t)bytes || *buf != w->value[ev->data] ||
		  memcmp(buf, buf + 1, bytes - 1) != 0;
}

static unsigned work(struct worker *w)
{
	unsigned on_way = 0, i;
	struct io_event ev;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(w->number, &cpus);
	(void)sched_setaffinity(0, sizeof(cpus), &cpus); /* it may have one only */
	if (w->fd < 0 || syscall(SYS_io_setup, DEPTH, &w->ctx))
		return 1;
	for (i = 0; i < DEPTH; i++, on_way++)
		if (posix_memalign((void **)&w->buf[i], 4096, BUFFER) || submit(w, i))
			return 1;
	while (on_way) {
		if (syscall(SYS_io_getevents, w->ctx, 1, 1, &ev, NULL) != 1) {
			if (errno == EINTR)
				continue;
			return w->bad + 1;
		}
		check(w, &ev);
		if (access("/stop", F_OK) == 0)
			on_way--;
		else if (submit(w, (unsigned)ev.data))
			return w->bad + 1;
	}
	return w->bad;
}

unsigned keep_busy(const char *device)
{
	unsigned bad = 0, i;
	int status;

	for (i = 0; i < WORKERS; i++) {
		struct worker w = {.fd = open(device, O_RDWR | O_DIRECT), .number = i};

		if (fork() == 0)
			_exit(work(&w) != 0);
		close(w.fd);
	}
	while (wait(&status) > 0)
		bad += status != 0;
	return bad;
}
