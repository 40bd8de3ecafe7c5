/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/extract_out.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/outfile.h"
#include "cmd/render_json.h"
#include "io/door.h"
#include "io/place.h"

#define MANIFEST "manifest.json"

int extract_out_open(struct extract_out *o, struct err *err)
{
	o->rows = json_object_new_array();
	if (!o->rows)
		return err_nomem(err, "the list of what is written");
	if (o->dir && door_mkdir(o->dir) && errno != EEXIST)
		return place_error(err, "cannot make", o->dir);
	return 0;
}

void extract_out_fini(struct extract_out *o)
{
	json_object_put(o->rows);
	o->rows = NULL;
}

struct json_object *extract_row_request(const struct blkdev *d, const struct io_request *r)
{
	struct json_object *row = json_request(r);

	json_put_text(row, "device", d->name);
	return row;
}

struct json_object *extract_row_range(const char *key, uint64_t at)
{
	struct json_object *row = json_object_new_object();

	json_put(row, key, json_hex(at));
	return row;
}

static void print_hex(FILE *out, uint64_t origin, const uint8_t *p, size_t len)
{
	size_t at, i;

	for (at = 0; at < len; at += 16) {
		size_t n = MIN(len - at, (size_t)16);

		fprintf(out, "%016" PRIx64 " ", origin + at);
		for (i = 0; i < 16; i++)
			if (i < n)
				fprintf(out, "%s%02x", i == 8 ? "  " : " ", p[at + i]);
			else
				fputs(i == 8 ? "    " : "   ", out);
		fputs("  |", out);
		for (i = 0; i < n; i++)
			fputc(isprint(p[at + i]) && p[at + i] < 0x80 ? p[at + i] : '.', out);
		fputs("|\n", out);
	}
}

/* A row joins the others, with what became of it. */
static int end_row(struct extract_out *o, struct json_object *row, const char *path, size_t len,
	const char *error, struct err *err)
{
	json_put_text(row, "path", path);
	json_put(row, "bytes", path ? json_object_new_uint64(len) : NULL);
	json_put_text(row, "error", error);
	if (row && !json_object_array_add(o->rows, row))
		return 0;
	json_object_put(row);
	return err_nomem(err, "the list of what is written");
}

int extract_put(struct extract_out *o, struct json_object *row, uint64_t origin, const uint8_t *p,
	size_t len, struct err *err)
{
	const char *path = o->path ? o->path : "-";

	if (end_row(o, row, path, len, NULL, err) || cmd_unchanged(o->in, err))
		return -1;
	if (o->hex) {
		print_hex(o->env->out, origin, p, len);
		return 0;
	}
	if (!o->path && isatty(fileno(o->env->out)))
		return err_set(
			err, ERR_USAGE, "not writing raw bytes to a terminal; --hex, or -o FILE");
	return outfile_put(path, o->force, &o->in->files, p, len, err);
}

/* The device's name comes from the guest: nothing of it may be a path. */
static void make_name(const struct blkdev *d, const struct io_request *r, char *buf, size_t cap)
{
	char name[sizeof(d->name)];
	size_t i;
	int n;

	for (i = 0; d->name[i] && i + 1 < sizeof(name); i++)
		name[i] = isalnum((unsigned char)d->name[i]) ? d->name[i] : '_';
	name[i] = 0;
	n = snprintf(buf, cap, "%s-ring%u-slot%u-%s", name, r->ring, r->slot, io_op_name(r->op));
	if (n > 0 && (size_t)n < cap && r->sector_from != IO_SECTOR_UNKNOWN)
		snprintf(buf + n, cap - (size_t)n, "-sector%" PRIu64, r->sector);
}

static int put_in_folder(const struct extract_out *o, const char *name, const void *p, size_t len,
	char **ret_path, struct err *err)
{
	CLEANUP_FREE char *path = NULL;

	if (asprintf(&path, "%s/%s", o->dir, name) < 0) {
		path = NULL;
		return err_nomem(err, "a file name");
	}
	if (cmd_unchanged(o->in, err) || outfile_put(path, o->force, &o->in->files, p, len, err))
		return -1;
	*ret_path = take(path);
	return 0;
}

int extract_put_named(struct extract_out *o, const struct blkdev *d, const struct io_request *r,
	const uint8_t *p, size_t len, struct err *err)
{
	CLEANUP_FREE char *path = NULL;
	struct json_object *row;
	char name[160];

	make_name(d, r, name, sizeof(name));
	if (put_in_folder(o, name, p, len, &path, err))
		return -1;
	row = extract_row_request(d, r);
	json_put_text(row, "file", name);
	return end_row(o, row, path, len, NULL, err);
}

int extract_put_failed(struct extract_out *o, const struct blkdev *d, const struct io_request *r,
	const struct err *why, struct err *err)
{
	char name[160];

	make_name(d, r, name, sizeof(name));
	cmd_note(o->env, "%s: %s", name, why->text);
	return end_row(o, extract_row_request(d, r), NULL, 0, why->text, err);
}

static int write_manifest(const struct extract_out *o, char **ret_path, struct err *err)
{
	const char *text = json_object_to_json_string_ext(o->rows, JSON_C_TO_STRING_PRETTY);

	if (!text)
		return err_nomem(err, "the manifest");
	return put_in_folder(o, MANIFEST, text, strlen(text), ret_path, err);
}

int extract_out_finish(
	struct extract_out *o, const struct cmd_input *in, uint64_t holes, struct err *err)
{
	CLEANUP_FREE char *manifest = NULL;
	struct json_object *doc;

	if (o->dir && write_manifest(o, &manifest, err))
		return -1;
	if (!o->env->json)
		return 0;
	doc = json_new_document();
	json_put(doc, "source", json_source(in));
	json_put(doc, "extracted", take(o->rows));
	json_put_text(doc, "manifest", manifest);
	json_put_num(doc, "holes", holes);
	return json_print(doc, o->env->out, err);
}
