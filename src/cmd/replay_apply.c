/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/replay_apply.h"

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
 * wrong sectors) and XB5xx. XB6xx, holes and sizes have refusals of their own, where each step is
 * checked.
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

static int evaluate(const struct cmd_input *in, const struct replay_target *target, unsigned allow,
	struct err *err)
{
	struct check_disk disk = {0};
	struct check_special *specials = NULL;
	struct check_result result = {0};
	struct check_input ci = {.snap = &in->snap,
		.info = ckpt_info(in->ck),
		.memory = in->memory,
		.disks = &disk,
		.nr_disks = 1};
	int rc = -1;

	memcpy(disk.vdev, target->vdev, sizeof(disk.vdev));
	disk.format = target->format;
	disk.path = strdup(target->path);
	if (!disk.path)
		return err_nomem(err, "noting a disk");
	if (!check_disk_open(&disk, target->dev, err) &&
		!check_specials(in->memory, &specials, &ci.nr_specials, err)) {
		ci.specials = specials;
		check_run(&ci, &result);
		rc = result.no_memory ? err_nomem(err, "evaluating the rules")
				      : refuse_findings(&in->snap.findings, allow, err);
		if (!rc)
			rc = refuse_findings(&result.findings, allow, err);
	}
	check_result_fini(&result);
	free(specials);
	check_disk_fini(&disk);
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

static void say(const struct cmd_env *env, const struct replay_apply *how, const char *path,
	const struct replay_written *w)
{
	cmd_note(env, "%s: %zu writes and %zu discards of %llu bytes done, the writes read back",
		path, w->nr_writes, w->nr_discards, (unsigned long long)w->bytes);
	if (how->undo_path)
		cmd_note(env, "replay --revert=%s undoes them", how->undo_path);
	if (w->overlap)
		cmd_note(env, "requests change the same sectors: the plan's later ones stand");
	if (w->nr_left_out)
		cmd_note(env, "%zu requests left out", w->nr_left_out);
	if (w->nr_discards_left_out)
		cmd_note(env, "%zu discards not carried out%s", w->nr_discards_left_out,
			how->discard ? "" : " (--discard does)");
}

static struct json_object *as_json(const struct replay_apply *how, const char *path,
	const struct replay_written *w, const int fsck[2])
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	json_put(o, "path", json_text(path));
	json_put(o, "undo", how->undo_path ? json_text(how->undo_path) : NULL);
	json_put(o, "writes", json_object_new_uint64(w->nr_writes));
	json_put(o, "discards", json_object_new_uint64(w->nr_discards));
	json_put(o, "bytes", json_object_new_uint64(w->bytes));
	json_put(o, "left_out", json_object_new_uint64(w->nr_left_out));
	json_put(o, "discards_left_out", json_object_new_uint64(w->nr_discards_left_out));
	json_put(o, "fsck_before", how->fsck ? json_object_new_int(fsck[0]) : NULL);
	json_put(o, "fsck_after", how->fsck ? json_object_new_int(fsck[1]) : NULL);
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

static int write_target(const struct cmd_env *env, const struct cmd_input *in,
	const struct replay_plan *plan, const struct replay_apply *how,
	struct replay_target *target, struct replay_written *ret, struct err *err)
{
	struct meter meter;
	struct replay_write w = {.memory = in->memory,
		.plan = plan,
		.dev = target->dev,
		.disk = &target->disk,
		.allow = how->allow,
		.discard = how->discard,
		.undo_path = how->undo_path,
		.progress = &meter.progress};
	int rc;

	if (open_target(how, target, err))
		return -1;
	meter_start(&meter, env);
	rc = replay_write(&w, ret, err);
	meter_end(&meter);
	if (rc || disk_close(&target->disk, err)) {
		if (how->overlay_path)
			unlink(how->overlay_path);
		return -1;
	}
	return 0;
}

int replay_apply_run(const struct cmd_env *env, const struct cmd_input *in,
	const struct replay_plan *plan, const struct replay_apply *how,
	struct replay_target *target, struct json_object **ret, struct err *err)
{
	const char *written = how->overlay_path ? how->overlay_path : target->path;
	struct replay_written w;
	int fsck[2] = {0, 0};

	*ret = NULL;
	if (cmd_verdict(in, err) || evaluate(in, target, how->allow, err))
		return -1;
	hold_signals();
	if ((how->fsck && checker_run(how->fsck, target->path, target->format, &fsck[0], err)) ||
		write_target(env, in, plan, how, target, &w, err))
		return -1;
	say(env, how, written, &w);
	if (how->fsck) {
		if (checker_run(how->fsck, written, how->overlay_path ? DISK_QCOW2 : target->format,
			    &fsck[1], err))
			return -1;
		cmd_note(env, "the checker ended with %d before and with %d after", fsck[0],
			fsck[1]);
	}
	*ret = as_json(how, written, &w, fsck);
	if (!*ret)
		return err_nomem(err, "the JSON document");
	return fsck[1] || w.nr_left_out ? CMD_WARNINGS : CMD_OK;
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

int replay_apply_revert(const struct cmd_env *env, const struct replay_apply *how,
	const struct replay_target *target, struct err *err)
{
	struct undo_target to = {.vdev = target ? target->vdev : NULL,
		.disk = target ? target->path : NULL,
		.format = target ? target->format : DISK_UNSAID,
		.allow = (how->allow & REPLAY_ALLOW_IN_USE ? UNDO_ALLOW_IN_USE : 0) |
			 (how->allow & REPLAY_ALLOW_CHANGED ? UNDO_ALLOW_CHANGED : 0)};
	struct meter meter;
	uint64_t bytes = 0;
	int rc;

	meter_start(&meter, env);
	to.progress = &meter.progress;
	hold_signals();
	rc = undo_revert(how->revert_path, &to, &bytes, err);
	meter_end(&meter);
	if (rc)
		return -1;
	if (env->json)
		return print_reverted(env, how->revert_path, bytes, err);
	cmd_note(env, "%llu bytes restored and read back", (unsigned long long)bytes);
	return CMD_OK;
}
