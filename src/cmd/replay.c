/* SPDX-License-Identifier: BSD-2-Clause
 *
 * replay: what resume will do, shown or handed over; nothing is changed unless asked.
 */
#include "cmd/cmd.h"

#include <string.h>

#include "cmd/confine.h"
#include "cmd/outfile.h"
#include "cmd/render_json.h"
#include "cmd/replay_apply.h"
#include "cmd/replay_disks.h"
#include "cmd/replay_plan.h"

struct replay {
	struct cmd_env *env;
	const char *path, *plan_path, *ring_path;
	bool skip_unknown, force;
	struct err usage; /* of an option's argument */
	struct cmd_input in;
	struct target target;
	struct replay_plan plan;
	struct replay_targets disks;
	struct replay_apply apply;
	struct replay_matches matches; /* with the disks */
};

enum {
	OPT_PLAN = 0x100,
	OPT_RING,
	OPT_SKIP_UNKNOWN,
	OPT_FORCE,
	OPT_DISK,
	OPT_WRITE,
	OPT_UNDO,
	OPT_REVERT,
	OPT_TO,
	OPT_ALLOW,
	OPT_DISCARD,
	OPT_FSCK,
};

static int print_ring_json(const struct replay *x, const struct resume_ring *ring, struct err *err)
{
	struct json_object *doc = json_new_document(), *o = json_object_new_object();

	json_put_text(o, "path", x->ring_path);
	json_put_num(o, "bytes", ring->nr_bytes);
	json_put_num(o, "requests", x->plan.nr - ring->nr_skipped);
	json_put_num(o, "left_out", ring->nr_skipped);
	json_put(doc, "source", json_source(&x->in));
	json_put(doc, "ring", o);
	return json_print(doc, x->env->out, err);
}

static int write_ring(struct replay *x, struct err *err)
{
	CLEANUP(resume_ring_fini) struct resume_ring ring = {0};

	if (replay_ring(&x->in.snap, &x->plan, x->skip_unknown, &ring, err) ||
		outfile_put(x->ring_path, x->force, &x->in.files, ring.bytes, ring.nr_bytes, err))
		return -1;
	if (x->env->json)
		return print_ring_json(x, &ring, err);
	cmd_note(x->env, "%s: %zu requests", x->ring_path, x->plan.nr - ring.nr_skipped);
	if (ring.nr_skipped)
		cmd_note(x->env, "%zu requests left out: their sector or a page is not known",
			ring.nr_skipped);
	return CMD_OK;
}

/* `applied` becomes the document's, or is put. */
static int print_json(struct replay *x, struct json_object *applied, struct err *err)
{
	struct json_object *doc = json_document(&x->in, false);
	struct json_object *list = replay_plan_json(&x->plan, &x->target);

	if (!doc || !list || (x->matches.nr && replay_matches_json(&x->matches, list))) {
		json_object_put(doc);
		json_object_put(list);
		json_object_put(applied);
		return err_nomem(err, "the JSON document");
	}
	json_put(doc, "plan", list);
	if (applied)
		json_put(doc, "applied", applied);
	return json_print(doc, x->env->out, err);
}

static int print_plan(struct replay *x, struct err *err)
{
	if (x->env->json)
		return print_json(x, NULL, err);
	return x->disks.nr ? replay_matches_table(x->env, &x->plan, &x->matches, err)
			   : replay_plan_table(x->env, &x->plan, &x->target, err);
}

/* How many items cannot be carried out for want of a sector. */
static size_t nr_unknown(const struct replay_plan *plan)
{
	size_t i, nr = 0;

	for (i = 0; i < plan->nr; i++)
		nr += (plan->v[i].hazards & HAZARD_NOSECTOR) != 0;
	return nr;
}

/* Do the steps of one device travel by different ways? Those of a device are neighbours, unless an
 * edited plan parts them. */
