/* SPDX-License-Identifier: BSD-2-Clause
 *
 * backend.h - the other side of a live domain's disks, where this host runs it: its nodes in
 * xenstore, the shared rings as it maps them, what the device below has in flight. With the guest's
 * side it says who waits for whom: check/hang.h.
 */
#ifndef XB_CMD_BACKEND_H
#define XB_CMD_BACKEND_H

#include "check/hang.h"
#include "cmd/cmd.h"
#include "cmd/json.h"

struct backend_ring {
	bool mapped; /* else `why` */
	uint32_t gref, req_prod, rsp_prod;
	struct err why;
};

struct backend_disk {
	const struct blkdev *dev;
	const struct xenhost_vbd *vbd; /* NULL: xenstore has none, or it could not be read: */
	const char *why_no_vbd;
	struct backend_ring *rings; /* of dev->nr_rings */
	bool in_flight_known;
	uint64_t reads, writes;
	struct hang hang;
	char sentence[512];
};

struct backends {
	struct backend_disk *v;
	size_t nr;
};

/* Of every device of the snapshot. What cannot be had is said to be unknown; -1: no memory. */
int backends_read(struct cmd_input *in, struct backends *ret, struct err *err) MUST_CHECK;
void backends_fini(struct backends *b);
/* The verdict on each disk, and the evidence below it. */
void backends_print(const struct backends *b, FILE *out);
struct json_object *backends_json(const struct backends *b);

#endif
