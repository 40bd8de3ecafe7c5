/* SPDX-License-Identifier: BSD-2-Clause
 *
 * summary: what the JSON Lines of many hosts say, a row for each host. Lines come from other
 * machines, and what guests call themselves stands in them: everything is looked at before use.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cmd/confine.h"
#include "cmd/json.h"
#include "cmd/options.h"
#include "cmd/table.h"

/* A line of a guest with many findings has some hundred KiB. */
#define LINE_MAX_BYTES (64u << 20)

struct host {
	char *name;
	uint64_t guests, failed, with_writes, unknown, writes, oldest_ns;
	uint64_t errors, warnings;
	bool oldest_known;
	int status; /* the worst */
	char worst[64];
};

struct summary {
	struct cmd_env *env;
	char **paths;
	size_t nr_paths;
	struct host *hosts;
	size_t nr, cap;
	uint64_t nr_bad; /* lines */
};

static struct host *find_host(struct summary *s, const char *name)
{
	struct host *h;
	size_t i;

	for (i = 0; i < s->nr; i++)
		if (!strcmp(s->hosts[i].name, name))
			return &s->hosts[i];
	if (util_grow(&s->hosts, &s->cap, s->nr + 1, sizeof(*s->hosts)))
		return NULL;
	h = &s->hosts[s->nr];
	memset(h, 0, sizeof(*h));
	h->name = strdup(name);
	return h->name ? (s->nr++, h) : NULL;
}

/* NULL: no such member, or of another type. */
static struct json_object *json_member(struct json_object *o, const char *key, enum json_type type)
{
	struct json_object *v;

	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &v) ||
		!json_object_is_type(v, type))
		return NULL;
	return v;
}

static uint64_t number_of(struct json_object *o, const char *key, bool *known)
{
	struct json_object *v = json_member(o, key, json_type_int);

	if (known)
		*known = v != NULL;
	return v ? json_object_get_uint64(v) : 0;
}

/* "vm.save: XB407"; the finding of the highest severity, or the error. */
static void describe_worst(struct json_object *doc, struct host *h)
{
	struct json_object *findings = json_member(doc, "findings", json_type_array), *best = NULL;
	struct json_object *path =
		json_member(json_member(doc, "source", json_type_object), "path", json_type_string);
	static const char *const order[] = {"error", "warning"};
	size_t i, k;

	for (k = 0; k < ARRAY_SIZE(order) && !best; k++)
		for (i = 0; findings && i < json_object_array_length(findings) && !best; i++) {
			struct json_object *f = json_object_array_get_idx(findings, i);
			struct json_object *s = json_member(f, "severity", json_type_string);

			if (s && !strcmp(json_object_get_string(s), order[k]))
				best = json_member(f, "rule", json_type_string);
		}
	if (path && strrchr(json_object_get_string(path), '/'))
		snprintf(h->worst, sizeof(h->worst), "%s: %s",
			strrchr(json_object_get_string(path), '/') + 1,
			best ? json_object_get_string(best) : "not read");
	else
		snprintf(h->worst, sizeof(h->worst), "%s: %s",
			path ? json_object_get_string(path) : "?",
			best ? json_object_get_string(best) : "not read");
}

static int count_document(struct summary *s, struct json_object *doc, struct err *err)
{
	struct json_object *fleet = json_member(doc, "fleet", json_type_object);
	struct json_object *counts = json_member(doc, "counts", json_type_object);
	struct json_object *name = json_member(fleet, "host", json_type_string);
	struct host *h;
	bool known;
	uint64_t n;
	int status;

	if (!fleet) {
		s->nr_bad++;
		return 0;
	}
	h = find_host(s, name ? json_object_get_string(name) : "?");
	if (!h)
		return err_nomem(err, "the list of hosts");
	h->guests++;
	n = number_of(fleet, "writes", &known);
	h->unknown += !known;
	h->with_writes += n > 0;
	h->writes += n;
	n = number_of(fleet, "oldest_ns", &known);
	h->oldest_known |= known;
	h->oldest_ns = MAX(h->oldest_ns, n);
	h->errors += number_of(counts, "error", NULL);
	h->warnings += number_of(counts, "warning", NULL);
	n = number_of(fleet, "status", &known);
	status = known && n <= CMD_FAILED ? (int)n : CMD_FAILED;
	h->failed += status > CMD_UNSAFE;
	if (status > h->status) {
		h->status = status;
		describe_worst(doc, h);
	}
	return 0;
}

static int read_line(struct summary *s, const char *line, size_t len, struct err *err)
{
	struct json_tokener *t = len < LINE_MAX_BYTES ? json_tokener_new() : NULL;
	struct json_object *doc = t ? json_tokener_parse_ex(t, line, (int)len) : NULL;
	int rc = 0;

	if (doc)
		rc = count_document(s, doc, err);
	else
		s->nr_bad++;
	json_object_put(doc);
	if (t)
		json_tokener_free(t);
	return rc;
}

static int read_lines(struct summary *s, const char *path, struct err *err)
{
	bool std = !strcmp(path, "-");
	CLEANUP_FILE FILE *opened = std ? NULL : door_fopen(path);
	CLEANUP_FREE char *line = NULL;
	FILE *in = std ? stdin : opened;
	size_t cap = 0;
	ssize_t n;

	if (!in)
		return err_sys(err, "cannot open '%s'", path);
	while ((n = getline(&line, &cap, in)) > 0)
		if (strspn(line, " \t\r\n") < (size_t)n && read_line(s, line, (size_t)n, err))
			return -1;
	return ferror(in) ? err_sys(err, "cannot read '%s'", path) : 0;
}

