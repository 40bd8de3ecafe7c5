/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/replay_plan.h"

#include <string.h>
#include <unistd.h>

#include "cmd/cells.h"
#include "cmd/render_json.h"
#include "io/door.h"

/* A row of the table. */
struct plan_row {
	struct request_row request;
	size_t step, nr_parts; /* 0 parts: not known */
	const struct replay_item *it;
};

static char *cell_step(const void *row)
{
	return table_text("%zu", ((const struct plan_row *)row)->step);
}

static char *cell_place(const void *row)
{
	const struct plan_row *r = row;

	return io_request_has_place(r->it->req) ? cell_sector(row) : NULL;
}

static char *cell_parts(const void *row)
{
	const struct plan_row *r = row;

	return r->nr_parts ? table_text("%zu", r->nr_parts) : NULL;
}

static char *cell_hazards(const void *row)
{
	const struct plan_row *r = row;
	char text[64] = "";
	size_t at = 0;
	int i;

	for (i = 0; i < HAZARD_NR; i++)
		if (r->it->hazards & 1u << i && at < sizeof(text))
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", at ? "," : "",
				hazard_name(1u << i));
	return *text ? strdup(text) : NULL;
}

static char *cell_why(const void *row)
{
	return strdup(((const struct plan_row *)row)->it->why);
}

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
	return replay_split(it,
		MAX(MIN(check_caps_segments(c), it->req->segs_wanted), BLKIF_MAX_SEGMENTS), ret, nr,
		err);
}

static const struct table_column columns[] = {
	{"STEP", true, "place in the order", cell_step},
	{"DEVICE", false, "virtual device", cell_device},
	{"RING", true, "ring of the device", cell_ring},
	{"SLOT", true, "slot of the shadow ring; q: tag of a queued request", cell_slot_or_tag},
	{"STATE", false, "pending, responded or queued", cell_state},
	{"OP", false, "read, write, barrier, flush, discard, probe", cell_op},
	{"SECTOR", true, "first sector; ? unknown", cell_place},
	{"SECTORS", true, "length in sectors", cell_sectors},
	{"PARTS", true, "requests that the target's limits make of it, at least", cell_parts},
	{"HAZARDS", false, "what makes the order or the result uncertain", cell_hazards},
	{"WHY-HERE", false, "its place in the order", cell_why},
};

static int add_row(struct libscols_table *t, const struct table_column *const *cols, size_t nr,
	const struct replay_item *it, size_t step, const struct target *target, struct err *err)
{
	struct plan_row row = {.request = {.dev = it->dev, .req = it->req}, .step = step, .it = it};
	CLEANUP_FREE struct replay_part *parts = NULL;

	if (target->caps && parts_of(it, target, &parts, &row.nr_parts, err))
		return -1;
	table_row(t, cols, nr, &row);
	return 0;
}

int replay_plan_table(const struct cmd_env *env, const struct replay_plan *plan,
	const struct target *target, struct err *err)
{
	const struct table_column *cols[ARRAY_SIZE(columns)];
	struct libscols_table *t;
	size_t i, nr = 0;

	for (i = 0; i < ARRAY_SIZE(columns); i++)
		if (columns[i].cell != cell_parts || target->caps)
			cols[nr++] = &columns[i];
	t = table_new(env, cols, nr);
	if (!t)
		return err_nomem(err, "the table");
	for (i = 0; i < plan->nr; i++)
		if (add_row(t, cols, nr, &plan->v[i], i + 1, target, err)) {
			scols_unref_table(t);
			return -1;
		}
	return table_print(t, err);
}

/* What a plan says of a request: all that an edit must leave as it is. */
static struct json_object *json_facts(const struct replay_item *it)
{
	struct json_object *o = json_request(it->req);

	if (!o)
		return NULL;
	json_put(o, "device", json_text(it->dev->name));
	json_put(o, "queued", json_object_new_boolean(it->req->state == IO_QUEUED));
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

		json_put(part, "sector", json_object_new_uint64(v[i].sector));
		json_put(part, "nr_sectors", json_object_new_uint64(v[i].nr_sectors));
		json_object_array_add(list, part);
	}
	free(v);
	return json_object_object_add(o, "parts", list);
}

