/* SPDX-License-Identifier: BSD-2-Clause
 *
 * options.h - what the tables of options say: help that fits a screen, and the near name.
 *
 * An option whose argument is one of a few words has them in its table ("auto|both|scan"): help,
 * completion and manual take them from there.
 */
#ifndef XB_CMD_OPTIONS_H
#define XB_CMD_OPTIONS_H

#include "cmd/cmd.h"

/* The lines of a terminal, which the short help does not exceed. */
#define HELP_LINES 24
/* A parser's help_filter gets its text behind \v under this key for the short help; NULL: none. */
#define HELP_KEY_SHORT 0x2100000

enum help_kind {
	HELP_SHORT, /* the first options of the table as far as they fit, the others by name */
	HELP_ALL,   /* every option in full: argp's own help */
	HELP_NAMES, /* for programs: a line an option, short, long, argument and text, by tabs */
};

/* Print to standard output and exit with 0. */
void help_print(const struct argp_state *state, enum help_kind kind);

/* The groups of options: the command's own come first, then how to print. */
enum {
	OPTIONS_OWN = 0,
	OPTIONS_TARGET = 20,
	OPTIONS_INPUT = 30,
	OPTIONS_FINDING = 40,
	OPTIONS_OUTPUT = 50,
};

/* Each option of a parser and its children by these groups, in the order of the tables. Headings
 * are left out. */
typedef void (*option_fn)(void *arg, const struct argp_option *o);
void options_walk(const struct argp *argp, option_fn fn, void *arg);

/* The candidate that `word` was meant to be, if one is near. */
struct nearest {
	const char *word;
	size_t len;
	const char *best; /* NULL: none is near */
	unsigned distance;
};
void nearest_try(struct nearest *n, const char *candidate);

/*
 * Is there a long option in argv that the parser does not have? *near is the one that was meant, or
 * NULL. `in_order`: options end at the first word that is none.
 */
const char *options_unknown(
	const struct argp *argp, int argc, char **argv, bool in_order, const char **near);

#endif
