/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/replay_apply.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "check/check.h"
#include "check/disk_facts.h"
#include "check/policy.h"
#include "check/specials.h"
#include "cmd/checker.h"
#include "cmd/meter.h"
#include "cmd/render_json.h"
#include "io/hold.h"
#include "io/overlay.h"
#include "io/undo.h"

/*
 * Which refusal does the error of a rule belong to? 0: to none. What makes the driver or the target
 * host unsafe to resume is a reason to replay, not against it: XB201 (netbsd-xbd would write to the
 * wrong sectors), XB803 to XB805 and XB5xx. XB6xx, holes and sizes have refusals of their own,
 * where each step is checked.
 */
static unsigned refusal_of(const char *rule)
{
	static const struct {
		const char *prefix;
		unsigned refusal;
	} map[] = {
		{"XB120", 0}, /* --allow=hole, if it is of a write */
		{"XB201", 0},
		{"XB202", 0}, /* the same */
		{"XB316", 0}, /* resume sends older data, replay does not */
		{"XB401", 0}, /* --allow=size */
		{"XB402", 0}, /* --allow=capacity */
		{"XB406", REPLAY_ALLOW_IDENTITY},
		{"XB407", REPLAY_ALLOW_CHANGED},
		{"XB408", REPLAY_ALLOW_IN_USE},
		{"XB803", 0}, /* these will never be issued otherwise */
		{"XB804", 0},
		{"XB805", 0},
		{"XB5", 0},
		{"XB6", 0},
	};
	const struct rule *r = catalogue_find(rule);
	size_t i;

	if (!r || r->severity != SEVERITY_ERROR)
		return 0;
	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (!strncmp(rule, map[i].prefix, strlen(map[i].prefix)))
			return map[i].refusal;
	return REPLAY_ALLOW_FINDINGS;
}

static int refuse_findings(const struct finding_list *list, unsigned allow, struct err *err)
{
	size_t i;

	for (i = 0; i < list->nr; i++) {
		unsigned refusal = refusal_of(list->v[i].rule);

		if (refusal & ~allow) {
			err_set(err, ERR_REFUSED, "%s: %s", list->v[i].rule, list->v[i].message);
			return err_override(err, replay_allow_name(refusal));
		}
	}
	return list->lost ? err_nomem(err, "evaluating the rules") : 0;
}

/* One of the disks, and what became of it. */
struct applied {
	struct replay_target *target;
	const char *path; /* what was written: the disk, or the overlay on top of it */
	struct replay_written done;
	int fsck[2]; /* before and after */
};

/* All devices are judged, beside their disks. */
static int judge_findings(const struct cmd_input *in, const struct check_disk *disks, size_t nr,
	unsigned allow, struct err *err)
{
	struct check_special *specials = NULL;
	struct check_result result = {0};
	struct check_input ci = {.snap = &in->snap,
		.info = in->info,
		.memory = in->memory,
		.disks = disks,
		.nr_disks = nr};
	int rc;

	if (check_specials(in->memory, &specials, &ci.nr_specials, err))
		return -1;
	ci.specials = specials;
	check_run(&ci, &result);
	rc = result.no_memory ? err_nomem(err, "evaluating the rules")
			      : refuse_findings(&in->snap.findings, allow, err);
	if (!rc)
		rc = refuse_findings(&result.findings, allow, err);
	check_result_fini(&result);
	free(specials);
	return rc;
}

static int look_at_disk(struct check_disk *d, const struct replay_target *target, struct err *err)
{
	memcpy(d->vdev, target->vdev, sizeof(d->vdev));
	d->format = target->format;
	d->path = strdup(target->path);
	return d->path ? check_disk_open(d, target->dev, err) : err_nomem(err, "noting a disk");
}

static int evaluate_rules(const struct cmd_input *in, const struct replay_targets *targets,
	unsigned allow, struct err *err)
{
	CLEANUP_FREE struct check_disk *disks = calloc(targets->nr, sizeof(*disks));
	size_t i;
	int rc = disks ? 0 : err_nomem(err, "noting a disk");

	for (i = 0; !rc && i < targets->nr; i++)
		rc = look_at_disk(&disks[i], &targets->v[i], err);
	if (!rc)
		rc = judge_findings(in, disks, targets->nr, allow, err);
	for (i = 0; disks && i < targets->nr; i++)
		check_disk_fini(&disks[i]);
	return rc;
}

