/* SPDX-License-Identifier: BSD-2-Clause
 *
 * info_table.c - `info` of several files.
 *
 * The files are analysed in any order, each by one thread; of an analysis only its row, or its
 * JSON, outlives it. So there are never more files open than processors.
 */
#include "cmd/info.h"

#include <string.h>

#include "base/crew.h"
#include "cmd/render_json.h"
#include "cmd/table.h"

/* The cells: malloc'ed; NULL: nothing is known. */

static char *cell_format(const void *row)
{
	const struct cmd_input *in = row;
	char text[256];

	info_layers(in->info, text, sizeof(text));
	return table_text("%s", text);
}

static char *cell_complete(const void *row)
{
	const struct cmd_input *in = row;
	return table_text("%s", in->info->complete ? "yes" : "NO");
}

static char *cell_guest(const void *row)
{
	const struct cmd_input *in = row;
	const struct ckpt_info *info = in->info;
	const char *type = info_guest_type(info->guest_type);

	return info->word_bytes ? table_text("%s/%u", type, info->word_bytes * 8) : strdup(type);
}

static char *cell_name(const void *row)
{
	const struct cmd_input *in = row;
	const char *name = in->info->name;

	return name ? strdup(name) : NULL;
}

static char *cell_kernel(const void *row)
{
	const struct cmd_input *in = row;
	return *in->snap.guest.release ? strdup(in->snap.guest.release) : NULL;
}

static char *cell_disks(const void *row)
{
	const struct cmd_input *in = row;
	const struct ckpt_info *info = in->info;

	return info->config_kind == CKPT_CONFIG_NONE ? NULL : table_text("%zu", info->nr_disks);
}

static char *cell_frontends(const void *row)
{
	const struct cmd_input *in = row;
	const struct snapshot *s = &in->snap;
	char buf[256] = "unknown";
	size_t i, n = 0;

	for (i = 0; i < s->nr_devices && n < sizeof(buf); i++)
		n += (size_t)snprintf(
			buf + n, sizeof(buf) - n, "%s%s", i ? "," : "", s->devices[i].name);
	return strdup(buf);
}

static char *cell_pending(const void *row)
{
	const struct cmd_input *in = row;
	bool all;
	size_t nr = snapshot_pending(&in->snap, &all);

	return all ? table_text("%zu", nr) : NULL;
}

static char *cell_queued(const void *row)
{
	const struct cmd_input *in = row;
	bool known = in->snap.nr_devices > 0;
	size_t i, nr = 0;

	for (i = 0; i < in->snap.nr_devices; i++) {
		nr += in->snap.devices[i].nr_queued;
		known = known && in->snap.devices[i].queued_known;
	}
	return known ? table_text("%zu", nr) : NULL;
}

static const struct table_column columns[] = {
	{"FILE", false, NULL, NULL},
	{"FORMAT", false, NULL, cell_format},
	{"COMPLETE", false, NULL, cell_complete},
	{"GUEST", false, NULL, cell_guest},
	{"NAME", false, NULL, cell_name},
	{"KERNEL", false, NULL, cell_kernel},
	{"DISKS", true, NULL, cell_disks},
	{"FRONTENDS", false, NULL, cell_frontends},
	{"PENDING", true, NULL, cell_pending},
	{"QUEUED", true, NULL, cell_queued},
};

/* What is left of a file. */
struct looked {
	struct err why; /* ERR_NONE: nothing is wrong with it */
	bool opened;
	char *cell[ARRAY_SIZE(columns)];
	struct json_object *doc;
};

struct table_job {
	const struct cmd_env *env;
	char *const *paths;
	struct looked *files;
	struct libscols_table *table; /* NULL: JSON */
	struct json_object *list;
	struct err worst;
};

static struct json_object *broken_file(const char *path, const struct err *err)
{
	struct json_object *doc = json_object_new_object(), *src = json_object_new_object();

