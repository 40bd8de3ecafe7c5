/* SPDX-License-Identifier: BSD-2-Clause
 *
 * info: what a file is and what is in it. One file as a sheet, several as a table.
 */
#include "cmd/info.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "cmd/confine.h"
#include "cmd/fleet.h"
#include "cmd/live_input.h"
#include "cmd/render_json.h"
#include "cmd/show.h"
#include "cmd/table.h"

struct info {
	struct cmd_env *env;
	struct fleet fleet;
	struct show_style style;
};

static error_t parse_info(int key, char *arg, struct argp_state *state)
{
	struct info *in = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, in->env);
		state->child_inputs[0] = &in->fleet;
		state->child_inputs[1] = &in->style;
		return 0;
	case ARGP_KEY_ARG:
		if (fleet_add(&in->fleet, arg))
			argp_failure(state, CMD_FAILED, 0, "out of memory");
		return 0;
	case ARGP_KEY_END:
		if (!in->fleet.nr_lists)
			cmd_need_path(state, in->env, in->fleet.nr ? in->fleet.paths[0] : NULL);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_line(FILE *out, const char *key, const char *fmt, ...) PRINTF(3, 4);

static void print_line(FILE *out, const char *key, const char *fmt, ...)
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

const char *info_guest_type(enum ckpt_guest_type type)
{
	static const char *const names[] = {
		[CKPT_GUEST_UNKNOWN] = "unknown type",
		[CKPT_GUEST_PV] = "PV",
		[CKPT_GUEST_PVH] = "PVH",
		[CKPT_GUEST_HVM] = "HVM",
	};

	return names[type];
}

void info_layers(const struct ckpt_info *info, char *buf, size_t cap)
{
	size_t n = 0;
	unsigned i;

	buf[0] = 0;
	for (i = 0; i < info->nr_layers && n < cap; i++)
		n += (size_t)snprintf(buf + n, cap - n, "%s%s", i ? " > " : "", info->layers[i]);
}

/* "PV, 64-bit, 4-level page tables, 2 vcpus"; a file that is cut may tell none of it. */
static void sheet_machine(FILE *out, const struct ckpt_info *info, size_t vcpus)
{
	char bits[32] = "width unknown", tables[48] = "page tables unknown";
	char cpus[48] = "vcpus unknown";

	if (info->word_bytes)
		snprintf(bits, sizeof(bits), "%u-bit", info->word_bytes * 8);
	if (info->pt_levels)
		snprintf(tables, sizeof(tables), "%u-level page tables", info->pt_levels);
	if (vcpus || info->complete)
		snprintf(cpus, sizeof(cpus), "%zu vcpu%s", vcpus, vcpus == 1 ? "" : "s");
	print_line(out, "guest", "%s, %s, %s, %s", info_guest_type(info->guest_type), bits, tables,
		cpus);
}

static void sheet_memory(FILE *out, const struct show_style *style, const struct ckpt_info *info)
{
	char bytes[32], below[64] = "number of frames unknown";

	show_bytes(style, info->nr_data_pages * PAGE_BYTES, bytes, sizeof(bytes));
	if (info->nr_pfns)
		snprintf(below, sizeof(below), "frame numbers below 0x%" PRIx64, info->nr_pfns);
	if (info->complete || info->nr_data_pages)
		print_line(out, "memory", "%s%" PRIu64 " pages with data (%s), %s",
			info->complete ? "" : "at least ", info->nr_data_pages, bytes, below);
	else
		print_line(out, "memory", "pages with data unknown, %s", below);
}

static void sheet_origin(FILE *out, const struct cmd_input *in)
{
	const struct ckpt_info *info = in->info;
	char layers[200];

	info_layers(info, layers, sizeof(layers));
	print_line(out, "file", "%s", in->name);
	print_line(out, "format", "%s", layers);
	print_line(out, "complete", "%s%s%s", info->complete ? "yes" : "NO",
		info->complete ? "" : ": ", info->incomplete_why);
	print_line(out, "written by", "%s", info->written_by);
	print_line(out, "restore", "%s", info->restore);
}

static void sheet_domain(FILE *out, const struct cmd_input *in)
{
	const struct xenhost_domain *dom = live_input_domain(in->live);

	print_line(out, "domain", "%s", in->name);
	print_line(out, "state", "%s%s", xenhost_state(dom),
		in->info->suspended ? "" : ": its drivers may be in the middle of a change");
}

static void sheet_file(FILE *out, const struct show_style *style, const struct cmd_input *in)
{
	const struct ckpt_info *info = in->info;

	if (in->live)
		sheet_domain(out, in);
	else
		sheet_origin(out, in);
	sheet_machine(out, info, cmd_nr_vcpus(in));
	if (!in->live && !info->suspended)
		print_line(out, "state",
			"not suspended: its drivers may have been in the middle of a change");
	sheet_memory(out, style, info);
	if (info->nr_repeats)
		print_line(out, "live", "%" PRIu64 " pages were sent again; the last copy counts",
			info->nr_repeats);
	if (info->nr_emulator_records)
		print_line(out, "emulator", "%u record%s", info->nr_emulator_records,
			info->nr_emulator_records == 1 ? "" : "s");
	if (info->name)
		print_line(out, "name", "%s", info->name);
	if (info->uuid)
		print_line(out, "uuid", "%s", info->uuid);
}

