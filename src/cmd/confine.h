/* SPDX-License-Identifier: BSD-2-Clause
 *
 * confine.h - a command gives up what it does not need, once its words are understood and before it
 * looks at a file.
 */
#ifndef XB_CMD_CONFINE_H
#define XB_CMD_CONFINE_H

#include "cmd/cmd.h"
#include "io/door.h"

/*
 * The caller goes on in a child that opens nothing but what `passes` and --kernel name, through its
 * parent, which ends as the child does and never returns. With --live, and with a domid (NULL: none
 * is asked for), env->xen is open, and answers for those domains alone. With --no-sandbox nothing
 * is given up, which is said. Empties the list.
 */
int cmd_confine(struct cmd_env *env, const uint32_t *domid, struct door_passes *passes,
	struct err *err) MUST_CHECK;

#endif
