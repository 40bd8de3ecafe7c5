/* SPDX-License-Identifier: BSD-2-Clause
 *
 * look.h - how a live domain was looked at, and what of it changed meanwhile, in words and as JSON.
 */
#ifndef XB_CMD_LOOK_H
#define XB_CMD_LOOK_H

#include "cmd/cmd.h"
#include "cmd/json.h"

/* A note: "consistent ..." or what changed. */
void look_note(const struct cmd_env *env, const struct cmd_input *in);
/* The document's "live". */
struct json_object *look_json(const struct cmd_input *in);

#endif
