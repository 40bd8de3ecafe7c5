/* SPDX-License-Identifier: BSD-2-Clause
 *
 * guard: pass a stream on, and say on its way whether it is safe.
 */
#include "cmd/guard.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "cmd/log.h"
#include "cmd/outfile.h"
#include "guard/pass.h"

enum veto {
	VETO_NEVER,
	VETO_ERROR,
	VETO_WARNING,
};

/* How long the end of a stream waits for its verdict, unless the user says otherwise. The guest is
 * suspended meanwhile. */
#define WAIT_S	   10
#define WAIT_MAX_S (24u * 3600)
#define SHOW_MS	   500 /* between two looks at the rate */

struct guard {
	struct judge judge;
	struct cmd_env *env;
	const char *report_path, *keep_path, *rest_path;
	bool force;
	enum veto veto;
	uint64_t memory_limit, wait_s;
	char **command; /* NULL: none */

	struct watcher watcher;
	struct pass pass;
	pid_t child;		    /* 0: there is no command */
	uint64_t began_ns, told_ns; /* CLOCK_MONOTONIC */
	bool showing;		    /* a line on the terminal is not ended */
	bool answered;
	struct verdict verdict;
	long waited_ms; /* from the end of the stream to the verdict */
};

/* ---- the user's words --------------------------------------------------------------------- */

enum {
	OPT_VETO = 0x100,
	OPT_REPORT,
	OPT_KEEP,
	OPT_FORCE,
	OPT_REST,
	OPT_MEMORY,
	OPT_WAIT,
};

/* A quarter of what the system could give at once. */
static uint64_t default_memory(void)
{
	CLEANUP_FILE FILE *f = fopen("/proc/meminfo", "re");
	uint64_t kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib) == 1)
			break;
	return kib * 1024 / 4;
}

static bool parse_veto(const char *word, enum veto *ret)
{
	static const char *const words[] = {
		[VETO_NEVER] = "never", [VETO_ERROR] = "error", [VETO_WARNING] = "warning"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(word, words[i])) {
			*ret = (enum veto)i;
			return true;
		}
	return false;
}

/* What follows "--" is not ours to read. */
static void take_command(struct guard *g, struct argp_state *state)
{
	if (!state->quoted)
		argp_error(state,
			"'%s': the stream comes from standard input; a command stands "
			"behind '--'",
			state->argv[state->next - 1]);
	g->command = state->argv + state->next - 1;
	state->next = state->argc;
}

static error_t parse_guard(int key, char *arg, struct argp_state *state)
{
	struct guard *g = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, g->env);
		state->child_inputs[0] = &g->judge;
		state->child_inputs[1] = &g->judge.target;
		return 0;
	case ARGP_KEY_ARG:
		take_command(g, state);
		return 0;
	case ARGP_KEY_END:
		if (g->env->json)
			argp_error(state, "standard output is the stream's: --report=FILE writes "
					  "the document");
		if (g->env->offset)
			argp_error(state, "a stream is judged from its beginning: no --offset");
		return 0;
	case OPT_VETO:
		if (!parse_veto(arg, &g->veto))
			argp_error(state, "--veto takes error, warning or never, not '%s'", arg);
		return 0;
	case OPT_REPORT:
		g->report_path = arg;
		return 0;
	case OPT_KEEP:
		g->keep_path = arg;
		return 0;
	case OPT_FORCE:
		g->force = true;
		return 0;
	case OPT_REST:
		g->rest_path = arg;
		return 0;
	case OPT_MEMORY:
		if (!num_parse_bytes(arg, &g->memory_limit))
			argp_error(state, "--memory-limit takes a size (300M, 2G), not '%s'", arg);
		return 0;
	case OPT_WAIT:
		if (!num_parse_u64(arg, WAIT_MAX_S, &g->wait_s))
			argp_error(state, "--wait takes a number of seconds, not '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{.name = "veto",
		.key = OPT_VETO,
		.arg = "error|warning|never",
		.doc = "do not complete a stream with findings of that severity (default never)"},
	{.name = "report",
		.key = OPT_REPORT,
		.arg = "FILE",
		.doc = "write the findings there, as validate -J does"},
	{.name = "keep",
		.key = OPT_KEEP,
		.arg = "FILE",
		.doc = "write a copy there as redact does, for later"},
	{.name = "force",
		.key = OPT_FORCE,
		.doc = "replace the files of --keep and --rest when they exist"},
	{.name = "rest",
		.key = OPT_REST,
		.arg = "FILE",
		.doc = "write there what a veto left out of the stream: behind it, it is whole"},
	{.name = "memory-limit",
		.key = OPT_MEMORY,
		.arg = "SIZE",
		.doc = "keep so much of the stream in memory, the rest in a temporary file "
		       "(default: a quarter of the memory that is available)"},
	{.name = "wait",
		.key = OPT_WAIT,
		.arg = "SECONDS",
		.doc = "with --veto: how long the end of the stream waits for the verdict, then "
		       "goes on without it (default 10)"},
	{0},
};

