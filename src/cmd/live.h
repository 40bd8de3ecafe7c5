/* SPDX-License-Identifier: BSD-2-Clause
 *
 * live.h - the restored domain that `validate --domid` compares the checkpoint with.
 */
#ifndef XB_CMD_LIVE_H
#define XB_CMD_LIVE_H

#include "check/caps.h"
#include "guest/p2m.h"
#include "xenhost/xenhost.h"

struct live {
	struct xenhost *x;
	struct xenhost_domain dom;
	struct p2m *target;	 /* NULL: HVM or PVH, where pfn = gfn */
	struct check_caps *caps; /* of its disks, by the snapshot's names of the devices */
	size_t nr_caps;
	uint8_t page[PAGE_BYTES]; /* for live_fetch() */
};

/* Borrows x. ERR_NOTFOUND when there is no such domain.
 * `findings` learns what contradicts the domain's own table. */
int live_open(struct live *l, struct xenhost *x, uint32_t domid, struct finding_list *findings,
	struct err *err) MUST_CHECK;
/* The features that xenstore has for the domain's disks. */
int live_read_caps(struct live *l, const struct snapshot *s, struct err *err) MUST_CHECK;
/* A page of the domain, for check_compare_pages(); arg is the struct live. */
const uint8_t *live_fetch(void *arg, pfn_t pfn, struct err *err);
void live_fini(struct live *l);

/* One disk's nodes as a list of features; false when the snapshot has no such device. */
bool live_caps_of(const struct xenhost_vbd *vbd, const struct snapshot *s, struct check_caps *ret);

#endif
