/* SPDX-License-Identifier: BSD-2-Clause
 *
 * who.h - who asked for a request, as cells of a table and as JSON.
 */
#ifndef XB_CMD_WHO_H
#define XB_CMD_WHO_H

#include "cmd/cells.h"
#include "cmd/json.h"

/* What there is to say, once each, of the stretches of a request: rows are struct request_row. */
char *cell_kind(const void *row);
char *cell_process(const void *row);
char *cell_cgroup(const void *row);
char *cell_file(const void *row);
char *cell_position(const void *row);
char *cell_stack(const void *row);
char *cell_lost(const void *row);

/* Of each stretch; none where nobody looked. */
struct json_object *json_who(const struct io_request *r);

#endif
