/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dump: one row a pending request.
 */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "cmd/backend.h"
#include "cmd/cells.h"
#include "cmd/confine.h"
#include "cmd/draw.h"
#include "cmd/dump_verbose.h"
#include "cmd/meaning.h"
#include "cmd/render_json.h"
#include "cmd/replay_disks.h"
#include "cmd/table.h"
#include "cmd/target.h"
#include "cmd/who.h"

static size_t nr_holes(const struct io_request *r)
{
	size_t i, n = 0;

	for (i = 0; i < r->nr_seg; i++)
		n += r->seg[i].frame != IO_FRAME_OK;
	return n;
}

static char *cell_bytes(const void *row)
{
	const struct request_row *r = row;
	char text[64];

	show_bytes(r->style, r->req->nr_sectors * SECTOR_BYTES, text, sizeof(text));
	return strdup(io_request_size_known(r->req) ? text : "?");
}

static char *cell_segs(const void *row)
{
	const struct request_row *r = row;

	return table_text("%zu", r->req->nr_seg);
}

static char *cell_holes(const void *row)
{
	const struct request_row *r = row;

	return table_text("%zu", nr_holes(r->req));
}

static char *cell_from(const void *row)
{
	const struct io_request *r = ((const struct request_row *)row)->req;

	if (r->op == IO_FLUSH && !r->nr_sectors)
		return NULL;
	return strdup(r->sector_from == IO_SECTOR_UNKNOWN ? "unknown"
							  : io_sector_from_name(r->sector_from));
}

static char *cell_flags(const void *row)
{
	const struct request_row *r = row;
	char text[64] = "";
	size_t n = 0;
	unsigned bit;

	for (bit = 1; bit; bit <<= 1)
		if (r->req->flags & bit && io_flag_name(bit) && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? "," : "",
				io_flag_name(bit));
	return *text ? strdup(text) : NULL;
}

static char *cell_id(const void *row)
{
	const struct request_row *r = row;

	return table_text("0x%" PRIx64, r->req->id);
}

static char *cell_handle(const void *row)
{
	const struct request_row *r = row;

	return table_text("%u", r->req->wire_handle);
}

static char *cell_request(const void *row)
{
	const struct request_row *r = row;

	return r->req->request_va.v ? table_text("0x%" PRIx64, r->req->request_va.v) : NULL;
}

static char *cell_frontend(const void *row)
{
	const struct request_row *r = row;

	return strdup(frontend_name(r->dev->driver));
}

static char *cell_located(const void *row)
{
	const struct request_row *r = row;

	return strdup(blk_located_name(r->dev->located_by));
}

static char *cell_trouble(const void *row)
{
	const struct request_row *r = row;

	return r->req->trouble ? strdup(r->req->trouble) : NULL;
}

static const struct table_column columns[] = {
	{"DEVICE", false, "virtual device", cell_device},
	{"RING", true, "ring (queue) of the device", cell_ring},
	{"SLOT", true, "slot of the shadow ring; of a queued request: its tag", cell_slot},
	{"STATE", false, "pending, responded or queued", cell_state},
	{"OP", false, "read, write, barrier, flush, discard, probe", cell_op},
	{"SECTOR", true, "first sector (512 bytes); ? unknown", cell_sector},
	{"SECTORS", true, "length in sectors", cell_sectors},
	{"BYTES", true, "length in bytes", cell_bytes},
	{"SEGS", true, "number of segments", cell_segs},
	{"HOLES", true, "segments whose page is not in the checkpoint", cell_holes},
	{"AGE", true, "since the guest's block layer started it", cell_age},
	{"FROM", false, "where the sector is known from", cell_from},
	{"FLAGS", false, "indirect, fua, preflush, secure", cell_flags},
	{"ID", true, "as the shadow ring stores it", cell_id},
	{"HANDLE", true, "device or handle of the wire request", cell_handle},
	{"REQUEST", true, "address of the guest's own request", cell_request},
	{"FRONTEND", false, "the driver", cell_frontend},
	{"LOCATED-BY", false, "how the ring was found", cell_located},
	{"TROUBLE", false, "what could not be decoded", cell_trouble},
	/* From here on those that --who is needed for. */
	{"KIND", false, "direct, device, write-back, cache-read, metadata, journal, swap ...",
		cell_kind},
	{"PROCESS", false, "who asked for it: command and process id", cell_process},
	{"CGROUP", false, "the control group that it counts for", cell_cgroup},
	{"FILE", false, "the file it is for", cell_file},
	{"POSITION", true, "in the file, or on the device where there is none; bytes",
		cell_position},
	{"STACK", false, "block devices from the disk to the file, with the sector on each",
		cell_stack},
	{"LOST", false, "what stayed unknown of these, at which step", cell_lost},
	/* And that --disk tells more of. */
	{"MEANING", false, "what is there: superblock, journal, inode table, file data, swap ...",
		cell_meaning},
	{"WHERE", false, "partition, file system, and what of it", cell_where},
	{"WITHOUT", false, "what the disk would be without the request", cell_without},
};

