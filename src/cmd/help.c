/* SPDX-License-Identifier: BSD-2-Clause
 *
 * help.c - help of a command in its three forms, and `help`, which opens a manual page.
 */
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/options.h"

#define WIDTH	79
#define TEXT_AT 27 /* where the texts of options begin */

/* ---- the short form ----------------------------------------------------------------------- */

/* Words from `at` on, broken before WIDTH; a new line begins with `indent` spaces. */
static size_t put_words(FILE *out, const char *text, size_t len, size_t at, size_t indent)
{
	const char *end = text + len;

	while (text < end) {
		size_t n = strcspn(text, " \n");

		n = MIN(n, (size_t)(end - text));
		if (n && at > indent && at + 1 + n > WIDTH) {
			fprintf(out, "\n%*s", (int)indent, "");
			at = indent;
		}
		if (n) {
			at += (size_t)fprintf(out, "%s%.*s", at > indent ? " " : "", (int)n, text);
		}
		text += n + (text + n < end);
	}
	return at;
}

static bool is_short(const struct argp_option *o)
{
	return o->key > ' ' && o->key < 127;
}

struct listing {
	FILE *out;
	unsigned shown, max; /* options */
	size_t at;	     /* column in the list of the others */
};

static void put_option(void *arg, const struct argp_option *o)
{
	struct listing *l = arg;
	size_t at = 0;

	if (o->flags & OPTION_HIDDEN || l->shown++ >= l->max)
		return;
	if (is_short(o))
		at += (size_t)fprintf(l->out, "  -%c", o->key);
	if (o->name)
		at += (size_t)fprintf(l->out, "%s--%s", is_short(o) ? ", " : "      ", o->name);
	if (o->arg && o->flags & OPTION_ARG_OPTIONAL)
		at += (size_t)fprintf(l->out, "[=%s]", o->arg);
	else if (o->arg)
		at += (size_t)fprintf(l->out, "=%s", o->arg);
	if (at + 1 < TEXT_AT)
		fprintf(l->out, "%*s", (int)(TEXT_AT - at), "");
	else
		fprintf(l->out, "\n%*s", TEXT_AT, "");
	put_words(l->out, o->doc, strlen(o->doc), TEXT_AT, TEXT_AT);
	fputc('\n', l->out);
}

static void put_name(void *arg, const struct argp_option *o)
{
	struct listing *l = arg;
	char name[64];
	int n;

	if (o->flags & OPTION_HIDDEN || l->shown++ < l->max)
		return;
	n = snprintf(name, sizeof(name), "%s%s", o->name ? "--" : "-", o->name ? o->name : "");
	if (!o->name)
		n = snprintf(name, sizeof(name), "-%c", o->key);
	if (!l->at)
		l->at = (size_t)fprintf(l->out, "Also:");
	l->at = put_words(l->out, name, (size_t)n, l->at, 4);
}

static void put_doc(FILE *out, const char *text, size_t len)
{
	put_words(out, text, len, 0, 0);
	fputc('\n', out);
}

static void put_tail(const struct argp *argp, FILE *out, const char *tail)
{
	char *text = (char *)tail;

	if (argp->help_filter)
		text = argp->help_filter(HELP_KEY_SHORT, tail, NULL);
	if (!text)
		return;
	fputc('\n', out);
	if (text == tail)
		put_doc(out, text, strlen(text));
	else
		fputs(text, out);
	if (text != tail)
		free(text);
}

/* With `max` options in full. */
static void put_short(const struct argp_state *state, unsigned max, FILE *out)
{
	const struct argp *argp = state->root_argp;
	struct listing full = {.out = out, .max = max}, rest = {.out = out, .max = max};
	const char *doc = argp->doc ? argp->doc : "", *tail = strchr(doc, '\v');

	fprintf(out, "Usage: %s [OPTION...] %s\n", state->name, argp->args_doc);
	put_doc(out, doc, tail ? (size_t)(tail - doc) : strlen(doc));
	fputc('\n', out);
	options_walk(argp, put_option, &full);
	options_walk(argp, put_name, &rest);
	if (rest.at)
		fputs("\n--help=all explains every option.\n", out);
	put_tail(argp, out, tail ? tail + 1 : NULL);
}

static unsigned nr_lines(const char *text)
{
	unsigned nr = 0;

	for (; *text; text++)
		nr += *text == '\n';
	return nr;
}

/* As many options as let the whole fit; those that a table has first are the common ones. */
static void print_short(const struct argp_state *state)
{
	unsigned max;

	for (max = 99; max; max--) {
		CLEANUP_FREE char *text = NULL;
		size_t bytes;
		FILE *f = open_memstream(&text, &bytes);

		if (!f)
			break;
		put_short(state, max - 1, f);
		if (fclose(f) || !text || (nr_lines(text) > HELP_LINES && max > 1))
			continue;
		fputs(text, stdout);
		return;
	}
}

