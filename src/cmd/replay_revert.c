/* SPDX-License-Identifier: BSD-2-Clause
 *
 * replay_revert.c - `replay --revert`. Who is confined unpacks and checks the undo file; the keeper
 * gets its bytes, checks them once more, and writes.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cmd/handover.h"
#include "cmd/meter.h"
#include "cmd/render_json.h"
#include "cmd/replay_apply.h"
#include "io/door.h"
#include "io/source.h"
#include "io/undo.h"

static int print_reverted(
	const struct cmd_env *env, const char *undo, uint64_t bytes, struct err *err)
{
	struct json_object *doc = json_new_document(), *o = json_object_new_object();

	json_put_text(o, "undo", undo);
	json_put_num(o, "bytes", bytes);
	json_put(doc, "reverted", o);
	return json_print(doc, env->out, err);
}

static unsigned undo_allow(unsigned allow)
{
	return (allow & REPLAY_ALLOW_IN_USE ? UNDO_ALLOW_IN_USE : 0) |
	       (allow & REPLAY_ALLOW_CHANGED ? UNDO_ALLOW_CHANGED : 0);
}

/* Takes `src` over. */
static int write_back(const struct cmd_env *env, const struct replay_apply *how,
	const struct replay_targets *targets, struct source *src, uint64_t *bytes, struct err *err)
{
	CLEANUP_FREE struct undo_disk *disks = calloc(targets->nr + 1, sizeof(*disks));
	struct undo_how undo = {
		.disks = disks, .nr_disks = targets->nr, .allow = undo_allow(how->allow)};
	struct meter meter;
	size_t i;
	int rc;

	if (!disks) {
		source_close(src);
		return err_nomem(err, "the disks");
	}
	for (i = 0; i < targets->nr; i++)
		disks[i] = (struct undo_disk){
			targets->v[i].vdev, targets->v[i].path, targets->v[i].format};
	meter_start(&meter, env);
	undo.progress = &meter.progress;
	replay_hold_signals();
	rc = undo_revert(src, &undo, bytes, err);
	meter_end(&meter);
	return rc;
}

void replay_revert_serve(const struct cmd_env *env, const struct replay_apply *how,
	const struct replay_targets *targets, int order, int result)
{
	struct err err = ERR_INIT;
	uint64_t done = 0;
	size_t len = 0;
	const uint8_t *bytes = handover_map(order, &len, &err);
	struct source *src = NULL;
	int rc = -1;

	if (bytes && !source_from_memory(bytes, len, how->revert_path, &src, &err))
		rc = write_back(env, how, targets, src, &done, &err);
	handover_give(result, rc, &err, &done, sizeof(done));
	handover_unmap(bytes, len);
}

static int hand_over(const struct source *src, uint64_t *bytes, struct err *err)
{
	uint64_t len = source_bytes(src);
	const uint8_t *all = source_at(src, 0, len);
	CLEANUP_CLOSE int order = door_order();
	CLEANUP_CLOSE int result = -1;

	if (order < 0 || !all || util_write(order, all, len))
		return err_sys(err, "cannot hand over what is to be restored");
	result = door_carry_out();
	if (result < 0)
		return err_sys(err, "cannot have the disks restored");
	return handover_take(result, bytes, sizeof(*bytes), err);
}

static int have_written(const struct replay_apply *how, uint64_t *bytes, struct err *err)
{
	struct source *src;
	int rc;

	if (source_open(how->revert_path, &src, err))
		return -1;
	replay_hold_signals();
	rc = undo_check(src, err) || hand_over(src, bytes, err) ? -1 : 0;
	source_close(src);
	return rc;
}

static int write_directly(const struct cmd_env *env, const struct replay_apply *how,
	const struct replay_targets *targets, uint64_t *bytes, struct err *err)
{
	struct source *src;

	return source_open(how->revert_path, &src, err)
		       ? -1
		       : write_back(env, how, targets, src, bytes, err);
}

int replay_apply_revert(const struct cmd_env *env, const struct replay_apply *how,
	const struct replay_targets *targets, struct err *err)
{
	uint64_t bytes = 0;

	if (door_is_shut() ? have_written(how, &bytes, err)
			   : write_directly(env, how, targets, &bytes, err))
		return -1;
	if (env->json)
		return print_reverted(env, how->revert_path, bytes, err);
	cmd_note(env, "%" PRIu64 " bytes restored and read back", bytes);
	return CMD_OK;
}