static bool may_overtake(const struct replay_plan *plan)
{
	size_t i;

	for (i = 1; i < plan->nr; i++)
		if (plan->v[i].dev == plan->v[i - 1].dev &&
			strcmp(plan->v[i].stream, plan->v[i - 1].stream) != 0)
			return true;
	return false;
}

static int show_plan(struct replay *x, struct err *err)
{
	size_t unknown = nr_unknown(&x->plan);

	if (print_plan(x, err) || cmd_verdict(&x->in, err))
		return -1;
	if (!x->env->json && may_overtake(&x->plan))
		cmd_note(x->env,
			"what is put back, what is queued and data travel by different ways: "
			"each may overtake the others");
	if (!unknown)
		return CMD_OK;
	cmd_note(x->env, "the sector of %zu requests is not known", unknown);
	return CMD_UNSAFE;
}

static int apply_plan(struct replay *x, struct err *err)
{
	struct json_object *applied;
	size_t i;
	int rc;

	for (i = 0; i < x->disks.nr; i++)
		disk_drop(&x->disks.v[i].disk);
	rc = replay_apply_run(x->env, &x->in, &x->plan, &x->apply, &x->disks, &applied, err);
	if (rc >= 0 && x->env->json)
		return print_json(x, applied, err) ? -1 : rc;
	json_object_put(applied);
	return rc;
}

static int show_or_write(struct replay *x, struct err *err)
{
	if (x->disks.nr && replay_targets_open(&x->disks, &x->in.snap, err))
		return -1;
	if (x->apply.write)
		return apply_plan(x, err);
	if (x->disks.nr && replay_matches_get(x->in.memory, &x->plan, &x->disks, &x->matches, err))
		return -1;
	return show_plan(x, err);
}

/* What is written must be none of what is read; a disk is read too, and written to by --write. */
static int check_outputs(struct replay *x, struct err *err)
{
	const char *const read[] = {x->plan_path, x->target.p2m_path, x->target.caps_path};
	const char *const written[] = {x->ring_path, x->apply.undo_path, x->apply.overlay_path};
	struct inputs *files = &x->in.files;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(read); i++)
		if (inputs_add_path(files, read[i], err))
			return -1;
	for (i = 0; x->apply.write && i < x->disks.nr; i++)
		if (inputs_refuse_path(files, x->disks.v[i].path, err))
			return -1;
	for (i = 0; i < x->disks.nr; i++)
		if (inputs_add_path(files, x->disks.v[i].path, err))
			return -1;
	for (i = 0; i < ARRAY_SIZE(written); i++)
		if (written[i] && inputs_refuse_path(files, written[i], err))
			return -1;
	return 0;
}

/* In the keeper: it writes, and sees for itself that no disk is an input. */
static void serve_order(void *arg, int order_fd, int result_fd)
{
	struct replay *x = arg;
	struct err err;

	if (inputs_add_path(&x->in.files, x->path, &err) || check_outputs(x, &err)) {
		cmd_note_err(x->env, &err);
		return;
	}
	replay_apply_serve(x->env, &x->apply, &x->disks, order_fd, result_fd);
}

static void serve_revert(void *arg, int order, int result)
{
	struct replay *x = arg;

	replay_revert_serve(x->env, &x->apply, &x->disks, order, result);
}

static int confine_replay(struct replay *x, struct err *err)
{
	struct door_passes passes = {0};
	size_t i;

	door_pass_add(&passes, x->path, DOOR_READ);
	door_pass_add(&passes, x->plan_path, DOOR_READ);
	door_pass_add(&passes, x->ring_path, DOOR_OUTPUT);
	target_passes(&x->target, &passes);
	for (i = 0; i < x->disks.nr; i++)
		disk_pass_add(&passes, x->disks.v[i].path, x->disks.v[i].format);
	/* To see that they are none of the inputs. */
	door_pass_add(&passes, x->apply.undo_path, DOOR_READ);
	door_pass_add(&passes, x->apply.overlay_path, DOOR_READ);
	door_pass_add(&passes, x->apply.revert_path, DOOR_READ);
	if (x->apply.write)
		passes.work = (struct door_work){serve_order, x};
	if (x->apply.revert_path)
		passes.work = (struct door_work){serve_revert, x};
	return cmd_confine(x->env, target_domid(&x->target), &passes, err);
}

