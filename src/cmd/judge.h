/* SPDX-License-Identifier: BSD-2-Clause
 *
 * judge.h - is a checkpoint safe to restore, here? What validate and guard share: the options, the
 * rules with what the user names besides the checkpoint, the verdict and how it is said.
 */
#ifndef XB_CMD_JUDGE_H
#define XB_CMD_JUDGE_H

#include "cmd/confine.h"
#include "cmd/report.h"
#include "cmd/target.h"

struct judge {
	struct cmd_env *env;
	const char *path; /* how the checkpoint is called */
	/* the user's: judge_argp */
	struct check_policy policy;
	enum severity fail_on;
	bool never_fail, compare, thorough;
	struct check_disk *disks;
	size_t nr_disks;
	struct err usage; /* of an option's argument */
	struct target target;

	struct cmd_input in; /* what the caller has opened */
	struct check_special *specials;
	size_t nr_specials;
	uint64_t nr_compared;
	struct check_witnessed *witnessed; /* of each disk; NULL: nobody looked */
	struct check_result result;
	struct report report;
	enum cmd_status said; /* the verdict, whatever the user makes of it */
};

/* --disk, --rule, --fail-on, --thorough; a judge as input. */
extern const struct argp judge_argp;

void judge_init(struct judge *j, struct cmd_env *env);
/* The files that it reads besides the checkpoint. */
void judge_passes(const struct judge *j, struct door_passes *passes);
/* Evaluate the rules over j->in: fills report and said. */
int judge_run(struct judge *j, struct err *err) MUST_CHECK;
/* The verdict as a status, as --fail-on has it. */
int judge_status(const struct judge *j);
/* "safe", "unsafe" ... */
const char *judge_word(enum cmd_status said);
/* Findings and a line that sums up; why there are none is a note. */
void judge_print_text(const struct judge *j, FILE *out);
struct json_object *judge_json(const struct judge *j); /* NULL: no memory */
int judge_print_json(const struct judge *j, FILE *out, struct err *err) MUST_CHECK;
void judge_fini(struct judge *j);

#endif
