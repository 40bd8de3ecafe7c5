/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/report.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/render_json.h"
#include "cmd/show.h"

void report_count(struct report *r)
{
	enum severity s;
	size_t l, i;

	memset(r->nr, 0, sizeof(r->nr));
	for (l = 0; l < ARRAY_SIZE(r->lists); l++)
		for (i = 0; r->lists[l] && i < r->lists[l]->nr_counts; i++) {
			const struct finding_count *c = &r->lists[l]->counts[i];

			if (check_policy_severity(r->policy, c->rule, &s))
				r->nr[s] += c->seen;
		}
}

static void text_finding(const struct report *r, const struct finding *f, bool verbose, FILE *out)
{
	const struct rule *rule = catalogue_find(f->rule);
	enum severity s;
	char *text;

	if (!check_policy_severity(r->policy, f->rule, &s))
		return;
	fprintf(out, "%s%s%s %s", show_begin(r->color, severity_name(s)), severity_name(s),
		show_end(r->color, severity_name(s)), f->rule);
	if (f->device[0])
		fprintf(out, " %s", f->device);
	if (f->ring >= 0)
		fprintf(out, " ring %d", f->ring);
	if (f->slot >= 0)
		fprintf(out, " slot %d", f->slot);
	if (f->offset != FINDING_NO_OFFSET)
		fprintf(out, " at 0x%" PRIx64, f->offset);
	text = cmd_safe_text(f->message, strlen(f->message));
	fprintf(out, ": %s\n", text ? text : "");
	free(text);
	if (verbose && rule)
		fprintf(out, "    %s\n    %s\n", rule->explanation, rule->remedy);
}

/* A hostile file may earn millions of findings: the rest are only counted. */
static void text_dropped(const struct report *r, const struct finding_list *list, FILE *out)
{
	enum severity s;
	size_t i;

	for (i = 0; i < list->nr_counts; i++)
		if (finding_left_out(&list->counts[i]) &&
			check_policy_severity(r->policy, list->counts[i].rule, &s))
			fprintf(out, "%s %s: %" PRIu64 " more of these\n", severity_name(s),
				list->counts[i].rule, finding_left_out(&list->counts[i]));
}

static const char *plural_end(uint64_t nr)
{
	return nr == 1 ? "" : "s";
}

static void text_found(const struct report *r, FILE *out)
{
	size_t devices = r->snap->nr_devices, requests;
	bool all;

	requests = snapshot_pending(r->snap, &all);
	if (!devices) {
		fprintf(out, "%s: no device found, pending requests unknown: ", r->path);
		return;
	}
	fprintf(out, "%s: %zu device%s, ", r->path, devices, plural_end(devices));
	if (all || requests)
		fprintf(out, "%s%zu pending request%s: ", all ? "" : "at least ", requests,
			plural_end(requests));
	else
		fputs("pending requests unknown: ", out);
}

void report_sum(const struct report *r, FILE *out)
{
	uint64_t errors = r->nr[SEVERITY_ERROR], warnings = r->nr[SEVERITY_WARNING];
	uint64_t notes = r->nr[SEVERITY_NOTE];

	text_found(r, out);
	fprintf(out, "%" PRIu64 " error%s, %" PRIu64 " warning%s, %" PRIu64 " note%s", errors,
		plural_end(errors), warnings, plural_end(warnings), notes, plural_end(notes));
	if (r->result && r->result->nr_skips)
		fprintf(out, "; %zu not evaluated", r->result->nr_skips);
	fputc('\n', out);
}

void report_findings(const struct report *r, bool verbose, FILE *out)
{
	size_t l, i;

	for (l = 0; l < ARRAY_SIZE(r->lists); l++) {
		for (i = 0; r->lists[l] && i < r->lists[l]->nr; i++)
			text_finding(r, &r->lists[l]->v[i], verbose, out);
		if (r->lists[l])
			text_dropped(r, r->lists[l], out);
	}
	for (i = 0; verbose && r->result && i < r->result->nr_skips; i++) {
		const struct check_skip *s = &r->result->skips[i];

		fprintf(out, "not evaluated %s%s%s: %s\n", s->rule, *s->device ? " " : "",
			s->device, s->reason);
	}
}

static int add_finding(const struct report *r, const struct finding *f, struct json_object *array)
{
	struct json_object *o;
	enum severity s;

	if (!check_policy_severity(r->policy, f->rule, &s))
		return 0;
	o = json_finding(f, s);
	return o ? json_object_array_add(array, o) : -1;
}

static int json_skips(const struct report *r, struct json_object *array)
{
	size_t i;

	for (i = 0; r->result && i < r->result->nr_skips; i++) {
		const struct check_skip *s = &r->result->skips[i];
		struct json_object *o = json_object_new_object();

		if (!o)
			return -1;
		json_put(o, "rule", json_object_new_string(s->rule));
		json_put(o, "device", json_text(s->device));
		json_put(o, "reason", json_text(s->reason));
		if (json_object_array_add(array, o))
			return -1;
	}
	return 0;
}

int report_json(const struct report *r, struct json_object *doc)
{
	struct json_object *findings = json_object_new_array(), *skips = json_object_new_array();
	struct json_object *counts = json_object_new_object();
	size_t l, i;
	int ret = 0;

	json_put(doc, "findings", findings);
	json_put(doc, "not_evaluated", skips);
	json_put(doc, "counts", counts);
	if (!findings || !skips || !counts)
		return -1;
	for (l = 0; l < ARRAY_SIZE(r->lists); l++)
		for (i = 0; r->lists[l] && i < r->lists[l]->nr; i++)
			ret |= add_finding(r, &r->lists[l]->v[i], findings);
	json_object_object_del(doc, "findings_left_out"); /* was without the user's severities */
	for (l = 0; l < ARRAY_SIZE(r->lists); l++)
		if (r->lists[l])
			json_put_left_out(doc, r->lists[l], r->policy);
	json_put(counts, "error", json_object_new_uint64(r->nr[SEVERITY_ERROR]));
	json_put(counts, "warning", json_object_new_uint64(r->nr[SEVERITY_WARNING]));
	json_put(counts, "note", json_object_new_uint64(r->nr[SEVERITY_NOTE]));
	return ret | json_skips(r, skips);
}