static struct json_object *item_json(
	const struct replay_item *it, size_t step, const struct target *target)
{
	struct json_object *o = json_facts(it), *hazards = json_object_new_array();
	int i;

	if (!o || !hazards || add_parts(o, it, target)) {
		json_object_put(o);
		json_object_put(hazards);
		return NULL;
	}
	for (i = 0; i < HAZARD_NR; i++)
		if (it->hazards & 1u << i)
			json_object_array_add(hazards, json_text(hazard_name(1u << i)));
	json_put(o, "step", json_object_new_uint64(step));
	json_put(o, "why", json_text(it->why));
	json_put(o, "stream", json_text(it->stream));
	json_put(o, "order_known", json_object_new_boolean(it->order_known));
	json_put(o, "hazards", hazards);
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

static uint64_t get_number(struct json_object *o, const char *key)
{
	struct json_object *v = json_object_object_get(o, key);

	return json_object_is_type(v, json_type_int) ? json_object_get_uint64(v) : UINT64_MAX;
}

static bool names_item(struct json_object *o, const struct replay_item *it)
{
	struct json_object *dev = json_object_object_get(o, "device");

	return json_object_is_type(dev, json_type_string) &&
	       !strcmp(json_object_get_string(dev), it->dev->name) &&
	       get_number(o, "ring") == it->req->ring && get_number(o, "slot") == it->req->slot &&
	       json_object_get_boolean(json_object_object_get(o, "queued")) ==
		       (it->req->state == IO_QUEUED);
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
static int compare_item(
	struct json_object *o, const struct replay_item *it, size_t at, struct err *err)
{
	struct json_object *want = json_facts(it), *have;
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
		if (from->v[i].req && names_item(o, &from->v[i]))
			break;
	if (i == from->nr)
		return err_set(err, ERR_REFUSED,
			"item %zu is no pending request of this checkpoint, or stands there twice",
			at);
	if (compare_item(o, &from->v[i], at, err))
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

/* Some ten thousand requests. Read in pieces it may take twice as much for a moment, which the
 * memory of a process that looks at a small guest (LIMIT_MEMORY_BYTES) has room for. */
#define PLAN_MAX_BYTES (16u << 20)

/* A pipe, too; without the white space at its end. NULL: see err. */
static char *read_text(const char *path, size_t *bytes, struct err *err)
{
	CLEANUP_FREE char *text = NULL;
	CLEANUP_FILE FILE *f = strcmp(path, "-") ? door_fopen(path) : fdopen(dup(0), "r");
	size_t cap = 0, nr = 0, got;

	if (!f) {
		err_sys(err, "cannot open %s", path);
		return NULL;
	}
	do {
		if (util_grow(&text, &cap, nr + 65536, 1)) {
			err_nomem(err, "an edited plan");
			return NULL;
		}
		got = fread(text + nr, 1, 65536, f);
		nr += got;
	} while (got && nr <= PLAN_MAX_BYTES);
	if (ferror(f)) {
		err_sys(err, "cannot read %s", path);
		return NULL;
	}
	if (nr > PLAN_MAX_BYTES) {
		err_set(err, ERR_USAGE, "%s is longer than %u bytes", path, PLAN_MAX_BYTES);
		return NULL;
	}
	while (nr && strchr(" \t\r\n", text[nr - 1]))
		nr--;
	*bytes = nr;
	return take(text);
}

/* Members of all objects, as they stand in a text that was parsed. */
static size_t members_written(const char *text, size_t bytes)
{
	bool inside = false; /* of a string */
	size_t i, nr = 0;

	for (i = 0; i < bytes; i++) {
		if (inside && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			inside = !inside;
		else
			nr += !inside && text[i] == ':';
	}
	return nr;
}

/* The same of what became of it; the parser bounds the depth. */
static size_t members_kept(struct json_object *o)
{
	size_t i, nr = 0;

	if (json_object_is_type(o, json_type_array))
		for (i = 0; i < json_object_array_length(o); i++)
			nr += members_kept(json_object_array_get_idx(o, i));
	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, value)
		{
			(void)key;
			nr += 1 + members_kept(value);
		}
	}
	return nr;
}

static struct json_object *parse_text(const char *text, size_t bytes, struct err *err)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *doc;

	if (!tok) {
		err_nomem(err, "an edited plan");
		return NULL;
	}
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	doc = json_tokener_parse_ex(tok, text, (int)bytes);
	if (!doc)
		err_set(err, ERR_USAGE, "not JSON at byte %zu: %s", json_tokener_get_parse_end(tok),
			json_tokener_error_desc(json_tokener_get_error(tok)));
	else if (json_tokener_get_parse_end(tok) != bytes)
		err_set(err, ERR_USAGE, "something follows the plan at byte %zu",
			json_tokener_get_parse_end(tok));
	else if (members_kept(doc) != members_written(text, bytes))
		err_set(err, ERR_USAGE, "a name stands twice in one of its objects");
	else {
		json_tokener_free(tok);
		return doc;
	}
	json_object_put(doc);
	json_tokener_free(tok);
	return NULL;
}

/* Where the file says of which checkpoint it is, it must be this one. */
static int check_origin(struct json_object *doc, const struct cmd_input *in, struct err *err)
{
	static const char *const keys[] = {"uuid", "monotonic_ns", "wall_sec"};
	struct json_object *own = json_document(in, false), *a, *b, *schema;
	size_t i;
	int rc = 0;

	if (!own)
		return err_nomem(err, "an edited plan");
	if (json_object_object_get_ex(doc, "schema", &schema) &&
		!json_object_equal(schema, json_object_object_get(own, "schema")))
		rc = err_set(err, ERR_USAGE, "it has another \"schema\"");
	a = json_object_object_get(own, "guest");
	b = json_object_object_get(doc, "guest");
	for (i = 0; !rc && b && i < ARRAY_SIZE(keys); i++)
		if (!json_object_is_type(b, json_type_object) ||
			!json_object_equal(json_object_object_get(a, keys[i]),
				json_object_object_get(b, keys[i])))
			rc = err_set(err, ERR_REFUSED,
				"it is a plan of another checkpoint: \"%s\" of its guest differs",
				keys[i]);
	json_object_put(own);
	return rc;
}

int replay_plan_edit(
	struct replay_plan *plan, const struct cmd_input *in, const char *path, struct err *err)
{
	CLEANUP_FREE char *text = NULL;
	struct json_object *doc, *list;
	size_t bytes;
	int rc;

	text = read_text(path, &bytes, err);
	if (!text)
		return -1;
	doc = parse_text(text, bytes, err);
	if (!doc)
		return err_in(err, "%s", path);
	if (!json_object_is_type(doc, json_type_object) ||
		!json_object_object_get_ex(doc, "plan", &list) ||
		!json_object_is_type(list, json_type_array))
		rc = err_set(err, ERR_USAGE, "it has no list \"plan\"");
	else
		rc = check_origin(doc, in, err) || take_all(plan, list, err) ? -1 : 0;
	json_object_put(doc);
	return rc ? err_in(err, "%s", path) : replay_plan_mark(plan, err);
}
