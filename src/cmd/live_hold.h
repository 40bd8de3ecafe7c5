/* SPDX-License-Identifier: BSD-2-Clause
 *
 * live_hold.h - the pause of a live domain, held by the keeper for a confined process, which starts
 * no process. Which domain that is the command line says.
 */
#ifndef XB_CMD_LIVE_HOLD_H
#define XB_CMD_LIVE_HOLD_H

#include "cmd/cmd.h"
#include "io/door.h"

/* env lives as long as the keeper. */
struct door_hold live_hold_of(const struct cmd_env *env);

#endif
