/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cmd/show.h"

struct libscols_table *table_new(
	const struct cmd_env *env, const struct table_column *const *columns, size_t nr)
{
	struct libscols_table *t = scols_new_table();
	size_t i;

	if (!t)
		return NULL;
	scols_table_set_stream(t, env->out);
	scols_table_enable_colors(t, cmd_use_color(env));
	for (i = 0; i < nr; i++)
		if (!scols_table_new_column(
			    t, columns[i]->name, 0, columns[i]->right ? SCOLS_FL_RIGHT : 0)) {
			scols_unref_table(t);
			return NULL;
		}
	return t;
}

void table_cell(struct libscols_line *line, size_t column, const char *fmt, ...)
{
	CLEANUP_FREE char *raw = NULL;
	struct libscols_cell *cell;
	char *safe;
	va_list ap;

	if (!line)
		return;
	va_start(ap, fmt);
	if (fmt && vasprintf(&raw, fmt, ap) < 0)
		raw = NULL;
	va_end(ap);
	safe = raw ? cmd_safe_text(raw, strlen(raw)) : strdup("-");
	cell = scols_line_get_cell(line, column);
	if (cell && safe && show_color(safe))
		scols_cell_set_color(cell, show_color(safe));
	if (safe && scols_line_refer_data(line, column, safe))
		free(safe);
}

char *table_text(const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return text;
}

void table_row(struct libscols_table *t, const struct table_column *const *columns, size_t nr,
	const void *row)
{
	struct libscols_line *line = scols_table_new_line(t, NULL);
	size_t i;

	for (i = 0; i < nr; i++) {
		CLEANUP_FREE char *text = columns[i]->cell(row);

		table_cell(line, i, text ? "%s" : NULL, text);
	}
}

int table_print(struct libscols_table *t, struct err *err)
{
	int rc = t ? scols_print_table(t) : -ENOMEM;

	scols_unref_table(t);
	errno = rc < 0 ? -rc : rc;
	return rc ? err_sys(err, "cannot print the table") : 0;
}

static const struct table_column *find_column(
	const struct table_column *all, size_t nr, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (!strncasecmp(all[i].name, name, len) && !all[i].name[len])
			return &all[i];
	return NULL;
}

static int add_names(const struct table_column *all, size_t nr_all, const char *names,
	const struct table_column **to, size_t *nr, struct err *err)
{
	while (*names) {
		size_t len = strcspn(names, ",");
		const struct table_column *c = find_column(all, nr_all, names, len);

		if (!c)
			return err_set(err, ERR_USAGE, "no column '%.*s'; --help lists them",
				(int)MIN(len, (size_t)40), names);
		if (*nr == 4 * nr_all)
			return err_set(err, ERR_USAGE, "too many columns");
		to[(*nr)++] = c;
		names += len + (names[len] == ',');
	}
	return 0;
}

int table_choose(const struct table_column *all, size_t nr_all, const char *defaults,
	const char *wanted, const struct table_column ***ret, size_t *nr, struct err *err)
{
	const struct table_column **v = calloc(4 * nr_all, sizeof(*v));
	int rc = 0;

	if (!v)
		return err_nomem(err, "columns");
	*nr = 0;
	if (!wanted || *wanted == '+')
		rc = add_names(all, nr_all, defaults, v, nr, err);
	if (!rc && wanted)
		rc = add_names(all, nr_all, *wanted == '+' ? wanted + 1 : wanted, v, nr, err);
	if (!rc && !*nr)
		rc = err_set(err, ERR_USAGE, "no column named");
	if (rc) {
		free(v);
		return -1;
	}
	*ret = v;
	return 0;
}

void table_duration(uint64_t ns, char *buf, size_t cap)
{
	static const struct {
		uint64_t ns, tenth;
		const char *name;
	} units[] = {
		{86400000000000ull, 8640000000000ull, "d"},
		{3600000000000ull, 360000000000ull, "h"},
		{60000000000ull, 6000000000ull, "min"},
		{1000000000ull, 100000000ull, "s"},
		{1000000ull, 100000ull, "ms"},
		{1000ull, 100ull, "us"},
	};
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(units) && ns < units[i].ns)
		i++;
	if (ns / units[i].ns < 100)
		snprintf(buf, cap, "%" PRIu64 ".%" PRIu64 "%s", ns / units[i].ns,
			ns % units[i].ns / units[i].tenth, units[i].name);
	else
		snprintf(buf, cap, "%" PRIu64 "%s", ns / units[i].ns, units[i].name);
}

void table_bytes(uint64_t bytes, char *buf, size_t cap)
{
	static const char units[] = "KMGTP";
	size_t i = 0;

	if (!bytes || bytes % 1024) {
		snprintf(buf, cap, "%" PRIu64, bytes);
		return;
	}
	for (bytes /= 1024; bytes % 1024 == 0 && i + 2 < sizeof(units); i++)
		bytes /= 1024;
	snprintf(buf, cap, "%" PRIu64 "%c", bytes, units[i]);
}
