/* SPDX-License-Identifier: BSD-2-Clause */
#include "xenhost/pause.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What parent and child both see; it outlives either. */
struct shared {
	volatile sig_atomic_t held; /* the child has paused it and not let it go */
	volatile int error;	    /* errno of what failed */
	volatile uint64_t ns;	    /* how long it was held */
};

struct pause_hold {
	struct pause_ops ops;
	struct shared *shared;
	pid_t child;
	int fd; /* to the child */
};

/* ---- the child ---------------------------------------------------------------------------- */

static void heed_nothing(void)
{
	static const int sigs[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGALRM, SIGUSR1,
		SIGUSR2, SIGTSTP, SIGTTIN, SIGTTOU, SIGXCPU};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		signal(sigs[i], SIG_IGN);
}

/* A byte, or the other end is gone, or it takes too long: in any case it is over. */
static void await_word(int fd, unsigned limit_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t until = util_now_ns(CLOCK_MONOTONIC) + limit_ms * UINT64_C(1000000);
	uint64_t now;
	int rc;

	do {
		now = util_now_ns(CLOCK_MONOTONIC);
		rc = now < until ? poll(&p, 1, (int)((until - now) / 1000000) + 1) : 0;
	} while (rc < 0 && errno == EINTR);
}

static void say_byte(int fd)
{
	ssize_t ignored = send(fd, "", 1, MSG_NOSIGNAL);

	(void)ignored;
}

static void hold_pause(const struct pause_ops *ops, struct shared *shared, int fd)
{
	void *handle = ops->open(ops->arg);
	uint64_t began;

	if (!handle) {
		shared->error = errno ? errno : EIO;
		return;
	}
	began = util_now_ns(CLOCK_MONOTONIC);
	shared->held = 1;
	if (ops->pause(handle)) {
		shared->error = errno ? errno : EIO;
		shared->held = 0;
		ops->close(handle);
		return;
	}
	say_byte(fd);
	await_word(fd, ops->limit_ms);
	/* As often as it takes: nobody else will. */
	while (ops->unpause(handle) && errno == EINTR)
		;
	shared->ns = util_now_ns(CLOCK_MONOTONIC) - began;
	shared->held = 0;
	ops->close(handle);
}

/* ---- the parent --------------------------------------------------------------------------- */

static void let_go(const struct pause_ops *ops)
{
	void *handle = ops->open(ops->arg);

	if (!handle)
		return;
	while (ops->unpause(handle) && errno == EINTR)
		;
	ops->close(handle);
}

static void reap_child(struct pause_hold *p)
{
	int status;

	close(p->fd);
	while (waitpid(p->child, &status, 0) < 0 && errno == EINTR)
		;
	/* It was killed while it held the domain. */
	if (p->shared->held)
		let_go(&p->ops);
}

static void drop_pause(struct pause_hold *p)
{
	munmap(p->shared, sizeof(*p->shared));
	free(p);
}

static struct pause_hold *new_hold(const struct pause_ops *ops)
{
	struct pause_hold *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->ops = *ops;
	p->shared = mmap(NULL, sizeof(*p->shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p->shared != MAP_FAILED)
		return p;
	free(p);
	return NULL;
}

static int start_child(struct pause_hold *p, struct err *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return err_sys(err, "cannot make a socket");
	p->child = fork();
	if (!p->child) {
		close(ends[0]);
		setsid();
		heed_nothing();
		hold_pause(&p->ops, p->shared, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	p->fd = ends[0];
	if (p->child > 0)
		return 0;
	err_sys(err, "cannot start the process that holds the pause");
	close(ends[0]);
	return -1;
}

static bool was_heard(int fd)
{
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

int pause_begin(const struct pause_ops *ops, struct pause_hold **ret, struct err *err)
{
	struct pause_hold *p = new_hold(ops);

	if (!p)
		return err_nomem(err, "holding a pause");
	if (start_child(p, err)) {
		drop_pause(p);
		return -1;
	}
	if (was_heard(p->fd)) {
		*ret = p;
		return 0;
	}
	reap_child(p);
	errno = p->shared->error ? p->shared->error : ECHILD;
	err_sys(err, "cannot pause the domain");
	drop_pause(p);
	return -1;
}

int pause_end(struct pause_hold *p, uint64_t *ret_ns, struct err *err)
{
	uint64_t limit_ns = p->ops.limit_ms * UINT64_C(1000000), ns;
	bool held = p->shared->held;

	say_byte(p->fd);
	(void)was_heard(p->fd); /* its end */
	/* Killed in between, it has not let go; reap() does. */
	held = held && !p->shared->held;
	reap_child(p);
	ns = p->shared->ns;
	drop_pause(p);
	*ret_ns = ns;
	if (held && ns < limit_ns)
		return 0;
	return err_set(err, ERR_SYSTEM,
		"the domain did not stay paused: that took too long, or the process that held the "
		"pause was killed");
}
