/* SPDX-License-Identifier: BSD-2-Clause
 *
 * html_requests.c - the table of a device's requests.
 */
#include "cmd/html.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "cmd/cells.h"
#include "cmd/meaning.h"
#include "cmd/who.h"
#include "replay/match.h"

#define MAX_ROWS 4096u
#define PREVIEW	 128u /* bytes of the payload of a write */
#define HEX_ROW	 16u

static const struct {
	const char *name;
	char *(*cell)(const void *row);
	bool right;
} columns[] = {
	{"ring", cell_ring, true},
	{"slot", cell_slot_or_tag, true},
	{"state", cell_state, false},
	{"op", cell_op, false},
	{"sector", cell_sector, true},
	{"sectors", cell_sectors, true},
	{"age", cell_age, true},
	{"kind", cell_kind, false},
	{"process", cell_process, false},
	{"file", cell_file, false},
	{"position", cell_position, true},
	{"what it is", cell_meaning, false},
};

static void put_hex_row(FILE *out, const uint8_t *p, size_t nr, size_t at)
{
	char text[HEX_ROW + 1];
	size_t i;

	fprintf(out, "%04zx ", at);
	for (i = 0; i < HEX_ROW; i++)
		if (i < nr)
			fprintf(out, " %02x", p[i]);
		else
			fputs("   ", out);
	for (i = 0; i < nr; i++)
		text[i] = isprint(p[i]) ? (char)p[i] : '.';
	text[nr] = '\0';
	fputs("  ", out);
	html_text(out, text);
	fputc('\n', out);
}

/* The first bytes of a segment; false: they are not there. */
static bool put_preview(FILE *out, struct memory m, const struct io_segment *s)
{
	struct memory_page page = {.state = MEMORY_ABSENT};
	size_t at, nr = MIN(s->bytes, PREVIEW);

	if (s->frame == IO_FRAME_OK)
		page = memory_page(m, s->pfn);
	if (page.state != MEMORY_DATA || memory_is_removed(page.data) ||
		!num_range_ok(s->offset, nr, PAGE_BYTES))
		return false;
	fputs("<pre>", out);
	for (at = 0; at < nr; at += HEX_ROW)
		put_hex_row(out, page.data + s->offset + at, MIN(nr - at, (size_t)HEX_ROW), at);
	fputs("</pre>", out);
	return true;
}

/* Longer things that are said of a request, each in a line of its own. */
static void put_lines(FILE *out, const struct request_row *row)
{
	static const struct {
		const char *name;
		char *(*cell)(const void *row);
	} lines[] = {
		{"there", cell_where},
		{"without it", cell_without},
		{"devices", cell_stack},
		{"not known", cell_lost},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		CLEANUP_FREE char *text = lines[i].cell(row);

		if (!text)
			continue;
		fprintf(out, "<p class=\"dim\">%s: ", lines[i].name);
		html_text(out, text);
		fputs("</p>", out);
	}
}

static void put_details(FILE *out, struct memory m, const struct request_row *row)
{
	const struct io_request *r = row->req;

	fprintf(out, "<details><summary>%zu segment%s</summary>", r->nr_seg,
		r->nr_seg == 1 ? "" : "s");
	put_lines(out, row);
	if (r->trouble) {
		fputs("<p class=\"error\">", out);
		html_text(out, r->trouble);
		fputs("</p>", out);
	}
	if (r->nr_seg) {
		const struct io_segment *s = &r->seg[0];

		if (s->frame != IO_FRAME_UNKNOWN)
			fprintf(out,
				"<p class=\"dim\">first: page 0x%" PRIx64 " from byte %u, %u "
				"bytes</p>",
				s->pfn.v, s->offset, s->bytes);
		if (io_request_writes_data(r) && !put_preview(out, m, s))
			fputs("<p class=\"dim\">its data is not in the checkpoint</p>", out);
	}
	fputs("</details>", out);
}

/* "landed", "torn" ... */
static void put_match(
	FILE *out, struct memory m, const struct io_request *r, const struct disk *disk)
{
	CLEANUP(replay_match_fini) struct replay_match match = {0};
	struct err why;

	fputs("<td>", out);
	if (r->state == IO_QUEUED || replay_compare(m, r, disk, &match, &why))
		fputs("-", out);
	else
		html_text(out, replay_match_name(match.state));
	fputs("</td>", out);
}

static void put_row(
	FILE *out, struct memory m, const struct request_row *row, const struct disk *disk)
{
	size_t i;

	fputs("<tr>", out);
	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		CLEANUP_FREE char *text = columns[i].cell(row);

		fputs(columns[i].right ? "<td class=\"n\">" : "<td>", out);
		html_text(out, text);
		fputs("</td>", out);
	}
	if (disk)
		put_match(out, m, row->req, disk);
	fputs("<td>", out);
	put_details(out, m, row);
	fputs("</td></tr>\n", out);
}

void html_requests(
	FILE *out, const struct cmd_input *in, const struct blkdev *d, const struct disk *disk)
{
	size_t i, nr = d->nr_requests + d->nr_queued;

	if (!nr) {
		fputs(d->requests_known ? "<p>No request is in flight.</p>\n"
					: "<p>The requests are not known.</p>\n",
			out);
		return;
	}
	fputs("<div class=\"wide\"><table>\n<tr>", out);
	for (i = 0; i < ARRAY_SIZE(columns); i++)
		fprintf(out, "<th>%s</th>", columns[i].name);
	fputs(disk ? "<th>on the disk</th><th>data</th></tr>\n" : "<th>data</th></tr>\n", out);
	for (i = 0; i < MIN(nr, (size_t)MAX_ROWS); i++) {
		const struct request_row row = {
			.dev = d, .req = blkdev_request(d, i), .guest = &in->snap.guest};

		put_row(out, in->memory, &row, disk);
	}
	fputs("</table></div>\n", out);
	if (nr > MAX_ROWS)
		fprintf(out, "<p>%zu more are not shown.</p>\n", nr - MAX_ROWS);
}
