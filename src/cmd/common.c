/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "cmd/live_input.h"
#include "cmd/look.h"
#include "cmd/options.h"
#include "cmd/phases.h"

enum {
	OPT_COLOR = 0x200,
	OPT_LOCATE,
	OPT_KERNEL,
	OPT_MODULE,
	OPT_OFFSET,
	OPT_FD,
	OPT_MAX_SIZE,
	OPT_LIVE,
	OPT_USAGE,
	OPT_NO_SANDBOX,
	OPT_PAUSE,
};

static void show_help(const struct argp_state *state, const char *form)
{
	if (!form)
		help_print(state, HELP_SHORT);
	else if (!strcmp(form, "all"))
		help_print(state, HELP_ALL);
	else if (!strcmp(form, "names"))
		help_print(state, HELP_NAMES);
	else
		argp_error(state, "--help takes all or names, or nothing, not '%s'", form);
}

/* With -v also what confines a command on this kernel. */
static void show_version(const struct argp_state *state)
{
	bool verbose = false;
	int i;

	for (i = 1; i < state->argc; i++)
		verbose = verbose || !strcmp(state->argv[i], "-v") ||
			  !strcmp(state->argv[i], "--verbose");
	puts(argp_program_version);
	if (verbose)
		phases_print();
	exit(fflush(stdout) || ferror(stdout) ? CMD_FAILED : CMD_OK);
}

