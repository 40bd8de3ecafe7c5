/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guestio DEVICE PLAN [DEVICE PLAN]...: submit the requests of every PLAN and keep them in flight.
 *
 * A line of a PLAN is "op sector count offset": count is in sectors of 512 bytes, offset is where
 * in its first page the buffer starts. op is
 *	read, write	through O_DIRECT and native AIO
 *	flush		an asynchronous fsync; the numbers are not looked at
 *	discard		through io_uring; needs Linux 6.12, which made it asynchronous
 *	dirty		through the page cache, with write-back started but not waited for
 *	cpu		go on on the CPU whose number stands in place of the sector
 *
 * Before anything is waited for, one line "REQ {...}" for each request says what was submitted and
 * in which guest frames its data lie, then "STUCK n". No wait is uninterruptible until a line comes
 * on standard input: a task that the freezer cannot stop would keep the guest from being saved.
 * Then all is waited for and compared, and the last line is "FINISHED n bad m".
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SECTOR = 512, PAGE = 4096, MAX_REQUESTS = 256, MAX_SECTORS = 4096, STAMP = 32 };

/* _IO(0x12, 0) of include/uapi/linux/blkdev.h, Linux 6.12 (commit 50c52250e2d7). */
#define URING_CMD_DISCARD 0x1200u

struct device {
	const char *path;
	int direct, cached;
	char *map; /* of the page cache, for the frames of dirty pages */
};

struct request {
	struct iocb cb;
	bool waited; /* by AIO */
};

struct uring {
	int fd;
	struct io_uring_params p;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
	unsigned in_flight;
};

static void die(const char *what)
{
	printf("guestio: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Each 32 bytes of a sector name the sector and say whether the lab or the guest wrote it. */
static void stamp(char *out, const char *who, uint64_t sector)
{
	char text[STAMP + 1];

	snprintf(text, sizeof(text), "%-8s %022" PRIu64 "\n", who, sector);
	memcpy(out, text, STAMP);
}

static void fill(char *buf, uint64_t sector, unsigned count)
{
	for (size_t at = 0; at < (size_t)count * SECTOR; at += STAMP)
		stamp(buf + at, "guest", sector + at / SECTOR);
}

static bool holds_first(const char *buf, uint64_t sector, size_t bytes)
{
	char want[STAMP];

	for (size_t at = 0; at < bytes; at += STAMP) {
		stamp(want, "first", sector + at / SECTOR);
		if (memcmp(buf + at, want, STAMP) != 0)
			return false;
	}
	return true;
}

/* Bits 0-54 of a pagemap entry are the frame: Documentation/admin-guide/mm/pagemap.rst */
static uint64_t frame_of(const char *addr)
{
	static int pagemap = -1;
	uint64_t entry = 0;

	if (pagemap < 0)
		pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pread(pagemap, &entry, 8, (off_t)((uintptr_t)addr / PAGE * 8)) != 8)
		die("pagemap");
	return entry & ((UINT64_C(1) << 55) - 1);
}

static void describe(
	const struct device *d, const char *op, uint64_t sector, unsigned count, const char *buf)
{
	const char *page = (const char *)((uintptr_t)buf & ~(uintptr_t)(PAGE - 1));
	const char *end = buf + (size_t)count * SECTOR;

	printf("REQ {\"dev\":\"%s\",\"op\":\"%s\",\"sector\":%" PRIu64
	       ",\"nr_sectors\":%u,\"offset\":%u,\"pfns\":[",
		d->path + strlen("/dev/"), op, sector, count, (unsigned)((uintptr_t)buf % PAGE));
	for (const char *sep = ""; buf && page < end; page += PAGE, sep = ",")
		printf("%s%" PRIu64, sep, frame_of(page));
	puts("]}");
}

static char *buffer(unsigned offset, size_t bytes)
{
	char *buf = mmap(NULL, offset + bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);

	if (buf == MAP_FAILED)
		die("mmap");
	return buf + offset;
}

static void submit_aio(aio_context_t ctx, struct request *r, const struct device *d, const char *op,
	uint64_t sector, unsigned count, unsigned offset)
{
	struct iocb *cb = &r->cb;
	char *buf = NULL;

	cb->aio_fildes = (uint32_t)d->direct;
	cb->aio_lio_opcode = IOCB_CMD_FSYNC;
	if (strcmp(op, "flush") != 0) {
		bool write = strcmp(op, "write") == 0;

		buf = buffer(offset, (size_t)count * SECTOR);
		if (write)
			fill(buf, sector, count);
		cb->aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		cb->aio_buf = (uintptr_t)buf;
		cb->aio_nbytes = (uint64_t)count * SECTOR;
		cb->aio_offset = (int64_t)(sector * SECTOR);
	}
	r->waited = true;
	if (syscall(SYS_io_submit, ctx, 1, &cb) != 1)
		die("io_submit");
	describe(d, op, sector, buf ? count : 0, buf);
}

static void uring_open(struct uring *u)
{
	u->fd = (int)syscall(SYS_io_uring_setup, MAX_REQUESTS, &u->p);
	if (u->fd < 0)
		die("io_uring_setup");
	u->sq = mmap(NULL, u->p.sq_off.array + u->p.sq_entries * sizeof(uint32_t),
		PROT_READ | PROT_WRITE, MAP_SHARED, u->fd, IORING_OFF_SQ_RING);
	u->cq = mmap(NULL, u->p.cq_off.cqes + u->p.cq_entries * sizeof(struct io_uring_cqe),
		PROT_READ | PROT_WRITE, MAP_SHARED, u->fd, IORING_OFF_CQ_RING);
	u->sqes = mmap(NULL, u->p.sq_entries * sizeof(*u->sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
		u->fd, IORING_OFF_SQES);
	if (u->sq == MAP_FAILED || u->cq == MAP_FAILED || u->sqes == MAP_FAILED)
		die("io_uring mmap");
}

static void submit_discard(struct uring *u, const struct device *d, uint64_t sector, unsigned count)
{
	uint32_t *tail, mask, index;
	struct io_uring_sqe *e;

	if (!u->sq)
		uring_open(u);
	tail = (uint32_t *)(void *)(u->sq + u->p.sq_off.tail);
	mask = *(uint32_t *)(void *)(u->sq + u->p.sq_off.ring_mask);
	index = *tail & mask;
	e = &u->sqes[index];
	memset(e, 0, sizeof(*e));
	e->opcode = IORING_OP_URING_CMD;
	e->fd = d->direct;
	e->cmd_op = URING_CMD_DISCARD;
	e->addr = sector * SECTOR;
	e->addr3 = (uint64_t)count * SECTOR;
	((uint32_t *)(void *)(u->sq + u->p.sq_off.array))[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, u->fd, 1, 0, 0, NULL, 0) != 1)
		die("io_uring_enter");
	u->in_flight++;
	describe(d, "discard", sector, count, NULL);
}

static unsigned await_discards(struct uring *u)
{
	unsigned i, bad = 0;

	for (i = 0; i < u->in_flight; i++) {
		uint32_t *head = (uint32_t *)(void *)(u->cq + u->p.cq_off.head);
		uint32_t mask = *(uint32_t *)(void *)(u->cq + u->p.cq_off.ring_mask);
		struct io_uring_cqe *e;

		while (syscall(SYS_io_uring_enter, u->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) <
			0)
			if (errno != EINTR)
				die("io_uring_enter");
		e = (struct io_uring_cqe *)(void *)(u->cq + u->p.cq_off.cqes) + (*head & mask);
		bad += e->res != 0;
		__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	}
	return bad;
}

static void dirty(struct device *d, uint64_t sector, unsigned count)
{
	off_t at = (off_t)(sector * SECTOR);
	size_t bytes = (size_t)count * SECTOR;
	char *buf = buffer(0, bytes);

	fill(buf, sector, count);
	if (pwrite(d->cached, buf, bytes, at) != (ssize_t)bytes)
		die("pwrite");
	d->map = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, d->cached, at);
	if (d->map == MAP_FAILED)
		die("mmap of the page cache");
	if (sync_file_range(d->cached, at, (off_t)bytes, SYNC_FILE_RANGE_WRITE))
		die("sync_file_range");
	describe(d, "write", sector, count, d->map);
}