/* From here on they wait; what is done looks for them between two steps. */
static void hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* ---- what was done ------------------------------------------------------------------------ */

static void say_result(
	const struct cmd_env *env, const struct replay_apply *how, const struct applied *a)
{
	const struct replay_written *w = &a->done;

	cmd_note(env,
		"%s: %zu writes and %zu discards of %" PRIu64 " bytes done, the writes read back",
		a->path, w->nr_writes, w->nr_discards, w->bytes);
	if (w->overlap)
		cmd_note(env, "requests change the same sectors: the plan's later ones stand");
	if (w->nr_left_out)
		cmd_note(env, "%zu requests left out", w->nr_left_out);
	if (w->nr_discards_left_out)
		cmd_note(env, "%zu discards not carried out%s", w->nr_discards_left_out,
			how->discard ? "" : " (--discard does)");
}

/* Devices without a disk keep what they have pending. */
static void say_left_alone(const struct cmd_env *env, const struct cmd_input *in,
	const struct replay_plan *plan, const struct replay_targets *targets)
{
	size_t i, k, nr;

	for (i = 0; i < in->snap.nr_devices; i++) {
		const struct blkdev *d = &in->snap.devices[i];

		for (k = 0; k < targets->nr && targets->v[k].dev != d; k++)
			;
		if (k < targets->nr)
			continue;
		for (nr = 0, k = 0; k < plan->nr; k++)
			nr += plan->v[k].dev == d && io_request_changes_disk(plan->v[k].req);
		if (nr)
			cmd_note(env, "%s: %zu requests not carried out: no --disk is given for it",
				d->name, nr);
	}
}

static void put_done(struct json_object *o, const struct replay_written *w)
{
	json_put_num(o, "writes", w->nr_writes);
	json_put_num(o, "discards", w->nr_discards);
	json_put_num(o, "bytes", w->bytes);
	json_put_num(o, "left_out", w->nr_left_out);
	json_put_num(o, "discards_left_out", w->nr_discards_left_out);
}

static void put_fsck(struct json_object *o, const struct replay_apply *how, const int fsck[2])
{
	json_put(o, "fsck_before", how->fsck ? json_object_new_int(fsck[0]) : NULL);
	json_put(o, "fsck_after", how->fsck ? json_object_new_int(fsck[1]) : NULL);
}

static struct json_object *disk_json(const struct replay_apply *how, const struct applied *a)
{
	struct json_object *o = json_object_new_object();

	json_put_text(o, "device", a->target->dev->name);
	json_put_text(o, "path", a->path);
	put_done(o, &a->done);
	put_fsck(o, how, a->fsck);
	return o;
}

/* Of several disks the sums, and the checker's worst. */
static struct json_object *as_json(
	const struct replay_apply *how, const struct applied *v, size_t nr)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	struct replay_written sum = {0};
	int worst[2] = {0, 0};
	size_t i;

	if (!o || !list) {
		json_object_put(o);
		json_object_put(list);
		return NULL;
	}
	for (i = 0; i < nr; i++) {
		sum.nr_writes += v[i].done.nr_writes;
		sum.nr_discards += v[i].done.nr_discards;
		sum.bytes += v[i].done.bytes;
		sum.nr_left_out += v[i].done.nr_left_out;
		sum.nr_discards_left_out += v[i].done.nr_discards_left_out;
		worst[0] = MAX(worst[0], v[i].fsck[0]);
		worst[1] = MAX(worst[1], v[i].fsck[1]);
		json_object_array_add(list, disk_json(how, &v[i]));
	}
	json_put(o, "path", nr == 1 ? json_text(v->path) : NULL);
	json_put(o, "undo", how->undo_path ? json_text(how->undo_path) : NULL);
	put_done(o, &sum);
	put_fsck(o, how, worst);
	json_put(o, "disks", list);
	return o;
}

