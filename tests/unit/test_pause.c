/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The pause of a domain ends, whoever is killed while it holds. The domain is a counter that all
 * processes share.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "xenhost/pause.h"

struct domain {
	volatile int pauses, nr_paused, refuses;
	unsigned limit_ms;     /* 0: the usual */
	volatile pid_t holder; /* the process that paused it */
};

static void *domain_open(void *arg)
{
	return arg;
}

static int domain_pause(void *handle)
{
	struct domain *d = handle;

	errno = EPERM;
	if (d->refuses)
		return -1;
	d->holder = getpid();
	d->nr_paused++;
	d->pauses++;
	return 0;
}

static int domain_unpause(void *handle)
{
	struct domain *d = handle;

	d->pauses--;
	return 0;
}

static void domain_close(void *handle UNUSED)
{
}

static struct domain *new_domain(void)
{
	struct domain *d =
		mmap(NULL, sizeof(*d), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(d != MAP_FAILED);
	return d;
}

static struct pause_ops ops_of(struct domain *d)
{
	return (struct pause_ops){d, domain_open, domain_pause, domain_unpause, domain_close,
		d->limit_ms ? d->limit_ms : PAUSE_LIMIT_MS};
}

static void nap(unsigned ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static void await_running(const struct domain *d)
{
	unsigned i;

	for (i = 0; i < 500 && d->pauses; i++)
		nap(10);
	assert_int_equal(d->pauses, 0);
}

static void it_is_paused_and_goes_on(void **state UNUSED)
{
	struct domain *d = new_domain();
	struct pause_ops ops = ops_of(d);
	struct pause_hold *p;
	struct err err;
	uint64_t ns;

	d->pauses = 1; /* somebody else's, which stays */
	assert_int_equal(pause_begin(&ops, &p, &err), 0);
	assert_int_equal(d->pauses, 2);
	nap(30);
	assert_int_equal(pause_end(p, &ns, &err), 0);
	assert_int_equal(d->pauses, 1);
	assert_int_equal(d->nr_paused, 1);
	assert_true(ns >= 30000000 && ns < 5000000000);
	munmap(d, sizeof(*d));
}

static void it_cannot_be_paused(void **state UNUSED)
{
	struct domain *d = new_domain();
	struct pause_ops ops = ops_of(d);
	struct pause_hold *p;
	struct err err;

	d->refuses = 1;
	assert_int_equal(pause_begin(&ops, &p, &err), -1);
	assert_int_equal(err.sys_errno, EPERM);
	assert_int_equal(d->pauses, 0);
	munmap(d, sizeof(*d));
}

/* The tool, in a process of its own, which is killed while it looks. */
static pid_t start_tool(struct domain *d)
{
	pid_t pid = fork();

	if (!pid) {
		struct pause_ops ops = ops_of(d);
		struct pause_hold *p;

		signal(SIGSEGV, SIG_DFL); /* it is cmocka's */
		if (pause_begin(&ops, &p, NULL))
			_exit(1);
		for (;;)
			nap(1000);
	}
	assert_true(pid > 0);
	while (!d->pauses)
		nap(1);
	return pid;
}

static void the_tool_is_killed(void **state UNUSED)
{
	static const int sigs[] = {SIGKILL, SIGSEGV, SIGTERM, SIGINT, SIGHUP, SIGPIPE};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sigs); i++) {
		struct domain *d = new_domain();
		pid_t tool = start_tool(d);

		kill(tool, sigs[i]);
		assert_int_equal(waitpid(tool, NULL, 0), tool);
		await_running(d);
		munmap(d, sizeof(*d));
	}
}

/* Signals to the holder that can be heeded are not; a signal to the tool's group does not reach it.
 */
static void the_holder_is_signalled(void **state UNUSED)
{
	static const int sigs[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGALRM};
	struct domain *d = new_domain();
	struct pause_ops ops = ops_of(d);
	struct pause_hold *p;
	struct err err;
	uint64_t ns;
	size_t i;

	assert_int_equal(pause_begin(&ops, &p, &err), 0);
	assert_int_not_equal(d->holder, getpid());
	assert_int_not_equal(getpgid(d->holder), getpgid(0));
	for (i = 0; i < ARRAY_SIZE(sigs); i++)
		kill(d->holder, sigs[i]);
	nap(50);
	assert_int_equal(d->pauses, 1);
	assert_int_equal(pause_end(p, &ns, &err), 0);
	assert_int_equal(d->pauses, 0);
	munmap(d, sizeof(*d));
}

/* Then the tool lets the domain go, and says that what it saw is worth nothing. */
static void the_holder_is_killed(void **state UNUSED)
{
	struct domain *d = new_domain();
	struct pause_ops ops = ops_of(d);
	struct pause_hold *p;
	struct err err;
	uint64_t ns;

	assert_int_equal(pause_begin(&ops, &p, &err), 0);
	kill(d->holder, SIGKILL);
	nap(50);
	assert_int_equal(d->pauses, 1);
	assert_int_equal(pause_end(p, &ns, &err), -1);
	assert_int_equal(err.cls, ERR_SYSTEM);
	assert_int_equal(d->pauses, 0);
	munmap(d, sizeof(*d));
}

/* The tool is stopped, or hangs. */
static void nobody_comes_back(void **state UNUSED)
{
	struct domain *d = new_domain();
	pid_t tool;

	d->limit_ms = 300;
	tool = start_tool(d);
	kill(tool, SIGSTOP);
	await_running(d);
	kill(tool, SIGKILL);
	waitpid(tool, NULL, 0);
	munmap(d, sizeof(*d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_paused_and_goes_on),
		cmocka_unit_test(it_cannot_be_paused),
		cmocka_unit_test(the_tool_is_killed),
		cmocka_unit_test(the_holder_is_signalled),
		cmocka_unit_test(the_holder_is_killed),
		cmocka_unit_test(nobody_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
