/* SPDX-License-Identifier: BSD-2-Clause
 *
 * order.h - the steps of a replay as bytes, from the process that looked at the guest to the one
 * that writes to the disks.
 *
 * Who writes them may be in the hands of whoever made the checkpoint. So the reader believes
 * nothing: which disks there are and where, the reader knows from the command line; what an order
 * can say is which whole sectors of them get which bytes, in which order.
 */
#ifndef XB_REPLAY_ORDER_H
#define XB_REPLAY_ORDER_H

#include "replay/write.h"

/* For the disk of the same index on the command line. */
struct replay_order_disk {
	char vdev[32];	       /* the guest's name for it */
	uint64_t nr_sectors;   /* that the guest knows; BLK_UNKNOWN_U64 */
	uint64_t dev, ino;     /* of the disk that the rules were evaluated beside */
	struct replay_ops ops; /* owned */
};

struct replay_order {
	struct replay_order_disk *v; /* owned */
	size_t nr;
};

int replay_order_write(const struct replay_order *o, int fd, struct err *err) MUST_CHECK;
/*
 * The data of writes stay where they are in `bytes`. ERR_REFUSED: it is no order for so many disks,
 * in any way; discards only where they are wanted. Whether the steps are inside their disks is
 * checked by replay_write().
 */
int replay_order_read(const uint8_t *bytes, size_t len, size_t nr_disks, bool discard,
	struct replay_order *ret, struct err *err) MUST_CHECK;
void replay_order_fini(struct replay_order *o);

#endif
