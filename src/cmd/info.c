/* SPDX-License-Identifier: BSD-2-Clause
 *
 * info: what a file is and what is in it. One file as a sheet, several as a table.
 */
#include "cmd/cmd.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "cmd/render_json.h"
#include "cmd/table.h"

struct info {
	struct cmd_env *env;
	char **paths;
	size_t nr_paths;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct info *in = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, in->env);
		return 0;
	case ARGP_KEY_ARG:
		/* There are never more files than arguments. */
		if (!in->paths)
			in->paths = calloc((size_t)state->argc, sizeof(*in->paths));
		if (!in->paths)
			argp_failure(state, CMD_FAILED, 0, "out of memory");
		else
			in->paths[in->nr_paths++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (!in->nr_paths)
			argp_error(state, "no checkpoint named");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void line(FILE *out, const char *key, const char *fmt, ...) PRINTF(3, 4);

static void line(FILE *out, const char *key, const char *fmt, ...)
{
	CLEANUP_FREE char *raw = NULL;
	CLEANUP_FREE char *safe = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&raw, fmt, ap) < 0)
		raw = NULL;
	va_end(ap);
	safe = raw ? cmd_safe_text(raw, strlen(raw)) : NULL;
	fprintf(out, "%-14s %s\n", key, safe ? safe : "?");
}

static const char *type_name(enum ckpt_guest_type type)
{
	static const char *const names[] = {
		[CKPT_GUEST_UNKNOWN] = "unknown type",
		[CKPT_GUEST_PV] = "PV",
		[CKPT_GUEST_PVH] = "PVH",
		[CKPT_GUEST_HVM] = "HVM",
	};

	return names[type];
}

static void layers_text(const struct ckpt_info *info, char *buf, size_t cap)
{
	size_t n = 0;
	unsigned i;

	buf[0] = 0;
	for (i = 0; i < info->nr_layers && n < cap; i++)
		n += (size_t)snprintf(buf + n, cap - n, "%s%s", i ? " > " : "", info->layers[i]);
}

static void sheet_file(FILE *out, const struct cmd_input *in)
{
	const struct ckpt_info *info = ckpt_info(in->ck);
	char layers[200], bytes[32];

	layers_text(info, layers, sizeof(layers));
	table_bytes(info->nr_data_pages * PAGE_BYTES, bytes, sizeof(bytes));
	line(out, "file", "%s", source_path(ckpt_source(in->ck)));
	line(out, "format", "%s", layers);
	line(out, "complete", "%s%s%s", info->complete ? "yes" : "NO", info->complete ? "" : ": ",
		info->incomplete_why);
	if (info->xen_major)
		line(out, "saved by", "Xen %u.%u", info->xen_major, info->xen_minor);
	line(out, "guest", "%s, %u-bit, %u-level page tables, %zu vcpu%s",
		type_name(info->guest_type), info->word_bytes * 8, info->pt_levels,
		ckpt_nr_vcpus(in->ck), ckpt_nr_vcpus(in->ck) == 1 ? "" : "s");
	line(out, "memory", "%llu pages with data (%s), frame numbers below 0x%llx",
		(unsigned long long)info->nr_data_pages, bytes, (unsigned long long)info->nr_pfns);
	if (info->nr_repeats)
		line(out, "live", "%llu pages were sent again; the last copy counts",
			(unsigned long long)info->nr_repeats);
	if (info->nr_emulator_records)
		line(out, "emulator", "%u record%s", info->nr_emulator_records,
			info->nr_emulator_records == 1 ? "" : "s");
	if (info->name)
		line(out, "name", "%s", info->name);
	if (info->uuid)
		line(out, "uuid", "%s", info->uuid);
}

static void sheet_disks(FILE *out, const struct ckpt_info *info)
{
	size_t i;

	for (i = 0; i < info->nr_disks; i++) {
		const struct ckpt_disk *d = &info->disks[i];

		line(out, "disk", "%s = %s%s%s%s%s%s", d->vdev ? d->vdev : "?",
			d->path ? d->path : "(no path)", d->format ? ", " : "",
			d->format ? d->format : "", d->backend ? ", " : "",
			d->backend ? d->backend : "",
			d->cdrom       ? ", cdrom"
			: d->read_only ? ", read-only"
				       : "");
	}
}

