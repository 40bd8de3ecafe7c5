/* SPDX-License-Identifier: BSD-2-Clause */
#include "guard/pass.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIPE_BYTES (1u << 20)
#define PART_BYTES ((uint64_t)PIPE_BYTES)
/* Who takes nothing of the copy for that long gets no more of it. */
#define STALL_MS 10000
/* The most that waits for the verdict: the state of a device model, a few hundred KiB. */
#define TAIL_BYTES (64u << 20)

void pass_widen(int fd)
{
	int had = fcntl(fd, F_GETPIPE_SZ);

	if (had > 0 && had < (int)PIPE_BYTES)
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
}

static int read_failed(struct err *err)
{
	return err_sys(err, "cannot read the stream");
}

static int write_failed(struct err *err)
{
	return err_sys(err, "cannot hand the stream on");
}

/* Wait for input, but not longer than there is somebody to hand it to. Files are always ready. */
static int await_input(struct pass *p, struct err *err)
{
	struct pollfd v[2] = {{.fd = p->in, .events = POLLIN}, {.fd = p->out}};

	while (poll(v, 2, -1) < 0)
		if (errno != EINTR)
			return read_failed(err);
	if (v[1].revents & POLLERR) {
		errno = EPIPE;
		return write_failed(err);
	}
	return 0;
}

/* errno says that it would do if only it waited. */
static bool wait_for(int fd, short events)
{
	struct pollfd v = {.fd = fd, .events = events};

	if (errno == EINTR)
		return true;
	if (errno != EAGAIN)
		return false;
	(void)poll(&v, 1, -1);
	return true;
}

/* ---- the copy ----------------------------------------------------------------------------- */

static void end_copy(struct pass *p)
{
	if (p->copy >= 0)
		close(p->copy);
	p->copy = -1;
}

static void PRINTF(2, 3) lose_copy(struct pass *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->lost, sizeof(p->lost), fmt, ap);
	va_end(ap);
	end_copy(p);
}

/* Room for the copy, or it is lost. */
static void await_room(struct pass *p)
{
	struct pollfd v = {.fd = p->copy, .events = POLLOUT};
	int n;

	do
		n = poll(&v, 1, STALL_MS);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		lose_copy(p, n ? "cannot wait for it" : "it took nothing for %d seconds",
			STALL_MS / 1000);
}

/* It would have had to wait, or it is lost. */
static void mend_copy(struct pass *p)
{
	if (errno == EAGAIN)
		await_room(p);
	else if (errno != EINTR)
		lose_copy(p, errno == EPIPE ? "it ended before the stream did" : "%s",
			strerror(errno));
}

/* At most PIPE_BUF bytes, which go whole or not at all. */
static void copy_bytes(struct pass *p, const uint8_t *buf, size_t len)
{
	while (p->copy >= 0 && len && write(p->copy, buf, len) < 0)
		mend_copy(p);
}

/* A copy of the first bytes that wait to be spliced. Returns of how many, 0: the input has ended.
 * Without a copy (any more) it is as if all had one. */
static uint64_t copy_part(struct pass *p, uint64_t len)
{
	while (p->copy >= 0) {
		ssize_t n = tee(p->from, p->copy, (size_t)len, SPLICE_F_NONBLOCK);

		if (n >= 0)
			return (uint64_t)n;
		/* Either side may be what it would wait for. */
		if (wait_for(p->from, POLLIN))
			await_room(p);
		else
			mend_copy(p);
	}
	return len;
}

/* ---- the stream --------------------------------------------------------------------------- */

static int write_all(struct pass *p, const uint8_t *buf, size_t len, struct err *err)
{
	while (len) {
		ssize_t n = write(p->out, buf, len);

		if (n < 0 && wait_for(p->out, POLLOUT))
			continue;
		if (n < 0)
			return write_failed(err);
		buf += n;
		len -= (size_t)n;
		p->bytes += (uint64_t)n;
	}
	return 0;
}

/* Where the output takes nothing from a pipe: files that are appended to, terminals. */
static ssize_t move_copied(struct pass *p, uint64_t len, struct err *err)
{
	uint8_t buf[65536];
	ssize_t n;

	do
		n = read(p->from, buf, (size_t)MIN(len, (uint64_t)sizeof(buf)));
	while (n < 0 && wait_for(p->from, POLLIN));
	if (n < 0)
		return read_failed(err);
	return write_all(p, buf, (size_t)n, err) ? -1 : n;
}

