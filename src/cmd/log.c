/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "cmd/options.h"

enum { OPT_LOG = 0x6a00 };

static const struct log_kind {
	const char *word, *socket;
	enum journal_form form;
} logs[] = {
	{"journal", JOURNAL_SOCKET, JOURNAL_NATIVE},
	{"syslog", SYSLOG_SOCKET, JOURNAL_SYSLOG},
};

static error_t parse_log(int key, char *arg, struct argp_state *state)
{
	struct cmd_env *env = state->input;
	size_t n, i;

	if (key != OPT_LOG)
		return ARGP_ERR_UNKNOWN;
	n = strcspn(arg, ":");
	for (i = 0; i < ARRAY_SIZE(logs); i++)
		if (n == strlen(logs[i].word) && !strncmp(arg, logs[i].word, n) &&
			(!arg[n] || arg[n + 1])) {
			env->log_form = logs[i].form;
			env->log = arg[n] ? arg + n + 1 : logs[i].socket;
			return 0;
		}
	argp_error(
		state, "--log takes journal or syslog, and a socket after a colon, not '%s'", arg);
	return EINVAL;
}

static const struct argp_option options[] = {
	{.name = "log",
		.key = OPT_LOG,
		.arg = "journal|syslog[:SOCKET]",
		.doc = "tell the system's journal or log too",
		.group = OPTIONS_OUTPUT},
	{0},
};

const struct argp cmd_log_argp = {.options = options, .parser = parse_log};

int log_open(struct cmd_env *env, struct err *err)
{
	if (!env->log)
		return 0;
	env->log_fd = journal_connect(env->log, err);
	if (env->log_fd >= 0)
		return 0;
	env->log = NULL;
	return err_in(err, "--log");
}

bool log_wanted(const struct cmd_env *env)
{
	return env->log;
}

void log_begin(const struct cmd_env *env, struct journal_entry *e, enum journal_priority priority,
	const char *message, const char *command, const char *source)
{
	journal_begin(e, env->log_form, priority, message);
	journal_add(e, "XBDSNAP_COMMAND", command);
	if (source)
		journal_add(e, "XBDSNAP_SOURCE", source);
}

static void send_entry(struct cmd_env *env, const struct journal_entry *e)
{
	struct err err;
	int fd;

	if (env->log_lost && !env->live)
		return;
	if (!journal_send(env->log_fd, e, &err))
		return;
	/* A watch outlives the journal's next start. */
	fd = env->live ? door_journal(env->log) : -1;
	if (fd >= 0) {
		close(env->log_fd);
		env->log_fd = fd;
		if (!journal_send(fd, e, &err))
			return;
	}
	if (!env->log_lost)
		cmd_note_err(env, &err);
	env->log_lost = true;
}

/* Many files are judged by several threads, and that the journal is lost is said once. */
void log_send(struct cmd_env *env, const struct journal_entry *e)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	send_entry(env, e);
	pthread_mutex_unlock(&lock);
}

/* ---- what is judged ----------------------------------------------------------------------- */

static const enum journal_priority priorities[] = {
	[SEVERITY_NOTE] = JOURNAL_INFO,
	[SEVERITY_WARNING] = JOURNAL_WARNING,
	[SEVERITY_ERROR] = JOURNAL_ERROR,
};

static void log_finding(const struct judge *j, const struct finding *f, const char *command)
{
	char message[JOURNAL_VALUE_BYTES], offset[24];
	struct journal_entry e;
	enum severity s;

	if (!check_policy_severity(&j->policy, f->rule, &s))
		return;
	snprintf(message, sizeof(message), "%s: %s %s%s%s: %s", j->path, severity_name(s), f->rule,
		f->device[0] ? " " : "", f->device, f->message);
	log_begin(j->env, &e, priorities[s], message, command, j->path);
	journal_add(&e, "XBDSNAP_RULE", f->rule);
	journal_add(&e, "XBDSNAP_SEVERITY", severity_name(s));
	if (f->device[0])
		journal_add(&e, "XBDSNAP_DEVICE", f->device);
	if (f->ring >= 0)
		journal_add_num(&e, "XBDSNAP_RING", (uint64_t)f->ring);
	if (f->slot >= 0)
		journal_add_num(&e, "XBDSNAP_SLOT", (uint64_t)f->slot);
	if (f->offset != FINDING_NO_OFFSET) {
		snprintf(offset, sizeof(offset), "0x%" PRIx64, f->offset);
		journal_add(&e, "XBDSNAP_OFFSET", offset);
	}
	log_send(j->env, &e);
}

static enum journal_priority priority_of(enum cmd_status said)
{
	switch (said) {
	case CMD_OK:
		return JOURNAL_INFO;
	case CMD_WARNINGS:
	case CMD_UNDETERMINED:
		return JOURNAL_WARNING;
	default:
		return JOURNAL_ERROR;
	}
}

/* The line that ends validate's text, without its end; malloc'ed. */
static char *sum_up(const struct judge *j)
{
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	if (!f)
		return NULL;
	if (j->report.snap)
		report_sum(&j->report, f);
	else
		fprintf(f, "%s: %s\n", j->path, judge_word(j->said));
	fclose(f);
	/* The name of the file may have a newline, too. */
	if (text && bytes && text[bytes - 1] == '\n')
		text[bytes - 1] = '\0';
	return text;
}

void log_judge(const struct judge *j, const char *command)
{
	const struct report *r = &j->report;
	CLEANUP_FREE char *sum = NULL;
	struct journal_entry e;
	size_t l, i;

	if (!log_wanted(j->env))
		return;
	for (l = 0; l < ARRAY_SIZE(r->lists); l++)
		for (i = 0; r->lists[l] && i < r->lists[l]->nr; i++)
			log_finding(j, &r->lists[l]->v[i], command);
	sum = sum_up(j);
	log_begin(j->env, &e, priority_of(j->said), sum ? sum : j->path, command, j->path);
	journal_add(&e, "XBDSNAP_VERDICT", judge_word(j->said));
	journal_add_num(&e, "XBDSNAP_STATUS", (uint64_t)judge_status(j));
	journal_add_num(&e, "XBDSNAP_ERRORS", r->nr[SEVERITY_ERROR]);
	journal_add_num(&e, "XBDSNAP_WARNINGS", r->nr[SEVERITY_WARNING]);
	journal_add_num(&e, "XBDSNAP_NOTES", r->nr[SEVERITY_NOTE]);
	log_send(j->env, &e);
}

void log_error(struct cmd_env *env, const char *command, const char *source, const struct err *why)
{
	struct journal_entry e;

	if (!log_wanted(env))
		return;
	log_begin(env, &e, JOURNAL_ERROR, why->text, command, source);
	journal_add_num(&e, "XBDSNAP_STATUS", (uint64_t)cmd_status_of(why));
	log_send(env, &e);
}
