/* SPDX-License-Identifier: BSD-2-Clause
 *
 * blkfront.c - Mini-OS's block frontend (blkfront.c), which nobody tells of a suspension.
 *
 * There is no list of requests. The id of each is the address of its struct blkfront_aiocb {dev *,
 * buffer *, size, offset, ..., u32 grants[11], ...}, which proves itself by the grants that stand
 * in the ring, too. A flush has the id 0.
 */
#include "frontend/ring_disks.h"

#include <string.h>

#include "base/num.h"

#define AIOCB_BYTES 112u

/* The structure holds the grants of all segments one behind the other. */
static bool has_grants(const uint8_t *raw, const struct io_request *req)
{
	size_t off, i;

	for (off = 8; off + 4 * req->nr_seg <= AIOCB_BYTES; off += 4) {
		for (i = 0; i < req->nr_seg; i++)
			if (num_le32(raw + off + 4 * i) != (uint64_t)req->seg[i].gref)
				break;
		if (i == req->nr_seg)
			return true;
	}
	return false;
}

static void find_data(struct guest *g, const void *arg UNUSED, const struct shared_ring *r UNUSED,
	struct io_request *req)
{
	unsigned word = guest_word_bytes(g);
	uint8_t raw[AIOCB_BYTES];

	if (!req->nr_seg || guest_read(g, GVA(req->id), raw, sizeof(raw), NULL) ||
		!has_grants(raw, req))
		return;
	req->request_va = GVA(req->id);
	ring_disks_buffer(g, word == 8 ? num_le64(raw + 8) : num_le32(raw + 4), req);
}

static int find_disks(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	static const struct ring_disks_how how = {
		.driver = &frontend_minios_blkfront, .find_data = find_data};

	if (strcmp(k->facts->os, "Mini-OS") != 0)
		return 0;
	return ring_disks_find(g, k, opt, &how, s, err);
}

const struct frontend_ops frontend_minios_blkfront = {
	.name = "minios-blkfront",
	.looks_for = "Mini-OS",
	.find = find_disks,
	.resume = &frontend_resume_lost,
};