static int run_replay(struct replay *x, struct err *err)
{
	if (confine_replay(x, err))
		return -1;
	if (x->apply.revert_path)
		return replay_apply_revert(x->env, &x->apply, &x->disks, err);
	if (cmd_open(x->env, x->path, &x->in, err) || check_outputs(x, err) ||
		cmd_analyse(x->env, &x->in, err) ||
		target_read(x->env, &x->target, true, &x->in, err) ||
		replay_plan_build(&x->in.snap, &x->plan, err))
		return -1;
	/* A document has them; before writing everything is checked. */
	if (!x->env->json && !x->apply.write)
		cmd_note_findings(x->env, &x->in);
	if (x->plan_path && replay_plan_edit(&x->plan, &x->in, x->plan_path, err))
		return -1;
	if (!x->ring_path)
		return show_or_write(x, err);
	/* Half a checkpoint has half a ring: better none. */
	return cmd_verdict(&x->in, err) ? -1 : write_ring(x, err);
}

static bool is_stdout(const char *path)
{
	return path && !strcmp(path, "-");
}

static void check_choice(const struct replay *x, struct argp_state *state)
{
	if (!x->apply.revert_path)
		cmd_need_path(state, x->env, x->path);
	else if (x->path || x->env->live)
		argp_error(state, "--revert takes no checkpoint");
	if (x->env->live && x->apply.write)
		argp_error(state, "--write and --live exclude each other: the guest is alive");
	if (x->apply.write != (x->apply.undo_path || x->apply.overlay_path))
		argp_error(state, "--write and --undo, or --write and --to, go together");
	if (x->apply.undo_path && x->apply.overlay_path)
		argp_error(state, "--undo and --to exclude each other");
	if (x->apply.write && !x->disks.nr)
		argp_error(state, "--write needs a --disk");
	if (x->apply.overlay_path && x->disks.nr > 1)
		argp_error(state, "--to takes one --disk");
	if (x->apply.revert_path && (x->plan_path || x->ring_path))
		argp_error(state, "--revert takes --disk and --allow, if any");
	if (x->apply.allow && !x->apply.write && !x->apply.revert_path)
		argp_error(state, "--allow needs --write or --revert");
	if ((x->apply.discard || x->apply.fsck) && !x->apply.write)
		argp_error(state, "--discard and --fsck need --write");
	if (x->ring_path && !x->target.p2m_path && !x->target.live_given)
		argp_error(state, "--ring needs --p2m or --domid");
	if (x->apply.revert_path &&
		(x->target.p2m_path || x->target.live_given || x->target.caps_path))
		argp_error(state, "--revert needs no target");
	if (!x->ring_path && (x->skip_unknown || x->force))
		argp_error(state, "--skip-unknown and --force need --ring");
	if (is_stdout(x->ring_path) && x->env->json)
		argp_error(state, "--json and the ring cannot both go to standard output");
	if (is_stdout(x->apply.undo_path) || is_stdout(x->apply.overlay_path))
		argp_error(state, "--undo and --to take a file, not standard output");
	if (x->ring_path && x->disks.nr)
		argp_error(state, "--ring and --disk exclude each other");
}

