/* SPDX-License-Identifier: BSD-2-Clause
 *
 * witness.h - does a disk hold what the guest remembers of it? Clean blocks in the guest's caches,
 * compared with the disk: XB409.
 */
#ifndef XB_CHECK_WITNESS_H
#define XB_CHECK_WITNESS_H

#include "check/check.h"

/* What came of one disk. */
struct check_witnessed {
	const struct blkdev *dev; /* borrowed */
	bool known;		  /* the guest's caches could be read */
	uint64_t pages;		  /* in those of them that may witness */
	uint64_t blocks, bytes;	  /* compared */
	uint64_t differ;	  /* blocks with a change that no request explains */
};

/*
 * Fill v[i] for in->disks[i], of in->nr_disks. A difference that a pending or queued write or
 * discard explains is none; where those are not all known, XB409 is not evaluated.
 */
void check_witnesses(
	const struct check_input *in, struct check_result *out, struct check_witnessed *v);

#endif
