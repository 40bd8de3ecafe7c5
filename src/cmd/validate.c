/* SPDX-License-Identifier: BSD-2-Clause
 *
 * validate: is it safe to restore this checkpoint, here?
 */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "check/disk_facts.h"
#include "check/specials.h"
#include "cmd/render_json.h"
#include "cmd/report.h"
#include "cmd/target.h"

struct validate {
	struct cmd_env *env;
	const char *path;
	struct check_policy policy;
	enum severity fail_on;
	bool never_fail, compare, thorough;
	struct check_disk *disks; /* as the user named them */
	size_t nr_disks;
	struct err usage; /* of an option's argument */

	struct cmd_input in;
	struct target target;
	struct check_special *specials;
	size_t nr_specials;
	uint64_t nr_compared;
	struct check_result result;
};

enum {
	OPT_DISK = 0x100,
	OPT_RULE,
	OPT_FAIL_ON,
	OPT_COMPARE,
	OPT_THOROUGH,
};

static int add_disk(struct validate *v, const char *text, struct err *err)
{
	struct check_disk *grown, d = {0};
	const char *path;

	if (disk_parse(text, d.vdev, sizeof(d.vdev), &path, &d.format, err))
		return -1;
	grown = realloc(v->disks, (v->nr_disks + 1) * sizeof(*grown));
	d.path = grown ? strdup(path) : NULL;
	if (grown)
		v->disks = grown;
	if (!d.path)
		return err_nomem(err, "noting a disk");
	v->disks[v->nr_disks++] = d;
	return 0;
}

static int set_fail_on(struct validate *v, const char *word, struct err *err)
{
	v->never_fail = !strcmp(word, "never");
	v->fail_on = strcmp(word, "error") ? SEVERITY_WARNING : SEVERITY_ERROR;
	if (v->never_fail || !strcmp(word, "error") || !strcmp(word, "warning"))
		return 0;
	return err_set(err, ERR_USAGE, "--fail-on takes warning, error or never, not '%s'", word);
}

static int open_disks(struct validate *v, struct err *err)
{
	const struct snapshot *s = &v->in.snap;
	size_t i, k;

	for (i = 0; i < v->nr_disks && s->nr_devices; i++) {
		const struct blkdev *dev = snapshot_need_device(s, v->disks[i].vdev, err);

		if (!dev)
			return -1;
		for (k = 0; k < i; k++)
			if (blkdev_is_named(dev, v->disks[k].vdev))
				return err_set(err, ERR_USAGE, "two disks for %s", dev->name);
		if (check_disk_open(&v->disks[i], dev, err))
			return -1;
	}
	return 0;
}

static int set_target(struct validate *v, struct err *err)
{
	if (target_read(v->env, &v->target, true, &v->in, err))
		return -1;
	if (v->compare && !v->target.live.dom.paused)
		cmd_note(v->env, "domain %u is not paused: its pages may change meanwhile",
			v->target.domid);
	return 0;
}

static int evaluate(struct validate *v, struct err *err)
{
	struct check_input in = {
		.snap = &v->in.snap,
		.info = ckpt_info(v->in.ck),
		.memory = v->in.memory,
		.disks = v->disks,
		.nr_disks = v->nr_disks,
	};

	if (open_disks(v, err) || set_target(v, err) ||
		check_specials(v->in.memory, &v->specials, &v->nr_specials, err))
		return -1;
	in.specials = v->specials;
	in.nr_specials = v->nr_specials;
	in.restored = v->target.live_given;
	in.target_given = target_translates(&v->target);
	in.caps = v->target.caps;
	in.nr_caps = v->target.nr_caps;
	check_run(&in, &v->result);
	if (v->compare)
		v->nr_compared = check_compare_pages(&in, live_fetch, &v->target.live, &v->result);
	return v->result.no_memory ? err_nomem(err, "evaluating the rules") : 0;
}

/* A file that is cut comes first; an unsafe guest matters more than a device that is not known. */
static int verdict(const struct validate *v, const struct report *r)
{
	if (!ckpt_info(v->in.ck)->complete)
		return CMD_CORRUPT;
	if (r->nr[SEVERITY_ERROR])
		return CMD_UNSAFE;
	if (!v->in.snap.nr_devices)
		return CMD_UNDETERMINED;
	return r->nr[SEVERITY_WARNING] ? CMD_WARNINGS : CMD_OK;
}

/* --fail-on changes what the verdict does to the caller, not what it is. */
static int status_of(const struct validate *v, int verdict)
{
	if (verdict == CMD_UNSAFE && v->never_fail)
		return v->in.snap.nr_devices ? CMD_OK : CMD_UNDETERMINED;
	if (verdict == CMD_WARNINGS && (v->never_fail || v->fail_on == SEVERITY_ERROR))
		return CMD_OK;
	return verdict;
}

static const char *verdict_name(int verdict)
{
	static const char *const names[] = {
		[CMD_OK] = "safe",
		[CMD_WARNINGS] = "warnings",
		[CMD_UNSAFE] = "unsafe",
		[CMD_UNDETERMINED] = "undetermined",
		[CMD_CORRUPT] = "corrupt",
	};

	return names[verdict];
}

