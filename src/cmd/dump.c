/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dump: one row a pending request.
 */
#include "cmd/cmd.h"

#include <string.h>

#include "base/num.h"
#include "cmd/render_json.h"
#include "cmd/table.h"
#include "cmd/target.h"

enum column {
	COL_DEVICE,
	COL_RING,
	COL_SLOT,
	COL_STATE,
	COL_OP,
	COL_SECTOR,
	COL_SECTORS,
	COL_BYTES,
	COL_SEGS,
	COL_HOLES,
	COL_AGE,
	COL_FROM,
	COL_FLAGS,
	COL_ID,
	COL_HANDLE,
	COL_REQUEST,
	COL_FRONTEND,
	COL_LOCATED,
	COL_TROUBLE,
};

static const struct table_column columns[] = {
	[COL_DEVICE] = {"DEVICE", false, "virtual device"},
	[COL_RING] = {"RING", true, "ring (queue) of the device"},
	[COL_SLOT] = {"SLOT", true, "slot of the shadow ring; of a queued request: its tag"},
	[COL_STATE] = {"STATE", false, "pending, responded or queued"},
	[COL_OP] = {"OP", false, "read, write, barrier, flush, discard, probe"},
	[COL_SECTOR] = {"SECTOR", true, "first sector (512 bytes); ? unknown"},
	[COL_SECTORS] = {"SECTORS", true, "length in sectors"},
	[COL_BYTES] = {"BYTES", true, "length in bytes"},
	[COL_SEGS] = {"SEGS", true, "number of segments"},
	[COL_HOLES] = {"HOLES", true, "segments whose page is not in the checkpoint"},
	[COL_AGE] = {"AGE", true, "since the guest's block layer started it"},
	[COL_FROM] = {"FROM", false, "where the sector is known from"},
	[COL_FLAGS] = {"FLAGS", false, "indirect, fua, preflush, secure"},
	[COL_ID] = {"ID", true, "as the shadow ring stores it"},
	[COL_HANDLE] = {"HANDLE", true, "device or handle of the wire request"},
	[COL_REQUEST] = {"REQUEST", true, "address of the guest's own request"},
	[COL_FRONTEND] = {"FRONTEND", false, "the driver"},
	[COL_LOCATED] = {"LOCATED-BY", false, "how the ring was found"},
	[COL_TROUBLE] = {"TROUBLE", false, "what could not be decoded"},
};

#define DEFAULT_COLUMNS "DEVICE,RING,SLOT,STATE,OP,SECTOR,SECTORS,BYTES,SEGS,AGE,FROM,FLAGS"

struct dump {
	struct cmd_env *env;
	const char *path, *device, *columns;
	bool op_set;
	enum io_op op;
	struct cmd_input in;
	struct target target;
	const struct table_column **cols;
	size_t nr_cols;
};

enum { OPT_DEVICE = 0x100, OPT_OP };

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

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct dump *d = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		cmd_init_children(state, d->env);
		state->child_inputs[0] = &d->target;
		return 0;
	case OPT_DEVICE:
		d->device = arg;
		return 0;
	case OPT_OP:
		parse_op(d, arg, state);
		return 0;
	case 'o':
		d->columns = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (d->path)
			argp_error(state, "one checkpoint at a time");
		d->path = arg;
		return 0;
	case ARGP_KEY_END:
		if (!d->path)
			argp_error(state, "no checkpoint named");
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
	fputs("Columns of -o (default " DEFAULT_COLUMNS "):\n", f);
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		fprintf(f, "  %-10s %s\n", columns[i].name, columns[i].help);
	fprintf(f, "\n%s", text ? text : "");
	fclose(f);
	return all;
}

static bool device_wanted(const struct dump *d, const struct blkdev *dev)
{
	char number[24];

	snprintf(number, sizeof(number), "%llu", (unsigned long long)dev->handle);
	return !d->device || !strcmp(d->device, dev->name) || !strcmp(d->device, number);
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

static int filter(struct dump *d, struct err *err)
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
	if (before && !keep)
		return err_set(
			err, ERR_NOTFOUND, "%s: no device '%s', but %s", d->path, d->device, names);
	return 0;
}

