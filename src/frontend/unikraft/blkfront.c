/* SPDX-License-Identifier: BSD-2-Clause
 *
 * blkfront.c - Unikraft's block frontend (drivers/xen/blk/blkfront.c), which has no part in a
 * suspension. 64 bits only.
 *
 * The id of a request is the address of its struct blkfront_request {uk_blkreq *, gref *[11], ...},
 * whose struct uk_blkreq is {u32 operation, u64 start sector, u64 sectors, void *buffer, ...}; both
 * prove themselves by what stands in the ring, too.
 */
#include "frontend/ring_disks.h"

#include <string.h>

#include "base/num.h"

#define REQUEST_BYTES 16u
#define BLKREQ_BYTES  32u

/* The first grant behind the pointer. */
static bool has_grant(struct guest *g, const uint8_t *request, const struct io_request *req)
{
	uint32_t gref;

	return !guest_read_u32(g, GVA(num_le64(request + 8)), &gref, NULL) &&
	       gref == (uint64_t)req->seg[0].gref;
}

static void find_data(struct guest *g, const void *arg UNUSED, const struct shared_ring *r UNUSED,
	struct io_request *req)
{
	uint8_t request[REQUEST_BYTES], own[BLKREQ_BYTES];

	if (!req->nr_seg || guest_word_bytes(g) != 8 ||
		guest_read(g, GVA(req->id), request, sizeof(request), NULL) ||
		guest_read(g, GVA(num_le64(request)), own, sizeof(own), NULL) ||
		num_le64(own + 8) != req->sector || !has_grant(g, request, req))
		return;
	req->request_va = GVA(num_le64(request));
	ring_disks_buffer(g, num_le64(own + 24), req);
}

static int find_disks(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	static const struct ring_disks_how how = {
		.driver = &frontend_unikraft_blkfront, .find_data = find_data};

	if (strcmp(k->facts->os, "Unikraft") != 0)
		return 0;
	return ring_disks_find(g, k, opt, &how, s, err);
}

const struct frontend_ops frontend_unikraft_blkfront = {
	.name = "unikraft-blkfront",
	.looks_for = "Unikraft",
	.find = find_disks,
	.resume = &frontend_resume_lost,
};