static int print_json(const struct validate *v, const struct report *r, int said, struct err *err)
{
	struct json_object *doc = json_document(&v->in, false);

	if (!doc || report_json(r, doc)) {
		json_object_put(doc);
		return err_nomem(err, "the JSON document");
	}
	json_put(doc, "verdict", json_object_new_string(verdict_name(said)));
	if (v->compare)
		json_put(doc, "pages_compared", json_object_new_uint64(v->nr_compared));
	return json_print(doc, v->env->out, err);
}

static bool was_read(const void *guest, pfn_t pfn)
{
	return guest_was_read(guest, pfn);
}

static bool is_any(const void *arg UNUSED, pfn_t pfn UNUSED)
{
	return true;
}

/* Of a large guest reading all page tables takes longer than all else together. */
static void check_tables(struct validate *v)
{
	bool all = v->thorough || !v->in.guest;
	uint64_t nr = ckpt_verify_tables(
		v->in.ck, all ? is_any : was_read, v->in.guest, &v->result.findings);

	if (nr)
		check_not_evaluated(&v->result, "XB027",
			"%" PRIu64 " page tables that the analysis did not need were not looked "
			"at; --thorough does",
			nr);
}

static int analyse(struct validate *v, struct err *err)
{
	if (!v->in.guest) {
		check_tables(v);
		return 0;
	}
	if (guest_track_reads(v->in.guest, err) || cmd_analyse(v->env, &v->in, err))
		return -1;
	check_tables(v);
	return evaluate(v, err);
}

static int run(struct validate *v, struct err *err)
{
	struct report r = {.path = v->path, .policy = &v->policy, .snap = &v->in.snap};
	struct err why;
	int said;

	if (cmd_open(v->env, v->path, &v->in, err))
		return -1;
	if (analyse(v, err))
		return -1;
	/* Without a guest the decoders never ran; the stream's own findings still count. */
	r.lists[0] = v->in.guest ? &v->in.snap.findings : ckpt_findings(v->in.ck);
	r.lists[1] = &v->result.findings;
	r.result = &v->result;
	report_count(&r);
	said = verdict(v, &r);
	if (v->env->json) {
		if (print_json(v, &r, said, err))
			return -1;
	} else if (!v->env->quiet) {
		report_text(&r, v->env->verbose, v->env->out);
		if (v->compare)
			fprintf(v->env->out, "%s: %" PRIu64 " pages compared with domain %u\n",
				v->path, v->nr_compared, v->target.domid);
	}
	if (cmd_verdict(&v->in, &why))
		cmd_note_err(v->env, &why);
	return status_of(v, said);
}

static void fini(struct validate *v)
{
	size_t i;

	for (i = 0; i < v->nr_disks; i++)
		check_disk_fini(&v->disks[i]);
	free(v->disks);
	free(v->specials);
	check_policy_fini(&v->policy);
	check_result_fini(&v->result);
	target_fini(&v->target);
	cmd_close(&v->in);
}

/* 1: not one of these. */
static int parse_word(struct validate *v, int key, const char *arg, struct err *err)
{
	switch (key) {
	case OPT_DISK:
		return add_disk(v, arg, err);
	case OPT_RULE:
		return check_policy_add(&v->policy, arg, err);
	case OPT_FAIL_ON:
		return set_fail_on(v, arg, err);
	case OPT_COMPARE:
		v->compare = true;
		return 0;
	case OPT_THOROUGH:
		v->thorough = true;
		return 0;
	default:
		return 1;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct validate *v = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, v->env);
		state->child_inputs[0] = &v->target;
		return 0;
	case ARGP_KEY_ARG:
		cmd_take_path(state, arg, &v->path);
		return 0;
	case ARGP_KEY_NO_ARGS:
		cmd_need_path(state, v->path);
		return 0;
	case ARGP_KEY_SUCCESS:
		if (v->compare && !v->target.live_given)
			argp_error(state, "--compare-pages needs --domid");
		return 0;
	}
	switch (parse_word(v, key, arg, &v->usage)) {
	case 0:
		return 0;
	case 1:
		return ARGP_ERR_UNKNOWN;
	default:
		argp_error(state, "%s", v->usage.text);
		return EINVAL;
	}
}

static const struct argp_option options[] = {
	{.name = "disk",
		.key = OPT_DISK,
		.arg = "VDEV=[FORMAT:]PATH",
		.doc = "the disk that the device will have: is it the one, and unchanged?"},
	{.name = "compare-pages",
		.key = OPT_COMPARE,
		.doc = "with --domid: the pages of requests and rings must be the checkpoint's"},
	{.name = "thorough",
		.key = OPT_THOROUGH,
		.doc = "look at every page table too (XB027), which takes its time"},
	{.name = "rule",
		.key = OPT_RULE,
		.arg = "ID=SEVERITY",
		.doc = "off, note, warn or error for one rule"},
	{.name = "fail-on",
		.key = OPT_FAIL_ON,
		.arg = "SEVERITY",
		.doc = "findings that count for the exit status: warning (default), error, never"},
	{0},
};

int cmd_validate(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_child children[] = {{.argp = &target_argp},
		{.argp = &cmd_locate_argp}, {.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.options = options,
		.parser = parse,
		.args_doc = "FILE",
		.doc = "Say whether it is safe to restore a checkpoint. -q prints nothing, -v "
		       "explains." CMD_HELP_STATUS,
		.children = children};
	struct validate v = {.env = env, .fail_on = SEVERITY_WARNING};
	int rc;

	cmd_parse(&argp, argc, argv, &v);
	rc = run(&v, err);
	fini(&v);
	return rc;
}
