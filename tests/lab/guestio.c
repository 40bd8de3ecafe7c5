/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guestio busy DEVICE: read and write it all the time (busy.h).
 * guestio prepare|run DEVICE PLAN [DEVICE PLAN]...: submit the requests of every PLAN and keep them
 * in flight; prepare makes the files that the plans name, while the disks still answer.
 *
 * A line of a PLAN is "op sector count offset": count is in sectors of 512 bytes, offset is where
 * in its first page the buffer starts. op is
 *	read, write	through O_DIRECT and native AIO
 *	reread, resend	the same, with the buffer of the line before
 *	flush		an asynchronous fsync; the numbers are not looked at
 *	discard		through io_uring; needs Linux 6.12, which made it asynchronous
 *	dirty		through the page cache, with write-back started but not waited for
 *	map		the same through a mapping; the pages must be in the cache
 *	swap		"count" pages to the swap area on this device
 *	ahead		read ahead into the page cache; is not listed
 *	again		change the memory of the line before, from its sector on, in flight
 *	file		go on with the file of that number, of count sectors, in /mnt/DEVICE; 0: the
 *			device itself
 *	mode		change the file's mode, so that a flush has something to write
 *	cpu		go on on the CPU whose number stands in place of the sector
 *	pause		so many seconds, for the kernel's own threads
 *	starve		leave the guest without a free grant, until it is told to "feed" it
 *
 * Before anything is waited for, one line "REQ {...}" for each request says what was submitted and
 * in which guest frames its data lie ("AGAIN {...}" what was changed later), then "STUCK n". No
 * wait is uninterruptible until a line comes on standard input: a task that the freezer cannot stop
 * would keep the guest from being saved. The line "feed" gives the grants back. Then all is waited
 * for and compared, and the last line is "FINISHED n bad m".
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/aio_abi.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "busy.h"
#include "grants.h"
#include "uring.h"

enum {
	SECTOR = 512,
	PAGE = 4096,
	PAGE_SECTORS = PAGE / SECTOR,
	MAX_REQUESTS = 256,
	MAX_SECTORS = 4096,
	MAX_TARGETS = 32,
	STAMP = 32,
	SWAPPED = 4095, /* as the number of a file: what no file has */
};

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21 /* Linux 5.4 */
#endif

struct target {
	const char *device;
	unsigned file;	/* on the file system in /mnt/DEVICE; 0: the device itself */
	uint64_t start; /* of the file system on DEVICE, in sectors */
	int direct, cached;
	/* Or on a loop device: the file there, -1 none, and where in it the loop device begins. */
	int below;
	uint64_t below_start;
};

struct request {
	struct iocb cb;
	uint64_t number; /* of the first stamp of its data */
	bool waited;	 /* by AIO */
	bool shared;	 /* its buffer is another request's too */
};

struct memory {
	char *buf;
	uint64_t number;
	size_t bytes;
};

struct work {
	bool prepare, through_cache;
	uint64_t position; /* of what is listed, in its file or on the device */
	uint64_t above;	   /* its sector on the loop device */
	aio_context_t ctx;
	struct uring uring;
	struct request requests[MAX_REQUESTS];
	unsigned nr_requests, nr_listed;
	struct target targets[MAX_TARGETS], *target; /* the last of them is the current one */
	unsigned nr_targets;
	struct memory last, swapped;
	int grants; /* 0: nothing holds them */
};

