/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/who.h"

#include <inttypes.h>
#include <string.h>

/* ---- cells -------------------------------------------------------------------------------- */

static char *join_values(const void *row, cell_part_fn *value)
{
	const struct io_request *r = ((const struct request_row *)row)->req;

	return cell_join(r, r->nr_who, value);
}

static char *value_kind(const struct io_request *r, size_t part)
{
	const struct who *w = &r->who[part];

	return strdup(who_kind_name(w->kind));
}

static char *value_process(const struct io_request *r, size_t part)
{
	const struct who *w = &r->who[part];

	return w->task_known ? table_text("%s[%" PRIu32 "]", w->comm, w->pid) : NULL;
}

static char *value_cgroup(const struct io_request *r, size_t part)
{
	const struct who *w = &r->who[part];

	return w->cgroup ? strdup(w->cgroup) : NULL;
}

/* "(ext4)/a/b": the path in a file system of which no mount is known. */
static char *value_file(const struct io_request *r, size_t part)
{
	const struct who *w = &r->who[part];
	const char *gone = w->deleted ? " (deleted)" : "";

	if (w->path && w->path_whole)
		return table_text("%s%s", w->path, gone);
	if (w->path)
		return table_text("(%s)%s%s", w->fs, w->path, gone);
	if (w->inode != WHO_UNKNOWN_U64)
		return table_text("(%s) inode %" PRIu64, w->fs, w->inode);
	return w->fs[0] ? table_text("(%s)", w->fs) : NULL;
}

static char *value_position(const struct io_request *r, size_t part)
{
	const struct who *w = &r->who[part];

	return w->position == WHO_UNKNOWN_U64 ? NULL : table_text("%" PRIu64, w->position);
}

/* "xvda 300 > xvda1 200 > dm-0 vg-root crypt 100" */
static char *value_stack(const struct who *w)
{
	char *all = NULL;
	size_t bytes, i;
	FILE *f = w->nr_layers ? open_memstream(&all, &bytes) : NULL;

	for (i = 0; f && i < w->nr_layers; i++) {
		const struct who_layer *l = &w->layers[i];
		bool plain = !strcmp(l->kind, "disk") || !strcmp(l->kind, "partition");

		fprintf(f, "%s%s", i ? " > " : "", l->name);
		if (l->label[0])
			fprintf(f, " %s", l->label);
		if (!plain)
			fprintf(f, " %s", l->kind);
		if (l->sector == WHO_UNKNOWN_U64)
			fputs(" ?", f);
		else
			fprintf(f, " %" PRIu64, l->sector);
	}
	if (f)
		fclose(f);
	return all;
}

static char *value_lost(const struct io_request *r, size_t part)
{
	const struct who *w = &r->who[part];

	return w->lost ? strdup(w->lost) : NULL;
}

char *cell_kind(const void *row)
{
	return join_values(row, value_kind);
}

char *cell_process(const void *row)
{
	return join_values(row, value_process);
}

char *cell_cgroup(const void *row)
{
	return join_values(row, value_cgroup);
}

char *cell_file(const void *row)
{
	return join_values(row, value_file);
}

char *cell_position(const void *row)
{
	return join_values(row, value_position);
}

char *cell_stack(const void *row)
{
	const struct io_request *r = ((const struct request_row *)row)->req;

	/* The stretches of a request are neighbours on each layer. */
	return r->nr_who ? value_stack(&r->who[0]) : NULL;
}

char *cell_lost(const void *row)
{
	return join_values(row, value_lost);
}

/* ---- JSON --------------------------------------------------------------------------------- */

static struct json_object *json_process(const struct who *w)
{
	struct json_object *o;

	if (!w->task_known)
		return NULL;
	o = json_object_new_object();
	json_put_num(o, "pid", w->pid);
	json_put_num(o, "tid", w->tid);
	json_put_text(o, "comm", w->comm);
	return o;
}

static struct json_object *json_file(const struct who *w)
{
	struct json_object *o = json_object_new_object();

	json_put_text(o, "path", w->path);
	json_put(o, "whole_path", w->path ? json_object_new_boolean(w->path_whole) : NULL);
	json_put(o, "deleted", w->path ? json_object_new_boolean(w->deleted) : NULL);
	json_put_text(o, "filesystem", w->fs);
	json_put(o, "inode", json_num_or_null(w->inode, WHO_UNKNOWN_U64));
	return o;
}

static struct json_object *json_layers(const struct who *w)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < w->nr_layers; i++) {
		struct json_object *o = json_object_new_object();

		json_put_text(o, "name", w->layers[i].name);
		json_put_text(o, "label", w->layers[i].label);
		json_put_text(o, "kind", w->layers[i].kind);
		json_put(o, "sector", json_num_or_null(w->layers[i].sector, WHO_UNKNOWN_U64));
		json_object_array_add(a, o);
	}
	return a;
}

struct json_object *json_who(const struct io_request *r)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < r->nr_who; i++) {
		const struct who *w = &r->who[i];
		struct json_object *o = json_object_new_object();

		json_put_num(o, "offset", w->offset);
		json_put_num(o, "bytes", w->bytes);
		json_put_text(o, "kind", who_kind_name(w->kind));
		json_put(o, "process", json_process(w));
		json_put_text(o, "cgroup", w->cgroup);
		json_put(o, "file", json_file(w));
		json_put(o, "position", json_num_or_null(w->position, WHO_UNKNOWN_U64));
		json_put(o, "layers", json_layers(w));
		json_put_text(o, "lost", w->lost);
		json_object_array_add(a, o);
	}
	return a;
}
