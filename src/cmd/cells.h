/* SPDX-License-Identifier: BSD-2-Clause
 *
 * cells.h - the columns that every table of requests has; struct table_column's cell.
 */
#ifndef XB_CMD_CELLS_H
#define XB_CMD_CELLS_H

#include "cmd/show.h"
#include "cmd/table.h"

/* What a row is made of; a table that needs more puts it behind this. */
struct request_row {
	const struct blkdev *dev;
	const struct io_request *req;
	const struct show_style *style; /* NULL: the usual one */
	const struct guest_facts *guest;
};

/* The values of the parts of a request, once each; after some it only counts. malloc'ed; NULL:
 * there are none. */
typedef char *cell_part_fn(const struct io_request *r, size_t part);
char *cell_join(const struct io_request *r, size_t nr, cell_part_fn *value);

char *cell_device(const void *row);
char *cell_ring(const void *row);
char *cell_slot(const void *row);
char *cell_slot_or_tag(const void *row); /* "q5": the tag of a queued request */
char *cell_state(const void *row);
char *cell_op(const void *row);
char *cell_sector(const void *row);
char *cell_sectors(const void *row);
char *cell_age(const void *row);

#endif