static void die(const char *what)
{
	printf("guestio: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Each 32 bytes of a sector name the sector and say whether the lab or the guest wrote it. */
static void stamp(char *out, const char *who, uint64_t number)
{
	char text[STAMP + 1];

	snprintf(text, sizeof(text), "%-8s %022" PRIu64 "\n", who, number);
	memcpy(out, text, STAMP);
}

static void fill(char *buf, const char *who, uint64_t number, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += STAMP)
		stamp(buf + at, who, number + at / SECTOR);
}

static bool holds(const char *buf, const char *who, uint64_t number, size_t bytes)
{
	char want[STAMP];

	for (size_t at = 0; at < bytes; at += STAMP) {
		stamp(want, who, number + at / SECTOR);
		if (memcmp(buf + at, want, STAMP) != 0)
			return false;
	}
	return true;
}

/* Sectors of files have numbers that no sector of a disk of the lab has. */
static uint64_t number_of(const struct target *t, uint64_t sector)
{
	return ((uint64_t)t->file << 20) + sector;
}

/* An entry of /proc/self/pagemap: Documentation/admin-guide/mm/pagemap.rst */
static uint64_t page_entry(const char *addr)
{
	static int pagemap = -1;
	uint64_t entry = 0;

	if (pagemap < 0)
		pagemap = open("/proc/self/pagemap", O_RDONLY);
	if (pread(pagemap, &entry, 8, (off_t)((uintptr_t)addr / PAGE * 8)) != 8)
		die("pagemap");
	return entry;
}

static uint64_t frame_of(const char *addr)
{
	return page_entry(addr) & ((UINT64_C(1) << 55) - 1);
}

/* The control group of this program, of cgroup 2: "0::/stuck". */
static void list_group(void)
{
	FILE *f = fopen("/proc/self/cgroup", "r");
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "0::", 3))
			printf("\"cgroup\":\"%.*s\",", (int)strcspn(line + 3, "\n"), line + 3);
	if (f)
		fclose(f);
}

/* What the request is for, as `dump --who` calls it, and where in which file. */
static void list_use(const struct work *w, const char *op, bool swapped)
{
	const struct target *t = w->target;
	const char *name = t->device + strlen("/dev/"), *use = t->file ? "direct" : "device";

	if (swapped)
		use = "swap";
	else if (!strcmp(op, "discard") || !strcmp(op, "flush"))
		use = op;
	else if (w->through_cache)
		use = t->file ? "write-back" : "device-cache";
	printf("\"pid\":%d,\"use\":\"%s\",", (int)getpid(), use);
	list_group();
	if (t->file)
		printf("\"path\":\"/mnt/%s/%u\",", name, t->file);
	else if (!swapped)
		printf("\"path\":\"%s\",", t->device);
	if (!swapped)
		printf("\"position\":%" PRIu64 ",", w->position);
	if (t->below >= 0)
		printf("\"above\":%" PRIu64 ",", w->above);
}

static void list_head(struct work *w, const char *op, uint64_t sector, unsigned count,
	uint64_t number, unsigned offset)
{
	printf("REQ {\"dev\":\"%s\",\"op\":\"%s\",\"sector\":%" PRIu64
	       ",\"nr_sectors\":%u,\"numbers\":%" PRIu64 ",\"offset\":%u,",
		w->target->device + strlen("/dev/"), op, sector, count, number, offset);
	list_use(w, op, number >> 20 == SWAPPED);
	printf("\"pfns\":[");
	w->nr_listed++;
}

static void list_piece(struct work *w, const char *op, uint64_t sector, unsigned count,
	uint64_t number, const char *buf)
{
	const char *page = (const char *)((uintptr_t)buf & ~(uintptr_t)(PAGE - 1));
	const char *end = buf + (size_t)count * SECTOR;

	list_head(w, op, sector, count, number, (unsigned)((uintptr_t)buf % PAGE));
	for (const char *sep = ""; buf && page < end; page += PAGE, sep = ",")
		printf("%s%" PRIu64, sep, frame_of(page));
	puts("]}");
}

/* Where sectors of a file lie on what its file system is on; *count becomes how many of them lie
 * together. */
static uint64_t map_file(int fd, uint64_t sector, unsigned *count)
{
	struct {
		struct fiemap m;
		struct fiemap_extent e;
	} q = {.m = {.fm_start = sector * SECTOR,
		       .fm_length = (uint64_t)*count * SECTOR,
		       .fm_extent_count = 1}};
	uint64_t skip, together;

	if (ioctl(fd, FS_IOC_FIEMAP, &q) || q.m.fm_mapped_extents != 1 ||
		q.e.fe_logical > sector * SECTOR)
		die("the file's place on the disk");
	skip = sector * SECTOR - q.e.fe_logical;
	together = (q.e.fe_length - skip) / SECTOR;
	if (together < *count)
		*count = (unsigned)together;
	return (q.e.fe_physical + skip) / SECTOR;
}

/* The same of the target, on the device. */
static uint64_t place(struct work *w, uint64_t sector, unsigned *count)
{
	const struct target *t = w->target;

	if (!t->file)
		return sector;
	w->above = t->start + map_file(t->cached, sector, count);
	return t->below < 0 ? w->above : map_file(t->below, t->below_start + w->above, count);
}