/* Hand on what waits in the pipe, at most len bytes of it. 0: it has ended. */
static ssize_t move_part(struct pass *p, uint64_t len, struct err *err)
{
	ssize_t n;

	while (!p->out_copies) {
		n = splice(p->from, NULL, p->out, NULL, (size_t)len, SPLICE_F_MOVE | SPLICE_F_MORE);
		if (n >= 0) {
			p->bytes += (uint64_t)n;
			return n;
		}
		if (errno == EINVAL)
			p->out_copies = true;
		else if (!wait_for(p->out, POLLOUT))
			return write_failed(err);
	}
	return move_copied(p, len, err);
}

static int move_all(struct pass *p, uint64_t len, struct err *err)
{
	while (len) {
		ssize_t n = move_part(p, len, err);

		if (n < 0)
			return -1;
		if (!n)
			return err_set(err, ERR_SYSTEM, "the stream ended while it was read");
		len -= (uint64_t)n;
	}
	return 0;
}

static ssize_t fill_copied(struct pass *p, uint64_t len, struct err *err)
{
	uint8_t buf[65536];
	int room = fcntl(p->between[1], F_GETPIPE_SZ); /* it is empty */
	uint64_t fits = room > 0 ? MIN((uint64_t)room, sizeof(buf)) : 1;
	ssize_t n, done, at;

	len = MIN(len, fits);

	do
		n = read(p->in, buf, (size_t)len);
	while (n < 0 && wait_for(p->in, POLLIN));
	if (n < 0)
		return read_failed(err);
	for (at = 0; at < n; at += done) {
		done = write(p->between[1], buf + at, (size_t)(n - at));
		if (done < 0)
			return write_failed(err);
	}
	return n;
}

/* Into the pipe between, where the input is none. 0: it has ended. */
static ssize_t fill_pipe(struct pass *p, uint64_t len, struct err *err)
{
	ssize_t n;

	while (!p->in_copies) {
		n = splice(p->in, NULL, p->between[1], NULL, (size_t)len, SPLICE_F_MOVE);
		if (n >= 0)
			return n;
		if (errno == EINVAL)
			p->in_copies = true;
		else if (!wait_for(p->in, POLLIN))
			return read_failed(err);
	}
	return fill_copied(p, len, err);
}

/* By way of the pipe between. */
static ssize_t pass_between(struct pass *p, uint64_t len, struct err *err)
{
	ssize_t all = fill_pipe(p, len, err);
	uint64_t left = all > 0 ? (uint64_t)all : 0;

	while (left) {
		uint64_t n = copy_part(p, left);

		if (move_all(p, n, err))
			return -1;
		left -= n;
	}
	return all;
}

/* Some of the next len bytes. 0: the input has ended. */
static ssize_t pass_part(struct pass *p, uint64_t len, struct err *err)
{
	uint64_t n = MIN(len, PART_BYTES);

	if (await_input(p, err))
		return -1;
	if (p->from != p->in)
		return pass_between(p, n, err);
	n = copy_part(p, n);
	/* How much waits is known only where it was copied. */
	if (p->copy < 0)
		return move_part(p, n, err);
	return move_all(p, n, err) ? -1 : (ssize_t)n;
}

/* *ret: that many came; fewer: the input has ended. */
static int pass_body(struct pass *p, uint64_t len, uint64_t *ret, struct err *err)
{
	uint64_t done = 0;

	while (done < len) {
		ssize_t n = pass_part(p, len - done, err);

		if (n < 0)
			return -1;
		if (!n)
			break;
		done += (uint64_t)n;
		if (p->show)
			p->show(p->arg, p->bytes);
	}
	*ret = done;
	return 0;
}

static int read_head(struct pass *p, uint8_t *head, size_t want, size_t *ret, struct err *err)
{
	size_t have = 0;

	while (have < want) {
		ssize_t n;

		if (await_input(p, err))
			return -1;
		n = read(p->in, head + have, want - have);
		if (n < 0 && wait_for(p->in, POLLIN))
			continue;
		if (n < 0)
			return read_failed(err);
		if (!n)
			break;
		have += (size_t)n;
	}
	*ret = have;
	return 0;
}

/* ---- the tail ----------------------------------------------------------------------------- */

