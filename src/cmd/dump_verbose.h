/* SPDX-License-Identifier: BSD-2-Clause
 *
 * dump_verbose.h - what `dump -v` says behind the table of requests.
 */
#ifndef XB_CMD_DUMP_VERBOSE_H
#define XB_CMD_DUMP_VERBOSE_H

#include "cmd/cmd.h"

/* A table with a row for each segment. */
int dump_segments(const struct cmd_env *env, const struct snapshot *s, struct err *err) MUST_CHECK;
/* The devices, their rings, and how they were found. */
void dump_devices(const struct cmd_env *env, const struct snapshot *s);
/* The steps of the search, one a line. */
void dump_how(FILE *out, const struct snapshot *s);

#endif