static void sheet_guest(FILE *out, const struct guest_facts *g)
{
	if (*g->os)
		line(out, "os", "%s%s%s", g->os, *g->release ? " " : "", g->release);
	if (*g->version)
		line(out, "version", "%s", g->version);
	if (*g->hostname)
		line(out, "hostname", "%s", g->hostname);
	if (g->cmdline)
		line(out, "command line", "%s", g->cmdline);
	if (g->wall_known) {
		time_t t = (time_t)g->wall_sec;
		struct tm tm;
		char text[64];

		if (gmtime_r(&t, &tm) && strftime(text, sizeof(text), "%F %T UTC", &tm))
			line(out, "saved at", "%s (guest's clock)", text);
	}
}

static void sheet_device(FILE *out, const struct blkdev *d)
{
	char size[32] = "size unknown", queued[48] = "queue unknown";

	if (d->nr_sectors != BLK_UNKNOWN_U64)
		snprintf(size, sizeof(size), "%llu sectors", (unsigned long long)d->nr_sectors);
	if (d->queued_known)
		snprintf(queued, sizeof(queued), "%zu queued", d->nr_queued);
	line(out, "frontend", "%s: %s, %s, %s, %zu ring%s, found by %s", d->name, d->frontend,
		d->state, size, d->nr_rings, d->nr_rings == 1 ? "" : "s",
		blk_located_name(d->located_by));
	line(out, "requests", "%s: %zu pending, %s", d->name, d->nr_requests, queued);
}

static void print_sheet(const struct cmd_env *env, const struct cmd_input *in)
{
	size_t i;

	sheet_file(env->out, in);
	sheet_guest(env->out, &in->snap.guest);
	sheet_disks(env->out, ckpt_info(in->ck));
	for (i = 0; i < in->snap.nr_devices; i++)
		sheet_device(env->out, &in->snap.devices[i]);
	if (!in->snap.nr_devices)
		line(env->out, "frontend", "unknown");
}

static const struct table_column columns[] = {
	{"FILE", false, NULL},
	{"FORMAT", false, NULL},
	{"COMPLETE", false, NULL},
	{"GUEST", false, NULL},
	{"NAME", false, NULL},
	{"KERNEL", false, NULL},
	{"DISKS", true, NULL},
	{"FRONTENDS", false, NULL},
	{"PENDING", true, NULL},
	{"QUEUED", true, NULL},
};

static void frontends_text(const struct snapshot *s, char *buf, size_t cap)
{
	size_t i, n = 0;

	buf[0] = 0;
	for (i = 0; i < s->nr_devices && n < cap; i++)
		n += (size_t)snprintf(buf + n, cap - n, "%s%s", i ? "," : "", s->devices[i].name);
}

static void row(struct libscols_line *l, const struct cmd_input *in)
{
	const struct ckpt_info *info = ckpt_info(in->ck);
	size_t i, pending = 0, queued = 0;
	char text[256];

	for (i = 0; i < in->snap.nr_devices; i++) {
		pending += in->snap.devices[i].nr_requests;
		queued += in->snap.devices[i].nr_queued;
	}
	layers_text(info, text, sizeof(text));
	table_cell(l, 1, "%s", text);
	table_cell(l, 2, info->complete ? "yes" : "NO");
	table_cell(l, 3, "%s/%u", type_name(info->guest_type), info->word_bytes * 8);
	table_cell(l, 4, info->name ? "%s" : NULL, info->name);
	table_cell(l, 5, *in->snap.guest.release ? "%s" : NULL, in->snap.guest.release);
	table_cell(l, 6, "%zu", info->nr_disks);
	frontends_text(&in->snap, text, sizeof(text));
	table_cell(l, 7, "%s", *text ? text : "unknown");
	table_cell(l, 8, in->snap.nr_devices ? "%zu" : NULL, pending);
	table_cell(l, 9, in->snap.nr_devices ? "%zu" : NULL, queued);
}

