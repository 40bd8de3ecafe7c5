/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cmd/live_hold.h"
#include "io/codec.h"
#include "io/disk.h"
#include "io/keeper.h"
#include "io/sandbox.h"
#include "xenhost/xen_door.h"

/* One end of the socket each, and who stops whom. */
struct pair {
	int keeper, child;
	sigset_t stops, before;
};

static int make_pair(struct pair *p, struct err *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return err_sys(err, "cannot make a socket");
	p->keeper = ends[0];
	p->child = ends[1];
	sigemptyset(&p->stops);
	sigaddset(&p->stops, SIGINT);
	sigaddset(&p->stops, SIGTERM);
	sigaddset(&p->stops, SIGHUP);
	sigaddset(&p->stops, SIGQUIT);
	sigprocmask(SIG_BLOCK, &p->stops, &p->before);
	return 0;
}

/* One that a process earns by a fault of its own. */
static bool is_fault(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE ||
	       sig == SIGABRT || sig == SIGTRAP || sig == SIGSYS;
}

/* As the child ended; by the same signal where somebody sent it one. */
static int end_as(int status)
{
	int sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	struct rlimit no_core = {0, 0};
	sigset_t all;

	if (!sig)
		return WEXITSTATUS(status);
	if (sig == SIGXCPU) {
		fputs("xbdsnap: gave up: this takes far longer than it can for any sound input of "
		      "its size\n",
			stderr);
		return CMD_FAILED;
	}
	if (is_fault(sig)) {
		fprintf(stderr,
			"xbdsnap: failed at this input (%s): a fault of xbdsnap or of a library "
			"that it uses; what was said until here is not all\n",
			strsignal(sig));
		return CMD_FAILED;
	}
	(void)setrlimit(RLIMIT_CORE, &no_core);
	signal(sig, SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	raise(sig);
	return 128 + sig;
}

/* Nothing of ours is written at the end: standard output is the child's. */
static _Noreturn void keep_paths(struct pair *p, pid_t child, const struct door_passes *passes)
{
	int signals = signalfd(-1, &p->stops, SFD_CLOEXEC);
	struct err err;
	int status;

	close(p->child);
	if (keeper_serve(p->keeper, signals, child, passes, &err)) {
		fprintf(stderr, "xbdsnap: %s\n", err.text);
		kill(child, SIGKILL);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			_exit(CMD_FAILED);
	_exit(end_as(status));
}

static bool is_named(const struct xen_named *named)
{
	return named->word || named->domid;
}

static int no_xen(const struct xen_named *named, struct err *err)
{
	return named->word ? err_in(err, "--live %s", named->word) : -1;
}

/* Who builds without it knows. */
#ifdef HAVE_SECCOMP
#define WANTED SANDBOX_SECCOMP
#else
#define WANTED 0u
#endif

static int give_up(const struct cmd_env *env, struct err *err)
{
	unsigned layers;

	if (sandbox_enter(SANDBOX_CLOSED, &layers, err))
		return -1;
	if (WANTED & ~layers)
		cmd_note(env,
			"this kernel has no %s: what reads the input is confined by less; "
			"--version -v says by what",
			sandbox_layer_name(WANTED));
	return 0;
}

/* What libraries open later is opened first. */
static int become_child(struct cmd_env *env, const struct xen_named *named, struct pair *p,
	struct xen_door *xen, const struct door_passes *passes, struct err *err)
{
	sigprocmask(SIG_SETMASK, &p->before, NULL);
	close(p->keeper);
	codecs_load();
	disk_prepare(passes);
	tzset();
	if (xen->window && xen_door_enter(xen, &env->xen, err))
		return no_xen(named, err);
	door_shut(p->child);
	if (env->frontend.kernel_path)
		sandbox_allow_symbols();
	return give_up(env, err);
}

static int close_door(struct cmd_env *env, const struct xen_named *named,
	const struct door_passes *passes, struct err *err)
{
	struct xen_door xen = {.fd = -1};
	pid_t parent = getpid(), child;
	struct pair p;

	if (make_pair(&p, err) || (is_named(named) && xen_door_start(named, &xen, err)))
		return -1;
	child = fork();
	if (child < 0)
		return err_sys(err, "cannot start a confined process");
	if (child) {
		xen_door_close(&xen);
		keep_paths(&p, child, passes);
	}
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) || getppid() != parent)
		_exit(CMD_FAILED);
	return become_child(env, named, &p, &xen, passes, err);
}

/* Requests that the device below a domain's disk has under way. */
#define BLOCK_DEVICES "/sys/dev/block"

int cmd_confine(
	struct cmd_env *env, const uint32_t *domid, struct door_passes *passes, struct err *err)
{
	const struct xen_named named = {env->live, domid};
	int rc;

	if (env->live)
		door_pass_add(passes, BLOCK_DEVICES, DOOR_BELOW);
	if (env->pause)
		passes->hold = live_hold_of(env);
	door_pass_add(passes, env->frontend.kernel_path, DOOR_READ);
	door_pass_add(passes, env->frontend.module_path, DOOR_READ);
	door_pass_add(passes, env->log, DOOR_JOURNAL);
	if (passes->lost) {
		rc = err_nomem(err, "the list of files");
	} else if (env->no_sandbox) {
		cmd_note(env, "--no-sandbox: whoever wrote the input may be trusted");
		rc = is_named(&named) && xenhost_open(&env->xen, err) ? no_xen(&named, err) : 0;
	} else {
		rc = close_door(env, &named, passes, err);
	}
	door_passes_fini(passes);
	return rc;
}

void cmd_env_fini(struct cmd_env *env)
{
	xenhost_close(take(env->xen));
}
