/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xbdsnap.c - the front door: global options, the table of commands, and the one place that
 * prints errors and chooses the exit status.
 */
#include <argp.h>
#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "cmd/options.h"
#include "cmd/show.h"

static const struct command commands[] = {
	{"info", "what a file is and what is in it", cmd_info},
	{"dump", "list every pending block request", cmd_dump},
	{"extract", "write the payload of a request, or a page of the guest", cmd_extract},
	{"diff", "compare two checkpoints of one guest", cmd_diff},
	{"export", "write the guest as a core file for crash and drgn", cmd_export},
	{"redact", "write a copy without the pages that nobody needs", cmd_redact},
	{"validate", "say whether it is safe to restore", cmd_validate},
	{"report", "write all that there is to know as one HTML file", cmd_report},
	{"replay", "show what resume will issue again, and what of it landed", cmd_replay},
	{"watch", "how old the pending requests of a live domain get", cmd_watch},
	{"guard", "pass a stream on, and say on its way whether it is safe", cmd_guard},
	{"p2m", "write the table of frames of a live domain", cmd_p2m},
	{"rules", "list what validate and the decoders can find", cmd_rules},
	{"summary", "sum up what many hosts say, a row for each", cmd_summary},
	{"help", "open the manual page of a command", cmd_help},
};

const char *argp_program_version = "xbdsnap " XBDSNAP_VERSION;

struct globals {
	struct cmd_env env;
	int command_at; /* index in argv; 0: none */
};

static void print_commands(FILE *out)
{
	size_t i;

	fputs("Commands:\n", out);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
}

static char *help_filter(int key, const char *text, void *input UNUSED)
{
	char *list = NULL;
	size_t bytes;
	FILE *f;

	if (key != ARGP_KEY_HELP_POST_DOC && key != HELP_KEY_SHORT)
		return (char *)text;
	f = open_memstream(&list, &bytes);
	if (!f)
		return (char *)text;
	print_commands(f);
	fclose(f);
	return list;
}

static const char first_words[] =
	"xbdsnap finds the block requests that a saved Xen guest had in flight.\n\n"
	"  xbdsnap info vm.save        what the file is and what is in it\n"
	"  xbdsnap dump vm.save        each request that was pending: what, where, how old\n"
	"  xbdsnap validate vm.save    is it safe to restore it?\n\n"
	"'xbdsnap --help' lists the commands, 'xbdsnap help dump' opens a manual page.\n";

static error_t parse_global(int key, char *arg UNUSED, struct argp_state *state)
{
	struct globals *g = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &g->env;
		return 0;
	case ARGP_KEY_ARG:
		g->command_at = state->next - 1;
		state->next = state->argc; /* the rest belongs to the command */
		return 0;
	case ARGP_KEY_NO_ARGS:
		fputs(first_words, stderr);
		exit(CMD_USAGE);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child global_children[] = {{.argp = &cmd_common_argp}, {0}};
static const struct argp global_argp = {
	.parser = parse_global,
	.args_doc = "COMMAND [OPTION...] FILE",
	.doc = "Open a saved Xen domU, find the block requests that it had in flight, and say what "
	       "a restore will do with them. 'xbdsnap COMMAND --help' says more.\v",
	.children = global_children,
	.help_filter = help_filter,
};

static const struct command *find_command(const char *name, struct err *err)
{
	struct nearest n = {.word = name, .len = strlen(name)};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
		nearest_try(&n, commands[i].name);
	}
	err_set(err, ERR_USAGE, "'%.40s' is not a command%s%s%s", name, n.best ? "; '" : "",
		n.best ? n.best : "", n.best ? "' is" : "; 'xbdsnap --help' lists them");
	return NULL;
}

static int report_error(const struct cmd_env *env, const struct err *err)
{
	char *text = cmd_safe_text(err->text, strlen(err->text));
	const char *hint = cmd_hint(err);
	bool color = cmd_talk_color(env);

	fprintf(stderr, "%sxbdsnap%s: %s%s%s\n", show_begin(color, "error"),
		show_end(color, "error"), text ? text : err->text, hint ? "; " : "",
		hint ? hint : "");
	free(text);
	return cmd_status_of(err);
}

/* The input is mapped: when it shrinks while we read, the kernel says so with SIGBUS. */
static void input_shrank(int sig UNUSED)
{
	static const char text[] = "xbdsnap: the input shrank or failed while it was read\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)ignored;
	_exit(CMD_CORRUPT);
}

/* `failed`: the system said no before, and that was told; most likely it is the same. */
static int close_stdout(const struct cmd_env *env, int status, bool failed)
{
	struct err err;

	if (!ferror(stdout) && !fflush(stdout) && (!fclose(stdout) || errno == EBADF))
		return status;
	if (failed)
		return CMD_FAILED;
	err_sys(&err, "cannot write the output");
	return report_error(env, &err);
}

int main(int argc, char **argv)
{
	struct globals g = {.env = {.commands = commands,
				    .nr_commands = ARRAY_SIZE(commands),
				    .out = stdout,
				    .talk = stderr}};
	struct sigaction bus = {.sa_handler = input_shrank};
	const struct command *c;
	struct err err = ERR_INIT;
	int status;
	bool failed;

	setlocale(LC_CTYPE, "");
	/* Large tables come and go. A fixed threshold keeps each in a mapping of its own, which
	 * goes back to the system at once; glibc would raise it with the first that is freed. */
#ifdef M_MMAP_THRESHOLD
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
#endif
	argp_err_exit_status = CMD_USAGE;
	sigaction(SIGBUS, &bus, NULL);
	cmd_refuse_unknown(&global_argp, argc, argv, true);
	argp_parse(&global_argp, argc, argv, ARGP_IN_ORDER | ARGP_NO_HELP, NULL, &g);
	c = find_command(argv[g.command_at], &err);
	if (!c)
		return report_error(&g.env, &err);
	status = c->run(&g.env, argc - g.command_at, argv + g.command_at, &err);
	failed = status < 0;
	if (failed) {
		fflush(stdout);
		status = report_error(&g.env, &err);
	}
	cmd_env_fini(&g.env);
	return close_stdout(&g.env, status, failed && err.cls == ERR_SYSTEM);
}
