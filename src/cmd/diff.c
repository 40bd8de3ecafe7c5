/* SPDX-License-Identifier: BSD-2-Clause
 *
 * diff: what became of a guest between two checkpoints of it.
 */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/cells.h"
#include "cmd/confine.h"
#include "cmd/render_json.h"
#include "cmd/table.h"
#include "frontend/changes.h"

struct diff {
	struct cmd_env *env;
	const char *path[2];
	struct cmd_input in[2];
	struct changes changes;
};

static error_t parse_diff(int key, char *arg, struct argp_state *state)
{
	struct diff *d = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, d->env);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "two checkpoints are compared, not more");
		d->path[state->arg_num] = arg;
		return 0;
	case ARGP_KEY_END:
		if (!d->path[d->env->live ? 0 : 1])
			argp_error(state, "two checkpoints are needed, BEFORE and AFTER; the "
					  "second may be a domain, --live");
		if (d->path[1] && d->env->live)
			argp_error(state, "--live takes the place of the second checkpoint");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- is it one guest, and is it this way round? ------------------------------------------- */

/* NULL: nothing speaks against it. */
static const char *other_guest(const struct diff *d)
{
	const struct ckpt_info *a = d->in[0].info, *b = d->in[1].info;
	const struct guest_facts *f = &d->in[0].snap.guest, *g = &d->in[1].snap.guest;

	if (a->uuid && b->uuid && strcmp(a->uuid, b->uuid))
		return "their UUIDs differ";
	if (a->word_bytes && b->word_bytes && a->word_bytes != b->word_bytes)
		return "one has 32 bits, the other 64";
	if (*f->os && *g->os && strcmp(f->os, g->os))
		return "they run different systems";
	return NULL;
}

/* Nanoseconds from the first to the second; false when the guest's clock does not tell. */
static bool time_between(const struct diff *d, int64_t *ret)
{
	const struct guest_facts *f = &d->in[0].snap.guest, *g = &d->in[1].snap.guest;

	if (!f->mono_known || !g->mono_known)
		return false;
	*ret = (int64_t)(g->mono_ns - f->mono_ns);
	return true;
}

static void note_doubts(const struct diff *d)
{
	const char *why = other_guest(d);
	int64_t ns;

	if (why)
		cmd_note(d->env, "these may not be checkpoints of one guest: %s", why);
	else if (time_between(d, &ns) && ns < 0)
		cmd_note(d->env,
			"by the guest's clock %s is the older one, or the guest was started anew "
			"in between",
			d->in[1].name);
	if (!d->changes.complete)
		cmd_note(d->env, "not all requests are known on both sides");
}

/* ---- text --------------------------------------------------------------------------------- */

static const struct request_change *change_of(const void *row)
{
	return row;
}

static struct request_row request_of(const void *row)
{
	const struct request_change *c = row;

	return (struct request_row){.dev = c->dev, .req = c->after ? c->after : c->before};
}

#define CELL(name)                                                                                 \
	static char *change_##name(const void *row)                                                \
	{                                                                                          \
		const struct request_row r = request_of(row);                                      \
                                                                                                   \
		return cell_##name(&r);                                                            \
	}
CELL(device)
CELL(ring)
CELL(slot_or_tag)
CELL(op)
CELL(sector)
CELL(sectors)

static char *change_kind(const void *row)
{
	return strdup(change_kind_name(change_of(row)->kind));
}

static char *age_of(const struct io_request *r)
{
	char text[64];

	if (!r || !r->age_known)
		return NULL;
	table_duration(r->age_ns, text, sizeof(text));
	return strdup(text);
}

static char *change_age_before(const void *row)
{
	return age_of(change_of(row)->before);
}

static char *change_age_after(const void *row)
{
	return age_of(change_of(row)->after);
}

static const struct table_column columns[] = {
	{"CHANGE", false, NULL, change_kind},
	{"DEVICE", false, NULL, change_device},
	{"RING", true, NULL, change_ring},
	{"SLOT", true, NULL, change_slot_or_tag},
	{"OP", false, NULL, change_op},
	{"SECTOR", true, NULL, change_sector},
	{"SECTORS", true, NULL, change_sectors},
	{"AGE-BEFORE", true, NULL, change_age_before},
	{"AGE-AFTER", true, NULL, change_age_after},
};

static int print_requests(const struct diff *d, struct err *err)
{
	const struct table_column *cols[ARRAY_SIZE(columns)];
	struct libscols_table *t;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cols); i++)
		cols[i] = &columns[i];
	t = table_new(d->env, cols, ARRAY_SIZE(cols));
	if (!t)
		return err_nomem(err, "the table");
	for (i = 0; i < d->changes.nr_requests; i++)
		table_row(t, cols, ARRAY_SIZE(cols), &d->changes.requests[i]);
	return table_print(t, err);
}

