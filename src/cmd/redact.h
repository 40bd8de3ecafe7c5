/* SPDX-License-Identifier: BSD-2-Clause
 *
 * redact.h - a checkpoint that keeps only the pages that the analysis reads.
 */
#ifndef XB_CMD_REDACT_H
#define XB_CMD_REDACT_H

#include "cmd/cmd.h"

/* Write such a copy of a checkpoint that is open as a source, and say what was kept of it. Takes
 * over `src`. ERR_REFUSED: out_path exists, and it is not forced. */
int redact_source(const struct cmd_env *env, struct source *src, const char *out_path, bool force,
	struct err *err) MUST_CHECK;

#endif
