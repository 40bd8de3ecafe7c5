/* SPDX-License-Identifier: BSD-2-Clause
 *
 * render_json.h - the JSON shape of everything (docs/xbdsnap.schema.json).
 *
 * Addresses, frame numbers and memory handles are "0x..." strings; sectors, counts and sizes are
 * numbers; what is unknown is null. Each function returns a new object, or NULL when memory is out.
 */
#ifndef XB_CMD_RENDER_JSON_H
#define XB_CMD_RENDER_JSON_H

#include <json.h>

#include "cmd/cmd.h"

struct json_object *json_num_or_null(uint64_t v, uint64_t unknown);
/* NULL and "" give null; broken UTF-8 is replaced. */
struct json_object *json_text(const char *text);
struct json_object *json_request(const struct io_request *r);
/* The whole document of `dump` (with_requests) or `info`. */
struct json_object *json_document(const struct cmd_input *in, bool with_requests);
/* Write and free. */
int json_print(struct json_object *doc, FILE *out, struct err *err) MUST_CHECK;

#endif