#define DEFAULT_COLUMNS "DEVICE,RING,SLOT,STATE,OP,SECTOR,SECTORS,BYTES,SEGS,AGE,FROM,FLAGS"
#define FIRST_OF_WHO	(ptrdiff_t)(ARRAY_SIZE(columns) - 10)
#define FIRST_OF_DISK	(ptrdiff_t)(ARRAY_SIZE(columns) - 3)
#define WHO_COLUMNS	"DEVICE,RING,SLOT,OP,SECTOR,SECTORS,AGE,KIND,PROCESS,FILE,POSITION"
#define DISK_COLUMNS	"DEVICE,RING,SLOT,OP,SECTOR,SECTORS,MEANING,WHERE,WITHOUT"

struct dump {
	struct cmd_env *env;
	const char *path, *device, *columns;
	bool op_set, map, ring, meaning;
	enum io_op op;
	struct cmd_input in;
	struct target target;
	struct replay_targets disks;
	struct err usage; /* of an option's argument */
	struct show_style style;
	struct backends backends; /* of a live domain */
	const struct table_column **cols;
	size_t nr_cols;
};

enum { OPT_DEVICE = 0x100, OPT_OP, OPT_WHO, OPT_MAP, OPT_RING, OPT_DISK };

static void parse_op(struct dump *d, const char *word, struct argp_state *state)
{
	static const enum io_op ops[] = {
		IO_READ, IO_WRITE, IO_BARRIER, IO_FLUSH, IO_DISCARD, IO_PROBE, IO_UNKNOWN};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		if (!strcmp(io_op_name(ops[i]), word)) {
			d->op = ops[i];
			d->op_set = true;
			return;
		}
	argp_error(state,
		"--op takes read, write, barrier, flush, discard, probe or unknown, not "
		"'%s'",
		word);
}

static error_t parse_dump(int key, char *arg, struct argp_state *state)
{
	struct dump *d = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, d->env);
		state->child_inputs[0] = &d->target;
		state->child_inputs[1] = &d->style;
		return 0;
	case OPT_DEVICE:
		d->device = arg;
		return 0;
	case OPT_OP:
		parse_op(d, arg, state);
		return 0;
	case OPT_MAP:
		d->map = true;
		return 0;
	case OPT_RING:
		d->ring = true;
		return 0;
	case OPT_DISK:
		if (replay_target_add(&d->disks, arg, &d->usage))
			argp_error(state, "%s", d->usage.text);
		return 0;
	case OPT_WHO:
		d->env->frontend.who = true;
		return 0;
	case 'o':
		d->columns = arg;
		return 0;
	case ARGP_KEY_ARG:
		cmd_take_path(state, arg, &d->path);
		return 0;
	case ARGP_KEY_END:
		cmd_need_path(state, d->env, d->path);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static char *help_filter(int key, const char *text, void *input UNUSED)
{
	char *all = NULL;
	size_t bytes, i;
	FILE *f;

	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	f = open_memstream(&all, &bytes);
	if (!f)
		return (char *)text;
	fputs("Columns of -o (default " DEFAULT_COLUMNS "; with --who " WHO_COLUMNS
	      "; with --disk " DISK_COLUMNS "):\n",
		f);
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		fprintf(f, "  %-10s %s\n", columns[i].name, columns[i].help);
	fprintf(f, "\n%s", text ? text : "");
	fclose(f);
	return all;
}

