/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/draw.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/num.h"

#define DEFAULT_WIDTH 80u
#define LEAST_WIDTH   20u
#define MAX_WIDTH     500u
#define SLOTS_A_ROW   64u
#define MAX_ENTRIES   4096u

/* What a place holds: one letter an operation, '*' several. */
#define FREE	'.'
#define SEVERAL '*'

static char letter_of(enum io_op op)
{
	switch (op) {
	case IO_READ:
		return 'r';
	case IO_WRITE:
	case IO_BARRIER:
		return 'w';
	case IO_FLUSH:
		return 'f';
	case IO_DISCARD:
		return 'd';
	default:
		return '?';
	}
}

/* SGR colours: reads blue, writes yellow, flushes magenta, discards cyan, several and what is not
 * known red. */
static const char *color_of(char c)
{
	switch (c) {
	case 'r':
		return "\033[34m";
	case 'w':
		return "\033[33m";
	case 'f':
	case '<':
		return "\033[35m";
	case 'd':
		return "\033[36m";
	case SEVERAL:
	case '?':
		return "\033[31m";
	default:
		return "\033[0m";
	}
}

static void put_line(const struct cmd_env *env, const char *text, size_t nr)
{
	bool color = cmd_use_color(env);
	char last = 0;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (color && text[i] != last)
			fputs(color_of(text[i]), env->out);
		last = text[i];
		fputc(text[i], env->out);
	}
	if (color && nr)
		fputs("\033[0m", env->out);
	fputc('\n', env->out);
}

/* Of the terminal; of a file or a pipe always the same, unless COLUMNS says otherwise. */
static unsigned width_of(const struct cmd_env *env)
{
	const char *columns = getenv("COLUMNS");
	uint64_t wanted = DEFAULT_WIDTH;
	struct winsize size;

	if (columns && num_parse_u64(columns, MAX_WIDTH, &wanted))
		return (unsigned)MAX(wanted, (uint64_t)LEAST_WIDTH);
	if (!ioctl(fileno(env->out), TIOCGWINSZ, &size) && size.ws_col)
		wanted = size.ws_col;
	return (unsigned)MIN(MAX(wanted, (uint64_t)LEAST_WIDTH), (uint64_t)MAX_WIDTH);
}

/* ---- the disk ----------------------------------------------------------------------------- */

/* Column of a sector, without a product that could wrap. */
static size_t column_of(uint64_t sector, uint64_t all, unsigned width)
{
	return (size_t)MIN((uint64_t)((double)sector / (double)all * width), (uint64_t)width - 1);
}

void draw_map(const struct cmd_env *env, const struct blkdev *d)
{
	unsigned width = width_of(env);
	uint64_t all = blkdev_end(d), start, end;
	const struct io_request *r;
	char line[MAX_WIDTH];
	size_t i, at, last;

	memset(line, FREE, sizeof(line));
	for (i = 0; (r = blkdev_request(d, i)); i++) {
		if (!io_request_range(r, &start, &end))
			continue;
		last = column_of(end - 1, all, width);
		for (at = column_of(start, all, width); at <= last; at++)
			line[at] = line[at] == FREE || line[at] == letter_of(r->op)
					   ? letter_of(r->op)
					   : SEVERAL;
	}
	fprintf(env->out, "%s: %" PRIu64 " sectors%s, %" PRIu64 " a character\n", d->name, all,
		d->nr_sectors == BLK_UNKNOWN_U64 ? " at least" : "",
		all / width + (all % width != 0));
	put_line(env, line, width);
}

/* ---- rings -------------------------------------------------------------------------------- */

static void put_rows(const struct cmd_env *env, const char *what, const char *v, unsigned nr)
{
	unsigned row = MIN(SLOTS_A_ROW, MAX(width_of(env), LEAST_WIDTH) - 14), at;

	for (at = 0; at < nr; at += row) {
		fprintf(env->out, "  %-6s%5u ", at ? "" : what, at);
		put_line(env, v + at, MIN(row, nr - at));
	}
}

static void draw_ring(const struct cmd_env *env, const struct blkdev *d, const struct io_ring *r)
{
	char slots[MAX_ENTRIES], entries[MAX_ENTRIES];
	size_t i;

	if (!r->entries || r->entries > MAX_ENTRIES) {
		fprintf(env->out, "%s ring %u could not be decoded\n", d->name, r->index);
		return;
	}
	memset(slots, FREE, sizeof(slots));
	memset(entries, FREE, sizeof(entries));
	for (i = 0; i < d->nr_requests; i++)
		if (d->requests[i].ring == r->index && d->requests[i].slot < r->entries)
			slots[d->requests[i].slot] = letter_of(d->requests[i].op);
	for (i = 0; i < r->nr_window; i++)
		entries[r->window[i].index % r->entries] = r->window[i].is_response ? '<' : '>';
	fprintf(env->out, "%s ring %u: %u slots, %u used\n", d->name, r->index, r->entries,
		r->nr_used);
	put_rows(env, "shadow", slots, r->entries);
	put_rows(env, "shared", entries, r->entries);
	if (r->sring_known)
		fprintf(env->out, "  req_prod %u in entry %u, rsp_prod %u in entry %u",
			r->sring_req_prod, r->sring_req_prod % r->entries, r->sring_rsp_prod,
			r->sring_rsp_prod % r->entries);
	if (r->indices == IO_INDICES_READ)
		fprintf(env->out, ", rsp_cons %u in entry %u", r->rsp_cons,
			r->rsp_cons % r->entries);
	fputc('\n', env->out);
}

void draw_rings(const struct cmd_env *env, const struct blkdev *d)
{
	size_t i;

	for (i = 0; i < d->nr_rings; i++)
		draw_ring(env, d, &d->rings[i]);
}
