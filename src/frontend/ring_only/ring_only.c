/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ring_only.c - any driver that nobody here knows.
 */
#include "frontend/ring_disks.h"

static int find_rings(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	static const struct ring_disks_how how = {.driver = &frontend_ring_only};

	return ring_disks_find(g, k, opt, &how, s, err);
}

const struct frontend_ops frontend_ring_only = {
	.name = "ring-only",
	.looks_for = "rings that any frontend shares with its backend, by their shape",
	.find = find_rings,
	.resume = &frontend_resume_unknown,
};