static bool device_wanted(const struct dump *d, const struct blkdev *dev)
{
	return !d->device || blkdev_is_named(dev, d->device);
}

/* Drop what the filters leave out, so that both renderings show the same. */
static void filter_requests(const struct dump *d, struct io_request *v, size_t *nr)
{
	size_t i, keep = 0;

	for (i = 0; i < *nr; i++) {
		if (d->op_set && v[i].op != d->op) {
			io_request_fini(&v[i]);
			continue;
		}
		if (keep != i)
			v[keep] = v[i];
		keep++;
	}
	*nr = keep;
}

static int keep_wanted(struct dump *d, struct err *err)
{
	struct snapshot *s = &d->in.snap;
	size_t i, keep = 0, before = s->nr_devices;
	char names[200];

	snapshot_list_devices(s, names, sizeof(names));
	for (i = 0; i < s->nr_devices; i++) {
		if (!device_wanted(d, &s->devices[i])) {
			blkdev_fini(&s->devices[i]);
			continue;
		}
		filter_requests(d, s->devices[i].requests, &s->devices[i].nr_requests);
		filter_requests(d, s->devices[i].queued, &s->devices[i].nr_queued);
		if (keep != i)
			s->devices[keep] = s->devices[i];
		keep++;
	}
	s->nr_devices = keep;
	if (!before || keep)
		return 0;
	err_set(err, ERR_NOTFOUND, "%s: no device '%s', but %s", d->in.name, d->device, names);
	return err_override(err, "said");
}

static void add_rows(const struct dump *d, struct libscols_table *t, const struct blkdev *dev,
	const struct io_request *v, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		const struct request_row row = {dev, &v[i], &d->style, &d->in.snap.guest};

		table_row(t, d->cols, d->nr_cols, &row);
	}
}

static int print_requests(struct dump *d, struct err *err)
{
	const struct snapshot *s = &d->in.snap;
	struct libscols_table *t = table_new(d->env, d->cols, d->nr_cols);
	size_t i;

	if (!t)
		return err_nomem(err, "the table");
	for (i = 0; i < s->nr_devices; i++) {
		const struct blkdev *dev = &s->devices[i];

		add_rows(d, t, dev, dev->requests, dev->nr_requests);
		add_rows(d, t, dev, dev->queued, dev->nr_queued);
	}
	return table_print(t, err);
}

/* r read, w write, f flush, d discard, * several; in the shared ring > request, < response. */
static void print_pictures(const struct dump *d)
{
	const struct snapshot *s = &d->in.snap;
	size_t i;

	for (i = 0; d->map && i < s->nr_devices; i++)
		draw_map(d->env, &s->devices[i]);
	for (i = 0; d->ring && i < s->nr_devices; i++)
		draw_rings(d->env, &s->devices[i]);
}

static int print_text(struct dump *d, struct err *err)
{
	cmd_note_findings(d->env, &d->in);
	if (!d->in.snap.nr_devices) {
		if (d->env->verbose)
			dump_how(d->env->talk, &d->in.snap);
		return 0;
	}
	if (d->map || d->ring) {
		print_pictures(d);
		return 0;
	}
	if (print_requests(d, err))
		return -1;
	if (!d->env->verbose)
		return 0;
	if (dump_segments(d->env, &d->in.snap, err))
		return -1;
	dump_devices(d->env, &d->in.snap);
	return 0;
}

static int print_all(struct dump *d, struct err *err)
{
	if (print_text(d, err))
		return -1;
	if (d->in.live)
		backends_print(&d->backends, d->env->out);
	return 0;
}

static int print_document(struct dump *d, struct err *err)
{
	struct json_object *doc = json_document(&d->in, true), *live;

	if (doc && json_object_object_get_ex(doc, "live", &live))
		json_put(live, "disks", backends_json(&d->backends));
	return json_print(doc, d->env->out, err);
}

/* Columns that say who ask for it, too. */
#define OUTPUT_VARIABLE "XBDSNAP_OUTPUT"