static size_t nr_holes(const struct io_request *r)
{
	size_t i, n = 0;

	for (i = 0; i < r->nr_seg; i++)
		n += r->seg[i].frame != IO_FRAME_OK;
	return n;
}

static void flags_text(const struct io_request *r, char *buf, size_t cap)
{
	size_t n = 0;
	unsigned bit;

	buf[0] = 0;
	for (bit = 1; bit; bit <<= 1)
		if (r->flags & bit && io_flag_name(bit) && n < cap)
			n += (size_t)snprintf(
				buf + n, cap - n, "%s%s", n ? "," : "", io_flag_name(bit));
}

static void cell(struct libscols_line *line, size_t at, enum column c, const struct blkdev *d,
	const struct io_request *r)
{
	char text[64];

	switch (c) {
	case COL_DEVICE:
		table_cell(line, at, "%s", d->name);
		break;
	case COL_RING:
		table_cell(line, at, "%u", r->ring);
		break;
	case COL_SLOT:
		table_cell(line, at, "%u", r->slot);
		break;
	case COL_STATE:
		table_cell(line, at, "%s", io_state_name(r->state));
		break;
	case COL_OP:
		table_cell(line, at, "%s", io_op_name(r->op));
		break;
	case COL_SECTOR:
		if (r->op == IO_FLUSH && !r->nr_sectors)
			table_cell(line, at, NULL);
		else if (r->sector_from == IO_SECTOR_UNKNOWN)
			table_cell(line, at, "?");
		else
			table_cell(line, at, "%llu", (unsigned long long)r->sector);
		break;
	case COL_SECTORS:
		table_cell(line, at, io_request_size_known(r) ? "%llu" : "?",
			(unsigned long long)r->nr_sectors);
		break;
	case COL_BYTES:
		table_bytes(r->nr_sectors * SECTOR_BYTES, text, sizeof(text));
		table_cell(line, at, "%s", io_request_size_known(r) ? text : "?");
		break;
	case COL_SEGS:
		table_cell(line, at, "%zu", r->nr_seg);
		break;
	case COL_HOLES:
		table_cell(line, at, "%zu", nr_holes(r));
		break;
	case COL_AGE:
		if (r->age_known)
			table_duration(r->age_ns, text, sizeof(text));
		table_cell(line, at, r->age_known ? "%s" : NULL, text);
		break;
	case COL_FROM:
		if (r->op == IO_FLUSH && !r->nr_sectors)
			table_cell(line, at, NULL);
		else
			table_cell(line, at, "%s",
				r->sector_from == IO_SECTOR_UNKNOWN
					? "unknown"
					: io_sector_from_name(r->sector_from));
		break;
	case COL_FLAGS:
		flags_text(r, text, sizeof(text));
		table_cell(line, at, *text ? "%s" : NULL, text);
		break;
	case COL_ID:
		table_cell(line, at, "0x%llx", (unsigned long long)r->id);
		break;
	case COL_HANDLE:
		table_cell(line, at, "%u", r->wire_handle);
		break;
	case COL_REQUEST:
		table_cell(line, at, r->request_va.v ? "0x%llx" : NULL,
			(unsigned long long)r->request_va.v);
		break;
	case COL_FRONTEND:
		table_cell(line, at, "%s", frontend_name(d->driver));
		break;
	case COL_LOCATED:
		table_cell(line, at, "%s", blk_located_name(d->located_by));
		break;
	case COL_TROUBLE:
		table_cell(line, at, r->trouble ? "%s" : NULL, r->trouble);
		break;
	}
}

