/* SPDX-License-Identifier: BSD-2-Clause
 *
 * validate: is it safe to restore this checkpoint, here?
 */
#include "cmd/cmd.h"

#include "check/disk_facts.h"
#include "cmd/confine.h"
#include "cmd/judge.h"
#include "io/disk.h"

enum { OPT_COMPARE = 0x100 };

/* The Xen libraries open devices, and an image has a server, which must be run. */
static int confine(struct judge *j, struct err *err)
{
	bool open = j->target.live_given;
	struct door_passes passes = {0};
	size_t i;

	door_pass_add(&passes, j->path, DOOR_READ);
	target_passes(&j->target, &passes);
	for (i = 0; i < j->nr_disks; i++) {
		door_pass_add(&passes, j->disks[i].path, DOOR_READ);
		open = open || disk_needs_server(j->disks[i].format);
	}
	return cmd_confine(j->env, open ? SANDBOX_OPEN : SANDBOX_CLOSED, &passes, err);
}

static int run(struct judge *j, struct err *err)
{
	const struct cmd_env *env = j->env;
	struct err why;

	if (confine(j, err) || cmd_open(env, j->path, &j->in, err))
		return -1;
	j->path = j->in.name;
	if (judge_run(j, err))
		return -1;
	if (env->json) {
		if (judge_print_json(j, env->out, err))
			return -1;
	} else if (!env->quiet) {
		judge_print_text(j, env->out);
	}
	if (cmd_verdict(&j->in, &why))
		cmd_note_err(env, &why);
	return judge_status(j);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct judge *j = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, j->env);
		state->child_inputs[0] = j;
		state->child_inputs[1] = &j->target;
		return 0;
	case ARGP_KEY_ARG:
		cmd_take_path(state, arg, &j->path);
		return 0;
	case ARGP_KEY_END:
		cmd_need_path(state, j->env, j->path);
		return 0;
	case ARGP_KEY_SUCCESS:
		if (j->compare && !j->target.live_given)
			argp_error(state, "--compare-pages needs --domid");
		return 0;
	case OPT_COMPARE:
		j->compare = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{.name = "compare-pages",
		.key = OPT_COMPARE,
		.doc = "with --domid: the pages of requests and rings must be the checkpoint's"},
	{0},
};

int cmd_validate(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_child children[] = {{.argp = &judge_argp}, {.argp = &target_argp},
		{.argp = &cmd_live_argp}, {.argp = &cmd_locate_argp}, {.argp = &cmd_common_argp},
		{0}};
	static const struct argp argp = {.options = options,
		.parser = parse,
		.args_doc = "FILE",
		.doc = "Say whether it is safe to restore a checkpoint. -q prints nothing, -v "
		       "explains." CMD_HELP_STATUS,
		.children = children};
	struct judge j;
	int rc;

	judge_init(&j, env);
	cmd_parse(&argp, argc, argv, &j);
	rc = run(&j, err);
	judge_fini(&j);
	return rc;
}
