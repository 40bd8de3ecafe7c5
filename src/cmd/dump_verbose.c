/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/dump_verbose.h"

#include <inttypes.h>
#include <string.h>

#include "cmd/cells.h"
#include "cmd/table.h"

struct segment_row {
	struct request_row request;
	size_t index;
	const struct io_segment *seg;
};

static const struct io_segment *segment_of(const void *row)
{
	return ((const struct segment_row *)row)->seg;
}

static char *frame_text(bool known, uint64_t frame)
{
	return known ? table_text("0x%" PRIx64, frame) : NULL;
}

static char *cell_index(const void *row)
{
	return table_text("%zu", ((const struct segment_row *)row)->index);
}

static char *cell_pfn(const void *row)
{
	const struct io_segment *s = segment_of(row);

	return frame_text(s->frame != IO_FRAME_UNKNOWN, s->pfn.v);
}

static char *cell_source(const void *row)
{
	const struct io_segment *s = segment_of(row);

	return frame_text(s->source_mfn.v != UINT64_MAX, s->source_mfn.v);
}

static char *cell_target(const void *row)
{
	const struct io_segment *s = segment_of(row);

	return s->target_missing ? strdup("none")
				 : frame_text(s->target_mfn.v != UINT64_MAX, s->target_mfn.v);
}

static char *cell_gref(const void *row)
{
	const struct io_segment *s = segment_of(row);

	return s->gref < 0 ? NULL : table_text("%" PRId64, (int64_t)s->gref);
}

static char *cell_offset(const void *row)
{
	return table_text("%u", segment_of(row)->offset);
}

static char *cell_seg_bytes(const void *row)
{
	return table_text("%u", segment_of(row)->bytes);
}

static char *cell_data(const void *row)
{
	static const char *const data[] = {[IO_FRAME_OK] = "present",
		[IO_FRAME_HOLE] = "hole",
		[IO_FRAME_UNKNOWN] = "unknown"};

	return strdup(data[segment_of(row)->frame]);
}

static const struct table_column segment_columns[] = {
	{"DEVICE", false, NULL, cell_device},
	{"RING", true, NULL, cell_ring},
	{"SLOT", true, NULL, cell_slot_or_tag},
	{"SEG", true, NULL, cell_index},
	{"PFN", true, NULL, cell_pfn},
	{"SOURCE-MFN", true, NULL, cell_source},
	{"TARGET-MFN", true, NULL, cell_target},
	{"GREF", true, NULL, cell_gref},
	{"OFFSET", true, NULL, cell_offset},
	{"BYTES", true, NULL, cell_seg_bytes},
	{"DATA", false, NULL, cell_data},
};

static void segment_rows(struct libscols_table *t, const struct table_column *const *cols,
	const struct blkdev *dev, const struct io_request *r)
{
	size_t i;

	for (i = 0; i < r->nr_seg; i++) {
		const struct segment_row row = {{.dev = dev, .req = r}, i, &r->seg[i]};

		table_row(t, cols, ARRAY_SIZE(segment_columns), &row);
	}
}

int dump_segments(const struct cmd_env *env, const struct snapshot *s, struct err *err)
{
	const struct table_column *cols[ARRAY_SIZE(segment_columns)];
	struct libscols_table *t;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(cols); i++)
		cols[i] = &segment_columns[i];
	t = table_new(env, cols, ARRAY_SIZE(cols));
	if (!t)
		return err_nomem(err, "the table");
	for (i = 0; i < s->nr_devices; i++) {
		const struct blkdev *dev = &s->devices[i];

		for (k = 0; k < dev->nr_requests; k++)
			segment_rows(t, cols, dev, &dev->requests[k]);
		for (k = 0; k < dev->nr_queued; k++)
			segment_rows(t, cols, dev, &dev->queued[k]);
	}
	fputc('\n', env->out);
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
			fprintf(out, " 0x%" PRIx64, r->pages[i].v);
	fputc('\n', out);
}

/* "bus, structure and ring"; or that it is not. */
static void describe_confirmation(const struct blkdev *dev, char *buf, size_t cap)
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

void dump_devices(const struct cmd_env *env, const struct snapshot *s)
{
	FILE *out = env->out;
	size_t i, k;

	for (i = 0; i < s->nr_devices; i++) {
		const struct blkdev *dev = &s->devices[i];
		char by[96];

		describe_confirmation(dev, by, sizeof(by));
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
	if (s->how)
		fputs("\nHow it was found:\n", out);
	dump_how(out, s);
}

/* Names of the guest's are among them. */
void dump_how(FILE *out, const struct snapshot *s)
{
	const char *line = s->how, *end;

	for (; line && *line; line = end + 1) {
		CLEANUP_FREE char *safe = NULL;

		end = strchrnul(line, '\n');
		safe = cmd_safe_text(line, (size_t)(end - line));
		fprintf(out, "%s\n", safe ? safe : "");
		if (!*end)
			break;
	}
}
