/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/learn.h"

#include <inttypes.h>

#include "base/num.h"
#include "frontend/linux/rings.h"
#include "frontend/linux/scan_memory.h"

#define MAX_POINTERS 4096u

void linux_learn_init(struct linux_learn *l)
{
	*l = (struct linux_learn){.slots_left = LINUX_MAX_SLOTS};
}

static void learn_slot(struct linux_ctx *c, gva_t slot, struct linux_learn *l)
{
	struct blkif_wire_request wire;
	uint8_t raw[LINUX_MAX_SLOT_BYTES];
	struct linux_slot_list list;
	uint64_t k, link;

	if (guest_read(c->g, slot, raw, c->l.slot_bytes, NULL) ||
		!layout_value(raw, c->l.slot_bytes, &c->l.slot_request))
		return;
	blkif_decode_request(c->abi, raw + c->l.slot_req.off, &wire);
	list = linux_slot_list(c, slot, raw, &wire);
	if (!wire.nr_seg || !list.at || list.nr > BLKIF_MAX_INDIRECT)
		return;
	linux_sg_learn(c, list.at, list.nr);
	for (k = 0; k < list.nr && l->pointers.nr < MAX_POINTERS && (!k || c->sg.bytes); k++) {
		if (layout_read(
			    c->g, GVA(list.at + k * c->sg.bytes), &c->sg.page_link, &link, NULL))
			return;
		linux_page_pointers_add(&l->pointers, &c->pages, link & ~3ull);
	}
}

static void note_used(struct linux_learn *l, uint64_t va)
{
	if (l->nr_used < LEARN_MAX_USED)
		l->used[l->nr_used++] = GVA(va);
}

void linux_learn_device(struct linux_ctx *c, gva_t info, struct linux_learn *l)
{
	struct linux_rings rings;
	uint64_t r, k, sring;

	note_used(l, info.v);
	if (!linux_find_rings(c, info, NULL, &rings) || rings.nr > SCAN_MAX_QUEUES || !rings.nr)
		return;
	note_used(l, rings.first.v);
	if (!layout_read(c->g, rings.first, &c->l.ring_sring, &sring, NULL))
		note_used(l, sring);
	for (r = 0; r < rings.nr; r++)
		for (k = 0; k < rings.entries && l->pointers.nr < MAX_POINTERS && l->slots_left;
			k++) {
			l->slots_left--;
			learn_slot(c,
				gva_add(rings.first, r * rings.stride + c->l.ring_shadow.off +
							     k * c->l.slot_bytes),
				l);
		}
}

void linux_learn_pages(struct linux_ctx *c, const struct linux_learn *l)
{
	unsigned fits;

	if (c->pages.known || !l->pointers.nr || l->pointers.misaligned)
		return;
	fits = linux_pages_by_pointers(c->g, &l->pointers, l->used, l->nr_used, &c->pages);
	if (fits == 1)
		snapshot_how(c->s,
			"struct page array at 0x%" PRIx64 ", %u bytes an entry, by what "
			"points into it",
			c->pages.start, c->pages.entry_bytes);
	else
		snapshot_how(c->s, "the struct page array cannot be told (%u places fit)", fits);
}
