/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/look.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/live_input.h"

#define TOLD 12u /* changes in a note; a document has them all */

static void print_change(
	FILE *to, const struct settle_change *c, const struct settle_change *before)
{
	bool same = before && !strcmp(before->device, c->device) && before->ring == c->ring;

	if (!same)
		fprintf(to, "%s%s ring %u:", before ? "; " : "", c->device, c->ring);
	fprintf(to, "%s slot %u %s", same ? "," : "", c->slot, settle_kind_name(c->kind));
}

/* "xvda ring 0: slot 3 gone, slot 4 new; and 7 more"; malloc'ed. */
static char *list_changes(const struct settle *st)
{
	char *text = NULL;
	size_t bytes, i;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		return NULL;
	for (i = 0; i < st->nr && i < TOLD; i++)
		print_change(to, &st->v[i], i ? &st->v[i - 1] : NULL);
	if (st->nr_changes > i && i)
		fprintf(to, "; and %" PRIu64 " more", st->nr_changes - i);
	if (!st->nr_changes)
		fputs(st->nr_moved ? "indices of a ring" : "what waits for the rings", to);
	fclose(to);
	return text;
}

void look_note(const struct cmd_env *env, const struct cmd_input *in)
{
	const struct live_look *look = live_input_looked(in->live);
	CLEANUP_FREE char *changes = NULL;

	if (look->overflowed)
		cmd_note(env, "its requests take more pages than are held at once: they were "
			      "copied at different times");
	if (look->paused) {
		cmd_note(env, "%s was paused for %.1f ms", in->name, (double)look->paused_ns / 1e6);
		return;
	}
	if (look->settle.consistent) {
		cmd_note(env, "consistent: two looks within %.1f ms saw the same",
			(double)look->apart_ns / 1e6);
		return;
	}
	changes = list_changes(&look->settle);
	cmd_note(env, "it changed between two looks within %.1f ms: %s",
		(double)look->apart_ns / 1e6, changes ? changes : "?");
}

static struct json_object *json_changes(const struct settle *st)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < st->nr; i++) {
		struct json_object *o = json_object_new_object();

		json_put_text(o, "device", st->v[i].device);
		json_put_num(o, "ring", st->v[i].ring);
		json_put_num(o, "slot", st->v[i].slot);
		json_put_text(o, "change", settle_kind_name(st->v[i].kind));
		json_object_array_add(a, o);
	}
	return a;
}

struct json_object *look_json(const struct cmd_input *in)
{
	const struct xenhost_domain *dom = live_input_domain(in->live);
	const struct live_look *look = live_input_looked(in->live);
	struct json_object *o = json_object_new_object();

	json_put_num(o, "domid", dom->domid);
	json_put_text(o, "state", xenhost_state(dom));
	json_put_bool(o, "consistent", look->settle.consistent && !look->overflowed);
	json_put(o, "paused_ns", look->paused ? json_object_new_uint64(look->paused_ns) : NULL);
	json_put(o, "apart_ns", look->paused ? NULL : json_object_new_uint64(look->apart_ns));
	json_put_num(o, "nr_changes", look->settle.nr_changes);
	json_put_num(o, "nr_rings_moved", look->settle.nr_moved);
	json_put(o, "changes", json_changes(&look->settle));
	return o;
}
