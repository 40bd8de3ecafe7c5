/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/judge.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "check/disk_facts.h"
#include "check/specials.h"
#include "check/witness.h"
#include "cmd/render_json.h"
#include "io/disk.h"

enum {
	OPT_DISK = 0x600,
	OPT_RULE,
	OPT_FAIL_ON,
	OPT_THOROUGH,
	OPT_SEED,
};

/* Of the guest's caches, unless --thorough: 64 MiB. */
#define WITNESS_PAGES 16384u

static int add_disk(struct judge *j, const char *text, struct err *err)
{
	struct check_disk *grown, d = {0};
	const char *path;

	if (disk_parse(text, d.vdev, sizeof(d.vdev), &path, &d.format, err))
		return -1;
	grown = realloc(j->disks, (j->nr_disks + 1) * sizeof(*grown));
	d.path = grown ? strdup(path) : NULL;
	if (grown)
		j->disks = grown;
	if (!d.path)
		return err_nomem(err, "noting a disk");
	j->disks[j->nr_disks++] = d;
	return 0;
}

static int set_fail_on(struct judge *j, const char *word, struct err *err)
{
	j->never_fail = !strcmp(word, "never");
	j->fail_on = strcmp(word, "error") ? SEVERITY_WARNING : SEVERITY_ERROR;
	if (j->never_fail || !strcmp(word, "error") || !strcmp(word, "warning"))
		return 0;
	return err_set(err, ERR_USAGE, "--fail-on takes warning, error or never, not '%s'", word);
}

