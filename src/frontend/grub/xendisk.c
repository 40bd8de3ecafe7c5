/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xendisk.c - GRUB's block frontend (grub-core/disk/xen/xendisk.c), which waits for each answer
 * before it asks for more, and knows of no suspension.
 *
 * struct virtdisk has, behind the front ring, {u32 grant, u32 event channel, void *page, u32 its
 * grant}: the one page through which all data goes.
 */
#include "frontend/ring_disks.h"

#include <string.h>

#include "frontend/front_ring.h"

static bool find_page(
	struct guest *g, const struct front_ring *f, const struct io_segment *s, uint64_t *ret)
{
	unsigned word = guest_word_bytes(g);
	gva_t at = gva_add(f->va, FRONT_RING_BYTES(word) + 8);
	uint32_t gref;

	return !guest_read_word(g, at, ret, NULL) &&
	       !guest_read_u32(g, gva_add(at, word), &gref, NULL) && gref == (uint64_t)s->gref;
}

/* arg: all front rings of the guest. */
static void find_data(
	struct guest *g, const void *arg, const struct shared_ring *r, struct io_request *req)
{
	const struct front_rings *rings = arg;
	uint64_t page;
	size_t i;

	for (i = 0; req->nr_seg == 1 && i < rings->nr; i++)
		if (rings->v[i].shared.pages[0].v == r->pages[0].v &&
			find_page(g, &rings->v[i], &req->seg[0], &page)) {
			req->request_va = rings->v[i].va;
			ring_disks_buffer(g, page + req->seg[0].offset, req);
			return;
		}
}

static int find_disks(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	CLEANUP(front_rings_fini) struct front_rings rings = {0};
	const struct ring_disks_how how = {
		.driver = &frontend_grub_xendisk, .find_data = find_data, .arg = &rings};

	if (strcmp(k->facts->os, "GRUB") != 0 || s->nr_devices ||
		opt->locate == FRONTEND_LOCATE_SYMBOLS)
		return 0;
	if (front_rings_find(g, &rings, err))
		return -1;
	return ring_disks_find(g, k, opt, &how, s, err);
}

const struct frontend_ops frontend_grub_xendisk = {
	.name = "grub-xendisk",
	.looks_for = "GRUB",
	.find = find_disks,
	.resume = &frontend_resume_lost,
};
