/* SPDX-License-Identifier: BSD-2-Clause
 *
 * p2m_save.h - a live domain's table as the file that --p2m takes: one little-endian u64 for each
 * pfn, all ones where there is no frame.
 */
#ifndef XB_CMD_P2M_SAVE_H
#define XB_CMD_P2M_SAVE_H

#include "xenhost/xenhost.h"

/* A regular file appears whole or not at all; a device or pipe is written to. */
int p2m_save(const struct xenhost_p2m *t, const char *path, struct err *err) MUST_CHECK;
int p2m_save_stream(const struct xenhost_p2m *t, FILE *out, struct err *err) MUST_CHECK;

#endif