static void print_fact(FILE *out, const struct fact_change *f)
{
	CLEANUP_FREE char *before = f->before ? cmd_safe_text(f->before, strlen(f->before)) : NULL;
	CLEANUP_FREE char *after = f->after ? cmd_safe_text(f->after, strlen(f->after)) : NULL;

	fputs(*f->device ? f->device : "guest", out);
	if (f->ring >= 0)
		fprintf(out, " ring %d", f->ring);
	fprintf(out, ": %s: %s, then %s\n", f->what, before ? before : "unknown or none",
		after ? after : "unknown or none");
}

static int print_text(const struct diff *d, struct err *err)
{
	size_t i;

	if (d->changes.nr_requests && print_requests(d, err))
		return -1;
	if (d->changes.nr_requests && d->changes.nr_facts)
		fputc('\n', d->env->out);
	for (i = 0; i < d->changes.nr_facts; i++)
		print_fact(d->env->out, &d->changes.facts[i]);
	return 0;
}

/* ---- JSON --------------------------------------------------------------------------------- */

static struct json_object *json_requests(const struct changes *c)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < c->nr_requests; i++) {
		const struct request_change *r = &c->requests[i];
		struct json_object *o = json_object_new_object();

		json_put_text(o, "change", change_kind_name(r->kind));
		json_put_text(o, "device", r->dev->name);
		json_put(o, "before", r->before ? json_request(r->before) : NULL);
		json_put(o, "after", r->after ? json_request(r->after) : NULL);
		json_object_array_add(a, o);
	}
	return a;
}

static struct json_object *json_facts(const struct changes *c)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < c->nr_facts; i++) {
		const struct fact_change *f = &c->facts[i];
		struct json_object *o = json_object_new_object();

		json_put_text(o, "device", f->device);
		json_put(o, "ring", json_int_or_null(f->ring));
		json_put_text(o, "what", f->what);
		json_put_text(o, "before", f->before);
		json_put_text(o, "after", f->after);
		json_object_array_add(a, o);
	}
	return a;
}

static int print_json(const struct diff *d, struct err *err)
{
	struct json_object *doc = json_new_document();
	int64_t ns;

	json_put(doc, "before", json_source(&d->in[0]));
	json_put(doc, "after", json_source(&d->in[1]));
	json_put_text(doc, "other_guest", other_guest(d));
	json_put(doc, "between_ns", time_between(d, &ns) ? json_object_new_int64(ns) : NULL);
	json_put_bool(doc, "complete", d->changes.complete);
	json_put_bool(doc, "differ", changes_any(&d->changes));
	json_put(doc, "requests", json_requests(&d->changes));
	json_put(doc, "facts", json_facts(&d->changes));
	return json_print(doc, d->env->out, err);
}

/* ---- all ---------------------------------------------------------------------------------- */

/* With --live the second one is the domain. */
static int open_both(struct diff *d, struct err *err)
{
	struct cmd_env file = *d->env;
	size_t i;

	file.live = NULL;
	for (i = 0; i < 2; i++)
		if (cmd_open(i ? d->env : &file, d->path[i], &d->in[i], err) ||
			cmd_analyse(d->env, &d->in[i], err))
			return -1;
	return 0;
}

static int confine_diff(struct diff *d, struct err *err)
{
	struct door_passes passes = {0};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(d->path); i++)
		door_pass_add(&passes, d->path[i], DOOR_READ);
	return cmd_confine(d->env, NULL, &passes, err);
}

static int run_diff(struct diff *d, struct err *err)
{
	size_t i;

	if (confine_diff(d, err) || open_both(d, err) ||
		changes_find(&d->in[0].snap, &d->in[1].snap, &d->changes, err))
		return -1;
	note_doubts(d);
	if (d->env->json ? print_json(d, err) : print_text(d, err))
		return -1;
	for (i = 0; i < 2; i++)
		if (cmd_verdict(&d->in[i], err))
			return -1;
	return changes_any(&d->changes) ? CMD_WARNINGS : CMD_OK;
}

int cmd_diff(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_child children[] = {{.argp = &cmd_live_argp},
		{.argp = &cmd_locate_argp}, {.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.parser = parse_diff,
		.args_doc = "BEFORE AFTER",
		.doc = "Compare two checkpoints of one guest, or one and the domain (--live): "
		       "requests that completed, appeared "
		       "or stayed, and what changed of its disks. 1 when anything "
		       "did." CMD_HELP_STATUS,
		.children = children};
	struct diff d = {.env = env};
	int rc;

	cmd_parse(&argp, argc, argv, &d);
	rc = run_diff(&d, err);
	changes_fini(&d.changes);
	cmd_close(&d.in[0]);
	cmd_close(&d.in[1]);
	return rc;
}