static void list(struct work *w, const char *op, uint64_t sector, unsigned count, uint64_t number,
	const char *buf)
{
	do {
		unsigned n = count;
		uint64_t at = place(w, sector, &n);

		w->position = sector * SECTOR;
		list_piece(w, op, at, n, number, buf);
		sector += n;
		number += n;
		count -= n;
		buf += buf ? (size_t)n * SECTOR : 0;
	} while (count);
}

static char *buffer(unsigned offset, size_t bytes)
{
	char *buf = mmap(NULL, offset + bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);

	if (buf == MAP_FAILED)
		die("mmap");
	return buf + offset;
}

static void submit(struct work *w, struct iocb *cb)
{
	if (syscall(SYS_io_submit, w->ctx, 1, &cb) != 1)
		die("io_submit");
}

static void submit_flush(struct work *w)
{
	struct request *r = &w->requests[w->nr_requests++];

	r->cb.aio_fildes = (uint32_t)w->target->direct;
	r->cb.aio_lio_opcode = IOCB_CMD_FSYNC;
	r->waited = true;
	submit(w, &r->cb);
	if (!w->target->file) /* a file system decides what it makes of it */
		list(w, "flush", 0, 0, 0, NULL);
}

static void submit_aio(struct work *w, bool write, uint64_t sector)
{
	struct request *r = &w->requests[w->nr_requests++];
	const struct memory *m = &w->last;

	r->cb.aio_fildes = (uint32_t)w->target->direct;
	r->cb.aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
	r->cb.aio_buf = (uintptr_t)m->buf;
	r->cb.aio_nbytes = m->bytes;
	r->cb.aio_offset = (int64_t)(sector * SECTOR);
	r->number = m->number;
	r->waited = true;
	submit(w, &r->cb);
	list(w, write ? "write" : "read", sector, (unsigned)(m->bytes / SECTOR), m->number, m->buf);
}

static void read_or_write(
	struct work *w, bool write, uint64_t sector, unsigned count, unsigned offset)
{
	size_t bytes = (size_t)count * SECTOR;

	w->last = (struct memory){buffer(offset, bytes), number_of(w->target, sector), bytes};
	if (write)
		fill(w->last.buf, "guest", w->last.number, bytes);
	submit_aio(w, write, sector);
}

/* With the buffer of the line before, which was read or written. */
static void share(struct work *w, bool write, uint64_t sector)
{
	w->requests[w->nr_requests - 1].shared = true;
	w->requests[w->nr_requests].shared = true;
	submit_aio(w, write, sector);
}

static void discard(struct work *w, uint64_t sector, unsigned count)
{
	if (uring_discard(&w->uring, w->target->direct, sector * SECTOR, (uint64_t)count * SECTOR))
		die("io_uring");
	list(w, "discard", sector, count, sector, NULL);
}

/* Through the page cache; the mapping shows the frames, and lets the pages be written again. */
static void write_back(struct work *w, bool mapped, uint64_t sector, unsigned count)
{
	off_t at = (off_t)(sector * SECTOR);
	size_t bytes = (size_t)count * SECTOR;
	uint64_t number = number_of(w->target, sector);
	char *buf = buffer(0, bytes), *map;

	fill(buf, "guest", number, bytes);
	if (!mapped && pwrite(w->target->cached, buf, bytes, at) != (ssize_t)bytes)
		die("pwrite");
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		w->target->cached, at);
	if (map == MAP_FAILED)
		die("mmap of the page cache");
	if (mapped)
		memcpy(map, buf, bytes);
	if (sync_file_range(w->target->cached, at, (off_t)bytes, SYNC_FILE_RANGE_WRITE))
		die("sync_file_range");
	w->last = (struct memory){map, number, bytes};
	w->through_cache = true;
	list(w, "write", sector, count, number, map);
	w->through_cache = false;
}

/*
 * Pages of ours go to the swap area on this device. Their place in it is in the page table, where
 * the frame was: bits 5-54 of an entry with bit 62 set.
 */