/* The rules and the checker looked at a path; what is there now must be what they saw. */
static int check_same(const struct replay_target *target, const struct disk *d, struct err *err)
{
	if (d->dev == target->seen_dev && d->ino == target->seen_ino)
		return 0;
	return err_set(err, ERR_SYSTEM, "%s was replaced by another disk meanwhile", d->path);
}

/* The overlay only shows what its base holds while nobody writes there. */
static int make_overlay(
	const struct replay_apply *how, const struct replay_target *target, struct err *err)
{
	enum disk_format format = target->format == DISK_UNSAID ? DISK_UNSAID : DISK_RAW;
	struct disk base;
	int rc;

	if (disk_open(&base, target->path, format, 0, err))
		return -1;
	rc = check_same(target, &base, err);
	if (!rc && !(how->allow & REPLAY_ALLOW_IN_USE))
		rc = disk_hold(&base, err);
	if (!rc)
		rc = overlay_create(base.path,
			target->format == DISK_UNSAID ? DISK_RAW : target->format,
			how->overlay_path, err);
	disk_drop(&base);
	return rc;
}

static int open_target(
	const struct replay_apply *how, struct replay_target *target, struct err *err)
{
	unsigned flags = DISK_WRITE | (how->allow & REPLAY_ALLOW_IN_USE ? DISK_SHARED : 0);

	if (!how->overlay_path)
		return disk_open(&target->disk, target->path, target->format, flags, err) ||
				       check_same(target, &target->disk, err)
			       ? -1
			       : 0;
	if (make_overlay(how, target, err))
		return -1;
	if (!disk_open(&target->disk, how->overlay_path, DISK_QCOW2, flags, err))
		return 0;
	unlink(how->overlay_path);
	return -1;
}

/* The disks are closed in any case; the first error counts. */
static int close_targets(struct applied *v, size_t nr, struct err *err)
{
	struct err *first = err;
	int rc = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		if (disk_close(&v[i].target->disk, first)) {
			first = NULL;
			rc = -1;
		}
	return rc;
}

static int write_disks(
	const struct cmd_env *env, const struct replay_write *w, struct applied *v, struct err *err)
{
	struct replay_write with_meter = *w;
	struct meter meter;
	size_t i;
	int rc;

	meter_start(&meter, env);
	with_meter.progress = &meter.progress;
	rc = replay_write(&with_meter, err);
	meter_end(&meter);
	for (i = 0; i < w->nr_disks; i++)
		v[i].done = w->disks[i].done;
	return rc ? -1 : close_targets(v, w->nr_disks, err);
}

static int write_targets(const struct cmd_env *env, const struct cmd_input *in,
	const struct replay_plan *plan, const struct replay_apply *how, struct applied *v,
	size_t nr, struct err *err)
{
	CLEANUP_FREE struct replay_write_disk *disks = calloc(nr, sizeof(*disks));
	const struct replay_write w = {.memory = in->memory,
		.plan = plan,
		.disks = disks,
		.nr_disks = nr,
		.allow = how->allow,
		.discard = how->discard,
		.undo_path = how->undo_path};
	size_t i;

	if (!disks)
		return err_nomem(err, "the disks");
	for (i = 0; i < nr; i++) {
		if (open_target(how, v[i].target, err))
			return -1;
		disks[i].dev = v[i].target->dev;
		disks[i].disk = &v[i].target->disk;
	}
	if (!write_disks(env, &w, v, err))
		return 0;
	if (how->overlay_path)
		unlink(how->overlay_path);
	return -1;
}

/* Before (0) or after (1). */
static int run_checkers(
	const struct replay_apply *how, struct applied *v, size_t nr, int when, struct err *err)
{
	size_t i;

	for (i = 0; how->fsck && i < nr; i++) {
		const struct replay_target *t = v[i].target;
		bool overlay = when && how->overlay_path;

		if (checker_run(how->fsck, overlay ? v[i].path : t->path,
			    overlay ? DISK_QCOW2 : t->format, &v[i].fsck[when], err))
			return -1;
	}
	return 0;
}