/* ---- while the stream passes -------------------------------------------------------------- */

static long ms_since(uint64_t since_ns)
{
	return (long)((util_now_ns(CLOCK_MONOTONIC) - since_ns) / 1000000);
}

static void show_rate(void *arg, uint64_t bytes)
{
	struct guard *g = arg;
	long ms = ms_since(g->began_ns);

	if (ms_since(g->told_ns) < SHOW_MS)
		return;
	g->told_ns = util_now_ns(CLOCK_MONOTONIC);
	fprintf(g->env->talk, "\r%" PRIu64 " MiB, %" PRIu64 " MiB/s ", bytes >> 20,
		(bytes >> 20) * 1000 / (uint64_t)(ms > 0 ? ms : 1));
	fflush(g->env->talk);
	g->showing = true;
}

static void start_showing(struct guard *g)
{
	g->began_ns = g->told_ns = util_now_ns(CLOCK_MONOTONIC);
	if (!g->env->quiet && isatty(fileno(g->env->talk)))
		g->pass.show = show_rate;
}

/* Before anything else is said. */
static void end_showing(struct guard *g)
{
	if (g->showing)
		fputc('\n', g->env->talk);
	g->showing = false;
}

static bool is_vetoed(const struct guard *g)
{
	switch (g->verdict.said) {
	case CMD_UNSAFE:
	case CMD_CORRUPT:
		return g->veto != VETO_NEVER;
	case CMD_WARNINGS:
		return g->veto == VETO_WARNING;
	default:
		return false;
	}
}

static void await_verdict(struct guard *g, int wait_ms)
{
	uint64_t since_ns = util_now_ns(CLOCK_MONOTONIC);

	if (g->watcher.pid && !g->answered)
		g->answered = watch_verdict(&g->watcher, wait_ms, &g->verdict);
	g->waited_ms += ms_since(since_ns);
}

static bool may_end(void *arg)
{
	struct guard *g = arg;

	await_verdict(g, (int)g->wait_s * 1000);
	return !g->answered || !is_vetoed(g);
}

