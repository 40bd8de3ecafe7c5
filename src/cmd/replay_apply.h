/* SPDX-License-Identifier: BSD-2-Clause
 *
 * replay_apply.h - `replay --write`: the rules that stand in its way, signals, and what is said.
 */
#ifndef XB_CMD_REPLAY_APPLY_H
#define XB_CMD_REPLAY_APPLY_H

#include <json-c/json.h>

#include "cmd/replay_disks.h"
#include "replay/write.h"

struct replay_apply {
	bool write, discard;
	unsigned allow; /* REPLAY_ALLOW_* */
	const char *undo_path, *revert_path;
	const char
		*overlay_path; /* write to a new image on top of the disk, without an undo file */
	const char
		*fsck; /* a shell command to run before and after, with the disk as its argument */
};

/*
 * The plan's writes for the targets, which are not open. An exit status, or -1. *ret, for the JSON
 * document, is the caller's to put; NULL on failure.
 */
int replay_apply_run(const struct cmd_env *env, const struct cmd_input *in,
	const struct replay_plan *plan, const struct replay_apply *how,
	struct replay_targets *targets, struct json_object **ret, struct err *err) MUST_CHECK;
/*
 * The same of the keeper of a confined process, which ran replay_apply_run(): the order is read
 * from one file, whatever stands in it, and what became of it is written to the other. `targets`
 * are as the command line has them.
 */
void replay_apply_serve(const struct cmd_env *env, const struct replay_apply *how,
	struct replay_targets *targets, int order_fd, int result_fd);
/* From here on signals wait; what is done looks for them between two steps. */
void replay_hold_signals(void);
/* On the disks that the undo file names, or that the user names for their devices. */
int replay_apply_revert(const struct cmd_env *env, const struct replay_apply *how,
	const struct replay_targets *targets, struct err *err) MUST_CHECK;
/* The same of the keeper of a confined process, which ran that. */
void replay_revert_serve(const struct cmd_env *env, const struct replay_apply *how,
	const struct replay_targets *targets, int order, int result);

#endif
