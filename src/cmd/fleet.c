/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/fleet.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/crew.h"
#include "cmd/options.h"
#include "cmd/render_json.h"
#include "io/door.h"

enum { OPT_LINES = 0x500, OPT_FORMAT, OPT_FILES_FROM };

static const char *const format_names[] = {
	[FLEET_TEXT] = "text",
	[FLEET_JSON] = "json",
	[FLEET_LINES] = "json-lines",
	[FLEET_PROMETHEUS] = "prometheus",
	[FLEET_NAGIOS] = "nagios",
};

static int add_text(char ***v, size_t *nr, const char *text)
{
	char **grown = realloc(*v, (*nr + 1) * sizeof(**v));

	if (!grown)
		return -1;
	*v = grown;
	grown[*nr] = strdup(text);
	return grown[*nr] ? (++*nr, 0) : -1;
}

int fleet_add(struct fleet *f, const char *path)
{
	if (util_grow(&f->paths, &f->cap, f->nr + 1, sizeof(*f->paths)))
		return -1;
	f->paths[f->nr] = strdup(path);
	return f->paths[f->nr] ? (f->nr++, 0) : -1;
}

static void choose_format(struct fleet *f, const char *word, struct argp_state *state)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(format_names); i++)
		if (!strcmp(format_names[i], word)) {
			f->format = (enum fleet_format)i;
			return;
		}
	argp_error(state, "--format takes text, json, json-lines, prometheus or nagios, not '%s'",
		word);
}