static error_t parse_common(int key, char *arg, struct argp_state *state)
{
	struct cmd_env *env = state->input;

	switch (key) {
	case 'v':
		env->verbose = true;
		return 0;
	case 'q':
		env->quiet = true;
		return 0;
	case 'J':
		env->json = true;
		return 0;
	case OPT_COLOR:
		if (!strcmp(arg, "auto"))
			env->color = CMD_COLOR_AUTO;
		else if (!strcmp(arg, "always"))
			env->color = CMD_COLOR_ALWAYS;
		else if (!strcmp(arg, "never"))
			env->color = CMD_COLOR_NEVER;
		else
			argp_error(state, "--color takes auto, always or never, not '%s'", arg);
		return 0;
	case '?':
		show_help(state, arg);
		return 0;
	case OPT_USAGE:
		argp_state_help(state, stdout, ARGP_HELP_USAGE | ARGP_HELP_EXIT_OK);
		return 0;
	case 'V':
		show_version(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option common_options[] = {
	{.doc = "Output:", .group = OPTIONS_OUTPUT},
	{.name = "json", .key = 'J', .doc = "one JSON document", .group = OPTIONS_OUTPUT},
	{.name = "verbose", .key = 'v', .doc = "say more", .group = OPTIONS_OUTPUT},
	{.name = "quiet", .key = 'q', .doc = "no notes on stderr", .group = OPTIONS_OUTPUT},
	{.name = "color",
		.key = OPT_COLOR,
		.arg = "auto|always|never",
		.doc = "colours (default auto: on a terminal)",
		.group = OPTIONS_OUTPUT},
	{.name = "help",
		.key = '?',
		.arg = "all|names",
		.flags = OPTION_ARG_OPTIONAL,
		.doc = "this help; all: every option",
		.group = -1},
	{.name = "usage", .key = OPT_USAGE, .doc = "all options in short", .group = -1},
	{.name = "version", .key = 'V', .doc = "the version", .group = -1},
	{0},
};

const struct argp cmd_common_argp = {.options = common_options, .parser = parse_common};

static error_t parse_locate(int key, char *arg, struct argp_state *state)
{
	struct cmd_env *env = state->input;

	switch (key) {
	case OPT_LOCATE:
		if (!strcmp(arg, "auto"))
			env->frontend.locate = FRONTEND_LOCATE_AUTO;
		else if (!strcmp(arg, "both"))
			env->frontend.locate = FRONTEND_LOCATE_BOTH;
		else if (!strcmp(arg, "symbols"))
			env->frontend.locate = FRONTEND_LOCATE_SYMBOLS;
		else if (!strcmp(arg, "scan"))
			env->frontend.locate = FRONTEND_LOCATE_SCAN;
		else
			argp_error(
				state, "--locate takes auto, both, symbols or scan, not '%s'", arg);
		return 0;
	case OPT_KERNEL:
		env->frontend.kernel_path = arg;
		return 0;
	case OPT_MODULE:
		env->frontend.module_path = arg;
		return 0;
	case ARGP_KEY_END:
		if (env->frontend.module_path && !env->frontend.kernel_path)
			argp_error(state, "--module needs --kernel");
		return ARGP_ERR_UNKNOWN;
	case OPT_OFFSET:
		if (!num_parse_u64(arg, INT64_MAX, &env->offset))
			argp_error(state, "--offset takes a number of bytes, not '%s'", arg);
		return 0;
	case OPT_MAX_SIZE:
		if (!num_parse_bytes(arg, &env->max_bytes) || !env->max_bytes)
			argp_error(state, "--max-size takes a size (300M, 2G), not '%s'", arg);
		return 0;
	case OPT_NO_SANDBOX:
		env->no_sandbox = true;
		return 0;
	case OPT_FD: /* cmd_parse() has made a file of it */
		argp_error(state, "--fd takes the number of an open descriptor, not '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option locate_options[] = {
	{.doc = "Input:", .group = OPTIONS_INPUT},
	{.name = "fd",
		.key = OPT_FD,
		.arg = "N",
		.doc = "in the place of a file: read this open descriptor, a file or a pipe",
		.group = OPTIONS_INPUT},
	{.name = "offset",
		.key = OPT_OFFSET,
		.arg = "BYTES",
		.doc = "the checkpoint begins there in the (unpacked) file",
		.group = OPTIONS_INPUT},
	{.name = "max-size",
		.key = OPT_MAX_SIZE,
		.arg = "SIZE",
		.doc = "unpack so much at most, or take from a pipe (default: 64G, and 2048 times "
		       "what is packed)",
		.group = OPTIONS_INPUT},
	{.name = "no-sandbox",
		.key = OPT_NO_SANDBOX,
		.doc = "keep all rights while the input is read",
		.group = OPTIONS_INPUT},
	{.doc = "Finding the ring:", .group = OPTIONS_FINDING},
	{.name = "locate",
		.key = OPT_LOCATE,
		.arg = "auto|both|symbols|scan",
		.doc = "by symbols, by a scan of every page, by both, or (auto) by symbols and by "
		       "every page only where something about them is in doubt",
		.group = OPTIONS_FINDING},
	{.name = "kernel",
		.key = OPT_KERNEL,
		.arg = "FILE",
		.doc = "take symbols from this ELF file or System.map, and types from its DWARF "
		       "where the image has none",
		.group = OPTIONS_FINDING},
	{.name = "module",
		.key = OPT_MODULE,
		.arg = "FILE",
		.doc = "with --kernel: take types from the DWARF of this module, too",
		.group = OPTIONS_FINDING},
	{0},
};

const struct argp cmd_locate_argp = {.options = locate_options, .parser = parse_locate};

static error_t parse_live(int key, char *arg, struct argp_state *state)
{
	struct cmd_env *env = state->input;

	switch (key) {
	case OPT_LIVE:
		if (!*arg)
			argp_error(state, "--live takes the number or the name of a domain");
		env->live = arg;
		return 0;
	case OPT_PAUSE:
		env->pause = true;
		return 0;
	case ARGP_KEY_END:
		if (env->pause && !env->live)
			argp_error(state, "--pause needs --live");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option live_options[] = {
	{.doc = "Input:", .group = OPTIONS_INPUT},
	{.name = "live",
		.key = OPT_LIVE,
		.arg = "DOMAIN",
		.doc = "in the place of a file: this domain of this host, by number or name, in "
		       "whatever state it is; it is only looked at",
		.group = OPTIONS_INPUT},
	{.name = "pause",
		.key = OPT_PAUSE,
		.doc = "with --live: pause it for the milliseconds in which its rings are read",
		.group = OPTIONS_INPUT},
	{0},
};

const struct argp cmd_live_argp = {.options = live_options, .parser = parse_live};

/* Of argp's parsers the first is the command's: cmd_parse() leaves out argp's own, for help. */
void cmd_init_children(struct argp_state *state, struct cmd_env *env)
{
	const struct argp_child *c = state->root_argp->children;
	size_t i;

	for (i = 0; c && c[i].argp; i++)
		state->child_inputs[i] = env;
}

/* "--fd=N" and "--fd N" stand where a file is named, and become its name. They live as long as
 * argv. */
static int name_descriptors(int argc, char **argv)
{
	int from, to = 1;

	for (from = 1; from < argc && strcmp(argv[from], "--"); from++) {
		char *word = argv[from], *value = NULL;
		uint64_t fd;

		if (!strncmp(word, "--fd=", 5))
			value = word + 5;
		else if (!strcmp(word, "--fd") && from + 1 < argc)
			value = argv[++from];
		argv[to] = word;
		if (value && num_parse_u64(value, INT_MAX, &fd) &&
			asprintf(&argv[to], "/dev/fd/%" PRIu64, fd) < 0)
			argv[to] = word;
		if (value && argv[to] == word && value == argv[from])
			argv[++to] = value; /* no number: argp says so */
		to++;
	}
	while (from < argc)
		argv[to++] = argv[from++];
	argv[to] = NULL;
	return to;
}

void cmd_refuse_unknown(const struct argp *argp, int argc, char **argv, bool in_order)
{
	const char *near, *word = options_unknown(argp, argc, argv, in_order, &near);
	CLEANUP_FREE char *name = word ? cmd_safe_text(word, strcspn(word, "=")) : NULL;

	if (!word)
		return;
	fprintf(stderr, "%s: there is no option '%s'; ", argv[0], name ? name : word);
	if (near)
		fprintf(stderr, "'--%s' is one\n", near);
	else
		fprintf(stderr, "'%s --help' lists them\n", argv[0]);
	exit(CMD_USAGE);
}

void cmd_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	CLEANUP_FREE char *name = NULL;

	if (asprintf(&name, "xbdsnap %s", argv[0]) < 0)
		name = NULL;
	if (name)
		argv[0] = name;
	argc = name_descriptors(argc, argv);
	cmd_refuse_unknown(argp, argc, argv, false);
	argp_parse(argp, argc, argv, ARGP_NO_HELP, NULL, input);
}

void cmd_take_path(struct argp_state *state, const char *arg, const char **path)
{
	if (*path)
		argp_error(state, "one checkpoint at a time");
	*path = arg;
}

void cmd_need_path(struct argp_state *state, const struct cmd_env *env, const char *path)
{
	if (!path && !env->live)
		argp_error(state, "no checkpoint named");
	if (path && env->live)
		argp_error(state, "--live takes the place of a file: '%s'", path);
	if (env->live && env->offset)
		argp_error(state, "--offset is of a file, --live is none");
}

void cmd_note(const struct cmd_env *env, const char *fmt, ...)
{
	va_list ap;

	if (env->quiet)
		return;
	fputs("xbdsnap: ", env->talk);
	va_start(ap, fmt);
	vfprintf(env->talk, fmt, ap);
	va_end(ap);
	fputc('\n', env->talk);
}

void cmd_note_err(const struct cmd_env *env, const struct err *err)
{
	const char *hint = cmd_hint(err);

	cmd_note(env, "%s%s%s", err->text, hint ? "; " : "", hint ? hint : "");
}

/* Those whose text is more than the unknown sector that everybody shows anyway. */
static size_t nr_troubled(const struct snapshot *s)
{
	size_t i, k, nr = 0;

	for (i = 0; i < s->nr_devices; i++)
		for (k = 0; k < s->devices[i].nr_requests; k++) {
			const struct io_request *r = &s->devices[i].requests[k];

			nr += r->trouble &&
			      (r->sector_from != IO_SECTOR_UNKNOWN || r->nr_seg < r->segs_wanted);
		}
	return nr;
}

void cmd_note_findings(const struct cmd_env *env, const struct cmd_input *in)
{
	const struct finding_list *f = &in->snap.findings;
	size_t i, nr = nr_troubled(&in->snap);

	for (i = 0; i < f->nr; i++) {
		CLEANUP_FREE char *text = cmd_safe_text(f->v[i].message, strlen(f->v[i].message));

		cmd_note(env, "%s: %s%s%s", f->v[i].rule, f->v[i].device,
			*f->v[i].device ? ": " : "", text ? text : "");
	}
	for (i = 0; i < f->nr_counts; i++)
		if (finding_left_out(&f->counts[i]))
			cmd_note(env, "%s: %" PRIu64 " more of these", f->counts[i].rule,
				finding_left_out(&f->counts[i]));
	if (nr)
		cmd_note(env, "%zu request%s could not be read completely: dump -v says why", nr,
			nr == 1 ? "" : "s");
}

static bool color_on(const struct cmd_env *env, FILE *out)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (env->color != CMD_COLOR_AUTO)
		return env->color == CMD_COLOR_ALWAYS;
	return !(no && *no) && !(term && !strcmp(term, "dumb")) && isatty(fileno(out));
}

bool cmd_use_color(const struct cmd_env *env)
{
	return color_on(env, env->out);
}

bool cmd_talk_color(const struct cmd_env *env)
{
	return color_on(env, env->talk);
}

static int note_inputs(const struct cmd_env *env, struct cmd_input *in, struct err *err)
{
	if (inputs_add_source(&in->files, ckpt_source(in->ck), err) ||
		inputs_add_path(&in->files, env->frontend.kernel_path, err) ||
		inputs_add_path(&in->files, env->frontend.module_path, err))
		return -1;
	return inputs_refuse_fd(&in->files, fileno(env->out), "standard output", err);
}

static void use_checkpoint(struct cmd_input *in, struct ckpt *ck)
{
	in->ck = ck;
	in->info = ckpt_info(ck);
	in->name = source_path(ckpt_source(ck));
	in->memory = memory_of_ckpt(ck);
}

static int open_file(
	const struct cmd_env *env, const char *path, struct cmd_input *in, struct err *err)
{
	if (ckpt_open_at(path, env->offset, env->max_bytes, &in->ck, err))
		return -1;
	if (note_inputs(env, in, err)) {
		cmd_close(in);
		memset(in, 0, sizeof(*in));
		return -1;
	}
	use_checkpoint(in, in->ck);
	return 0;
}

static int open_domain(const struct cmd_env *env, struct cmd_input *in, struct err *err)
{
	if (live_input_open(env->xen, env->live, &in->live, err))
		return err_in(err, "--live %s", env->live);
	in->info = live_input_info(in->live);
	in->name = live_input_name(in->live);
	in->memory = live_input_memory(in->live);
	return inputs_add_path(&in->files, env->frontend.kernel_path, err) ||
			       inputs_add_path(&in->files, env->frontend.module_path, err)
		       ? -1
		       : 0;
}

static void open_guest(struct cmd_input *in)
{
	if (guest_open(in->memory, &in->guest, &in->why))
		in->guest = NULL;
}

int cmd_open(const struct cmd_env *env, const char *path, struct cmd_input *in, struct err *err)
{
	memset(in, 0, sizeof(*in));
	if (env->live ? open_domain(env, in, err) : open_file(env, path, in, err))
		return -1;
	open_guest(in);
	return 0;
}

int cmd_open_source(
	const struct cmd_env *env, struct source *src, struct cmd_input *in, struct err *err)
{
	memset(in, 0, sizeof(*in));
	if (ckpt_open_source(src, &in->ck, err) ||
		inputs_add_path(&in->files, env->frontend.kernel_path, err))
		return -1;
	use_checkpoint(in, in->ck);
	open_guest(in);
	return 0;
}

/* Why it took so long, where nobody asked for that. A document says it itself. */
static void note_doubt(const struct cmd_env *env, const struct snapshot *s)
{
	CLEANUP_FREE char *text = s->doubt ? cmd_safe_text(s->doubt, strlen(s->doubt)) : NULL;

	if (text && s->every_page && env->frontend.locate == FRONTEND_LOCATE_AUTO && !env->json &&
		!env->frontend.facts_only)
		cmd_note(env, "every page was looked at: %s", text);
}

/* A live domain changes all the time, and says so itself. */
int cmd_unchanged(const struct cmd_input *in, struct err *err)
{
	return in->ck ? source_check(ckpt_source(in->ck), err) : 0;
}

int cmd_failed(const struct cmd_input *in, struct err *err)
{
	struct err changed;

	if (cmd_unchanged(in, &changed))
		*err = changed;
	return -1;
}

int cmd_look(const struct cmd_env *env, struct cmd_input *in, struct err *err)
{
	struct frontend_options opt = env->frontend;

	opt.config = in->info;
	opt.running = in->live && !in->info->suspended;
	if (in->live ? live_input_look(in->live, in->guest, &opt, env->pause, &in->snap, err)
		     : frontend_analyse(in->guest, &opt, &in->snap, err))
		return err_in(err, "%s", in->name);
	return 0;
}

int cmd_analyse(const struct cmd_env *env, struct cmd_input *in, struct err *err)
{
	if (!in->guest) {
		if (cmd_unchanged(in, err))
			return -1;
		*err = in->why;
		/* The cause of what is missing, where it is known. */
		if (!in->info->complete) {
			err->cls = ERR_CORRUPT;
			err_in(err, "incomplete checkpoint (%s)", in->info->incomplete_why);
		}
		return err_in(err, "%s", in->name);
	}
	if (cmd_look(env, in, err))
		return -1;
	if (in->live && !env->json)
		look_note(env, in);
	note_doubt(env, &in->snap);
	frontend_report_missing(in->info, &in->snap);
	return cmd_unchanged(in, err);
}

void cmd_close(struct cmd_input *in)
{
	snapshot_fini(&in->snap);
	guest_close(in->guest);
	ckpt_close(in->ck);
	live_input_close(in->live);
	inputs_fini(&in->files);
}

int cmd_verdict(const struct cmd_input *in, struct err *err)
{
	if (cmd_unchanged(in, err))
		return -1;
	if (!in->info->complete)
		return err_set(err, ERR_CORRUPT, "%s: incomplete checkpoint: %s", in->name,
			in->info->incomplete_why);
	if (!in->guest)
		return err_set(err, ERR_NODATA, "%s: %s", in->name, in->why.text);
	if (in->snap.nr_devices)
		return CMD_OK;
	err_set(err, ERR_NOTFOUND, "%s: no known block frontend found; looked for %s", in->name,
		in->snap.looked_for ? in->snap.looked_for : "none that fits this guest");
	return err_override(err, "frontend");
}

size_t cmd_nr_vcpus(const struct cmd_input *in)
{
	return in->ck ? ckpt_nr_vcpus(in->ck) : live_input_nr_vcpus(in->live);
}
