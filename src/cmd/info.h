/* SPDX-License-Identifier: BSD-2-Clause
 *
 * info.h - what the sheet of one file and the table of several have in common.
 */
#ifndef XB_CMD_INFO_H
#define XB_CMD_INFO_H

#include "cmd/cmd.h"

/* Open and analyse. 0, or -1 with the reason; what could be opened stays in `in`. */
int info_look(const struct cmd_env *env, const char *path, struct cmd_input *in,
	struct err *err) MUST_CHECK;
/* "PV", "PVH" ... */
const char *info_guest_type(enum ckpt_guest_type type);
/* "xl > libxl v2 > libxc v3" */
void info_layers(const struct ckpt_info *info, char *buf, size_t cap);

/* Several files, as many at once as there are processors, in their order; the worst decides. */
int info_table(
	const struct cmd_env *env, char *const *paths, size_t nr, struct err *err) MUST_CHECK;

#endif