	json_put(src, "path", json_text(path));
	json_put(doc, "schema", json_text("xbdsnap/1"));
	json_put(doc, "source", src);
	json_put(doc, "error", json_text(err->text));
	return doc;
}

static void look_at(void *arg, size_t index)
{
	struct table_job *job = arg;
	struct looked *f = &job->files[index];
	struct cmd_input in;
	size_t i;

	if (!info_look(job->env, job->paths[index], &in, &f->why))
		f->why = (struct err)ERR_INIT;
	f->opened = in.info != NULL;
	if (!job->table)
		f->doc = f->opened ? json_document(&in, false)
				   : broken_file(job->paths[index], &f->why);
	else if (f->opened)
		for (i = 0; i < ARRAY_SIZE(columns); i++)
			f->cell[i] = columns[i].cell ? columns[i].cell(&in) : NULL;
	cmd_close(&in);
}

/* Of several failures the one that tells a script most: the highest exit status. */
static bool is_worse(const struct err *a, const struct err *b)
{
	static const unsigned char rank[] = {
		[ERR_NONE] = 0,
		[ERR_NODATA] = 4,
		[ERR_NOTFOUND] = 4,
		[ERR_UNSUPPORTED] = 4,
		[ERR_USAGE] = 2,
		[ERR_REFUSED] = 3,
		[ERR_CORRUPT] = 5,
		[ERR_SYSTEM] = 6,
	};

	return rank[a->cls] > rank[b->cls];
}

static void put_row(struct table_job *job, size_t index)
{
	struct libscols_line *line = scols_table_new_line(job->table, NULL);
	struct looked *f = &job->files[index];
	size_t i;

	table_cell(line, 0, "%s", job->paths[index]);
	if (!f->opened)
		table_cell(line, 1, f->why.cls == ERR_UNSUPPORTED ? "unsupported" : "unreadable");
	for (i = 1; f->opened && i < ARRAY_SIZE(columns); i++)
		table_cell(line, i, f->cell[i] ? "%s" : NULL, f->cell[i]);
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		free(take(f->cell[i]));
}

static void collect_file(void *arg, size_t index)
{
	struct table_job *job = arg;
	struct looked *f = &job->files[index];

	if (f->why.cls != ERR_NONE) {
		cmd_note_err(job->env, &f->why);
		if (is_worse(&f->why, &job->worst))
			job->worst = f->why;
	}
	if (job->table)
		put_row(job, index);
	else
		json_object_array_add(job->list, take(f->doc));
}

static int print_rows(struct table_job *job, const struct crew_job *crew, struct err *err)
{
	const struct table_column *cols[ARRAY_SIZE(columns)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cols); i++)
		cols[i] = &columns[i];
	job->table = table_new(job->env, cols, ARRAY_SIZE(cols));
	if (!job->table)
		return err_nomem(err, "the table");
	crew_run(crew);
	return table_print(job->table, err);
}

static int print_document(struct table_job *job, const struct crew_job *crew, struct err *err)
{
	struct json_object *doc = json_object_new_object();

	job->list = json_object_new_array();
	if (!doc || !job->list) {
		json_object_put(doc);
		json_object_put(job->list);
		return err_nomem(err, "the JSON document");
	}
	json_put(doc, "schema", json_text("xbdsnap/1"));
	json_put(doc, "files", job->list);
	crew_run(crew);
	return json_print(doc, job->env->out, err);
}

int info_table(const struct cmd_env *env, char *const *paths, size_t nr, struct err *err)
{
	CLEANUP_FREE struct looked *files = calloc(nr, sizeof(*files));
	struct table_job job = {.env = env, .paths = paths, .files = files};
	const struct crew_job crew = {
		.nr = nr, .arg = &job, .work = look_at, .collect = collect_file};

	if (!files)
		return err_nomem(err, "the list of files");
	if (env->json ? print_document(&job, &crew, err) : print_rows(&job, &crew, err))
		return -1;
	if (job.worst.cls == ERR_NONE)
		return CMD_OK;
	*err = job.worst;
	return -1;
}
