/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/replay_plan.h"

#include <string.h>

#include "cmd/render_json.h"
#include "cmd/table.h"

static const struct table_column columns[] = {
	{"STEP", true, "place in the order"},
	{"DEVICE", false, "virtual device"},
	{"RING", true, "ring of the device"},
	{"SLOT", true, "slot of the shadow ring; q: tag of a queued request"},
	{"STATE", false, "pending, responded or queued"},
	{"OP", false, "read, write, barrier, flush, discard, probe"},
	{"SECTOR", true, "first sector; ? unknown"},
	{"SECTORS", true, "length in sectors"},
	{"PARTS", true, "requests that the target's limits make of it, at least"},
	{"HAZARDS", false, "what makes the order or the result uncertain"},
	{"WHY-HERE", false, "its place in the order"},
};

static void hazard_names(unsigned hazards, char *buf, size_t cap)
{
	size_t at = 0;
	int i;

	buf[0] = 0;
	for (i = 0; i < REPLAY_HAZARDS; i++)
		if (hazards & 1u << i && at < cap)
			at += (size_t)snprintf(buf + at, cap - at, "%s%s", at ? "," : "",
				replay_hazard_name(1u << i));
}

#define COL_PARTS 8

/*
 * The parts of an item on the target; none: not known. The guest sticks to its own limit, which is
 * not below the one it had, so a larger one of the target changes nothing.
 */
static int parts_of(const struct replay_item *it, const struct target *target,
	struct replay_part **ret, size_t *nr, struct err *err)
{
	const struct check_caps *c = check_caps_of(target->caps, target->nr_caps, it->dev);

	*ret = NULL;
	*nr = 0;
	if (!c || (c->partial && c->max_indirect_segments == BLK_UNKNOWN_U64))
		return 0;
	return replay_split(
		it, MAX(MIN(check_caps_segments(c), it->req->segs_wanted), 11u), ret, nr, err);
}

static int parts_cell(struct libscols_line *line, const struct replay_item *it,
	const struct target *target, struct err *err)
{
	struct replay_part *v;
	size_t nr;

	if (parts_of(it, target, &v, &nr, err))
		return -1;
	free(v);
	if (nr)
		table_cell(line, COL_PARTS, "%zu", nr);
	else
		table_cell(line, COL_PARTS, NULL);
	return 0;
}

static void row(struct libscols_line *line, size_t step, const struct replay_item *it, size_t at)
{
	const struct io_request *r = it->req;
	char text[64];

	table_cell(line, 0, "%zu", step);
	table_cell(line, 1, "%s", it->dev->name);
	table_cell(line, 2, "%u", r->ring);
	table_cell(line, 3, "%s%u", it->queued ? "q" : "", r->slot);
	table_cell(line, 4, "%s", io_state_name(r->state));
	table_cell(line, 5, "%s", io_op_name(r->op));
	if (!replay_needs_sector(r))
		table_cell(line, 6, NULL);
	else if (r->sector_from == IO_SECTOR_UNKNOWN)
		table_cell(line, 6, "?");
	else
		table_cell(line, 6, "%llu", (unsigned long long)r->sector);
	table_cell(line, 7, "%llu", (unsigned long long)r->nr_sectors);
	hazard_names(it->hazards, text, sizeof(text));
	table_cell(line, at, *text ? "%s" : NULL, text);
	table_cell(line, at + 1, "%s", it->why);
}

static int rows(struct libscols_table *t, const struct replay_plan *plan,
	const struct target *target, struct err *err)
{
	size_t i;

	for (i = 0; i < plan->nr; i++) {
		struct libscols_line *line = scols_table_new_line(t, NULL);

		if (!line)
			return err_nomem(err, "the table");
		row(line, i + 1, &plan->v[i], target->caps ? COL_PARTS + 1 : COL_PARTS);
		if (target->caps && parts_cell(line, &plan->v[i], target, err))
			return -1;
	}
	return 0;
}

int replay_plan_table(const struct cmd_env *env, const struct replay_plan *plan,
	const struct target *target, struct err *err)
{
	const struct table_column *cols[ARRAY_SIZE(columns)];
	struct libscols_table *t;
	size_t i, nr = 0;

	for (i = 0; i < ARRAY_SIZE(columns); i++)
		if (i != COL_PARTS || target->caps)
			cols[nr++] = &columns[i];
	t = table_new(env, cols, nr);
	if (!t)
		return err_nomem(err, "the table");
	if (rows(t, plan, target, err)) {
		scols_unref_table(t);
		return -1;
	}
	return table_print(t, err);
}

/* What a plan says of a request: all that an edit must leave as it is. */
static struct json_object *facts(const struct replay_item *it)
{
	struct json_object *o = json_request(it->req);

	if (!o)
		return NULL;
	json_object_object_add(o, "device", json_text(it->dev->name));
	json_object_object_add(o, "queued", json_object_new_boolean(it->queued));
	return o;
}

/* null: not known. */
static int add_parts(
	struct json_object *o, const struct replay_item *it, const struct target *target)
{
	struct json_object *list = NULL;
	struct replay_part *v;
	struct err err;
	size_t nr, i;

	if (parts_of(it, target, &v, &nr, &err))
		return -1;
	if (nr)
		list = json_object_new_array();
	for (i = 0; i < nr; i++) {
		struct json_object *part = json_object_new_object();

		json_object_object_add(part, "sector", json_object_new_uint64(v[i].sector));
		json_object_object_add(part, "nr_sectors", json_object_new_uint64(v[i].nr_sectors));
		json_object_array_add(list, part);
	}
	free(v);
	return json_object_object_add(o, "parts", list);
}