static void add_rows(const struct dump *d, struct libscols_table *t, const struct blkdev *dev,
	const struct io_request *v, size_t nr)
{
	size_t i, c;

	for (i = 0; i < nr; i++) {
		struct libscols_line *line = scols_table_new_line(t, NULL);

		for (c = 0; c < d->nr_cols; c++)
			cell(line, c, (enum column)(d->cols[c] - columns), dev, &v[i]);
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

/* ---- -v ----------------------------------------------------------------------------------- */

static const struct table_column segment_columns[] = {
	{"DEVICE", false, NULL},
	{"RING", true, NULL},
	{"SLOT", true, NULL},
	{"SEG", true, NULL},
	{"PFN", true, NULL},
	{"SOURCE-MFN", true, NULL},
	{"TARGET-MFN", true, NULL},
	{"GREF", true, NULL},
	{"OFFSET", true, NULL},
	{"BYTES", true, NULL},
	{"DATA", false, NULL},
};

static void frame_cell(struct libscols_line *line, size_t at, bool known, uint64_t frame)
{
	table_cell(line, at, known ? "0x%llx" : NULL, (unsigned long long)frame);
}

static void segment_rows(
	struct libscols_table *t, const struct blkdev *dev, const struct io_request *r)
{
	static const char *const data[] = {[IO_FRAME_OK] = "present",
		[IO_FRAME_HOLE] = "hole",
		[IO_FRAME_UNKNOWN] = "unknown"};
	size_t i;

	for (i = 0; i < r->nr_seg; i++) {
		struct libscols_line *line = scols_table_new_line(t, NULL);
		const struct io_segment *s = &r->seg[i];

		table_cell(line, 0, "%s", dev->name);
		table_cell(line, 1, "%u", r->ring);
		table_cell(line, 2, "%s%u", r->state == IO_QUEUED ? "q" : "", r->slot);
		table_cell(line, 3, "%zu", i);
		frame_cell(line, 4, s->frame != IO_FRAME_UNKNOWN, s->pfn.v);
		frame_cell(line, 5, s->source_mfn.v != UINT64_MAX, s->source_mfn.v);
		if (s->target_missing)
			table_cell(line, 6, "none");
		else
			frame_cell(line, 6, s->target_mfn.v != UINT64_MAX, s->target_mfn.v);
		table_cell(line, 7, s->gref < 0 ? NULL : "%lld", (long long)s->gref);
		table_cell(line, 8, "%u", s->offset);
		table_cell(line, 9, "%u", s->bytes);
		table_cell(line, 10, "%s", data[s->frame]);
	}
}

static int print_segments(struct dump *d, struct err *err)
{
	const struct table_column *cols[ARRAY_SIZE(segment_columns)];
	const struct snapshot *s = &d->in.snap;
	struct libscols_table *t;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(cols); i++)
		cols[i] = &segment_columns[i];
	t = table_new(d->env, cols, ARRAY_SIZE(cols));
	if (!t)
		return err_nomem(err, "the table");
	for (i = 0; i < s->nr_devices; i++) {
		const struct blkdev *dev = &s->devices[i];

		for (k = 0; k < dev->nr_requests; k++)
			segment_rows(t, dev, &dev->requests[k]);
		for (k = 0; k < dev->nr_queued; k++)
			segment_rows(t, dev, &dev->queued[k]);
	}
	fputc('\n', d->env->out);
	return table_print(t, err);
}

static void print_counts(FILE *out, const struct io_ring *r)
{
	if (r->entries)
		fprintf(out, "%u entries", r->entries);
	else
		fputs("entries unknown", out);
	if (r->slots)
		fprintf(out, ", %u used", r->nr_used);
	if (r->indices == IO_INDICES_READ)
		fprintf(out, ", req_prod_pvt %u, rsp_cons %u", r->req_prod_pvt, r->rsp_cons);
	else
		fputs(", own indices unknown", out);
}

static void print_ring(FILE *out, const struct io_ring *r)
{
	size_t i;

	fprintf(out, "  ring %u: ", r->index);
	print_counts(out, r);
	if (r->sring_known)
		fprintf(out, ", shared req_prod %u, rsp_prod %u", r->sring_req_prod,
			r->sring_rsp_prod);
	else
		fprintf(out, ", shared page %s",
			r->sring_va.v ? "not in the checkpoint" : "not found");
	fputs(", pages", out);
	for (i = 0; i < r->nr_pages; i++)
		if (r->pages[i].v == UINT64_MAX)
			fputs(" ?", out);
		else
			fprintf(out, " 0x%llx", (unsigned long long)r->pages[i].v);
	fputc('\n', out);
}

/* "bus, structure and ring"; or that it is not. */
static void confirmation(const struct blkdev *dev, char *buf, size_t cap)
{
	unsigned left = dev->confirmed ? dev->confirmed_by : 0;
	size_t n = (size_t)snprintf(buf, cap, left ? "confirmed by" : "not confirmed");
	int i;

	for (i = 0; i < BLK_NR_CONFIRMED && n < cap; i++) {
		unsigned bit = 1u << i;

		if (!(left & bit))
			continue;
		left &= ~bit;
		n += (size_t)snprintf(buf + n, cap - n, "%s%s%s",
			left || n == strlen("confirmed by") ? " " : " and ",
			blk_confirmed_name(bit), left & (left - 1) ? "," : "");
	}
}

static void print_devices(const struct dump *d)
{
	const struct snapshot *s = &d->in.snap;
	CLEANUP_FREE char *how = s->how ? cmd_safe_text(s->how, strlen(s->how)) : NULL;
	FILE *out = d->env->out;
	size_t i, k;

	for (i = 0; i < s->nr_devices; i++) {
		const struct blkdev *dev = &s->devices[i];
		char by[96];

		confirmation(dev, by, sizeof(by));
		fprintf(out, "%s%s: %s, %s, found by %s, %s\n", i ? "" : "\n", dev->name,
			frontend_name(dev->driver), dev->state, blk_located_name(dev->located_by),
			by);
		for (k = 0; k < dev->nr_rings; k++)
			print_ring(out, &dev->rings[k]);
		for (k = 0; k < dev->nr_requests; k++)
			if (dev->requests[k].trouble)
				fprintf(out, "  ring %u slot %u: %s\n", dev->requests[k].ring,
					dev->requests[k].slot, dev->requests[k].trouble);
	}
	/* The steps are separated by line feeds, which are safe here. */
	if (s->how)
		fprintf(out, "\nHow it was found:\n%s", how ? s->how : "");
}

static int print_text(struct dump *d, struct err *err)
{
	cmd_note_findings(d->env, &d->in);
	if (!d->in.snap.nr_devices)
		return 0;
	if (print_requests(d, err))
		return -1;
	if (!d->env->verbose)
		return 0;
	if (print_segments(d, err))
		return -1;
	print_devices(d);
	return 0;
}

static int run(struct dump *d, struct err *err)
{
	if (table_choose(columns, ARRAY_SIZE(columns), DEFAULT_COLUMNS, d->columns, &d->cols,
		    &d->nr_cols, err) ||
		cmd_open(d->env, d->path, &d->in, err) || cmd_analyse(d->env, &d->in, err) ||
		target_read(d->env, &d->target, false, &d->in, err) || filter(d, err))
		return -1;
	if (d->env->json ? json_print(json_document(&d->in, true), d->env->out, err)
			 : print_text(d, err))
		return -1;
	return cmd_verdict(&d->in, err);
}

int cmd_dump(struct cmd_env *env, int argc, char **argv, struct err *err)
{
	static const struct argp_option options[] = {
		{.name = "device", .key = OPT_DEVICE, .arg = "VDEV", .doc = "only this device"},
		{.name = "op", .key = OPT_OP, .arg = "OP", .doc = "only this operation"},
		{.name = "output",
			.key = 'o',
			.arg = "COLUMNS",
			.doc = "these columns; +COLUMNS appends to the default"},
		{0},
	};
	static const struct argp_child children[] = {{.argp = &target_frames_argp},
		{.argp = &cmd_locate_argp}, {.argp = &cmd_common_argp}, {0}};
	static const struct argp argp = {.options = options,
		.parser = parse,
		.args_doc = "FILE",
		.doc = "List the block requests that the saved guest had in "
		       "flight." CMD_HELP_STATUS,
		.children = children,
		.help_filter = help_filter};
	struct dump d = {.env = env};
	int rc;

	cmd_parse(&argp, argc, argv, &d);
	rc = run(&d, err);
	target_fini(&d.target);
	cmd_close(&d.in);
	free(d.cols);
	return rc;
}
