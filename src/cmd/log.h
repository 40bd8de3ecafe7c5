/* SPDX-License-Identifier: BSD-2-Clause
 *
 * log.h - --log: what a command says, as entries with fields.
 */
#ifndef XB_CMD_LOG_H
#define XB_CMD_LOG_H

#include "cmd/judge.h"

/* --log; the env as input. */
extern const struct argp cmd_log_argp;

/* Before anything is confined. Without --log it does nothing. */
int log_open(struct cmd_env *env, struct err *err) MUST_CHECK;
bool log_wanted(const struct cmd_env *env);
/* An entry of a command about `source`, the file or the domain. */
void log_begin(const struct cmd_env *env, struct journal_entry *e, enum journal_priority priority,
	const char *message, const char *command, const char *source);
/* What the journal does not take is a note, once. */
void log_send(struct cmd_env *env, const struct journal_entry *e);

/* An entry a finding, and the line that sums up. */
void log_judge(const struct judge *j, const char *command);
void log_error(struct cmd_env *env, const char *command, const char *source, const struct err *why);

#endif
