/* SPDX-License-Identifier: BSD-2-Clause
 *
 * table.h - tables for people, by libsmartcols.
 */
#ifndef XB_CMD_TABLE_H
#define XB_CMD_TABLE_H

#include <libsmartcols.h>

#include "cmd/cmd.h"

struct table_column {
	const char *name;
	bool right;
	const char *help;
	/* The cell of a row, whatever the table's rows are; malloc'ed. NULL: nothing is known. */
	char *(*cell)(const void *row);
};

/* For such a cell; NULL: no memory. */
char *table_text(const char *fmt, ...) PRINTF(1, 2);

/* A table with these columns (pointers into a longer list; `nr` of them). NULL: no memory. */
struct libscols_table *table_new(
	const struct cmd_env *env, const struct table_column *const *columns, size_t nr);
/* One formatted cell; "-" when fmt is NULL. Memory trouble is reported by table_print(). */
void table_cell(struct libscols_line *line, size_t column, const char *fmt, ...) PRINTF(3, 4);
/* A row of the table's columns. Memory trouble is reported by table_print(). */
void table_row(struct libscols_table *t, const struct table_column *const *columns, size_t nr,
	const void *row);
/* Print and free. */
int table_print(struct libscols_table *t, struct err *err) MUST_CHECK;

/*
 * Choose columns by a list of names: "A,B" replaces the default, "+A,B" appends. *ret is an array
 * of `*nr` pointers into `all`, malloc'ed. ERR_USAGE names the unknown column.
 */
int table_choose(const struct table_column *all, size_t nr_all, const char *defaults,
	const char *wanted, const struct table_column ***ret, size_t *nr,
	struct err *err) MUST_CHECK;

/* 1.5 s, 12 ms, 3 min: three significant places at most. */
void table_duration(uint64_t ns, char *buf, size_t cap);
/* 4096 -> "4K", 520192 -> "508K"; exact, so 512 -> "512". */
void table_bytes(uint64_t bytes, char *buf, size_t cap);

#endif
