/* SPDX-License-Identifier: BSD-2-Clause
 *
 * target.h - where the guest is to go on: its frames there, and what its disks can do.
 */
#ifndef XB_CMD_TARGET_H
#define XB_CMD_TARGET_H

#include <argp.h>

#include "cmd/cmd.h"
#include "cmd/live.h"
#include "io/door.h"
#include "io/sandbox.h"

struct target {
	/* What the user said; all NULL and false: nothing. */
	const char *p2m_path, *caps_path;
	bool live_given;
	uint32_t domid;
	/* What came of it. */
	struct live live;	/* of live_given */
	struct p2m *table;	/* of p2m_path */
	struct check_caps *own; /* of caps_path */
	const struct check_caps *caps;
	size_t nr_caps;
};

/* Options that fill a struct target, their input: --p2m and --domid; --target-caps; all of them. */
extern const struct argp target_frames_argp, target_caps_argp, target_argp;

/*
 * Open the domain or read the files, and fill target_mfn of every segment and ring page of the
 * snapshot. The features of the domain's disks are read only when `caps`, and when no file was
 * given for them. Says so when there is nothing to translate. ERR_REFUSED: the table of --p2m
 * cannot be this guest's.
 */
int target_read(const struct cmd_env *env, struct target *t, bool caps, struct cmd_input *in,
	struct err *err) MUST_CHECK;
/* The files that target_read() opens. */
void target_passes(const struct target *t, struct door_passes *passes);
/* The domain of --domid; NULL: none was named. */
const uint32_t *target_domid(const struct target *t);
/* Were target frames filled in? */
bool target_translates(const struct target *t);
void target_fini(struct target *t);

#endif