static error_t parse_fleet(int key, char *arg, struct argp_state *state)
{
	struct fleet *f = state->input;

	switch (key) {
	case OPT_LINES:
		f->format = FLEET_LINES;
		return 0;
	case OPT_FORMAT:
		choose_format(f, arg, state);
		return 0;
	case OPT_FILES_FROM:
		if (add_text(&f->lists, &f->nr_lists, arg))
			argp_failure(state, CMD_FAILED, 0, "out of memory");
		return 0;
	case '0':
		f->by_null = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {
	{.name = "json-lines",
		.key = OPT_LINES,
		.doc = "one JSON document a file, each on a line of its own"},
	{.name = "format",
		.key = OPT_FORMAT,
		.arg = "text|json|json-lines|prometheus|nagios",
		.doc = "how to print"},
	{.name = "files-from",
		.key = OPT_FILES_FROM,
		.arg = "FILE",
		.doc = "also the files that this one names, a line each; - is stdin"},
	{.name = "null", .key = '0', .doc = "with --files-from: names end with a zero byte"},
	{0},
};

const struct argp fleet_argp = {.options = options, .parser = parse_fleet};

/* ---- which files -------------------------------------------------------------------------- */

static int read_list(struct fleet *f, const char *path, struct err *err)
{
	bool std = !strcmp(path, "-");
	CLEANUP_FILE FILE *opened = std ? NULL : door_fopen(path);
	CLEANUP_FREE char *line = NULL;
	FILE *in = std ? stdin : opened;
	size_t cap = 0;
	ssize_t n;

	if (!in)
		return err_sys(err, "cannot open '%s'", path);
	while ((n = getdelim(&line, &cap, f->by_null ? 0 : '\n', in)) > 0) {
		if (!f->by_null && line[n - 1] == '\n')
			line[n - 1] = 0;
		if (*line && fleet_add(f, line))
			return err_nomem(err, "the list of files");
	}
	return ferror(in) ? err_sys(err, "cannot read '%s'", path) : 0;
}

int fleet_complete(struct fleet *f, struct err *err)
{
	size_t i;

	if (gethostname(f->host, sizeof(f->host) - 1))
		f->host[0] = 0;
	for (i = 0; i < f->nr_lists; i++)
		if (read_list(f, f->lists[i], err))
			return -1;
	if (f->env->json && f->format == FLEET_TEXT)
		f->format = FLEET_JSON;
	f->env->json = f->format == FLEET_JSON || f->format == FLEET_LINES;
	return 0;
}

void fleet_fini(struct fleet *f)
{
	size_t i;

	for (i = 0; i < f->nr; i++)
		free(f->paths[i]);
	for (i = 0; i < f->nr_lists; i++)
		free(f->lists[i]);
	free(f->paths);
	free(f->lists);
}

/* ---- what is left of one ------------------------------------------------------------------ */

static bool changes_disk(const struct io_request *r)
{
	return r->op == IO_WRITE || r->op == IO_DISCARD || (r->op != IO_READ && r->nr_sectors);
}

static void count_requests(struct fleet_row *row, const struct io_request *v, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		row->writes += changes_disk(&v[i]);
		if (!v[i].age_known)
			continue;
		row->oldest_ns = MAX(row->oldest_ns, v[i].age_ns);
		row->oldest_known = true;
	}
}

void fleet_fill(struct fleet_row *row, const struct cmd_input *in, const struct report *report)
{
	const struct snapshot *s = &in->snap;
	size_t i;

	row->name = in->info && in->info->name ? strdup(in->info->name) : NULL;
	row->pending = snapshot_pending(s, &row->pending_known);
	for (i = 0; i < s->nr_devices; i++) {
		count_requests(row, s->devices[i].requests, s->devices[i].nr_requests);
		count_requests(row, s->devices[i].queued, s->devices[i].nr_queued);
	}
	row->judged = report != NULL;
	if (report)
		memcpy(row->found, report->nr, sizeof(row->found));
}

static int worst_of(const struct fleet_row *rows, size_t nr)
{
	int worst = CMD_OK;
	size_t i;

	for (i = 0; i < nr; i++)
		worst = MAX(worst, rows[i].status);
	return worst;
}

/* ---- JSON --------------------------------------------------------------------------------- */

static struct json_object *broken_file(const char *path, const struct err *err)
{
	struct json_object *doc = json_new_document(), *src = json_object_new_object();

	json_put_text(src, "path", path);
	json_put(doc, "source", src);
	json_put_text(doc, "error", err->text);
	return doc;
}

static void put_facts(const struct fleet *f, struct json_object *doc, const struct fleet_row *row)
{
	struct json_object *o = json_object_new_object();

	json_put_text(o, "host", f->host);
	json_put_num(o, "status", (uint64_t)row->status);
	json_put(o, "pending", row->pending_known ? json_object_new_uint64(row->pending) : NULL);
	json_put(o, "writes", row->pending_known ? json_object_new_uint64(row->writes) : NULL);
	json_put(o, "oldest_ns", row->oldest_known ? json_object_new_uint64(row->oldest_ns) : NULL);
	json_put(doc, "fleet", o);
}

static int print_line(struct json_object *doc, FILE *out, struct err *err)
{
	const char *text = doc ? json_object_to_json_string_ext(doc,
					 JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
			       : NULL;
	int rc = text ? 0 : err_nomem(err, "the JSON document");

	if (text)
		fprintf(out, "%s\n", text);
	json_object_put(doc);
	return rc;
}

/* ---- Prometheus --------------------------------------------------------------------------- */

/* A label's value: backslash, quote and line feed are escaped; guests choose their names. */
static void put_label(FILE *out, const char *key, const char *value)
{
	CLEANUP_FREE char *safe = cmd_valid_utf8(value, strlen(value));
	const char *p;

	fprintf(out, "%s=\"", key);
	for (p = safe ? safe : ""; *p; p++)
		if (*p == '\n')
			fputs("\\n", out);
		else
			fprintf(out, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
	fputc('"', out);
}

struct metric {
	const char *name, *help, *severity;
	/* False: not known of this row. */
	bool (*get)(const struct fleet_row *row, double *ret);
};

static bool get_status(const struct fleet_row *row, double *ret)
{
	*ret = row->status;
	return true;
}

static bool get_pending(const struct fleet_row *row, double *ret)
{
	*ret = (double)row->pending;
	return row->pending_known;
}

static bool get_writes(const struct fleet_row *row, double *ret)
{
	*ret = (double)row->writes;
	return row->pending_known;
}

static bool get_oldest(const struct fleet_row *row, double *ret)
{
	*ret = (double)row->oldest_ns / 1e9;
	return row->oldest_known;
}

static bool get_errors(const struct fleet_row *row, double *ret)
{
	*ret = (double)row->found[SEVERITY_ERROR];
	return row->judged;
}

static bool get_warnings(const struct fleet_row *row, double *ret)
{
	*ret = (double)row->found[SEVERITY_WARNING];
	return row->judged;
}

static const struct metric metrics[] = {
	{"xbdsnap_status", "Exit status for the file: 0 is clean.", NULL, get_status},
	{"xbdsnap_pending_requests", "Block requests in flight.", NULL, get_pending},
	{"xbdsnap_pending_writes", "Requests in flight or queued that change a disk.", NULL,
		get_writes},
	{"xbdsnap_oldest_request_seconds", "Age of the oldest request when the guest was saved.",
		NULL, get_oldest},
	{"xbdsnap_findings", "Findings of validate.", "error", get_errors},
	{"xbdsnap_findings", NULL, "warning", get_warnings},
};

static void put_metric(const struct fleet *f, const struct fleet_row *rows, const struct metric *m)
{
	FILE *out = f->env->out;
	double value;
	size_t i;

	if (m->help)
		fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", m->name, m->help, m->name);
	for (i = 0; i < f->nr; i++) {
		if (!m->get(&rows[i], &value))
			continue;
		fprintf(out, "%s{", m->name);
		put_label(out, "file", f->paths[i]);
		fputc(',', out);
		put_label(out, "guest", rows[i].name ? rows[i].name : "");
		if (m->severity)
			fprintf(out, ",severity=\"%s\"", m->severity);
		fprintf(out, "} %.9g\n", value);
	}
}

/* ---- Nagios ------------------------------------------------------------------------------- */

/* What such a plugin ends with. */
enum nagios { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

static enum nagios nagios_of(int status)
{
	switch (status) {
	case CMD_OK:
		return NAGIOS_OK;
	case CMD_WARNINGS:
		return NAGIOS_WARNING;
	case CMD_UNSAFE:
	case CMD_CORRUPT:
		return NAGIOS_CRITICAL;
	default:
		return NAGIOS_UNKNOWN;
	}
}

static int print_nagios(const struct fleet *f, const struct fleet_row *rows)
{
	static const char *const words[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
	/* Critical is worse than unknown, as the plugins have it. */
	static const unsigned char rank[] = {0, 1, 3, 2};
	uint64_t pending = 0, writes = 0, oldest = 0;
	size_t i, nr[4] = {0}, worst = NAGIOS_OK;

	for (i = 0; i < f->nr; i++) {
		enum nagios n = nagios_of(rows[i].status);

		nr[n]++;
		worst = rank[n] > rank[worst] ? n : worst;
		pending += rows[i].pending;
		writes += rows[i].writes;
		oldest = MAX(oldest, rows[i].oldest_ns);
	}
	fprintf(f->env->out,
		"XBDSNAP %s - %zu saved guests: %zu unsafe or damaged, %zu with warnings, %zu "
		"unknown | guests=%zu critical=%zu warning=%zu pending=%" PRIu64 " writes=%" PRIu64
		" oldest=%.1fs\n",
		words[worst], f->nr, nr[NAGIOS_CRITICAL], nr[NAGIOS_WARNING], nr[NAGIOS_UNKNOWN],
		f->nr, nr[NAGIOS_CRITICAL], nr[NAGIOS_WARNING], pending, writes,
		(double)oldest / 1e9);
	return (int)worst;
}

static int print_all(const struct fleet *f, const struct fleet_row *rows)
{
	size_t i;

	if (f->format == FLEET_NAGIOS)
		return print_nagios(f, rows);
	for (i = 0; f->format == FLEET_PROMETHEUS && i < ARRAY_SIZE(metrics); i++)
		put_metric(f, rows, &metrics[i]);
	return worst_of(rows, f->nr);
}

/* ---- the run ------------------------------------------------------------------------------ */

struct run {
	const struct fleet *f;
	fleet_look_fn fn;
	void *arg;
	struct fleet_look *looks;
	struct fleet_row *rows;
	struct json_object *list; /* FLEET_JSON */
	struct err err;
	bool failed;
};

static void look_at(void *arg, size_t index)
{
	struct run *r = arg;
	struct fleet_look *look = &r->looks[index];

	r->fn(r->arg, r->f->paths[index], look);
	if (!look->doc && r->f->env->json)
		look->doc = broken_file(r->f->paths[index], &look->row.why);
}

static void collect_file(void *arg, size_t index)
{
	struct run *r = arg;
	struct fleet_look *look = &r->looks[index];
	FILE *out = r->f->env->out;

	if (look->row.why.cls != ERR_NONE)
		cmd_note_err(r->f->env, &look->row.why);
	if (look->text)
		fputs(look->text, out);
	if (r->list)
		json_object_array_add(r->list, take(look->doc));
	else if (look->doc) {
		put_facts(r->f, look->doc, &look->row);
		r->failed |= print_line(take(look->doc), out, &r->err) != 0;
	}
	free(take(look->text));
	r->rows[index] = look->row;
}

static int print_list(struct run *r, struct err *err)
{
	struct json_object *doc = json_new_document();

	json_put(doc, "files", take(r->list));
	return json_print(doc, r->f->env->out, err);
}

int fleet_run(const struct fleet *f, fleet_look_fn fn, void *arg, struct err *err)
{
	CLEANUP_FREE struct fleet_look *looks = calloc(f->nr + 1, sizeof(*looks));
	CLEANUP_FREE struct fleet_row *rows = calloc(f->nr + 1, sizeof(*rows));
	struct run r = {.f = f, .fn = fn, .arg = arg, .looks = looks, .rows = rows};
	const struct crew_job crew = {
		.nr = f->nr, .arg = &r, .work = look_at, .collect = collect_file};
	int status;
	size_t i;

	if (!looks || !rows)
		return err_nomem(err, "the list of files");
	if (f->format == FLEET_JSON)
		r.list = json_object_new_array();
	crew_run(&crew);
	if (r.list && print_list(&r, err))
		r.failed = true;
	else if (r.failed)
		*err = r.err;
	status = print_all(f, rows);
	for (i = 0; i < f->nr; i++)
		free(rows[i].name);
	return r.failed ? -1 : status;
}
