/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fleet.h - many files in one run, and output for programs that watch many hosts: what info and
 * validate share. One bad file never stops the rest; the exit status is that of the worst.
 */
#ifndef XB_CMD_FLEET_H
#define XB_CMD_FLEET_H

#include "cmd/cmd.h"
#include "cmd/json.h"
#include "cmd/report.h"

enum fleet_format {
	FLEET_TEXT,
	FLEET_JSON,	  /* one document */
	FLEET_LINES,	  /* a document for each file, on a line of its own */
	FLEET_PROMETHEUS, /* for the textfile collector of its node exporter */
	FLEET_NAGIOS,	  /* one line and the exit status of such a plugin */
};

struct fleet {
	struct cmd_env *env;
	enum fleet_format format;
	char **paths;
	size_t nr, cap;
	char **lists; /* --files-from */
	size_t nr_lists;
	bool by_null;
	char host[256]; /* the name of this one, asked before the sandbox is shut */
};

/* --json-lines, --format, --files-from, -0; a fleet as input. */
extern const struct argp fleet_argp;

/* Note a file; -1: no memory. */
int fleet_add(struct fleet *f, const char *path) MUST_CHECK;
/* After parsing: read the lists, settle the format. */
int fleet_complete(struct fleet *f, struct err *err) MUST_CHECK;
void fleet_fini(struct fleet *f);

/* What is left of a file for programs. */
struct fleet_row {
	int status;	/* enum cmd_status */
	struct err why; /* when it could not be done */
	char *name;	/* of the guest; NULL: unknown */
	bool pending_known, oldest_known;
	uint64_t pending, writes, oldest_ns;
	bool judged;
	uint64_t found[SEVERITY_ERROR + 1];
};

/* From what was opened and analysed; `report`: of validate, or NULL. */
void fleet_fill(struct fleet_row *row, const struct cmd_input *in, const struct report *report);

/* What a command makes of one file, in any thread. */
struct fleet_look {
	struct fleet_row row;	 /* status and why are the command's to set */
	char *text;		 /* for FLEET_TEXT */
	struct json_object *doc; /* for FLEET_JSON and FLEET_LINES; NULL: it could not be opened */
};
typedef void (*fleet_look_fn)(void *arg, const char *path, struct fleet_look *look);

/* Look at all files, as many at once as there are processors, and print in their order. The exit
 * status; -1 when nothing can be printed. */
int fleet_run(const struct fleet *f, fleet_look_fn fn, void *arg, struct err *err) MUST_CHECK;

#endif
