/* SPDX-License-Identifier: BSD-2-Clause
 *
 * p2m_save.h - a live domain's table as the file that --p2m takes: one little-endian u64 for each
 * pfn, all ones where there is no frame.
 */
#ifndef XB_CMD_P2M_SAVE_H
#define XB_CMD_P2M_SAVE_H

#include "cmd/json.h"
#include "xenhost/xenhost.h"

/* A regular file appears whole or not at all, in the place of an older one; a character device or
 * pipe is written to, and "-" is standard output. */
int p2m_save(const struct xenhost_p2m *t, const char *path, struct err *err) MUST_CHECK;
/* What was written there, as a document. */
struct json_object *p2m_save_json(
	const struct xenhost_domain *dom, const struct xenhost_p2m *t, const char *path);

#endif
