/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/cells.h"

#include <inttypes.h>
#include <string.h>

/* Different values that a cell shows before it only counts. */
#define MAX_SHOWN 3u

struct joined {
	char *v[MAX_SHOWN];
	size_t nr, more; /* those shown, stretches with others */
};

/* Takes `text`. */
static void join_value(struct joined *j, char *text)
{
	size_t i;

	for (i = 0; text && i < j->nr; i++)
		if (!strcmp(j->v[i], text)) {
			free(take(text));
			return;
		}
	if (text && j->nr < MAX_SHOWN)
		j->v[j->nr++] = take(text);
	else
		j->more += text != NULL;
	free(text);
}

static char *joined_text(struct joined *j)
{
	char *all = NULL;
	size_t bytes, i;
	FILE *f = j->nr ? open_memstream(&all, &bytes) : NULL;

	for (i = 0; i < j->nr; i++) {
		if (f)
			fprintf(f, "%s%s", i ? ", " : "", j->v[i]);
		free(j->v[i]);
	}
	if (f && j->more)
		fprintf(f, ", +%zu", j->more);
	if (f)
		fclose(f);
	return all;
}

char *cell_join(const struct io_request *r, size_t nr, cell_part_fn *value)
{
	struct joined j = {0};
	size_t i;

	for (i = 0; i < nr; i++)
		join_value(&j, value(r, i));
	return joined_text(&j);
}

char *cell_device(const void *row)
{
	const struct request_row *r = row;

	return strdup(r->dev->name);
}

char *cell_ring(const void *row)
{
	const struct request_row *r = row;

	return table_text("%u", r->req->ring);
}

char *cell_slot(const void *row)
{
	const struct request_row *r = row;

	return table_text("%u", r->req->slot);
}

char *cell_slot_or_tag(const void *row)
{
	const struct request_row *r = row;

	return table_text("%s%u", r->req->state == IO_QUEUED ? "q" : "", r->req->slot);
}

char *cell_state(const void *row)
{
	const struct request_row *r = row;

	return strdup(io_state_name(r->req->state));
}

char *cell_op(const void *row)
{
	const struct request_row *r = row;

	return strdup(io_op_name(r->req->op));
}

char *cell_sector(const void *row)
{
	const struct io_request *r = ((const struct request_row *)row)->req;

	if (r->op == IO_FLUSH && !r->nr_sectors)
		return NULL;
	return r->sector_from == IO_SECTOR_UNKNOWN ? strdup("?")
						   : table_text("%" PRIu64, r->sector);
}

char *cell_sectors(const void *row)
{
	const struct request_row *r = row;

	return io_request_size_known(r->req) ? table_text("%" PRIu64, r->req->nr_sectors)
					     : strdup("?");
}

char *cell_age(const void *row)
{
	const struct request_row *r = row;
	char text[64];

	if (!r->req->age_known || !show_age(r->style, r->req->age_ns, r->guest, text, sizeof(text)))
		return NULL;
	return strdup(text);
}
