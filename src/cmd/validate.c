/* SPDX-License-Identifier: BSD-2-Clause
 *
 * validate: is it safe to restore this checkpoint, here? And of many: which of them are.
 */
#include "cmd/cmd.h"

#include <string.h>

#include "cmd/confine.h"
#include "cmd/fleet.h"
#include "cmd/judge.h"
#include "cmd/log.h"

enum { OPT_COMPARE = 0x100 };

struct validate {
	struct judge judge; /* the user's options; and the one file */
	struct fleet fleet;
};

static int confine_validate(struct validate *v, struct err *err)
{
	struct judge *j = &v->judge;
	struct door_passes passes = {0};
	size_t i;

	judge_passes(j, &passes);
	for (i = 0; i < v->fleet.nr; i++)
		door_pass_add(&passes, v->fleet.paths[i], DOOR_READ);
	return cmd_confine(j->env, target_domid(&j->target), &passes, err);
}

static int open_and_judge(struct judge *j, struct err *err)
{
	if (cmd_open(j->env, j->path, &j->in, err))
		return -1;
	j->path = j->in.name;
	return judge_run(j, err);
}

static int judge_one(struct judge *j, struct err *err)
{
	const struct cmd_env *env = j->env;
	struct err why;

	if (open_and_judge(j, err)) {
		log_error(j->env, "validate", j->path, err);
		return -1;
	}
	if (env->json) {
		if (judge_print_json(j, env->out, err))
			return -1;
	} else if (!env->quiet) {
		judge_print_text(j, env->out);
	}
	log_judge(j, "validate");
	if (cmd_verdict(&j->in, &why))
		cmd_note_err(env, &why);
	return judge_status(j);
}

/* ---- of many ------------------------------------------------------------------------------ */

static char *text_of(const struct judge *j)
{
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	if (!f)
		return NULL;
	judge_print_text(j, f);
	fclose(f);
	return text;
}

/* What all have in common is the user's; it is lent, not copied. */
static void judge_lent(const struct judge *users, const char *path, struct judge *j)
{
	judge_init(j, users->env);
	j->path = path;
	j->policy = users->policy;
	j->fail_on = users->fail_on;
	j->never_fail = users->never_fail;
	j->thorough = users->thorough;
}

static void look_at(void *arg, const char *path, struct fleet_look *look)
{
	const struct validate *v = arg;
	struct err *why = &look->row.why;
	struct judge j;

	judge_lent(&v->judge, path, &j);
	if (open_and_judge(&j, why)) {
		look->row.status = cmd_status_of(why);
		log_error(j.env, "validate", path, why);
	} else {
		log_judge(&j, "validate");
		if (!cmd_verdict(&j.in, why))
			*why = (struct err)ERR_INIT;
		look->row.status = judge_status(&j);
		fleet_fill(&look->row, &j.in, &j.report);
		if (v->fleet.env->json)
			look->doc = judge_json(&j);
		else if (v->fleet.format == FLEET_TEXT && !v->fleet.env->quiet)
			look->text = text_of(&j);
	}
	memset(&j.policy, 0, sizeof(j.policy));
	judge_fini(&j);
}

static int run_validate(struct validate *v, struct err *err)
{
	const struct fleet *f = &v->fleet;
	struct judge *j = &v->judge;
	bool one = f->nr == 1 || j->env->live;

	if (log_open(j->env, err) || confine_validate(v, err))
		return -1;
	if (one && (f->format == FLEET_TEXT || f->format == FLEET_JSON)) {
		j->path = f->nr ? f->paths[0] : NULL;
		return judge_one(j, err);
	}
	if (j->env->live)
		return err_set(err, ERR_USAGE, "--live goes with text and --json");
	if (j->nr_disks || j->target.p2m_path || j->target.live_given || j->target.caps_path)
		return err_set(err, ERR_USAGE,
			"--disk and the options of a target host are for one checkpoint, as text "
			"or with --json");
	return fleet_run(f, look_at, v, err);
}

/* ---- options ------------------------------------------------------------------------------ */

static error_t parse_validate(int key, char *arg, struct argp_state *state)
{
	struct validate *v = state->input;
	struct judge *j = &v->judge;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, j->env);
		state->child_inputs[0] = j;
		state->child_inputs[1] = &j->target;
		state->child_inputs[2] = &v->fleet;
		return 0;
	case ARGP_KEY_ARG:
		if (fleet_add(&v->fleet, arg))
			argp_failure(state, CMD_FAILED, 0, "out of memory");
		return 0;
	case ARGP_KEY_END:
		if (!v->fleet.nr_lists)
			cmd_need_path(state, j->env, v->fleet.nr ? v->fleet.paths[0] : NULL);
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
		{.argp = &fleet_argp}, {.argp = &cmd_live_argp}, {.argp = &cmd_locate_argp},
		{.argp = &cmd_log_argp}, {.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.options = options,
		.parser = parse_validate,
		.args_doc = "FILE...",
		.doc = "Say whether it is safe to restore a checkpoint. -q prints nothing, -v "
		       "explains." CMD_HELP_STATUS,
		.children = children};
	struct validate v = {.fleet = {.env = env}};
	int rc;

	judge_init(&v.judge, env);
	cmd_parse(&argp, argc, argv, &v);
	rc = fleet_complete(&v.fleet, err) ? -1 : run_validate(&v, err);
	judge_fini(&v.judge);
	fleet_fini(&v.fleet);
	return rc;
}
