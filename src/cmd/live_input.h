/* SPDX-License-Identifier: BSD-2-Clause
 *
 * live_input.h - a domain of this host in the place of a checkpoint: its memory, and what the host
 * has in the place of a configuration. It is looked at, never changed.
 */
#ifndef XB_CMD_LIVE_INPUT_H
#define XB_CMD_LIVE_INPUT_H

#include "frontend/frontend.h"
#include "frontend/settle.h"
#include "xenhost/xenhost.h"

struct live_input;

/* Borrows x. `word`: its number or its name. ERR_UNSUPPORTED without Xen in the build, ERR_NOTFOUND
 * when there is no such domain. */
int live_input_open(
	struct xenhost *x, const char *word, struct live_input **ret, struct err *err) MUST_CHECK;
void live_input_close(struct live_input *l);

const struct ckpt_info *live_input_info(const struct live_input *l);
const char *live_input_name(const struct live_input *l); /* "domain 3 (vm)" */
struct memory live_input_memory(const struct live_input *l);
size_t live_input_nr_vcpus(const struct live_input *l);
const struct xenhost_domain *live_input_domain(const struct live_input *l);
struct xenhost *live_input_xen(struct live_input *l);
/* The number of the domain that this runs in. */
uint32_t live_input_own_domid(const struct live_input *l);
/* What xenstore has of a device; NULL: why not stands in *ret_why. */
const struct xenhost_vbd *live_input_vbd(
	const struct live_input *l, const struct blkdev *d, const char **ret_why);

/* What the hypervisor says of it by now. ERR_NOTFOUND: it is gone, or another one has its number.
 */
int live_input_refresh(struct live_input *l, struct err *err) MUST_CHECK;
bool live_input_is_gone(const struct live_input *l);

/* How the last look went. */
struct live_look {
	bool paused; /* the domain stood still for it, for that long at most */
	uint64_t paused_ns;
	uint64_t
		apart_ns; /* else: what the first and the second look saw was copied in that time */
	bool overflowed;  /* more pages than can be held: they were copied at different times */
	struct settle settle;
};

/*
 * Find the frontends, and what of it holds: `s` is what the first of two looks saw, marked with
 * what the second contradicts, or with `pause` what stood there while the domain was paused. The
 * pages of requests, copied once, are those of the first. The kernel is found at the first call,
 * and `s` is filled anew by each.
 */
int live_input_look(struct live_input *l, struct guest *g, const struct frontend_options *opt,
	bool pause, struct snapshot *s, struct err *err) MUST_CHECK;
const struct live_look *live_input_looked(const struct live_input *l);

#endif