/* What comes from now on waits. Without memory for it nothing does. */
static void start_tail(struct pass *p)
{
	uint8_t *room = mmap(NULL, TAIL_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	p->tail = room == MAP_FAILED ? NULL : room;
	p->waits = p->tail;
}

/* What has waited is handed on, and what comes does not wait. */
static int flush_tail(struct pass *p, struct err *err)
{
	size_t n = p->waits ? p->tail_bytes : 0;

	p->waits = false;
	p->tail_bytes = 0;
	return write_all(p, p->tail, n, err);
}

static int put_bytes(struct pass *p, const uint8_t *buf, size_t len, struct err *err)
{
	if (p->waits && len > TAIL_BYTES - p->tail_bytes) {
		p->may_end = NULL; /* it has ended as far as the guest is concerned */
		if (flush_tail(p, err))
			return -1;
	}
	if (!p->waits)
		return write_all(p, buf, len, err);
	memcpy(p->tail + p->tail_bytes, buf, len);
	p->tail_bytes += len;
	return 0;
}

/* As pass_body(), for what may have to wait. */
static int hold_body(struct pass *p, uint64_t len, uint64_t *ret, struct err *err)
{
	uint8_t buf[PIPE_BUF];
	size_t n = 1;

	for (*ret = 0; n && *ret < len; *ret += n) {
		if (read_head(p, buf, (size_t)MIN(len - *ret, (uint64_t)sizeof(buf)), &n, err))
			return -1;
		copy_bytes(p, buf, n);
		if (put_bytes(p, buf, n, err))
			return -1;
	}
	return 0;
}

/* Behind this header nothing is copied: it ends the stream, or nobody can follow it further. */
static int pass_last(
	struct pass *p, enum stream_part part, const uint8_t *head, size_t bytes, struct err *err)
{
	p->known = p->walk.known;
	if (p->known && p->may_end && !p->waits)
		start_tail(p);
	copy_bytes(p, head, bytes);
	end_copy(p);
	if (put_bytes(p, head, bytes, err))
		return -1;
	if (p->waits && !p->may_end(p->arg)) {
		p->held = true;
		return 0;
	}
	p->whole = part == STREAM_LAST;
	return flush_tail(p, err);
}

/* One header and what belongs to it. *ret_over: that was the last. */
static int pass_step(struct pass *p, size_t want, bool *ret_over, struct err *err)
{
	uint8_t head[STREAM_HEAD_MAX];
	struct stream_step step = {0};
	uint64_t done = 0;
	size_t got = 0;

	if (read_head(p, head, want, &got, err))
		return -1;
	if (got == want)
		step = stream_walk_next(&p->walk, head);
	if (got == want && (step.part == STREAM_LAST || step.part == STREAM_UNKNOWN))
		return pass_last(p, step.part, head, got, err);
	if (step.part == STREAM_TAIL && p->may_end && !p->waits)
		start_tail(p);
	copy_bytes(p, head, got);
	if (put_bytes(p, head, got, err) ||
		(p->waits ? hold_body : pass_body)(p, step.body, &done, err))
		return -1;
	*ret_over = got < want || done < step.body;
	return *ret_over ? flush_tail(p, err) : 0;
}

static int open_between(struct pass *p, struct err *err)
{
	struct stat st;

	if (fstat(p->in, &st))
		return read_failed(err);
	p->from = p->in;
	if (S_ISFIFO(st.st_mode)) {
		pass_widen(p->in);
		return 0;
	}
	if (pipe2(p->between, O_CLOEXEC))
		return err_sys(err, "cannot make a pipe");
	pass_widen(p->between[0]);
	p->from = p->between[0];
	return 0;
}

int pass_stream(struct pass *p, struct err *err)
{
	bool over = false;
	uint64_t done;
	size_t want;

	if (open_between(p, err))
		return -1;
	pass_widen(p->out);
	while (!over && !p->held && (want = stream_walk_head(&p->walk)))
		if (pass_step(p, want, &over, err))
			return -1;
	p->known = p->walk.known;
	end_copy(p);
	/* What comes behind it is none of our business, but somebody's. */
	return over || p->held ? 0 : pass_body(p, UINT64_MAX, &done, err);
}

void pass_fini(struct pass *p)
{
	end_copy(p);
	if (p->between[0] >= 0)
		close(p->between[0]);
	if (p->between[1] >= 0)
		close(p->between[1]);
	p->between[0] = p->between[1] = -1;
	if (p->tail)
		munmap(p->tail, TAIL_BYTES);
	p->tail = NULL;
}