/* ---- the table ---------------------------------------------------------------------------- */

static char *cell_host(const void *row)
{
	return strdup(((const struct host *)row)->name);
}

static char *cell_guests(const void *row)
{
	return table_text("%" PRIu64, ((const struct host *)row)->guests);
}

static char *cell_failed(const void *row)
{
	return table_text("%" PRIu64, ((const struct host *)row)->failed);
}

static char *cell_with_writes(const void *row)
{
	const struct host *h = row;

	return table_text("%s%" PRIu64, h->unknown ? ">=" : "", h->with_writes);
}

static char *cell_writes(const void *row)
{
	const struct host *h = row;

	return table_text("%s%" PRIu64, h->unknown ? ">=" : "", h->writes);
}

static char *cell_oldest(const void *row)
{
	const struct host *h = row;
	char text[64];

	if (!h->oldest_known)
		return NULL;
	table_duration(h->oldest_ns, text, sizeof(text));
	return strdup(text);
}

static char *cell_errors(const void *row)
{
	return table_text("%" PRIu64, ((const struct host *)row)->errors);
}

static char *cell_warnings(const void *row)
{
	return table_text("%" PRIu64, ((const struct host *)row)->warnings);
}

static char *cell_worst(const void *row)
{
	const struct host *h = row;

	return *h->worst ? strdup(h->worst) : NULL;
}

static const struct table_column columns[] = {
	{"HOST", false, NULL, cell_host},
	{"GUESTS", true, NULL, cell_guests},
	{"FAILED", true, NULL, cell_failed},
	{"WITH-WRITES", true, NULL, cell_with_writes},
	{"WRITES", true, NULL, cell_writes},
	{"OLDEST", true, NULL, cell_oldest},
	{"ERRORS", true, NULL, cell_errors},
	{"WARNINGS", true, NULL, cell_warnings},
	{"WORST", false, NULL, cell_worst},
};

static int print_table(const struct summary *s, struct err *err)
{
	const struct table_column *cols[ARRAY_SIZE(columns)];
	struct libscols_table *t;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cols); i++)
		cols[i] = &columns[i];
	t = table_new(s->env, cols, ARRAY_SIZE(cols));
	if (!t)
		return err_nomem(err, "the table");
	for (i = 0; i < s->nr; i++)
		table_row(t, cols, ARRAY_SIZE(cols), &s->hosts[i]);
	return table_print(t, err);
}

static struct json_object *json_host(const struct host *h)
{
	struct json_object *o = json_object_new_object();

	json_put_text(o, "host", h->name);
	json_put_num(o, "guests", h->guests);
	json_put_num(o, "failed", h->failed);
	json_put_num(o, "unknown", h->unknown);
	json_put_num(o, "with_writes", h->with_writes);
	json_put_num(o, "writes", h->writes);
	json_put(o, "oldest_ns", h->oldest_known ? json_object_new_uint64(h->oldest_ns) : NULL);
	json_put_num(o, "errors", h->errors);
	json_put_num(o, "warnings", h->warnings);
	json_put_num(o, "status", (uint64_t)h->status);
	json_put_text(o, "worst", h->worst);
	return o;
}

static int print_json(const struct summary *s, struct err *err)
{
	struct json_object *doc = json_new_document(), *hosts = json_object_new_array();
	size_t i;

	for (i = 0; i < s->nr; i++)
		json_object_array_add(hosts, json_host(&s->hosts[i]));
	json_put(doc, "hosts", hosts);
	json_put_num(doc, "lines_not_read", s->nr_bad);
	return json_print(doc, s->env->out, err);
}

static int run_summary(struct summary *s, struct err *err)
{
	static const char *const std = "-";
	struct door_passes passes = {0};
	int status = CMD_OK;
	size_t i;

	for (i = 0; i < s->nr_paths; i++)
		door_pass_add(&passes, s->paths[i], DOOR_READ);
	if (cmd_confine(s->env, NULL, &passes, err))
		return -1;
	for (i = 0; i < MAX(s->nr_paths, (size_t)1); i++)
		if (read_lines(s, s->nr_paths ? s->paths[i] : std, err))
			return -1;
	if (s->env->json ? print_json(s, err) : print_table(s, err))
		return -1;
	if (s->nr_bad)
		cmd_note(s->env, "%" PRIu64 " lines are none of --json-lines", s->nr_bad);
	for (i = 0; i < s->nr; i++)
		status = MAX(status, s->hosts[i].status);
	return s->nr_bad ? MAX(status, (int)CMD_CORRUPT) : status;
}

static error_t parse_summary(int key, char *arg, struct argp_state *state)
{
	struct summary *s = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, s->env);
		return 0;
	case ARGP_KEY_ARG:
		if (!s->paths)
			s->paths = calloc((size_t)state->argc, sizeof(*s->paths));
		if (!s->paths)
			argp_failure(state, CMD_FAILED, 0, "out of memory");
		else
			s->paths[s->nr_paths++] = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_summary(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_child children[] = {{.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.parser = parse_summary,
		.args_doc = "[FILE...]",
		.doc = "Sum up what info --json-lines or validate --json-lines printed on many "
		       "hosts: a row for each host. Without a file: standard "
		       "input." CMD_HELP_STATUS,
		.children = children};
	struct summary s = {.env = env};
	size_t i;
	int rc;

	cmd_parse(&argp, argc, argv, &s);
	rc = run_summary(&s, err);
	for (i = 0; i < s.nr; i++)
		free(s.hosts[i].name);
	free(s.hosts);
	free(s.paths);
	return rc;
}