static void say_checked(const struct cmd_env *env, const struct replay_apply *how,
	const struct applied *v, size_t nr)
{
	size_t i;

	for (i = 0; how->fsck && i < nr; i++)
		cmd_note(env, "%s%sthe checker ended with %d before and with %d after",
			nr > 1 ? v[i].path : "", nr > 1 ? ": " : "", v[i].fsck[0], v[i].fsck[1]);
}

static bool is_clean(const struct applied *v, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (v[i].fsck[1] || v[i].done.nr_left_out)
			return false;
	return true;
}

static int apply_all(const struct cmd_env *env, const struct cmd_input *in,
	const struct replay_plan *plan, const struct replay_apply *how, struct applied *v,
	size_t nr, struct err *err)
{
	size_t i;

	hold_signals();
	if (run_checkers(how, v, nr, 0, err) || write_targets(env, in, plan, how, v, nr, err))
		return -1;
	for (i = 0; i < nr; i++)
		say_result(env, how, &v[i]);
	if (how->undo_path)
		cmd_note(env, "replay --revert=%s undoes them", how->undo_path);
	if (run_checkers(how, v, nr, 1, err))
		return -1;
	say_checked(env, how, v, nr);
	return is_clean(v, nr) ? CMD_OK : CMD_WARNINGS;
}

int replay_apply_run(const struct cmd_env *env, const struct cmd_input *in,
	const struct replay_plan *plan, const struct replay_apply *how,
	struct replay_targets *targets, struct json_object **ret, struct err *err)
{
	CLEANUP_FREE struct applied *v = calloc(targets->nr, sizeof(*v));
	size_t i;
	int rc;

	*ret = NULL;
	if (!v)
		return err_nomem(err, "the disks");
	for (i = 0; i < targets->nr; i++)
		v[i] = (struct applied){.target = &targets->v[i],
			.path = how->overlay_path ? how->overlay_path : targets->v[i].path};
	if (cmd_verdict(in, err) || evaluate_rules(in, targets, how->allow, err))
		return -1;
	rc = apply_all(env, in, plan, how, v, targets->nr, err);
	if (rc < 0)
		return -1;
	say_left_alone(env, in, plan, targets);
	*ret = as_json(how, v, targets->nr);
	return *ret ? rc : err_nomem(err, "the JSON document");
}

static int print_reverted(
	const struct cmd_env *env, const char *undo, uint64_t bytes, struct err *err)
{
	struct json_object *doc = json_new_document(), *o = json_object_new_object();

	json_put_text(o, "undo", undo);
	json_put_num(o, "bytes", bytes);
	json_put(doc, "reverted", o);
	return json_print(doc, env->out, err);
}

static unsigned undo_allow(unsigned allow)
{
	return (allow & REPLAY_ALLOW_IN_USE ? UNDO_ALLOW_IN_USE : 0) |
	       (allow & REPLAY_ALLOW_CHANGED ? UNDO_ALLOW_CHANGED : 0);
}

int replay_apply_revert(const struct cmd_env *env, const struct replay_apply *how,
	const struct replay_targets *targets, struct err *err)
{
	CLEANUP_FREE struct undo_disk *disks = calloc(targets->nr + 1, sizeof(*disks));
	struct undo_how undo = {
		.disks = disks, .nr_disks = targets->nr, .allow = undo_allow(how->allow)};
	struct meter meter;
	uint64_t bytes = 0;
	size_t i;
	int rc;

	if (!disks)
		return err_nomem(err, "the disks");
	for (i = 0; i < targets->nr; i++)
		disks[i] = (struct undo_disk){
			targets->v[i].vdev, targets->v[i].path, targets->v[i].format};
	meter_start(&meter, env);
	undo.progress = &meter.progress;
	hold_signals();
	rc = undo_revert(how->revert_path, &undo, &bytes, err);
	meter_end(&meter);
	if (rc)
		return -1;
	if (env->json)
		return print_reverted(env, how->revert_path, bytes, err);
	cmd_note(env, "%" PRIu64 " bytes restored and read back", bytes);
	return CMD_OK;
}
