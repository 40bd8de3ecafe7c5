/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guestio DEVICE PLAN: submit the requests of PLAN at once and wait for them.
 *
 * A line of PLAN is "op sector count offset": op is read, write or flush, count is in sectors of
 * 512 bytes, offset is where in its first page the buffer starts. One JSON object a line says what
 * was submitted, with the guest frames of the buffer, before anything is waited for.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SECTOR = 512, PAGE = 4096, MAX_REQUESTS = 256, MAX_SECTORS = 4096 };

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* Every sector of a payload starts with its own number; the rest repeats it. */
static void fill(char *buf, uint64_t sector, unsigned count)
{
	for (unsigned s = 0; s < count; s++)
		for (unsigned at = 0; at < SECTOR; at += 32) {
			char text[33];

			snprintf(text, sizeof(text), "lab sector %020" PRIu64 "\n", sector + s);
			memcpy(buf + s * SECTOR + at, text, 32);
		}
}

/* Bits 0-54 of a pagemap entry are the frame: Documentation/admin-guide/mm/pagemap.rst */
static uint64_t frame_of(int pagemap, const char *addr)
{
	uint64_t entry = 0;

	if (pread(pagemap, &entry, 8, (off_t)((uintptr_t)addr / PAGE * 8)) != 8)
		die("pagemap");
	return entry & ((UINT64_C(1) << 55) - 1);
}

static void describe(int pagemap, const char *op, const struct iocb *cb, unsigned count)
{
	const char *buf = (const char *)(uintptr_t)cb->aio_buf;
	const char *page = (const char *)((uintptr_t)buf & ~(uintptr_t)(PAGE - 1));

	printf("{\"op\":\"%s\",\"sector\":%lld,\"nr_sectors\":%u,\"offset\":%u,\"pfns\":[", op,
		(long long)cb->aio_offset / SECTOR, count, (unsigned)((uintptr_t)buf % PAGE));
	for (const char *sep = ""; buf && page < buf + cb->aio_nbytes; page += PAGE, sep = ",")
		printf("%s%" PRIu64, sep, frame_of(pagemap, page));
	puts("]}");
}

static void prepare(
	struct iocb *cb, int fd, const char *op, uint64_t sector, unsigned count, unsigned offset)
{
	char *buf;

	cb->aio_fildes = (uint32_t)fd;
	if (strcmp(op, "flush") == 0) {
		cb->aio_lio_opcode = IOCB_CMD_FSYNC;
		return;
	}
	buf = mmap(NULL, offset + count * SECTOR, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	if (buf == MAP_FAILED)
		die("mmap");
	cb->aio_lio_opcode = strcmp(op, "write") == 0 ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
	if (cb->aio_lio_opcode == IOCB_CMD_PWRITE)
		fill(buf + offset, sector, count);
	cb->aio_buf = (uintptr_t)(buf + offset);
	cb->aio_nbytes = (uint64_t)count * SECTOR;
	cb->aio_offset = (int64_t)(sector * SECTOR);
}

int main(int argc, char **argv)
{
	static struct iocb cbs[MAX_REQUESTS];
	aio_context_t ctx = 0;
	unsigned n = 0, bad = 0, count, offset;
	uint64_t sector;
	char op[8];
	FILE *plan = argc == 3 ? fopen(argv[2], "r") : NULL;
	int fd = plan ? open(argv[1], O_RDWR | O_DIRECT) : -1;
	int pagemap = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0 || pagemap < 0 || syscall(SYS_io_setup, MAX_REQUESTS, &ctx))
		die("guestio DEVICE PLAN");
	while (n < MAX_REQUESTS &&
		fscanf(plan, "%7s %" SCNu64 " %u %u", op, &sector, &count, &offset) == 4) {
		struct iocb *cb = &cbs[n++];

		if (count > MAX_SECTORS || offset >= PAGE)
			die("plan");
		prepare(cb, fd, op, sector, count, offset);
		if (syscall(SYS_io_submit, ctx, 1, &cb) != 1)
			die("io_submit");
		describe(pagemap, op, cb, count);
	}
	printf("STUCK %u\n", n);
	fflush(stdout);
	for (unsigned i = 0; i < n; i++) {
		struct io_event ev;

		if (syscall(SYS_io_getevents, ctx, 1, 1, &ev, NULL) != 1)
			die("io_getevents");
		bad += ev.res != (int64_t)((struct iocb *)(uintptr_t)ev.obj)->aio_nbytes;
	}
	printf("FINISHED %u bad %u\n", n, bad);
	return bad != 0;
}