static struct json_object *item_json(
	const struct replay_item *it, size_t step, const struct target *target)
{
	struct json_object *o = facts(it), *hazards = json_object_new_array();
	int i;

	if (!o || !hazards || add_parts(o, it, target)) {
		json_object_put(o);
		json_object_put(hazards);
		return NULL;
	}
	for (i = 0; i < REPLAY_HAZARDS; i++)
		if (it->hazards & 1u << i)
			json_object_array_add(hazards, json_text(replay_hazard_name(1u << i)));
	json_object_object_add(o, "step", json_object_new_uint64(step));
	json_object_object_add(o, "why", json_text(it->why));
	json_object_object_add(o, "stream", json_text(it->stream));
	json_object_object_add(o, "order_known", json_object_new_boolean(it->order_known));
	json_object_object_add(o, "hazards", hazards);
	return o;
}

struct json_object *replay_plan_json(const struct replay_plan *plan, const struct target *target)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; list && i < plan->nr; i++) {
		struct json_object *o = item_json(&plan->v[i], i + 1, target);

		if (!o || json_object_array_add(list, o)) {
			json_object_put(o);
			json_object_put(list);
			return NULL;
		}
	}
	return list;
}

/* ---- back from an edited file ------------------------------------------------------------- */

static uint64_t number(struct json_object *o, const char *key)
{
	struct json_object *v = json_object_object_get(o, key);

	return json_object_is_type(v, json_type_int) ? json_object_get_uint64(v) : UINT64_MAX;
}

static bool names(struct json_object *o, const struct replay_item *it)
{
	struct json_object *dev = json_object_object_get(o, "device");

	return json_object_is_type(dev, json_type_string) &&
	       !strcmp(json_object_get_string(dev), it->dev->name) &&
	       number(o, "ring") == it->req->ring && number(o, "slot") == it->req->slot &&
	       json_object_get_boolean(json_object_object_get(o, "queued")) == it->queued;
}

/* The same plan may be shown for one target and be taken back without it. */
static void forget_target(struct json_object *o)
{
	struct json_object *list = json_object_object_get(o, "segments");
	size_t i, nr = json_object_is_type(list, json_type_array) ? json_object_array_length(list)
								  : 0;

	for (i = 0; i < nr; i++) {
		struct json_object *seg = json_object_array_get_idx(list, i);

		if (json_object_is_type(seg, json_type_object))
			json_object_object_del(seg, "target_mfn");
	}
}

/* Whatever the plan says of the request must stand in the file as it is. */
static int compare(struct json_object *o, const struct replay_item *it, size_t at, struct err *err)
{
	struct json_object *want = facts(it), *have;
	int rc = 0;

	if (!want)
		return err_nomem(err, "comparing a plan");
	forget_target(want);
	forget_target(o);
	json_object_object_foreach(want, key, value)
	{
		if (rc || (json_object_object_get_ex(o, key, &have) &&
				  json_object_equal(have, value)))
			continue;
		rc = err_set(err, ERR_REFUSED,
			"item %zu (%s ring %u slot %u): \"%s\" is not what the checkpoint says", at,
			it->dev->name, it->req->ring, it->req->slot, key);
	}
	json_object_put(want);
	return rc;
}

static int take_item(struct replay_plan *from, struct json_object *o, size_t at,
	struct replay_item *ret, struct err *err)
{
	size_t i;

	if (!json_object_is_type(o, json_type_object))
		return err_set(err, ERR_REFUSED, "item %zu is no object", at);
	for (i = 0; i < from->nr; i++)
		if (from->v[i].req && names(o, &from->v[i]))
			break;
	if (i == from->nr)
		return err_set(err, ERR_REFUSED,
			"item %zu is no pending request of this checkpoint, or stands there twice",
			at);
	if (compare(o, &from->v[i], at, err))
		return -1;
	*ret = from->v[i];
	from->v[i].req = NULL;
	return 0;
}

static int take_all(struct replay_plan *plan, struct json_object *list, struct err *err)
{
	CLEANUP_FREE struct replay_item *v = NULL;
	size_t i, nr = json_object_array_length(list);

	if (nr > plan->nr)
		return err_set(
			err, ERR_REFUSED, "%zu items, of %zu pending requests", nr, plan->nr);
	v = calloc(nr + 1, sizeof(*v));
	if (!v)
		return err_nomem(err, "an edited plan");
	for (i = 0; i < nr; i++)
		if (take_item(plan, json_object_array_get_idx(list, i), i + 1, &v[i], err))
			return -1;
	free(plan->v);
	plan->v = take(v);
	plan->nr = nr;
	plan->cap = nr + 1;
	return 0;
}

int replay_plan_edit(struct replay_plan *plan, const char *path, struct err *err)
{
	struct json_object *doc = json_object_from_file(path), *list;
	int rc;

	if (!doc)
		return err_set(err, ERR_USAGE, "cannot read %s as JSON: %s", path,
			json_util_get_last_err());
	if (!json_object_is_type(doc, json_type_object) ||
		!json_object_object_get_ex(doc, "plan", &list) ||
		!json_object_is_type(list, json_type_array))
		rc = err_set(err, ERR_USAGE, "it has no list \"plan\"");
	else
		rc = take_all(plan, list, err);
	json_object_put(doc);
	return rc ? err_in(err, "%s", path) : replay_plan_mark(plan, err);
}