/* ---- the others --------------------------------------------------------------------------- */

static void put_machine(void *arg UNUSED, const struct argp_option *o)
{
	if (o->flags & OPTION_HIDDEN)
		return;
	if (is_short(o))
		printf("-%c", o->key);
	printf("\t%s%s\t%s\t%s\n", o->name ? "--" : "", o->name ? o->name : "",
		o->arg ? o->arg : "", o->doc ? o->doc : "");
}

void help_print(const struct argp_state *state, enum help_kind kind)
{
	if (kind == HELP_ALL)
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP); /* exits */
	if (kind == HELP_SHORT)
		print_short(state);
	else
		options_walk(state->root_argp, put_machine, NULL);
	exit(fflush(stdout) || ferror(stdout) ? CMD_FAILED : CMD_OK);
}

/* ---- `help` ------------------------------------------------------------------------------- */

/* Run man; `quiet`: only ask whether it has the page. -1: it has not, or there is no man. */
static int run_man(const char *page, bool quiet)
{
	char name[] = "man", ask[] = "-w", open_it[] = "--";
	char *const argv[] = {name, quiet ? ask : open_it, (char *)page, NULL};
	posix_spawn_file_actions_t acts;
	int status = -1;
	extern char **environ;
	pid_t pid;

	if (posix_spawn_file_actions_init(&acts))
		return -1;
	if (quiet && (posix_spawn_file_actions_addopen(&acts, 1, "/dev/null", O_WRONLY, 0) ||
			     posix_spawn_file_actions_addopen(&acts, 2, "/dev/null", O_WRONLY, 0)))
		status = -2;
	if (status == -1 && posix_spawnp(&pid, "man", &acts, NULL, argv, environ))
		status = -2;
	posix_spawn_file_actions_destroy(&acts);
	if (status == -2 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -1;
}

struct help {
	struct cmd_env *env;
	const char *topic;
};

static error_t parse_help(int key, char *arg, struct argp_state *state)
{
	struct help *h = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, h->env);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num)
			argp_error(state, "one topic at a time");
		h->topic = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct command *command_of(const struct cmd_env *env, const char *name)
{
	size_t i;

	for (i = 0; i < env->nr_commands; i++)
		if (!strcmp(env->commands[i].name, name))
			return &env->commands[i];
	return NULL;
}

#define OTHER_TOPIC "formats"

static int refuse_topic(const struct help *h, struct err *err)
{
	struct nearest n = {.word = h->topic, .len = strlen(h->topic)};
	size_t i;

	for (i = 0; i < h->env->nr_commands; i++)
		nearest_try(&n, h->env->commands[i].name);
	nearest_try(&n, OTHER_TOPIC);
	if (n.best)
		return err_set(
			err, ERR_USAGE, "no help about '%.40s'; '%s' has some", h->topic, n.best);
	return err_set(err, ERR_USAGE, "no help about '%.40s'; 'xbdsnap --help' lists the commands",
		h->topic);
}

static int show_topic(struct help *h, struct err *err)
{
	const struct command *c = command_of(h->env, h->topic);
	CLEANUP_FREE char *page = NULL;
	char all[] = "--help=all", *words[] = {(char *)h->topic, all, NULL};

	if (!c && strcmp(h->topic, OTHER_TOPIC) != 0)
		return refuse_topic(h, err);
	if (asprintf(&page, "xbdsnap-%s", h->topic) < 0) {
		page = NULL;
		return err_nomem(err, "the page's name");
	}
	if (!run_man(page, true))
		return run_man(page, false) ? CMD_FAILED : CMD_OK;
	if (!c)
		return err_set(err, ERR_SYSTEM, "man(1) does not find the page %s", page);
	return c->run(h->env, 2, words, err);
}

int cmd_help(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_child children[] = {{.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.parser = parse_help,
		.args_doc = "[COMMAND|formats]",
		.doc = "Open the manual page of a command; without one installed, list its "
		       "options." CMD_HELP_STATUS,
		.children = children};
	struct help h = {.env = env};

	cmd_parse(&argp, argc, argv, &h);
	if (h.topic)
		return show_topic(&h, err);
	if (run_man("xbdsnap", true))
		return err_set(err, ERR_SYSTEM,
			"man(1) does not find the page xbdsnap; "
			"'xbdsnap --help' lists the commands");
	return run_man("xbdsnap", false) ? CMD_FAILED : CMD_OK;
}
