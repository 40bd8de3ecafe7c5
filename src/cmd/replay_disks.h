/* SPDX-License-Identifier: BSD-2-Clause
 *
 * replay_disks.h - the disks that the user names, and the plan of `replay` beside them.
 */
#ifndef XB_CMD_REPLAY_DISKS_H
#define XB_CMD_REPLAY_DISKS_H

#include <json.h>

#include "cmd/cmd.h"
#include "replay/match.h"

struct replay_target {
	char vdev[32];
	const char *path; /* as the user wrote it */
	enum disk_format format;
	const struct blkdev *dev; /* set when opened */
	struct disk disk;
	uint64_t seen_dev, seen_ino, seen_bytes; /* struct disk's, when opened */
};

struct replay_targets {
	struct replay_target *v;
	size_t nr;
};

/* "VDEV=[FORMAT:]PATH" of the user, which must outlive the list. */
int replay_target_add(struct replay_targets *t, const char *text, struct err *err) MUST_CHECK;
/* Find each one's device in the snapshot and open its disk read-only. */
int replay_targets_open(
	struct replay_targets *t, const struct snapshot *s, struct err *err) MUST_CHECK;
/* That of the device; NULL: none was given for it. */
const struct disk *replay_targets_disk(const struct replay_targets *t, const struct blkdev *dev);
void replay_targets_fini(struct replay_targets *t);

struct replay_matches {
	struct replay_match *v; /* one an item of the plan; of those without a disk no_disk */
	bool *compared;
	size_t nr;
};

int replay_matches_get(struct memory m, const struct replay_plan *plan,
	const struct replay_targets *t, struct replay_matches *ret, struct err *err) MUST_CHECK;
void replay_matches_fini(struct replay_matches *m);
int replay_matches_table(const struct cmd_env *env, const struct replay_plan *plan,
	const struct replay_matches *m, struct err *err) MUST_CHECK;
/* Adds "on_disk" to each item of a plan's JSON. -1: no memory. */
int replay_matches_json(const struct replay_matches *m, struct json_object *list) MUST_CHECK;

#endif
