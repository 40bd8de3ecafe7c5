/* SPDX-License-Identifier: BSD-2-Clause
 *
 * blkfront.h - finding the devices of Linux' xen-blkfront, and what it does when the guest resumes.
 */
#ifndef XB_FRONTEND_LINUX_BLKFRONT_H
#define XB_FRONTEND_LINUX_BLKFRONT_H

#include "frontend/linux/ctx.h"

/* By the shape of the driver's ring structures in all of memory. */
int linux_by_scan(struct guest *g, struct snapshot *s, struct err *err) MUST_CHECK;
/*
 * Set confirmed_by and confirmed of the devices in c->s, which symbols led to; c->s->doubt says
 * what does not hold. Looks at few pages. -1 only without memory.
 */
int linux_confirm(const struct linux_kernel *k, const struct ckpt_info *config, struct linux_ctx *c,
	struct err *err) MUST_CHECK;
/*
 * Make one of two snapshots: moves what is kept from `sym` and `scan` to `s` (both stay valid to
 * finish). Where the ways differ, a finding says in what. `scan` NULL: only symbols were asked.
 */
int linux_reconcile(struct snapshot *s, struct snapshot *sym, struct snapshot *scan,
	struct err *err) MUST_CHECK;

extern const struct frontend_resume linux_resume;

#endif