static void sheet_disks(FILE *out, const struct ckpt_info *info)
{
	size_t i;

	for (i = 0; i < info->nr_disks; i++) {
		const struct ckpt_disk *d = &info->disks[i];

		print_line(out, "disk", "%s = %s%s%s%s%s%s", d->vdev ? d->vdev : "?",
			d->path ? d->path : "(no path)", d->format ? ", " : "",
			d->format ? d->format : "", d->backend ? ", " : "",
			d->backend ? d->backend : "",
			d->cdrom       ? ", cdrom"
			: d->read_only ? ", read-only"
				       : "");
	}
}

static void sheet_guest(FILE *out, const struct guest_facts *g, bool live)
{
	if (*g->os)
		print_line(out, "os", "%s%s%s", g->os, *g->release ? " " : "", g->release);
	if (*g->version)
		print_line(out, "version", "%s", g->version);
	if (*g->hostname)
		print_line(out, "hostname", "%s", g->hostname);
	if (g->cmdline)
		print_line(out, "command line", "%s", g->cmdline);
	if (g->wall_known) {
		time_t t = (time_t)g->wall_sec;
		struct tm tm;
		char text[64];

		if (gmtime_r(&t, &tm) && strftime(text, sizeof(text), "%F %T UTC", &tm))
			print_line(out, live ? "clock" : "saved at", "%s (guest's clock)", text);
	}
}

static void sheet_device(FILE *out, const struct blkdev *d)
{
	char size[32] = "size unknown", queued[48] = "queue unknown";
	char pending[48] = "pending unknown";

	if (d->nr_sectors != BLK_UNKNOWN_U64)
		snprintf(size, sizeof(size), "%" PRIu64 " sectors", d->nr_sectors);
	if (d->queued_known)
		snprintf(queued, sizeof(queued), "%zu queued", d->nr_queued);
	print_line(out, "frontend", "%s: %s, %s, %s, %zu ring%s, found by %s", d->name,
		frontend_name(d->driver), d->state, size, d->nr_rings, d->nr_rings == 1 ? "" : "s",
		blk_located_name(d->located_by));
	if (d->requests_known || d->nr_requests)
		snprintf(pending, sizeof(pending), "%s%zu pending",
			d->requests_known ? "" : "at least ", d->nr_requests);
	print_line(out, "requests", "%s: %s, %s", d->name, pending, queued);
}

static void print_sheet(
	const struct cmd_env *env, const struct show_style *style, const struct cmd_input *in)
{
	size_t i;

	sheet_file(env->out, style, in);
	sheet_guest(env->out, &in->snap.guest, in->live);
	sheet_disks(env->out, in->info);
	for (i = 0; i < in->snap.nr_devices; i++)
		sheet_device(env->out, &in->snap.devices[i]);
	if (!in->snap.nr_devices)
		print_line(env->out, "frontend", "unknown");
	if (in->snap.every_page && in->snap.doubt)
		print_line(env->out, "searched", "every page: %s", in->snap.doubt);
}

int info_look(const struct cmd_env *env, const char *path, struct cmd_input *in, struct err *err)
{
	if (cmd_open(env, path, in, err) || cmd_analyse(env, in, err))
		return -1;
	return cmd_verdict(in, err);
}

static int show_one(struct info *i, struct err *err)
{
	struct err why = ERR_INIT;
	struct cmd_input in;
	int rc = info_look(i->env, i->fleet.nr ? i->fleet.paths[0] : NULL, &in, &why);

	if (in.info) {
		if (!i->env->json)
			print_sheet(i->env, &i->style, &in);
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

static int confine_info(struct info *in, struct err *err)
{
	struct door_passes passes = {0};
	size_t i;

	for (i = 0; i < in->fleet.nr; i++)
		door_pass_add(&passes, in->fleet.paths[i], DOOR_READ);
	return cmd_confine(in->env, NULL, &passes, err);
}

static void look_for_fleet(void *arg, const char *path, struct fleet_look *look)
{
	const struct info *i = arg;
	struct err *why = &look->row.why;
	struct cmd_input in;

	if (!info_look(i->env, path, &in, why))
		*why = (struct err)ERR_INIT;
	look->row.status = why->cls == ERR_NONE ? CMD_OK : cmd_status_of(why);
	if (in.info) {
		fleet_fill(&look->row, &in, NULL);
		look->doc = i->env->json ? json_document(&in, false) : NULL;
	}
	cmd_close(&in);
}

static int show_guest(struct info *i, struct err *err)
{
	const struct fleet *f = &i->fleet;

	if (confine_info(i, err))
		return -1;
	if (f->format != FLEET_TEXT && f->format != FLEET_JSON)
		return fleet_run(f, look_for_fleet, i, err);
	if (f->nr == 1 || i->env->live)
		return show_one(i, err);
	return info_table(i->env, f->paths, f->nr, err);
}

int cmd_info(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_child children[] = {{.argp = &fleet_argp}, {.argp = &show_argp},
		{.argp = &cmd_live_argp}, {.argp = &cmd_locate_argp}, {.argp = &cmd_common_argp},
		{0}};
	static const struct argp argp = {.parser = parse_info,
		.args_doc = "FILE...",
		.doc = "Say what each file is and what is in it: format, completeness, guest, "
		       "disks, "
		       "frontends and how many requests are pending." CMD_HELP_STATUS,
		.children = children};
	struct info i = {.env = env, .fleet = {.env = env}};
	int rc;

	/* Counts do not need a second opinion; a scan of all memory only where symbols fail. */
	env->frontend.facts_only = true;
	cmd_parse(&argp, argc, argv, &i);
	rc = fleet_complete(&i.fleet, err) ? -1 : show_guest(&i, err);
	fleet_fini(&i.fleet);
	return rc;
}