/* The user's choice; without -o, the one that the user made once for all. */
static int choose_columns(struct dump *d, struct err *err)
{
	const char *defaults = d->disks.nr	      ? DISK_COLUMNS
			       : d->env->frontend.who ? WHO_COLUMNS
						      : DEFAULT_COLUMNS;
	bool special = d->disks.nr || d->env->frontend.who || d->env->json;
	const char *usual = special ? NULL : getenv(OUTPUT_VARIABLE);
	const char *wanted = d->columns ? d->columns : usual && *usual ? usual : NULL;
	size_t i;

	if (table_choose(
		    columns, ARRAY_SIZE(columns), defaults, wanted, &d->cols, &d->nr_cols, err))
		return wanted == d->columns ? -1 : err_in(err, OUTPUT_VARIABLE);
	d->meaning = d->disks.nr;
	for (i = 0; i < d->nr_cols; i++) {
		d->env->frontend.who |= d->cols[i] - columns >= FIRST_OF_WHO;
		d->meaning |= d->cols[i] - columns >= FIRST_OF_DISK;
	}
	d->env->frontend.who |= d->meaning; /* what a disk does not say yet */
	return 0;
}

static int confine_dump(struct dump *d, struct err *err)
{
	struct door_passes passes = {0};
	size_t i;

	door_pass_add(&passes, d->path, DOOR_READ);
	target_passes(&d->target, &passes);
	for (i = 0; i < d->disks.nr; i++)
		disk_pass_add(&passes, d->disks.v[i].path, d->disks.v[i].format);
	return cmd_confine(d->env, target_domid(&d->target), &passes, err);
}

static const struct disk *given_disk(const void *arg, const struct blkdev *d)
{
	return replay_targets_disk(arg, d);
}

static int find_meaning(struct dump *d, struct err *err)
{
	struct snapshot *s = &d->in.snap;

	if (!d->meaning || !s->nr_devices)
		return 0;
	return replay_targets_open(&d->disks, s, err) || meaning_look(given_disk, &d->disks, s, err)
		       ? -1
		       : 0;
}

static int run_dump(struct dump *d, struct err *err)
{
	if (choose_columns(d, err) || confine_dump(d, err) ||
		cmd_open(d->env, d->path, &d->in, err) || cmd_analyse(d->env, &d->in, err) ||
		target_read(d->env, &d->target, false, &d->in, err) || find_meaning(d, err) ||
		keep_wanted(d, err))
		return -1;
	if (d->in.live && backends_read(&d->in, &d->backends, err))
		return -1;
	if (d->env->json ? print_document(d, err) : print_all(d, err))
		return -1;
	return cmd_verdict(&d->in, err);
}

int cmd_dump(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_option options[] = {
		{.name = "device", .key = OPT_DEVICE, .arg = "VDEV", .doc = "only this device"},
		{.name = "op",
			.key = OPT_OP,
			.arg = "read|write|barrier|flush|discard|probe|unknown",
			.doc = "only this operation"},
		{.name = "who",
			.key = OPT_WHO,
			.doc = "say of each request who asked for it, and for which file (Linux)"},
		{.name = "disk",
			.key = OPT_DISK,
			.arg = "VDEV=[FORMAT:]PATH",
			.doc = "say of each request what is there on this disk, and what the disk "
			       "would be without it; opened read-only"},
		{.name = "map",
			.key = OPT_MAP,
			.doc = "draw each disk as a line: which part of it is read or written"},
		{.name = "ring",
			.key = OPT_RING,
			.doc = "draw each ring, and its shadow: what is in which slot"},
		{.name = "output",
			.key = 'o',
			.arg = "COLUMNS",
			.doc = "these columns; +COLUMNS appends (--help=all lists them)"},
		{0},
	};
	static const struct argp_child children[] = {{.argp = &target_frames_argp},
		{.argp = &show_argp}, {.argp = &cmd_live_argp}, {.argp = &cmd_locate_argp},
		{.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.options = options,
		.parser = parse_dump,
		.args_doc = "FILE",
		.doc = "List the block requests that the saved guest had in "
		       "flight." CMD_HELP_STATUS,
		.children = children,
		.help_filter = help_filter};
	struct dump d = {.env = env};
	int rc;

	cmd_parse(&argp, argc, argv, &d);
	rc = run_dump(&d, err);
	target_fini(&d.target);
	replay_targets_fini(&d.disks);
	backends_fini(&d.backends);
	cmd_close(&d.in);
	free(d.cols);
	return rc;
}
