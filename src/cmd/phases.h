/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef XB_CMD_PHASES_H
#define XB_CMD_PHASES_H

/* What confines each part of a command, on this kernel and in this build: for --version -v. */
void phases_print(void);

#endif
