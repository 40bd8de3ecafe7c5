/* SPDX-License-Identifier: BSD-2-Clause
 *
 * html_draw.c - a disk as a bar, a ring as a ring.
 */
#include "cmd/html.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "frontend/hazard.h"

#define WIDTH	   1000.0
#define LANE	   14.0
#define MAX_LANES  16u
#define LEAST	   2.5 /* so that one sector of a large disk is seen */
#define MAX_DRAWN  4096u
#define RING_SIZE  300.0
#define SHADOW_ROW 32u

/* ---- the disk ----------------------------------------------------------------------------- */

static void title_of(FILE *out, const struct io_request *r)
{
	fprintf(out, "<title>%s, sectors %" PRIu64 " to %" PRIu64 ", %s, ring %u slot %u</title>",
		io_op_name(r->op), r->sector, r->sector + MAX(r->nr_sectors, (uint64_t)1) - 1,
		io_state_name(r->state), r->ring, r->slot);
}

/* The first lane that is free at x; the last one when none is. */
static unsigned free_lane(double ends[MAX_LANES], double x, double width)
{
	unsigned lane;

	for (lane = 0; lane < MAX_LANES - 1 && ends[lane] > x; lane++)
		;
	ends[lane] = x + width + 0.5;
	return lane;
}

static int by_start(const void *a, const void *b)
{
	const struct io_request *x = ((const struct hazard_item *)a)->req;
	const struct io_request *y = ((const struct hazard_item *)b)->req;

	return x->sector < y->sector ? -1 : x->sector > y->sector;
}

/* Those that have a place, ascending, with their hazards; malloc'ed. NULL: no memory. */
static struct hazard_item *sort_items(const struct blkdev *d, size_t *nr)
{
	struct hazard_item *v;
	uint64_t start, end;
	size_t i, all;

	*nr = 0;
	if (hazard_items(d, &v, &all, NULL))
		return NULL;
	if (hazard_mark(v, all, NULL)) {
		free(v);
		return NULL;
	}
	for (i = 0; i < all; i++)
		if (io_request_range(v[i].req, &start, &end))
			v[(*nr)++] = v[i];
	if (*nr)
		qsort(v, *nr, sizeof(*v), by_start);
	return v;
}

static void draw_scale(FILE *out, uint64_t all, double y)
{
	unsigned i;

	for (i = 0; i <= 4; i++)
		fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%" PRIu64 "</text>\n",
			WIDTH * i / 4, y,
			i == 0	 ? "start"
			: i == 4 ? "end"
				 : "middle",
			all / 4 * i + all % 4 * i / 4);
}

static void draw_mounts(FILE *out, const struct blkdev *d, uint64_t all, double height)
{
	size_t i;

	for (i = 0; i < d->nr_fs && i < MAX_LANES; i++) {
		double x = WIDTH * (double)d->fs[i].start / (double)all;

		if (d->fs[i].start >= all)
			continue;
		fprintf(out,
			"<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%.1f\"/>"
			"<text x=\"%.1f\" y=\"11\">",
			x, x, height, x + 4);
		html_text(out, d->fs[i].type);
		fputs("</text>\n", out);
	}
}

struct bar {
	double x, width;
	unsigned lane;
};

static struct bar bar_of(const struct io_request *r, uint64_t all, double ends[MAX_LANES])
{
	struct bar b = {.width = fmax(LEAST, WIDTH * (double)r->nr_sectors / (double)all)};

	b.x = fmin(WIDTH * (double)r->sector / (double)all, WIDTH - b.width);
	b.lane = free_lane(ends, b.x, b.width);
	return b;
}

static void draw_request(FILE *out, const struct hazard_item *item, const struct bar *b)
{
	const struct io_request *r = item->req;

	fprintf(out,
		"<rect class=\"%s%s\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" "
		"height=\"%.1f\">",
		html_op_class(r->op), r->state == IO_QUEUED ? " queued" : "", b->x,
		17 + LANE * b->lane, b->width, LANE - 2);
	title_of(out, r);
	fputs("</rect>\n", out);
	if (item->hazards & (HAZARD_OVERLAP | HAZARD_RACE))
		fprintf(out,
			"<rect class=\"overlap\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" "
			"height=\"3\"/>\n",
			b->x, 17 + LANE * b->lane + LANE - 5, b->width);
}

void html_disk(FILE *out, const struct blkdev *d)
{
	CLEANUP_FREE struct hazard_item *v = NULL;
	CLEANUP_FREE struct bar *bars = NULL;
	uint64_t all = blkdev_end(d);
	double ends[MAX_LANES] = {0}, height;
	unsigned lanes = 3;
	size_t nr, i;

	v = sort_items(d, &nr);
	bars = calloc(nr + 1, sizeof(*bars));
	nr = v && bars ? MIN(nr, (size_t)MAX_DRAWN) : 0;
	for (i = 0; i < nr; i++) {
		bars[i] = bar_of(v[i].req, all, ends);
		lanes = MAX(lanes, bars[i].lane + 1);
	}
	height = 18 + LANE * lanes;
	fprintf(out,
		"<svg viewBox=\"-2 0 %.0f %.0f\" role=\"img\" aria-label=\"the disk and the "
		"requests on it\">\n<rect class=\"free\" x=\"0\" y=\"16\" width=\"%.0f\" "
		"height=\"%.1f\"/>\n",
		WIDTH + 4, height + 18, WIDTH, height - 16);
	for (i = 0; i < nr; i++)
		draw_request(out, &v[i], &bars[i]);
	draw_mounts(out, d, all, height);
	draw_scale(out, all, height + 13);
	fputs("</svg>\n", out);
}

