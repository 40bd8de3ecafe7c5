/* SPDX-License-Identifier: BSD-2-Clause
 *
 * draw.h - pictures of a disk and of a ring in a terminal, in characters.
 */
#ifndef XB_CMD_DRAW_H
#define XB_CMD_DRAW_H

#include "cmd/cmd.h"

/* A disk as one line, as wide as the terminal: what goes where. */
void draw_map(const struct cmd_env *env, const struct blkdev *d);
/* The shadow, slot by slot, and the shared ring beneath it, with its indices. */
void draw_rings(const struct cmd_env *env, const struct blkdev *d);

#endif
