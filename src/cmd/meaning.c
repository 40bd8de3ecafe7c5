/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/meaning.h"

#include <inttypes.h>
#include <string.h>

#include "ondisk/ondisk.h"

int meaning_look(meaning_disk_fn *fn, const void *arg, struct snapshot *s, struct err *err)
{
	size_t i;

	for (i = 0; i < s->nr_devices; i++) {
		const struct disk *disk = fn(arg, &s->devices[i]);

		if (disk ? ondisk_note(disk, &s->devices[i], err)
			 : ondisk_note_from_memory(&s->devices[i], err))
			return -1;
	}
	return 0;
}

static char *value_kind(const struct io_request *r, size_t part)
{
	return strdup(meaning_kind_name(r->meaning[part].kind));
}

static void put_range(FILE *f, const struct meaning *m)
{
	if (m->path)
		fprintf(f, " %s", m->path);
	else if (m->inode != MEANING_UNKNOWN_U64)
		fprintf(f, " inode %" PRIu64, m->inode);
	if (m->position != MEANING_UNKNOWN_U64)
		fprintf(f, " %" PRIu64 "-%" PRIu64, m->position, m->position + m->bytes - 1);
	if (m->detail)
		fprintf(f, " %s", m->detail);
	if (m->kind == MEANING_UNKNOWN && m->lost)
		fprintf(f, " %s", m->lost);
}

static char *value_where(const struct io_request *r, size_t part)
{
	const struct meaning *m = &r->meaning[part];
	char *all = NULL, *text;
	size_t bytes;
	FILE *f = open_memstream(&all, &bytes);

	if (!f)
		return NULL;
	if (m->partition)
		fprintf(f, " partition %" PRIu32, m->partition);
	if (m->volume[0])
		fprintf(f, " %s", m->volume);
	if (m->fs[0])
		fprintf(f, " (%s)", m->fs);
	put_range(f, m);
	fclose(f);
	text = all && *all ? strdup(all + 1) : NULL; /* without the first blank */
	free(all);
	return text;
}

static char *value_without(const struct io_request *r, size_t part)
{
	return ondisk_without(r, &r->meaning[part]);
}

static char *join_values(const void *row, cell_part_fn *value)
{
	const struct io_request *r = ((const struct request_row *)row)->req;

	return cell_join(r, r->nr_meaning, value);
}

char *cell_meaning(const void *row)
{
	return join_values(row, value_kind);
}

char *cell_where(const void *row)
{
	return join_values(row, value_where);
}

char *cell_without(const void *row)
{
	const struct io_request *r = ((const struct request_row *)row)->req;

	return r->nr_meaning ? join_values(row, value_without) : ondisk_without(r, NULL);
}

static struct json_object *json_stretch(const struct io_request *r, const struct meaning *m)
{
	struct json_object *o = json_object_new_object();
	CLEANUP_FREE char *without = ondisk_without(r, m);

	json_put_num(o, "offset", m->offset);
	json_put_num(o, "bytes", m->bytes);
	json_put_text(o, "kind", meaning_kind_name(m->kind));
	json_put_text(o, "fate", meaning_fate_name(m->fate));
	json_put_text(o, "from", m->from_memory ? "memory" : "disk");
	json_put(o, "partition", json_num_or_null(m->partition, 0));
	json_put_text(o, "volume", m->volume);
	json_put_text(o, "filesystem", m->fs);
	json_put_text(o, "path", m->path);
	json_put(o, "inode", json_num_or_null(m->inode, MEANING_UNKNOWN_U64));
	json_put(o, "position", json_num_or_null(m->position, MEANING_UNKNOWN_U64));
	json_put_text(o, "detail", m->detail);
	json_put_text(o, "without", without);
	json_put_text(o, "lost", m->lost);
	return o;
}

struct json_object *json_meaning(const struct io_request *r)
{
	struct json_object *a = json_object_new_array();
	size_t i;

	for (i = 0; i < r->nr_meaning; i++)
		json_object_array_add(a, json_stretch(r, &r->meaning[i]));
	return a;
}
