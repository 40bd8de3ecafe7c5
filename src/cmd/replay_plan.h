/* SPDX-License-Identifier: BSD-2-Clause
 *
 * replay_plan.h - a plan as a table, as JSON, and back from edited JSON.
 */
#ifndef XB_CMD_REPLAY_PLAN_H
#define XB_CMD_REPLAY_PLAN_H

#include <json.h>

#include "cmd/target.h"
#include "replay/replay.h"

/* With the features of a target, also in how many parts each request will come there. */
int replay_plan_table(const struct cmd_env *env, const struct replay_plan *plan,
	const struct target *target, struct err *err) MUST_CHECK;
/* A new array, or NULL when memory is out. */
struct json_object *replay_plan_json(const struct replay_plan *plan, const struct target *target);
/*
 * Keep the items that the file's "plan" lists, in its order. Each must be one of the plan, named
 * once and unchanged, and the file of this checkpoint: ERR_REFUSED otherwise. ERR_USAGE: no plan.
 */
int replay_plan_edit(struct replay_plan *plan, const struct cmd_input *in, const char *path,
	struct err *err) MUST_CHECK;

#endif
