/* SPDX-License-Identifier: BSD-2-Clause
 *
 * extract_out.h - where `extract` puts the bytes, and what is said of them.
 *
 * A row is the JSON of one thing that was asked for: the request, or the page or address, with
 * "path", "bytes" and "pages" of what was written, or "error".
 */
#ifndef XB_CMD_EXTRACT_OUT_H
#define XB_CMD_EXTRACT_OUT_H

#include "cmd/cmd.h"
#include "cmd/json.h"

struct extract_out {
	const struct cmd_env *env;
	const struct cmd_input *in;
	const char *path; /* NULL or "-": standard output */
	const char *dir;  /* --all; NULL: one thing, to path */
	bool hex, force;
	struct json_object *rows; /* an array; owned */
};

int extract_out_open(struct extract_out *o, struct err *err) MUST_CHECK;
void extract_out_fini(struct extract_out *o);

struct json_object *extract_row_request(const struct blkdev *d, const struct io_request *r);
struct json_object *extract_row_range(const char *key, uint64_t at);

/* Write the bytes of one row, which is taken over; origin counts the lines of a hex dump. */
int extract_put(struct extract_out *o, struct json_object *row, uint64_t origin, const uint8_t *p,
	size_t len, struct err *err) MUST_CHECK;
/* The same into the folder, under a name made of the request. */
int extract_put_named(struct extract_out *o, const struct blkdev *d, const struct io_request *r,
	const uint8_t *p, size_t len, struct err *err) MUST_CHECK;
/* Into the folder nothing was written of this one. */
int extract_put_failed(struct extract_out *o, const struct blkdev *d, const struct io_request *r,
	const struct err *why, struct err *err) MUST_CHECK;
/* The folder's manifest.json, and with -J the document. */
int extract_out_finish(struct extract_out *o, const struct cmd_input *in, uint64_t holes,
	struct err *err) MUST_CHECK;

#endif
