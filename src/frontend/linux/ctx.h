/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ctx.h - what decoding the devices of xen-blkfront hands around.
 *
 * The way through symbols and the structural scan differ in how they find a struct blkfront_info
 * and in where its layout comes from; from there on the decoders are the same. What the guest's
 * memory does not allow to decode becomes a request's `trouble` or a finding, and the decoding goes
 * on.
 */
#ifndef XB_FRONTEND_LINUX_CTX_H
#define XB_FRONTEND_LINUX_CTX_H

#include "base/limits.h"
#include "frontend/blkif_abi.h"
#include "frontend/frontend.h"
#include "frontend/linux/bio.h"
#include "frontend/linux/device.h"
#include "frontend/linux/layout.h"
#include "frontend/linux/queue.h"
#include "frontend/linux/segments.h"
#include "kernel/linux.h"

/* What is left of the ceilings above. */
struct linux_budget {
	uint64_t rings, slots, segments, tags, queued;
	uint64_t compared; /* segments of bios that are only looked at */
};

struct linux_ctx {
	/* Who finds the devices fills these; the decoders read them. */
	struct guest *g;
	unsigned word; /* bytes of a pointer of its kernel */
	const struct blkif_abi *abi;
	enum blk_located located_by;
	const struct guest_facts *facts; /* of its kernel; NULL unknown */
	struct linux_pages pages;
	struct linux_layout l; /* the driver's own structures */
	uint64_t rinfo; /* the scan: where the device's rings are, whatever it says; 0 there */
	struct linux_sg_layout sg;
	struct linux_bio_layout bio;
	struct linux_queue_layout queue;
	struct linux_disk_layout disk;
	/* The decoders fill and spend these. */
	struct snapshot *s;
	struct linux_budget left;
};

/*
 * Full budgets, and all that the kernel's types and symbols tell; with `k` NULL (the scan) what
 * never differed. The driver's own layout, c->l, is left to the caller.
 */
void linux_ctx_init(
	struct linux_ctx *c, struct guest *g, const struct linux_kernel *k, struct snapshot *s);

#endif