static error_t parse_judge(int key, char *arg, struct argp_state *state)
{
	struct judge *j = state->input;
	int failed = 0;

	switch (key) {
	case OPT_DISK:
		failed = add_disk(j, arg, &j->usage);
		break;
	case OPT_RULE:
		failed = check_policy_add(&j->policy, arg, &j->usage);
		break;
	case OPT_FAIL_ON:
		failed = set_fail_on(j, arg, &j->usage);
		break;
	case OPT_THOROUGH:
		j->thorough = true;
		break;
	case OPT_SEED:
		if (!num_parse_u64(arg, UINT64_MAX, &j->env->frontend.witness_seed))
			failed = err_set(
				&j->usage, ERR_USAGE, "--seed takes a number, not '%s'", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	if (failed)
		argp_error(state, "%s", j->usage.text);
	return failed ? EINVAL : 0;
}

static const struct argp_option options[] = {
	{.name = "disk",
		.key = OPT_DISK,
		.arg = "VDEV=[FORMAT:]PATH",
		.doc = "the disk that the device will have: is it the one, and unchanged?"},
	{.name = "thorough",
		.key = OPT_THOROUGH,
		.doc = "look at every page table (XB027) and at every block that the guest "
		       "remembers (XB409), which takes its time"},
	{.name = "seed",
		.key = OPT_SEED,
		.arg = "NUMBER",
		.doc = "which of the blocks that a guest with many remembers are compared"},
	{.name = "rule",
		.key = OPT_RULE,
		.arg = "ID=SEVERITY",
		.doc = "off, note, warn or error for one rule"},
	{.name = "fail-on",
		.key = OPT_FAIL_ON,
		.arg = "warning|error|never",
		.doc = "findings that count for the exit status (default warning)"},
	{0},
};

const struct argp judge_argp = {.options = options, .parser = parse_judge};

void judge_init(struct judge *j, struct cmd_env *env)
{
	*j = (struct judge){.env = env, .fail_on = SEVERITY_WARNING};
}

/* An image has a server, which must be run. */
void judge_passes(const struct judge *j, struct door_passes *passes)
{
	size_t i;

	target_passes(&j->target, passes);
	for (i = 0; i < j->nr_disks; i++)
		disk_pass_add(passes, j->disks[i].path, j->disks[i].format);
}

static int open_disks(struct judge *j, struct err *err)
{
	const struct snapshot *s = &j->in.snap;
	size_t i;

	for (i = 0; i < j->nr_disks && s->nr_devices; i++) {
		const struct blkdev *dev = snapshot_need_device(s, j->disks[i].vdev, err);

		if (!dev)
			return -1;
		if (check_disk_of(j->disks, i, dev))
			return err_set(err, ERR_USAGE, "two disks for %s", dev->name);
		if (check_disk_open(&j->disks[i], dev, err))
			return -1;
	}
	return 0;
}

static int set_target(struct judge *j, struct err *err)
{
	if (target_read(j->env, &j->target, true, &j->in, err))
		return -1;
	if (j->compare && !j->target.live.dom.paused)
		cmd_note(j->env, "domain %u is not paused: its pages may change meanwhile",
			j->target.domid);
	return 0;
}

static int evaluate_rules(struct judge *j, struct err *err)
{
	struct check_input in = {
		.snap = &j->in.snap,
		.info = j->in.info,
		.memory = j->in.memory,
		.disks = j->disks,
		.nr_disks = j->nr_disks,
	};

	if (open_disks(j, err) || set_target(j, err) ||
		check_specials(j->in.memory, &j->specials, &j->nr_specials, err))
		return -1;
	in.specials = j->specials;
	in.nr_specials = j->nr_specials;
	in.restored = j->target.live_given;
	in.target_given = target_translates(&j->target);
	in.caps = j->target.caps;
	in.nr_caps = j->target.nr_caps;
	check_run(&in, &j->result);
	if (j->nr_disks) {
		j->witnessed = calloc(j->nr_disks, sizeof(*j->witnessed));
		if (!j->witnessed)
			return err_nomem(err, "evaluating the rules");
		check_witnesses(&in, &j->result, j->witnessed);
	}
	if (j->compare)
		j->nr_compared = check_compare_pages(&in, live_fetch, &j->target.live, &j->result);
	return j->result.no_memory ? err_nomem(err, "evaluating the rules") : 0;
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
static void check_tables(struct judge *j)
{
	bool all = j->thorough || !j->in.guest;
	uint64_t nr;

	if (!j->in.ck) {
		check_not_evaluated(&j->result, "XB027",
			"Xen itself checks the page tables of a domain that lives");
		return;
	}
	nr = ckpt_verify_tables(
		j->in.ck, all ? is_any : was_read, j->in.guest, &j->result.findings);
	if (nr)
		check_not_evaluated(&j->result, "XB027",
			"%" PRIu64 " page tables that the analysis did not need were not looked "
			"at; --thorough does",
			nr);
}

static int analyse_guest(struct judge *j, struct err *err)
{
	if (!j->in.guest) {
		check_tables(j);
		return 0;
	}
	if (j->nr_disks)
		j->env->frontend.witness_pages = j->thorough ? UINT64_MAX : WITNESS_PAGES;
	if (guest_track_reads(j->in.guest, err) || cmd_analyse(j->env, &j->in, err))
		return -1;
	check_tables(j);
	return evaluate_rules(j, err);
}

/* A file that is cut comes first; an unsafe guest matters more than a device that is not known. */
static enum cmd_status verdict_of(const struct judge *j)
{
	if (!j->in.info->complete)
		return CMD_CORRUPT;
	if (j->report.nr[SEVERITY_ERROR])
		return CMD_UNSAFE;
	if (!frontend_resume_is_known(&j->in.snap))
		return CMD_UNDETERMINED;
	return j->report.nr[SEVERITY_WARNING] ? CMD_WARNINGS : CMD_OK;
}

int judge_run(struct judge *j, struct err *err)
{
	struct report *r = &j->report;

	if (analyse_guest(j, err))
		return -1;
	*r = (struct report){.path = j->path,
		.policy = &j->policy,
		.snap = &j->in.snap,
		.result = &j->result,
		.color = cmd_use_color(j->env)};
	/* Without a guest the decoders never ran; the stream's own findings still count. */
	r->lists[0] = j->in.guest ? &j->in.snap.findings : memory_findings(j->in.memory);
	r->lists[1] = &j->result.findings;
	report_count(r);
	j->said = verdict_of(j);
	return 0;
}

int judge_status(const struct judge *j)
{
	if (j->said == CMD_UNSAFE && j->never_fail)
		return j->in.snap.nr_devices ? CMD_OK : CMD_UNDETERMINED;
	if (j->said == CMD_WARNINGS && (j->never_fail || j->fail_on == SEVERITY_ERROR))
		return CMD_OK;
	return j->said;
}

const char *judge_word(enum cmd_status said)
{
	static const char *const names[] = {
		[CMD_OK] = "safe",
		[CMD_WARNINGS] = "warnings",
		[CMD_UNSAFE] = "unsafe",
		[CMD_UNDETERMINED] = "undetermined",
		[CMD_CORRUPT] = "corrupt",
	};

	return names[said];
}

static void print_witnesses(const struct judge *j, FILE *out)
{
	size_t i;

	for (i = 0; j->witnessed && i < j->nr_disks; i++) {
		const struct check_witnessed *w = &j->witnessed[i];

		if (w->blocks)
			fprintf(out,
				"%s: %" PRIu64 " blocks that the guest remembers of %s compared "
				"with %s, %" PRIu64 " differ\n",
				j->path, w->blocks, w->dev->name, j->disks[i].path, w->differ);
	}
}

void judge_print_text(const struct judge *j, FILE *out)
{
	report_findings(&j->report, j->env->verbose, out);
	print_witnesses(j, out);
	if (j->compare)
		fprintf(out, "%s: %" PRIu64 " pages compared with domain %u\n", j->path,
			j->nr_compared, j->target.domid);
	report_sum(&j->report, out);
}

static struct json_object *json_witnesses(const struct judge *j)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < j->nr_disks; i++) {
		const struct check_witnessed *w = &j->witnessed[i];
		struct json_object *o = json_object_new_object();

		json_put_text(o, "device", w->dev ? w->dev->name : j->disks[i].vdev);
		json_put(o, "pages", w->known ? json_object_new_uint64(w->pages) : NULL);
		json_put_num(o, "blocks", w->blocks);
		json_put_num(o, "bytes", w->bytes);
		json_put_num(o, "differ", w->differ);
		json_object_array_add(a, o);
	}
	return a;
}

struct json_object *judge_json(const struct judge *j)
{
	struct json_object *doc = json_document(&j->in, false);

	if (!doc || report_json(&j->report, doc)) {
		json_object_put(doc);
		return NULL;
	}
	json_put(doc, "verdict", json_object_new_string(judge_word(j->said)));
	if (j->compare)
		json_put(doc, "pages_compared", json_object_new_uint64(j->nr_compared));
	if (j->witnessed)
		json_put(doc, "witnesses", json_witnesses(j));
	return doc;
}

int judge_print_json(const struct judge *j, FILE *out, struct err *err)
{
	return json_print(judge_json(j), out, err);
}

void judge_fini(struct judge *j)
{
	size_t i;

	for (i = 0; i < j->nr_disks; i++)
		check_disk_fini(&j->disks[i]);
	free(j->disks);
	free(j->specials);
	free(j->witnessed);
	check_policy_fini(&j->policy);
	check_result_fini(&j->result);
	target_fini(&j->target);
	cmd_close(&j->in);
}