static void swap_out(struct work *w, unsigned pages)
{
	uint64_t frames[MAX_SECTORS], entry, number = (uint64_t)SWAPPED << 20;
	size_t bytes = (size_t)pages * PAGE;
	char *buf = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (buf == MAP_FAILED)
		die("mmap");
	fill(buf, "guest", number, bytes);
	for (unsigned i = 0; i < pages; i++)
		frames[i] = frame_of(buf + (size_t)i * PAGE);
	if (madvise(buf, bytes, MADV_PAGEOUT))
		die("MADV_PAGEOUT");
	for (unsigned i = 0; i < pages; i++) {
		entry = page_entry(buf + (size_t)i * PAGE);
		if (!(entry >> 62 & 1))
			continue; /* it stayed */
		list_head(w, "write", (entry >> 5 & ((UINT64_C(1) << 50) - 1)) * PAGE_SECTORS,
			PAGE_SECTORS, number + (uint64_t)i * PAGE_SECTORS, 0);
		printf("%" PRIu64 "]}\n", frames[i]);
	}
	w->last = w->swapped = (struct memory){buf, number, bytes};
}

static void change_again(struct work *w, uint64_t skip, unsigned count)
{
	size_t bytes = (size_t)count * SECTOR;

	if (skip * SECTOR + bytes > w->last.bytes)
		die("the line before has less");
	fill(w->last.buf + skip * SECTOR, "again", w->last.number + skip, bytes);
	printf("AGAIN {\"dev\":\"%s\",\"numbers\":%" PRIu64 ",\"nr_sectors\":%u}\n",
		w->target->device + strlen("/dev/"), w->last.number + skip, count);
}

