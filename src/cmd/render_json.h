/* SPDX-License-Identifier: BSD-2-Clause
 *
 * render_json.h - the JSON shape of checkpoints, guests, devices and findings
 * (docs/xbdsnap.schema.json). Each function returns a new object, or NULL when memory is out.
 */
#ifndef XB_CMD_RENDER_JSON_H
#define XB_CMD_RENDER_JSON_H

#include "check/policy.h"
#include "cmd/cmd.h"
#include "cmd/json.h"

struct json_object *json_source(const struct cmd_input *in);
struct json_object *json_request(const struct io_request *r);
/* With the severity that counts here. */
struct json_object *json_finding(const struct finding *f, enum severity severity);
/* Adds to findings_left_out how many findings of a rule are only counted, where there are any; with
 * the severities of `policy` (NULL: the catalogue's). */
void json_put_left_out(struct json_object *doc, const struct finding_list *list,
	const struct check_policy *policy);
/* The whole document of `dump` (with_requests) or `info`. */
struct json_object *json_document(const struct cmd_input *in, bool with_requests);

#endif
