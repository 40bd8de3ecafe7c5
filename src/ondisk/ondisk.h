/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ondisk.h - what the sectors of requests are, by the disk beside a device: its partitions, and
 * what lies in them. Without a disk, by what the guest's memory says (request.h's who).
 */
#ifndef XB_ONDISK_ONDISK_H
#define XB_ONDISK_ONDISK_H

#include "frontend/request.h"
#include "io/disk.h"

/* Fill `meaning` of every request of the device, pending and queued. -1 only where the disk cannot
 * be read at all, or without memory. */
int ondisk_note(const struct disk *d, struct blkdev *dev, struct err *err) MUST_CHECK;
/* The same where there is no disk. -1 only without memory. */
int ondisk_note_from_memory(struct blkdev *dev, struct err *err) MUST_CHECK;

/* What the disk would be if the request never landed, in words; malloc'ed, NULL: nothing is known
 * that could be said. m: a stretch of it, NULL where it has none, as a flush. */
char *ondisk_without(const struct io_request *r, const struct meaning *m);

#endif
