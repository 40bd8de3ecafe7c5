/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ring_device.h - a device as its shared ring alone tells it: for drivers that keep no books of
 * their own, and for those whose books nobody here can read.
 *
 * An answer lies over the entry of some request, not always its own. So what stands unanswered may
 * have been answered out of turn, and what was overwritten may be pending still; that is said.
 */
#ifndef XB_FRONTEND_RING_DEVICE_H
#define XB_FRONTEND_RING_DEVICE_H

#include "frontend/shared_ring.h"

/* The consumer index that rsp_event tells, where it is possible; else all answers count as
 * consumed. RING_FINAL_CHECK_FOR_RESPONSES() sets it one behind rsp_cons. */
uint32_t ring_device_rsp_cons(const struct shared_ring *r);

/*
 * Append the ring and what waits in it to the device, sorted; d->requests_known is cleared where
 * the ring cannot tell all, with a finding (XB802). Nothing says where the data lies.
 */
int ring_device_add(struct guest *g, const struct shared_ring *r, uint32_t rsp_cons,
	struct blkdev *d, struct snapshot *s, struct err *err) MUST_CHECK;

/* The device number that the ring's requests name, 16 bits of it. False: none, or several. */
bool ring_device_handle(const struct guest *g, const struct shared_ring *r, uint16_t *ret);

#endif