/* Open and analyse. 0, or -1 with the reason; what could be opened stays in `in`. */
static int look(const struct cmd_env *env, const char *path, struct cmd_input *in, struct err *err)
{
	if (cmd_open(path, in, err) || cmd_analyse(env, in, err))
		return -1;
	return cmd_verdict(in, err);
}

static struct json_object *broken_file(const char *path, const struct err *err)
{
	struct json_object *doc = json_object_new_object(), *src = json_object_new_object();

	json_object_object_add(src, "path", json_text(path));
	json_object_object_add(doc, "schema", json_text("xbdsnap/1"));
	json_object_object_add(doc, "source", src);
	json_object_object_add(doc, "error", json_text(err->text));
	return doc;
}

static int one(struct info *i, struct err *err)
{
	struct err why = ERR_INIT;
	struct cmd_input in;
	int rc = look(i->env, i->paths[0], &in, &why);

	if (in.ck) {
		if (!i->env->json)
			print_sheet(i->env, &in);
		else if (json_print(json_document(&in, false), i->env->out, err)) {
			cmd_close(&in);
			return -1;
		}
	}
	cmd_close(&in);
	if (rc)
		*err = why;
	return rc;
}

/* Of several failures the one that tells a script most: the highest exit status. */
static bool worse(const struct err *a, const struct err *b)
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

static int several(struct info *i, struct err *err)
{
	const struct table_column *cols[ARRAY_SIZE(columns)];
	struct json_object *doc = NULL, *files = NULL;
	struct libscols_table *t = NULL;
	struct err worst = ERR_INIT;
	size_t k;

	for (k = 0; k < ARRAY_SIZE(cols); k++)
		cols[k] = &columns[k];
	if (i->env->json) {
		doc = json_object_new_object();
		files = json_object_new_array();
		json_object_object_add(doc, "schema", json_text("xbdsnap/1"));
		json_object_object_add(doc, "files", files);
	} else if (!(t = table_new(i->env, cols, ARRAY_SIZE(cols)))) {
		return err_nomem(err, "the table");
	}
	for (k = 0; k < i->nr_paths; k++) {
		struct err why = ERR_INIT;
		struct cmd_input in;
		int rc = look(i->env, i->paths[k], &in, &why);
		struct libscols_line *l = t ? scols_table_new_line(t, NULL) : NULL;

		if (rc) {
			cmd_note(i->env, "%s", why.text);
			if (worse(&why, &worst))
				worst = why;
		}
		table_cell(l, 0, "%s", i->paths[k]);
		if (t && in.ck)
			row(l, &in);
		else if (t)
			table_cell(l, 1, why.cls == ERR_UNSUPPORTED ? "unsupported" : "unreadable");
		else
			json_object_array_add(files,
				in.ck ? json_document(&in, false) : broken_file(i->paths[k], &why));
		cmd_close(&in);
	}
	if (t ? table_print(t, err) : json_print(doc, i->env->out, err))
		return -1;
	if (worst.cls == ERR_NONE)
		return CMD_OK;
	*err = worst;
	return -1;
}

int cmd_info(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_child children[] = {
		{.argp = &cmd_locate_argp}, {.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.parser = parse,
		.args_doc = "FILE...",
		.doc = "Say what each file is and what is in it: format, completeness, guest, "
		       "disks, "
		       "frontends and how many requests are pending." CMD_HELP_STATUS,
		.children = children};
	struct info i = {.env = env};
	int rc;

	/* Counts do not need a second opinion; a scan of all memory only where symbols fail. */
	env->frontend.facts_only = true;
	cmd_parse(&argp, argc, argv, &i);
	rc = i.nr_paths == 1 ? one(&i, err) : several(&i, err);
	free(i.paths);
	return rc;
}