static void go_to_cpu(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static unsigned submit_plan(struct device *d, const char *path, aio_context_t ctx, struct uring *u,
	struct request *requests, unsigned n)
{
	FILE *plan = fopen(path, "r");
	unsigned count, offset;
	uint64_t sector;
	char op[8];

	if (!plan)
		die(path);
	d->direct = open(d->path, O_RDWR | O_DIRECT);
	d->cached = open(d->path, O_RDWR);
	if (d->direct < 0 || d->cached < 0)
		die(d->path);
	while (fscanf(plan, "%7s %" SCNu64 " %u %u", op, &sector, &count, &offset) == 4) {
		if (n == MAX_REQUESTS || count > MAX_SECTORS || offset >= PAGE)
			die("the plan is too large");
		if (strcmp(op, "cpu") == 0)
			go_to_cpu((unsigned)sector);
		else if (strcmp(op, "discard") == 0)
			submit_discard(u, d, sector, count), n++;
		else if (strcmp(op, "dirty") == 0)
			dirty(d, sector, count), n++;
		else
			submit_aio(ctx, &requests[n++], d, op, sector, count, offset);
	}
	fclose(plan);
	return n;
}

static unsigned await_aio(aio_context_t ctx, const struct request *requests, unsigned n)
{
	unsigned i, bad = 0;

	for (i = 0; i < n; i++) {
		const struct iocb *cb;
		struct io_event ev;

		if (!requests[i].waited)
			continue;
		/* Linux 7.3 interrupts it when the guest is suspended. */
		while (syscall(SYS_io_getevents, ctx, 1, 1, &ev, NULL) != 1)
			if (errno != EINTR)
				die("io_getevents");
		cb = (const struct iocb *)(uintptr_t)ev.obj;
		bad += ev.res != (int64_t)cb->aio_nbytes ||
		       (cb->aio_lio_opcode == IOCB_CMD_PREAD &&
			       !holds_first((const char *)(uintptr_t)cb->aio_buf,
				       (uint64_t)cb->aio_offset / SECTOR, cb->aio_nbytes));
	}
	return bad;
}

int main(int argc, char **argv)
{
	static struct request requests[MAX_REQUESTS];
	static struct device devices[8];
	static struct uring uring;
	aio_context_t ctx = 0;
	unsigned n = 0, bad, i, nr = (unsigned)(argc - 1) / 2;
	char line[64];

	if (nr == 0 || nr > 8 || argc % 2 == 0)
		die("guestio DEVICE PLAN [DEVICE PLAN]...");
	if (syscall(SYS_io_setup, MAX_REQUESTS, &ctx))
		die("io_setup");
	for (i = 0; i < nr; i++) {
		devices[i].path = argv[1 + 2 * i];
		n = submit_plan(&devices[i], argv[2 + 2 * i], ctx, &uring, requests, n);
	}
	printf("STUCK %u\n", n);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		die("standard input");
	bad = await_aio(ctx, requests, n) + await_discards(&uring);
	for (i = 0; i < nr; i++)
		bad += fsync(devices[i].cached) != 0;
	printf("FINISHED %u bad %u\n", n, bad);
	return bad != 0;
}