static error_t parse_replay(int key, char *arg, struct argp_state *state)
{
	struct replay *x = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, x->env);
		state->child_inputs[0] = &x->target;
		return 0;
	case OPT_PLAN:
		x->plan_path = arg;
		return 0;
	case OPT_RING:
		x->ring_path = arg;
		return 0;
	case OPT_SKIP_UNKNOWN:
		x->skip_unknown = true;
		return 0;
	case OPT_FORCE:
		x->force = true;
		return 0;
	case OPT_WRITE:
		x->apply.write = true;
		return 0;
	case OPT_UNDO:
		x->apply.undo_path = arg;
		return 0;
	case OPT_TO:
		x->apply.overlay_path = arg;
		return 0;
	case OPT_REVERT:
		x->apply.revert_path = arg;
		return 0;
	case OPT_ALLOW:
		if (!replay_allow_by_name(arg))
			argp_error(state, "--allow takes one of %s, not '%s'", REPLAY_ALLOW_WORDS,
				arg);
		x->apply.allow |= replay_allow_by_name(arg);
		return 0;
	case OPT_DISCARD:
		x->apply.discard = true;
		return 0;
	case OPT_FSCK:
		x->apply.fsck = arg;
		return 0;
	case OPT_DISK:
		if (replay_target_add(&x->disks, arg, &x->usage))
			argp_error(state, "%s", x->usage.text);
		return 0;
	case ARGP_KEY_ARG:
		cmd_take_path(state, arg, &x->path);
		return 0;
	case ARGP_KEY_END:
		check_choice(x, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{.name = "disk",
		.key = OPT_DISK,
		.arg = "VDEV=[FORMAT:]PATH",
		.doc = "compare with this disk: which writes landed; opened read-only"},
	{.name = "write",
		.key = OPT_WRITE,
		.doc = "carry out the writes on the disks, each given with --disk"},
	{.name = "undo",
		.key = OPT_UNDO,
		.arg = "OUT",
		.doc = "with --write: where to save what the disks held, all in one file"},
	{.name = "to",
		.key = OPT_TO,
		.arg = "OVERLAY",
		.doc = "with --write: to this new qcow2 image on top of the disk, which stays as "
		       "it is"},
	{.name = "revert",
		.key = OPT_REVERT,
		.arg = "UNDO",
		.doc = "give all disks back what they held before --write"},
	{.name = "allow",
		.key = OPT_ALLOW,
		.arg = REPLAY_ALLOW_WORDS,
		.doc = "with --write or --revert: go on all the same"},
	{.name = "plan",
		.key = OPT_PLAN,
		.arg = "PLAN",
		.doc = "only these requests, in this order: an edited plan of -J"},
	{.name = "discard", .key = OPT_DISCARD, .doc = "with --write: carry out the discards too"},
	{.name = "fsck",
		.key = OPT_FSCK,
		.arg = "CMD",
		.doc = "with --write: run CMD with the disk as its argument, before and after"},
	{.name = "ring",
		.key = OPT_RING,
		.arg = "OUT",
		.doc = "write the request ring as the driver will post it on the target, where "
		       "that can be known"},
	{.name = "skip-unknown",
		.key = OPT_SKIP_UNKNOWN,
		.doc = "with --ring: leave out requests whose sector or page is not known"},
	{.name = "force", .key = OPT_FORCE, .doc = "with --ring: replace an existing file"},
	{0},
};

int cmd_replay(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_child children[] = {{.argp = &target_argp},
		{.argp = &cmd_live_argp}, {.argp = &cmd_locate_argp}, {.argp = &cmd_common_argp},
		{0}};
	static const struct argp argp = {.options = options,
		.parser = parse_replay,
		.args_doc = "FILE",
		.doc = "Show which requests a restored guest will issue again, in that order, and "
		       "what is uncertain about it." CMD_HELP_STATUS,
		.children = children};
	struct replay x = {.env = env};
	int rc;

	cmd_parse(&argp, argc, argv, &x);
	rc = run_replay(&x, err);
	replay_matches_fini(&x.matches);
	replay_targets_fini(&x.disks);
	replay_plan_fini(&x.plan);
	target_fini(&x.target);
	cmd_close(&x.in);
	return rc;
}