static void go_to_cpu(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static void starve(struct work *w)
{
	unsigned nr;

	w->grants = grants_take_all(&nr);
	if (w->grants < 0)
		die("/dev/xen/gntalloc");
	printf("STARVED %u\n", nr);
}

/* True: that is all that the line wants. It may come more than once. */
static bool feed(struct work *w, const char *line)
{
	if (strcmp(line, "feed\n") != 0)
		return false;
	if (w->grants)
		close(w->grants);
	w->grants = 0;
	puts("FED");
	return true;
}

/* BELOW_xvdX: "sector:file" */
static void open_below(struct target *t, const char *name)
{
	char variable[64], *path;
	const char *text;

	t->below = -1;
	snprintf(variable, sizeof(variable), "BELOW_%s", name);
	text = getenv(variable);
	if (!text || !t->file)
		return;
	t->below_start = strtoull(text, &path, 10);
	t->below = open(path + 1, O_RDONLY);
	if (*path != ':' || t->below < 0)
		die(text);
}

static void open_target(struct work *w, const char *device, unsigned file)
{
	struct target *t = w->target = &w->targets[w->nr_targets++];
	const char *start;
	char path[64];

	snprintf(path, sizeof(path), "START_%s", device + strlen("/dev/"));
	start = getenv(path);
	*t = (struct target){
		.device = device, .file = file, .start = start ? strtoull(start, NULL, 10) : 0};
	snprintf(path, sizeof(path), file ? "/mnt/%s/%u" : "/dev/%s", device + strlen("/dev/"),
		file);
	t->direct = open(path, O_RDWR | O_DIRECT | (w->prepare ? O_CREAT : 0), 0600);
	t->cached = open(path, O_RDWR);
	open_below(t, device + strlen("/dev/"));
	if (t->direct < 0 || t->cached < 0)
		die(path);
}

static void prepare_file(struct work *w, unsigned count)
{
	size_t bytes = (size_t)count * SECTOR;
	char *buf = buffer(0, bytes);

	fill(buf, "first", number_of(w->target, 0), bytes);
	if (pwrite(w->target->cached, buf, bytes, 0) != (ssize_t)bytes || fsync(w->target->cached))
		die("making a file");
	munmap(buf, bytes);
}

/* False: there is no such thing to do. */
static bool step(struct work *w, const char *op, uint64_t sector, unsigned count, unsigned offset)
{
	int fd = w->target->cached;

	if (!strcmp(op, "read") || !strcmp(op, "write"))
		read_or_write(w, *op == 'w', sector, count, offset);
	else if (!strcmp(op, "reread") || !strcmp(op, "resend"))
		share(w, !strcmp(op, "resend"), sector);
	else if (!strcmp(op, "flush"))
		submit_flush(w);
	else if (!strcmp(op, "discard"))
		discard(w, sector, count);
	else if (!strcmp(op, "dirty") || !strcmp(op, "map"))
		write_back(w, *op == 'm', sector, count);
	else if (!strcmp(op, "swap"))
		swap_out(w, count);
	else if (!strcmp(op, "again"))
		change_again(w, sector, count);
	else if (!strcmp(op, "ahead"))
		return !posix_fadvise(
			fd, (off_t)(sector * SECTOR), (off_t)count * SECTOR, POSIX_FADV_WILLNEED);
	else if (!strcmp(op, "mode"))
		return !fchmod(fd, 0640);
	else if (!strcmp(op, "cpu"))
		go_to_cpu((unsigned)sector);
	else if (!strcmp(op, "pause"))
		sleep((unsigned)sector);
	else if (!strcmp(op, "starve"))
		starve(w);
	else
		return false;
	return true;
}

static void run_plan(struct work *w, const char *device, const char *path)
{
	FILE *plan = fopen(path, "r");
	unsigned count, offset;
	uint64_t sector;
	char op[8];

	if (!plan)
		die(path);
	open_target(w, device, 0);
	while (fscanf(plan, "%7s %" SCNu64 " %u %u", op, &sector, &count, &offset) == 4) {
		if (w->nr_requests == MAX_REQUESTS || w->nr_targets == MAX_TARGETS ||
			count > MAX_SECTORS || offset >= PAGE)
			die("the plan is too large");
		if (!strcmp(op, "file")) {
			open_target(w, device, (unsigned)sector);
			if (w->prepare && sector)
				prepare_file(w, count);
		} else if (!w->prepare && !step(w, op, sector, count, offset))
			die(op);
	}
	fclose(plan);
}

static unsigned await_aio(struct work *w)
{
	unsigned i, bad = 0;

	for (i = 0; i < w->nr_requests; i++) {
		const struct request *r;
		const struct iocb *cb;
		struct io_event ev;

		/* Linux 7.3 interrupts it when the guest is suspended. */
		while (syscall(SYS_io_getevents, w->ctx, 1, 1, &ev, NULL) != 1)
			if (errno != EINTR)
				die("io_getevents");
		r = (const struct request *)(uintptr_t)ev.obj; /* cb is its first member */
		cb = &r->cb;
		bad += ev.res != (int64_t)cb->aio_nbytes ||
		       (cb->aio_lio_opcode == IOCB_CMD_PREAD && !r->shared &&
			       !holds((const char *)(uintptr_t)cb->aio_buf, "first", r->number,
				       cb->aio_nbytes));
	}
	return bad;
}

/* What comes back from the swap area is what was there, or what was written since. */
static unsigned compare_swapped(const struct memory *m)
{
	unsigned bad = 0;

	for (size_t at = 0; at < m->bytes; at += SECTOR)
		bad += !holds(m->buf + at, "guest", m->number + at / SECTOR, SECTOR) &&
		       !holds(m->buf + at, "again", m->number + at / SECTOR, SECTOR);
	return bad;
}

static void await_word(struct work *w)
{
	unsigned bad, i;
	char line[64];

	printf("STUCK %u\n", w->nr_listed);
	fflush(stdout);
	do {
		if (!fgets(line, sizeof(line), stdin))
			die("standard input");
	} while (feed(w, line));
	bad = await_aio(w) + uring_await(&w->uring) + compare_swapped(&w->swapped);
	for (i = 0; i < w->nr_targets; i++)
		bad += fsync(w->targets[i].cached) != 0;
	printf("FINISHED %u bad %u\n", w->nr_listed, bad);
	if (bad)
		exit(1);
}

int main(int argc, char **argv)
{
	static struct work w;
	unsigned i, nr = (unsigned)(argc - 2) / 2;

	if (argc == 3 && !strcmp(argv[1], "busy"))
		return keep_busy(argv[2]) != 0;
	if (argc < 4 || nr > 8 || argc % 2)
		die("guestio prepare|run DEVICE PLAN [DEVICE PLAN]...");
	w.prepare = !strcmp(argv[1], "prepare");
	setlinebuf(stdout);
	if (syscall(SYS_io_setup, MAX_REQUESTS, &w.ctx))
		die("io_setup");
	for (i = 0; i < nr; i++)
		run_plan(&w, argv[2 + 2 * i], argv[3 + 2 * i]);
	if (!w.prepare)
		await_word(&w);
	return 0;
}
