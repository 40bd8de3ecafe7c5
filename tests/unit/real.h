/* SPDX-License-Identifier: BSD-2-Clause
 *
 * real.h - opening the real checkpoints in unit tests; the test is skipped when they are not there.
 */
#ifndef XB_TESTS_UNIT_REAL_H
#define XB_TESTS_UNIT_REAL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "guest/guest.h"

#include "seen.h"

static inline struct guest *real_open(const char *name, struct ckpt **ck)
{
	const char *cache = getenv("XBDSNAP_CACHE");
	struct guest *g = NULL;
	char path[4096];
	struct err err;

	if (!cache)
		skip();
	snprintf(path, sizeof(path), "%s/%s/image.save", cache, name);
	if (ckpt_open(path, ck, &err) || guest_open(memory_of_ckpt(*ck), &g, &err))
		fail_msg("%s: %s", path, err.text);
	return g;
}

static inline void real_close(struct guest *g, struct ckpt *ck)
{
	guest_close(g);
	ckpt_close(ck);
}

/* The truth beside the checkpoints, unpacked with xz by a pipe. */
static inline FILE *real_truth(const char *name, const char *file)
{
	const char *dir = getenv("CHECKPOINTS");
	char cmd[8192];
	FILE *f;

	if (!dir)
		skip();
	snprintf(cmd, sizeof(cmd), "xz -dc '%s/%s/%s'", dir, name, file);
	f = popen(cmd, "r");
	if (!f)
		fail_msg("cannot run %s", cmd);
	return f;
}

#endif
