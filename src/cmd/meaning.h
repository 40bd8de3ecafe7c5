/* SPDX-License-Identifier: BSD-2-Clause
 *
 * meaning.h - what the sectors of a request are, as cells of a table and as JSON.
 */
#ifndef XB_CMD_MEANING_H
#define XB_CMD_MEANING_H

#include "cmd/cells.h"
#include "cmd/json.h"
#include "io/disk.h"

/* The disk that is given for a device, open; NULL: none. */
typedef const struct disk *meaning_disk_fn(const void *arg, const struct blkdev *d);
/* Look: by that disk, else by the guest's memory. */
int meaning_look(
	meaning_disk_fn *fn, const void *arg, struct snapshot *s, struct err *err) MUST_CHECK;

/* What there is to say, once each, of the stretches of a request: rows are struct request_row. */
char *cell_meaning(const void *row); /* "journal", "file data" ... */
char *cell_where(const void *row);   /* "partition 2 (ext4) /a/b 4096-8191" */
char *cell_without(const void *row); /* what the disk would be without it */

/* Of each stretch; none where nobody looked. */
struct json_object *json_meaning(const struct io_request *r);

#endif
