/* SPDX-License-Identifier: BSD-2-Clause
 *
 * guard_watch.c - the process that looks at a stream while another hands it on.
 */
#include "cmd/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/log.h"
#include "cmd/outfile.h"
#include "cmd/redact.h"
#include "guard/keep.h"
#include "guard/pass.h"

/* What a stream is called that has no name. */
#define STREAM_NAME "-"

static void give_answer(int answer, const struct verdict *v)
{
	ssize_t ignored = write(answer, v, sizeof(*v));

	(void)ignored;
}

static int write_report(const struct watch_options *opt, struct err *err)
{
	CLEANUP_FREE char *text = NULL;
	size_t bytes = 0;
	FILE *f;
	int rc;

	if (!opt->report_path)
		return 0;
	f = open_memstream(&text, &bytes);
	if (!f)
		return err_nomem(err, "the report");
	rc = judge_print_json(opt->judge, f, err);
	if (fclose(f) && !rc)
		rc = err_nomem(err, "the report");
	return rc ? -1 : outfile_put(opt->report_path, true, NULL, text, bytes, err);
}

/* The stream itself decides: what is wrong with it is a verdict, what is wrong with us is none. */
static bool is_verdict(const struct err *err, struct verdict *ret)
{
	if (err->cls != ERR_CORRUPT && err->cls != ERR_UNSUPPORTED)
		return false;
	ret->said = err->cls == ERR_CORRUPT ? CMD_CORRUPT : CMD_UNDETERMINED;
	ret->status = ret->said;
	return true;
}

static int judge_stream(struct keep *k, struct judge *j, struct verdict *ret, struct err *err)
{
	struct source *src;

	if (keep_source(k, STREAM_NAME, &src, err))
		return -1;
	if (cmd_open_source(j->env, src, &j->in, err)) {
		if (!is_verdict(err, ret))
			return -1;
		cmd_note_err(j->env, err);
		log_error(j->env, "guard", j->path, err);
		return 1;
	}
	if (judge_run(j, err))
		return -1;
	*ret = (struct verdict){(uint8_t)j->said, (uint8_t)judge_status(j)};
	return 0;
}

/* What takes time, or may fail, comes when the answer is given: somebody waits for it. */
static int tell_verdict(const struct watch_options *opt, struct err *err)
{
	const struct judge *j = opt->judge;
	struct err why;

	if (!j->env->quiet)
		judge_print_text(j, j->env->talk);
	log_judge(j, "guard");
	if (cmd_verdict(&j->in, &why))
		cmd_note_err(j->env, &why);
	return write_report(opt, err);
}

static int keep_copy(const struct watch_options *opt, struct keep *k, struct err *err)
{
	struct source *src;

	if (!opt->keep_path)
		return 0;
	if (keep_source(k, STREAM_NAME, &src, err) ||
		redact_source(opt->judge->env, src, opt->keep_path, opt->force, err))
		return err_in(err, "no copy was kept");
	return 0;
}

static int watch_stream(
	const struct watch_options *opt, struct keep *k, int copy, int answer, struct err *err)
{
	struct verdict v;
	bool known;
	int rc;

	if (keep_stream(k, copy, &known, err))
		return -1;
	if (!known) {
		v.said = v.status = CMD_UNDETERMINED;
		give_answer(answer, &v);
		return 0;
	}
	rc = judge_stream(k, opt->judge, &v, err);
	if (rc < 0)
		return -1;
	give_answer(answer, &v);
	if (!rc && tell_verdict(opt, err))
		return -1;
	return rc ? 0 : keep_copy(opt, k, err);
}

/* Nothing of ours keeps a pipe open that others wait at, and when memory is short we go first. */
static void stand_apart(pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t ignored = score >= 0 ? write(score, "1000", 4) : 0;

	(void)ignored;
	if (score >= 0)
		close(score);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		_exit(CMD_FAILED);
	close(null);
	/* An interrupt from the terminal is for who hands the stream on. */
	signal(SIGINT, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(CMD_FAILED);
}

/* From here on the stream is looked at. */
static int confine_watcher(const struct watch_options *opt, struct err *err)
{
	struct door_passes passes = {0};

	judge_passes(opt->judge, &passes);
	door_pass_add(&passes, opt->report_path, DOOR_OUTPUT);
	door_pass_add(&passes, opt->keep_path, DOOR_OUTPUT);
	return cmd_confine(opt->judge->env, NULL, &passes, err);
}

static void __attribute__((noreturn))
watch(const struct watch_options *opt, int copy, int answer, pid_t parent)
{
	struct judge *j = opt->judge;
	struct err err = ERR_INIT;
	struct keep *k;
	int rc;

	stand_apart(parent);
	k = confine_watcher(opt, &err) ? NULL : keep_new(opt->memory_limit, &err);
	rc = k ? watch_stream(opt, k, copy, answer, &err) : -1;
	if (rc)
		cmd_note_err(j->env, &err);
	judge_fini(j);
	keep_free(k);
	fflush(j->env->talk);
	_exit(rc ? CMD_FAILED : CMD_OK);
}

int watch_start(struct watcher *w, const struct watch_options *opt, struct err *err)
{
	CLEANUP_CLOSE int copy = -1;
	CLEANUP_CLOSE int answer = -1;
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return err_sys(err, "cannot make a pipe");
	copy = ends[0];
	w->copy = ends[1];
	if (pipe2(ends, O_CLOEXEC))
		return err_sys(err, "cannot make a pipe");
	w->answer = ends[0];
	answer = ends[1];
	pass_widen(copy);
	fflush(NULL);
	w->pid = fork();
	if (w->pid < 0) {
		w->pid = 0;
		return err_sys(err, "cannot start a process");
	}
	if (!w->pid) {
		close(w->copy);
		close(w->answer);
		watch(opt, copy, answer, parent);
	}
	return fcntl(w->copy, F_SETFL, O_NONBLOCK) ? err_sys(err, "cannot use a pipe") : 0;
}

bool watch_verdict(struct watcher *w, int wait_ms, struct verdict *ret)
{
	struct pollfd v = {.fd = w->answer, .events = POLLIN};
	ssize_t n;
	int got;

	do
		got = poll(&v, 1, wait_ms);
	while (got < 0 && errno == EINTR);
	if (got <= 0)
		return false;
	do
		n = read(w->answer, ret, sizeof(*ret));
	while (n < 0 && errno == EINTR);
	return n == sizeof(*ret);
}

bool watch_end(struct watcher *w, int *ret_status, int *ret_signal)
{
	int status = 0;

	while (w->pid > 0 && waitpid(w->pid, &status, 0) < 0)
		if (errno != EINTR)
			break;
	w->pid = 0;
	*ret_status = WEXITSTATUS(status);
	*ret_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	return !*ret_signal;
}

void watch_kill(struct watcher *w)
{
	int status, sig;

	if (w->pid > 0)
		kill(w->pid, SIGKILL);
	watch_end(w, &status, &sig);
}
