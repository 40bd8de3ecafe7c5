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
#include "cmd/handover.h"
#include "cmd/meter.h"
#include "cmd/render_json.h"
#include "io/door.h"
#include "io/hold.h"
#include "io/overlay.h"
#include "replay/order.h"

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

void replay_hold_signals(void)
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

static int write_targets(const struct cmd_env *env, const struct replay_apply *how,
	const struct replay_order *order, struct applied *v, struct err *err)
{
	CLEANUP_FREE struct replay_write_disk *disks = calloc(order->nr, sizeof(*disks));
	const struct replay_write w = {.disks = disks,
		.nr_disks = order->nr,
		.allow = how->allow,
		.undo_path = how->undo_path};
	size_t i;

	if (!disks)
		return err_nomem(err, "the disks");
	for (i = 0; i < order->nr; i++) {
		const struct replay_order_disk *d = &order->v[i];

		if (open_target(how, v[i].target, err))
			return -1;
		disks[i] = (struct replay_write_disk){.vdev = d->vdev,
			.nr_sectors = d->nr_sectors,
			.ops = d->ops,
			.disk = &v[i].target->disk};
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

/* All that an order says. Whoever does it has the rights that it takes. */
static int carry_out(const struct cmd_env *env, const struct replay_apply *how,
	const struct replay_order *order, struct applied *v, struct err *err)
{
	size_t i, nr = order->nr;

	for (i = 0; i < nr; i++) {
		v[i].target->seen_dev = order->v[i].dev;
		v[i].target->seen_ino = order->v[i].ino;
	}
	replay_hold_signals();
	if (run_checkers(how, v, nr, 0, err) || write_targets(env, how, order, v, err))
		return -1;
	for (i = 0; i < nr; i++)
		say_result(env, how, &v[i]);
	if (how->undo_path)
		cmd_note(env, "replay --revert=%s undoes them", how->undo_path);
	if (run_checkers(how, v, nr, 1, err))
		return -1;
	say_checked(env, how, v, nr);
	return 0;
}

static struct applied *new_applied(
	const struct replay_apply *how, struct replay_targets *targets, struct err *err)
{
	struct applied *v = calloc(targets->nr + 1, sizeof(*v));
	size_t i;

	if (!v)
		err_nomem(err, "the disks");
	for (i = 0; v && i < targets->nr; i++)
		v[i] = (struct applied){.target = &targets->v[i],
			.path = how->overlay_path ? how->overlay_path : targets->v[i].path};
	return v;
}

/* ---- between who looks and who writes ------------------------------------------------------ */

/* What became of a disk. */
struct disk_result {
	struct replay_written done;
	int fsck[2];
};

static int take_results(int fd, struct applied *v, size_t nr, struct err *err)
{
	CLEANUP_FREE struct disk_result *all = calloc(nr + 1, sizeof(*all));
	size_t i;

	if (!all)
		return err_nomem(err, "the disks");
	if (handover_take(fd, all, nr * sizeof(*all), err))
		return -1;
	for (i = 0; i < nr; i++) {
		v[i].done = all[i].done;
		memcpy(v[i].fsck, all[i].fsck, sizeof(v[i].fsck));
	}
	return 0;
}

static void give_results(int fd, int rc, const struct err *err, const struct applied *v, size_t nr)
{
	CLEANUP_FREE struct disk_result *all = calloc(nr + 1, sizeof(*all));
	size_t i;

	for (i = 0; all && v && i < nr; i++)
		all[i] = (struct disk_result){v[i].done, {v[i].fsck[0], v[i].fsck[1]}};
	if (all)
		handover_give(fd, rc, err, all, nr * sizeof(*all));
}

/* To the keeper, who alone can write. */
static int hand_over(const struct replay_order *order, struct applied *v, struct err *err)
{
	CLEANUP_CLOSE int fd = door_order();
	CLEANUP_CLOSE int result = -1;

	if (fd < 0)
		return err_sys(err, "cannot hand over the steps of the replay");
	replay_hold_signals();
	if (replay_order_write(order, fd, err))
		return -1;
	result = door_carry_out();
	if (result < 0)
		return err_sys(err, "cannot have the steps of the replay carried out");
	return take_results(result, v, order->nr, err);
}

void replay_apply_serve(const struct cmd_env *env, const struct replay_apply *how,
	struct replay_targets *targets, int order_fd, int result_fd)
{
	CLEANUP(replay_order_fini) struct replay_order order = {0};
	struct err err = ERR_INIT;
	CLEANUP_FREE struct applied *v = new_applied(how, targets, &err);
	size_t len = 0, i;
	const uint8_t *bytes = v ? handover_map(order_fd, &len, &err) : NULL;
	int rc = -1;

	if (bytes && !replay_order_read(bytes, len, targets->nr, how->discard, &order, &err))
		rc = carry_out(env, how, &order, v, &err);
	for (i = 0; i < targets->nr; i++)
		disk_drop(&targets->v[i].disk);
	give_results(result_fd, rc, &err, v, targets->nr);
	handover_unmap(bytes, len);
}

/* ---- who looks ------------------------------------------------------------------------------ */

static int make_order(const struct cmd_input *in, const struct replay_plan *plan,
	const struct replay_apply *how, const struct replay_targets *targets,
	struct replay_order *ret, struct err *err)
{
	size_t i;

	ret->v = calloc(targets->nr + 1, sizeof(*ret->v));
	if (!ret->v)
		return err_nomem(err, "the steps of the replay");
	for (i = 0; i < targets->nr; i++) {
		const struct replay_target *t = &targets->v[i];
		struct replay_order_disk *d = &ret->v[i];

		memcpy(d->vdev, t->dev->name, sizeof(d->vdev));
		d->nr_sectors = t->dev->nr_sectors;
		d->dev = t->seen_dev;
		d->ino = t->seen_ino;
		ret->nr = i + 1;
		if (replay_ops_build(in->memory, plan, t->dev, t->seen_bytes, how->allow,
			    how->discard, &d->ops, err))
			return -1;
	}
	return 0;
}

int replay_apply_run(const struct cmd_env *env, const struct cmd_input *in,
	const struct replay_plan *plan, const struct replay_apply *how,
	struct replay_targets *targets, struct json_object **ret, struct err *err)
{
	CLEANUP(replay_order_fini) struct replay_order order = {0};
	CLEANUP_FREE struct applied *v = new_applied(how, targets, err);

	*ret = NULL;
	if (!v || cmd_verdict(in, err) || evaluate_rules(in, targets, how->allow, err) ||
		make_order(in, plan, how, targets, &order, err))
		return -1;
	if (door_is_shut() ? hand_over(&order, v, err) : carry_out(env, how, &order, v, err))
		return -1;
	say_left_alone(env, in, plan, targets);
	*ret = as_json(how, v, targets->nr);
	if (!*ret)
		return err_nomem(err, "the JSON document");
	return is_clean(v, targets->nr) ? CMD_OK : CMD_WARNINGS;
}