/* ---- the ring ----------------------------------------------------------------------------- */

/* What is where, by number; both owned. */
struct ring_view {
	const struct io_request **slots;
	const struct io_ring_entry **entries; /* of the window that still counts */
};

static void close_view(struct ring_view *v)
{
	free(v->slots);
	free(v->entries);
}

static bool open_view(const struct blkdev *d, const struct io_ring *r, struct ring_view *v)
{
	size_t i;

	v->slots = calloc(r->entries, sizeof(*v->slots));
	v->entries = calloc(r->entries, sizeof(*v->entries));
	if (!v->slots || !v->entries)
		return false;
	for (i = 0; i < d->nr_requests; i++)
		if (d->requests[i].ring == r->index && d->requests[i].slot < r->entries)
			v->slots[d->requests[i].slot] = &d->requests[i];
	for (i = 0; i < r->nr_window; i++)
		v->entries[r->window[i].index % r->entries] = &r->window[i];
	return true;
}

static void draw_arc(
	FILE *out, const char *class, double from, double to, double inner, double outer)
{
	double a = from * 2 * M_PI - M_PI / 2, b = to * 2 * M_PI - M_PI / 2, c = RING_SIZE / 2;

	fprintf(out,
		"<path class=\"%s\" d=\"M%.2f %.2fA%.1f %.1f 0 0 1 %.2f %.2fL%.2f %.2fA%.1f "
		"%.1f 0 0 0 %.2f %.2fZ\">",
		class, c + outer * cos(a), c + outer * sin(a), outer, outer, c + outer * cos(b),
		c + outer * sin(b), c + inner * cos(b), c + inner * sin(b), inner, inner,
		c + inner * cos(a), c + inner * sin(a));
}

static void draw_index(
	FILE *out, const struct io_ring *r, uint32_t index, const char *name, double radius)
{
	double a = (double)(index % r->entries) / r->entries * 2 * M_PI - M_PI / 2;
	double c = RING_SIZE / 2;

	fprintf(out,
		"<line class=\"mark\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>"
		"<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n",
		c + 62 * cos(a), c + 62 * sin(a), c + 106 * cos(a), c + 106 * sin(a),
		c + radius * cos(a), c + radius * sin(a) + 4, name);
}

static void draw_shared(FILE *out, const struct io_ring *r, const struct ring_view *v)
{
	unsigned i;

	for (i = 0; i < r->entries; i++) {
		const struct io_ring_entry *e = v->entries[i];
		double gap = r->entries > 128 ? 0 : 0.06 / r->entries;

		draw_arc(out,
			!e		 ? "free"
			: e->is_response ? "flush"
					 : "write",
			(double)i / r->entries + gap, (double)(i + 1) / r->entries - gap, 68, 100);
		fprintf(out, "<title>entry %u: %s</title></path>\n", i,
			!e		 ? "nothing that counts"
			: e->is_response ? "a response that the guest has not seen"
					 : "a request without an answer");
	}
	if (r->sring_known) {
		draw_index(out, r, r->sring_req_prod, "req_prod", 124);
		draw_index(out, r, r->sring_rsp_prod, "rsp_prod", 140);
	}
	if (r->indices == IO_INDICES_READ)
		draw_index(out, r, r->rsp_cons, "rsp_cons", 46);
}

static void draw_shadow(FILE *out, const struct io_ring *r, const struct ring_view *v)
{
	double each = 16, left = RING_SIZE + 40;
	unsigned i;

	for (i = 0; i < r->entries; i++) {
		const struct io_request *q = v->slots[i];

		fprintf(out,
			"<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
			"height=\"%.1f\">",
			q ? html_op_class(q->op) : "free", left + each * (i % SHADOW_ROW),
			16 + each * (i / SHADOW_ROW), each - 2, each - 2);
		if (q)
			title_of(out, q);
		else
			fprintf(out, "<title>slot %u: free</title>", i);
		fputs("</rect>\n", out);
	}
}

void html_ring(FILE *out, const struct blkdev *d, const struct io_ring *r)
{
	CLEANUP(close_view) struct ring_view v = {0};
	double rows;

	if (!r->entries || r->entries > MAX_DRAWN || !open_view(d, r, &v)) {
		fputs("<p>The ring could not be decoded.</p>\n", out);
		return;
	}
	rows = ceil((double)r->entries / SHADOW_ROW);
	fprintf(out,
		"<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"the ring and its "
		"shadow\">\n<text x=\"%.0f\" y=\"10\">shadow, %u slots, %u used</text>\n",
		RING_SIZE + 40 + 16 * SHADOW_ROW + 4, fmax(RING_SIZE, 24 + 16 * rows),
		RING_SIZE + 40, r->entries, r->nr_used);
	draw_shared(out, r, &v);
	draw_shadow(out, r, &v);
	fputs("</svg>\n", out);
}
