/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scan_damaged.c - rings whose device does not lead back to them: left over, or damaged.
 */
#include "frontend/linux/scan_anchor.h"

#include "base/num.h"

uint64_t scan_ring_address(struct scan *sc, const struct anchor *a)
{
	struct guest_map map;
	uint64_t ring;

	if (guest_translate(sc->c->g, GVA(a->sring), &map, NULL))
		return 0;
	ring = a->sring - (map.pfn.v << PAGE_SHIFT) + (a->pfn.v << PAGE_SHIFT) + a->off;
	return scan_is_at(sc, a, ring) ? ring : 0;
}

/* Only what can be a ring takes a place among the doubts: a guest has hundreds of words that look
 * like the front of one. */
void scan_note_doubt(struct scan *sc, const struct anchor *a, uint64_t info)
{
	uint64_t ring;

	if (sc->nr_doubts == MAX_DOUBTS || info % sc->c->word ||
		!guest_is_kernel_addr(sc->c->g, info) ||
		!guest_is_kernel_addr(sc->c->g, a->sring) || (a->sring & PAGE_OFFSET_MASK) ||
		!scan_sring_fits(sc, a))
		return;
	ring = scan_ring_address(sc, a);
	if (!ring ||
		util_grow(&sc->doubts, &sc->cap_doubts, sc->nr_doubts + 1, sizeof(*sc->doubts)))
		return;
	sc->doubts[sc->nr_doubts++] = (struct doubt){*a, ring, info};
}

/* Its first ring: those before it point to the same device. */
static uint64_t first_ring(struct scan *sc, uint64_t ring, uint32_t size, uint64_t info)
{
	uint64_t back;
	unsigned i;

	for (i = 0; i < SCAN_MAX_QUEUES; i++, ring -= size)
		if (guest_read_word(sc->c->g, GVA(ring - size + sc->at.dev_info), &back, NULL) ||
			back != info)
			break;
	return ring;
}

/* Is one of the rings from `first` on at that address? That alone is chance too often, with as many
 * pointers as a device has: the first one has to name the device. */
static bool leads_to(struct scan *sc, uint64_t info, uint64_t first, uint64_t ring, uint32_t size)
{
	uint64_t back;

	return ring >= first && !((ring - first) % size) &&
	       (ring - first) / size < SCAN_MAX_QUEUES &&
	       !guest_read_word(sc->c->g, GVA(first + sc->at.dev_info), &back, NULL) &&
	       back == info;
}

/*
 * {rinfo, nr_rings, rinfo_size} of a device one of which is damaged: the first leads to the ring,
 * or the last two fit it.
 */
static bool find_damaged(struct scan *sc, const struct doubt *d, struct scan_info *ret)
{
	uint8_t raw[INFO_BYTES];
	unsigned off, lock, w = sc->c->word;

	if (guest_read(sc->c->g, GVA(d->info), raw, sizeof(raw), NULL))
		return false;
	*ret = (struct scan_info){.va = GVA(d->info)};
	for (off = 64; off + w + 8 <= sizeof(raw); off += w)
		for (lock = w; lock <= MAX_LOCK_BYTES; lock += w)
			if (leads_to(sc, d->info, scan_word(sc, raw + off) + lock, d->address,
				    sc->at.shadow + sc->at.slot_bytes * d->ring.entries + lock)) {
				ret->rinfo_off = off;
				ret->lock_bytes = lock;
				return true;
			}
	for (off = 64; off + w + 8 <= sizeof(raw); off += w) {
		uint32_t nr = num_le32(raw + off + w), size = num_le32(raw + off + w + 4);

		ret->rinfo_off = off;
		ret->lock_bytes = scan_lock_bytes(sc, size);
		if (!ret->lock_bytes || !nr || nr > SCAN_MAX_QUEUES)
			continue;
		ret->rinfo = first_ring(sc, d->address, size, d->info) - ret->lock_bytes;
		return true;
	}
	return false;
}

/* A device that is known has its rings elsewhere: what names it is a left-over of before its last
 * resume. One that leads to no ring at all is damaged. */
int scan_settle_doubts(struct scan *sc, struct err *err)
{
	struct scan_info found;
	size_t i, k;

	for (i = 0; i < sc->nr_doubts; i++) {
		const struct doubt *d = &sc->doubts[i];

		for (k = 0; k < sc->nr_infos && sc->infos[k].va.v != d->info; k++)
			;
		if (k == sc->nr_infos && find_damaged(sc, d, &found) &&
			scan_note_info(sc, &found, err))
			return -1;
	}
	return 0;
}

/* Two devices cannot have the same rings: one of the pointers back is damaged. More of them are
 * right, or else what is aligned as an allocator does it. */
static bool is_better(const struct scan_info *a, const struct scan_info *b)
{
	return a->votes != b->votes ? a->votes > b->votes
				    : (a->va.v & -a->va.v) > (b->va.v & -b->va.v);
}

void scan_drop_twins(struct scan *sc)
{
	size_t i, k;

	for (i = 0; i < sc->nr_infos; i++)
		for (k = i + 1; k < sc->nr_infos; k++) {
			struct scan_info *a = &sc->infos[i], *b = &sc->infos[k];

			if (a->single || b->single ||
				a->va.v + a->rinfo_off != b->va.v + b->rinfo_off)
				continue;
			if (is_better(b, a))
				*a = *b;
			*b = sc->infos[--sc->nr_infos];
			k--;
		}
}
