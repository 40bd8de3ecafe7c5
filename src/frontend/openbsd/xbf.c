/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xbf.c - OpenBSD's block frontend (sys/dev/pv/xbf.c), which has no part in a suspension: after a
 * restore its commands run into their time limits.
 *
 * A request's id is its place in the ring, so that the ring has all of it but the pages of its
 * data, which hang on the SCSI command.
 */
#include "frontend/ring_disks.h"

#include <string.h>

static int find_disks(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	static const struct ring_disks_how how = {.driver = &frontend_openbsd_xbf};

	if (strcmp(k->facts->os, "OpenBSD") != 0)
		return 0;
	return ring_disks_find(g, k, opt, &how, s, err);
}

const struct frontend_ops frontend_openbsd_xbf = {
	.name = "openbsd-xbf",
	.looks_for = "OpenBSD",
	.find = find_disks,
	.resume = &frontend_resume_lost,
};