/* Whoever reads sees the end of it. */
static void end_output(struct guard *g)
{
	int null;

	if (g->command) {
		close(g->pass.out);
		g->pass.out = -1;
		return;
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
		close(STDOUT_FILENO);
	if (null >= 0)
		close(null);
}

/* ---- when it has passed ------------------------------------------------------------------- */

/* Why there is no verdict, or that nobody waited for it. */
static void tell_no_verdict(struct guard *g)
{
	int status, sig;

	if (!g->watcher.pid)
		return; /* said when it could not be started */
	if (!watch_end(&g->watcher, &status, &sig))
		cmd_note(g->env, "the process that judges the stream was ended by signal %d (%s)",
			sig, strsignal(sig));
	if (*g->pass.lost)
		cmd_note(g->env, "the process that judges the stream got no more of it: %s",
			g->pass.lost);
	cmd_note(g->env, "there is no verdict; the stream has passed unchanged");
}

static void tell_end(const struct guard *g)
{
	const struct pass *p = &g->pass;

	if (p->held)
		cmd_note(g->env,
			"the stream is %s and was not completed: its last %zu bytes, from "
			"0x%" PRIx64 " on, were left out",
			judge_word(g->verdict.said), p->tail_bytes, p->bytes);
	else if (!p->known)
		cmd_note(g->env, "this is no stream that can be judged on its way (of xl, libvirt, "
				 "xenopsd, libxl or libxc of Xen 4.6 and newer); it has passed "
				 "unchanged");
	else if (g->answered && is_vetoed(g))
		cmd_note(g->env, "the verdict came too late to hold the stream: it has passed");
	if (g->answered && g->env->verbose)
		cmd_note(g->env, "%" PRIu64 " bytes passed; verdict %ld ms after the last",
			p->bytes, g->waited_ms);
}

/* The guest may be in that file and nowhere else. */
static void keep_rest(const struct guard *g)
{
	const struct pass *p = &g->pass;
	struct err err;

	if (p->held && g->rest_path &&
		outfile_put(g->rest_path, g->force, NULL, p->tail, p->tail_bytes, &err))
		cmd_note_err(g->env, &err);
}

/* How the stream ended, from the process that passed it on: it is there whatever became of the
 * other. */
static void log_end(const struct guard *g)
{
	const struct pass *p = &g->pass;
	const char *verdict = !p->known	    ? "not judged"
			      : g->answered ? judge_word(g->verdict.said)
					    : "none";
	struct journal_entry e;
	char text[96];

	if (!log_wanted(g->env))
		return;
	snprintf(text, sizeof(text), "a stream %s, verdict: %s",
		p->held ? "was not completed" : "has passed", verdict);
	log_begin(g->env, &e,
		p->held			  ? JOURNAL_ERROR
		: p->known && g->answered ? JOURNAL_INFO
					  : JOURNAL_WARNING,
		text, "guard", NULL);
	journal_add(&e, "XBDSNAP_VERDICT", verdict);
	journal_add(&e, "XBDSNAP_HELD", p->held ? "yes" : "no");
	journal_add_num(&e, "XBDSNAP_BYTES", p->bytes);
	log_send(g->env, &e);
}

static int conclude_guard(struct guard *g)
{
	int sig, ended, status = CMD_OK;

	if (g->pass.held && g->child)
		command_dismiss(g->child);
	else if (g->child)
		status = command_wait(g->child);
	await_verdict(g, -1);
	tell_end(g);
	log_end(g);
	keep_rest(g);
	if (!g->answered) {
		tell_no_verdict(g);
		return g->child ? status : CMD_FAILED;
	}
	if (!watch_end(&g->watcher, &ended, &sig))
		cmd_note(g->env, "the process that judged the stream was ended by signal %d", sig);
	if (g->child && !g->pass.held)
		return status;
	/* Of a report that could not be written it has told. */
	return ended && g->verdict.status <= CMD_WARNINGS ? CMD_FAILED : g->verdict.status;
}

/* The stream did not pass; nobody is to think that it had been judged. */
static int give_up(struct guard *g, struct err *err)
{
	int status = CMD_OK;

	watch_kill(&g->watcher);
	if (g->child)
		status = command_wait(g->child);
	if (!status)
		return -1;
	cmd_note_err(g->env, err);
	return status;
}

/* A command that has all of the stream may end before its input does. */
static bool is_served(const struct guard *g, const struct err *err)
{
	return g->child && g->pass.whole && err->cls == ERR_SYSTEM && err->sys_errno == EPIPE;
}

/* Nothing has passed yet, so that one may still refuse. */
static int refuse_existing(const struct guard *g, const char *path, struct err *err)
{
	if (!path || g->force || access(path, F_OK))
		return 0;
	err_set(err, ERR_REFUSED, "%s exists", path);
	return err_override(err, "force");
}

static int look_ahead(const struct guard *g, struct err *err)
{
	if (isatty(STDIN_FILENO))
		return err_set(err, ERR_USAGE, "standard input is a terminal, a stream is needed");
	return refuse_existing(g, g->keep_path, err) || refuse_existing(g, g->rest_path, err) ? -1
											      : 0;
}

static int run_guard(struct guard *g, struct err *err)
{
	const struct watch_options opt = {.judge = &g->judge,
		.report_path = g->report_path,
		.keep_path = g->keep_path,
		.force = g->force,
		.memory_limit = g->memory_limit};
	struct err why = ERR_INIT;
	int rc;

	if (look_ahead(g, err))
		return -1;
	signal(SIGPIPE, SIG_IGN);
	if (log_open(g->env, &why))
		cmd_note_err(g->env, &why);
	if (watch_start(&g->watcher, &opt, &why)) {
		err_in(&why, "the stream passes without a verdict");
		cmd_note_err(g->env, &why);
	}
	g->pass.out = STDOUT_FILENO;
	if (g->command && command_start(g->command, &g->child, &g->pass.out, err)) {
		watch_kill(&g->watcher);
		return -1;
	}
	g->pass.in = STDIN_FILENO;
	g->pass.copy = g->watcher.copy;
	g->pass.may_end = g->veto == VETO_NEVER ? NULL : may_end;
	start_showing(g);
	rc = pass_stream(&g->pass, err);
	end_showing(g);
	end_output(g);
	return rc && !is_served(g, err) ? give_up(g, err) : conclude_guard(g);
}

int cmd_guard(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_child children[] = {{.argp = &judge_argp},
		{.argp = &target_caps_argp}, {.argp = &cmd_locate_argp}, {.argp = &cmd_log_argp},
		{.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.options = options,
		.parser = parse_guard,
		.args_doc = "[-- COMMAND [ARG...]]",
		.doc = "Pass the stream of a guest that is saved or migrated on, from standard "
		       "input to standard output or to a command, and judge it meanwhile as "
		       "validate would." CMD_HELP_STATUS,
		.children = children};
	struct guard g = {.env = env, .watcher = WATCHER_INIT, .pass = PASS_INIT, .wait_s = WAIT_S};
	int rc;

	judge_init(&g.judge, env);
	g.judge.path = "-";
	g.memory_limit = default_memory();
	g.pass.arg = &g;
	cmd_parse(&argp, argc, argv, &g);
	rc = run_guard(&g, err);
	pass_fini(&g.pass);
	if (g.watcher.answer >= 0)
		close(g.watcher.answer);
	judge_fini(&g.judge);
	return rc;
}
