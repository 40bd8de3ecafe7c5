/* SPDX-License-Identifier: BSD-2-Clause
 *
 * cmd.h - what a command is, and what all commands share.
 *
 * A command is one file and one row in the table of xbdsnap.c. run() returns an exit status
 * (enum cmd_status), or -1 with an error that the front door prints and maps to a status; output
 * that was already written stays. Commands never print errors themselves; notes go through
 * cmd_note().
 */
#ifndef XB_CMD_CMD_H
#define XB_CMD_CMD_H

#include <argp.h>

#include "frontend/frontend.h"
#include "io/inputs.h"
#include "io/journal.h"

enum cmd_status {
	CMD_OK = 0,
	CMD_WARNINGS = 1, /* findings of severity warning at most; differences */
	CMD_USAGE = 2,
	CMD_UNSAFE = 3,
	CMD_UNDETERMINED = 4,
	CMD_CORRUPT = 5,
	CMD_FAILED = 6,
};

enum cmd_color {
	CMD_COLOR_AUTO,
	CMD_COLOR_ALWAYS,
	CMD_COLOR_NEVER,
};

struct command;
struct xenhost;

struct cmd_env {
	const struct command *commands; /* all that there are */
	size_t nr_commands;
	FILE *out;  /* data; stdout */
	FILE *talk; /* stderr */
	bool quiet, verbose, json, no_sandbox;
	enum cmd_color color;
	struct frontend_options frontend; /* --locate, --kernel */
	uint64_t offset;		  /* of the checkpoint in its file */
	uint64_t max_bytes;		  /* that may be unpacked; 0 the default */
	const char *live;		  /* in place of a file: this domain; NULL a file */
	bool pause;			  /* while it is looked at */
	struct xenhost *xen;		  /* owned; opened by cmd_confine() where it is needed */
	const char *log;		  /* --log: the socket, or NULL; cmd/log.h */
	enum journal_form log_form;
	int log_fd;
	bool log_lost; /* an entry was not taken, and that was said */
};

void cmd_env_fini(struct cmd_env *env);

struct command {
	const char *name, *summary;
	int (*run)(struct cmd_env *env, int argc, char **argv, struct err *err);
};

int cmd_info(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_dump(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_diff(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_export(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_extract(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_redact(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_validate(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_replay(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_watch(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_guard(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_p2m(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_report(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_rules(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_summary(struct cmd_env *env, int argc, char **argv, struct err *err);
int cmd_help(struct cmd_env *env, int argc, char **argv, struct err *err);

/*
 * Options that every command takes (-v -q -J --color), those of commands that look into the guest
 * (--locate --kernel), and of those that look at a live domain too (--live): children of a
 * command's argp, all with the env as input.
 */
extern const struct argp cmd_common_argp, cmd_locate_argp, cmd_live_argp;
/* For a command's own parser at ARGP_KEY_INIT: hand the env to all children. */
void cmd_init_children(struct argp_state *state, struct cmd_env *env);
/* argp_parse with "xbdsnap NAME" as the program; does not return on bad usage (exit 2). */
void cmd_parse(const struct argp *argp, int argc, char **argv, void *input);
/* Does not return when argv holds a long option that the parser does not have: names the near one.
 */
void cmd_refuse_unknown(const struct argp *argp, int argc, char **argv, bool in_order);
/* The one checkpoint that most commands take; argp_error() for a second, or none, or one beside
 * --live. */
void cmd_take_path(struct argp_state *state, const char *arg, const char **path);
void cmd_need_path(struct argp_state *state, const struct cmd_env *env, const char *path);
/* The tail of every command's --help. */
#define CMD_HELP_STATUS                                                                            \
	"\vExit status: 0 done; 1 warnings, differences; 2 usage; 3 unsafe, refused; 4 not "       \
	"determined; 5 not a checkpoint, or damaged; 6 operation failed."

/* A line on stderr unless -q. */
void cmd_note(const struct cmd_env *env, const char *fmt, ...) PRINTF(2, 3);
/* An error as such a line: its text, and what would help. */
void cmd_note_err(const struct cmd_env *env, const struct err *err);
/* The exit status of a command that ended with it. */
int cmd_status_of(const struct err *err);
/* What would help, in the words of the command line; NULL: nothing that we know. */
const char *cmd_hint(const struct err *err);
/* The word of err_override() that has this text, as a static one; NULL: none has. */
const char *cmd_hint_word(const char *text);
bool cmd_use_color(const struct cmd_env *env);
bool cmd_talk_color(const struct cmd_env *env); /* on stderr */

/* A checkpoint or a live domain, its guest, and what was found in it. */
struct cmd_input {
	struct ckpt *ck;	      /* NULL: a live domain */
	struct live_input *live;      /* NULL: a file */
	const struct ckpt_info *info; /* of either; NULL: it could not be opened */
	const char *name;	      /* of the file, or "domain 3 (vm)" */
	struct memory memory;	      /* of either */
	struct guest *guest;
	struct snapshot snap;
	struct err why;	     /* when guest is NULL: why its memory cannot be read */
	struct inputs files; /* the checkpoint and --kernel; a command adds what else it reads */
};

/*
 * Open the file, or with env->live the domain, and the guest's memory. The latter may fail: then
 * in->guest is NULL. ERR_REFUSED when standard output is that file.
 */
int cmd_open(const struct cmd_env *env, const char *path, struct cmd_input *in,
	struct err *err) MUST_CHECK;
/* The same of a checkpoint that is open as a source; takes over `src`, also on failure. */
int cmd_open_source(const struct cmd_env *env, struct source *src, struct cmd_input *in,
	struct err *err) MUST_CHECK;
/* Run the frontends. Without guest memory: -1 and in->why. */
int cmd_analyse(const struct cmd_env *env, struct cmd_input *in, struct err *err) MUST_CHECK;
/* Only the look, without a word on it; at a live domain again and again: in->snap is filled anew.
 */
int cmd_look(const struct cmd_env *env, struct cmd_input *in, struct err *err) MUST_CHECK;
void cmd_close(struct cmd_input *in);
size_t cmd_nr_vcpus(const struct cmd_input *in);
/* Is the file still what it was when it was opened? Asked before what was made of it gets a name.
 */
int cmd_unchanged(const struct cmd_input *in, struct err *err) MUST_CHECK;
/* -1: err stays, unless the file has changed, which is then the cause: a mapping that ends early
 * lets a write fail with EFAULT. */
int cmd_failed(const struct cmd_input *in, struct err *err) MUST_CHECK;
/*
 * What the file itself says of the answer, once the output is written: CMD_OK, or -1 when it is
 * incomplete or holds no known frontend.
 */
int cmd_verdict(const struct cmd_input *in, struct err *err) MUST_CHECK;
/* Say what the analysis found wrong, for commands whose output has no place for it. */
void cmd_note_findings(const struct cmd_env *env, const struct cmd_input *in);

/* Copies for output, malloc'ed; NULL: no memory. Text of the guest is hostile to a terminal:
 * control characters, what turns the direction of writing, and broken UTF-8 become \xNN. For JSON
 * broken UTF-8 becomes U+FFFD. */
char *cmd_safe_text(const char *text, size_t bytes);
char *cmd_valid_utf8(const char *text, size_t bytes);

#endif
