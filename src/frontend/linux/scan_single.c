/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scan_single.c - devices of before Linux 4.5, whose one ring lies in struct blkfront_info itself,
 * with the shadow behind it: pvops since 2.6.23 and XenLinux of 2.6.16 and newer.
 *
 * No pointer leads from the ring to its device. What lies between the ring and the shadow depends
 * on the kernel's options, so the shadow is looked for: slots of one of the known sizes, each free
 * with the number of another one, or used with its own. Proof is that several things agree which
 * nobody but the driver keeps in step: the list of free slots goes through all of them and ends, as
 * many are used as the ring has requests, the shared page is one, and the disk before the ring
 * points back to the structure.
 */
#include "frontend/linux/scan_anchor.h"

#include <string.h>

#include "base/num.h"
#include "frontend/linux/single.h"

#define ID_POPPED      0x0fffffeeu /* get_id_from_freelist() */
#define MAX_GAP	       2048u	   /* from the ring to the shadow: 11 scatter list entries, locks */
#define MAX_TAIL_WORDS 12u	   /* from the shadow to shadow_free: two lists, a count */
#define MAX_BEFORE     512u	   /* from the structure's start to the ring */
#define GENDISK_BYTES  1024u
#define ENOUGH_POINTS  3u
#define FIRST_SLOTS    3u  /* looked at before all others are; one word may be damaged */
#define SINGLE_WALKS   64u /* what one search counts for */

/* A shadow as it may stand somewhere behind a ring. */
struct candidate {
	struct scan *sc;
	const struct anchor *a;
	gva_t ring;
	struct linux_single_shape shape;
	unsigned points, nr_used, nr_bad, patience;
	uint64_t id[BLKIF_MAX_RING_ENTRIES], request[BLKIF_MAX_RING_ENTRIES];
	bool linked[BLKIF_MAX_RING_ENTRIES];
};

static bool read_word_at(struct scan *sc, uint64_t va, uint64_t *ret)
{
	return !guest_read_word(sc->c->g, GVA(va), ret, NULL);
}

/* May slot i hold this? A free slot is the next of one other at most. */
static bool slot_fits(struct candidate *k, uint32_t i)
{
	uint64_t request = k->request[i], id = k->id[i];

	if (!request && id < k->a->entries) {
		bool again = k->linked[id];

		k->linked[id] = true;
		return !again;
	}
	if (!request)
		return id == FREE_LIST_NIL;
	return guest_is_kernel_addr(k->sc->c->g, request) && !(request % k->sc->c->word) &&
	       (id == i || id == ID_POPPED);
}

/* One word of them may be damaged. */
static bool read_slots(struct candidate *k, uint64_t shadow)
{
	const struct blkif_abi *abi = k->sc->c->abi;
	uint8_t raw[BLKIF_MAX_REQUEST_BYTES + 8];
	uint32_t i;

	k->nr_used = k->nr_bad = 0;
	memset(k->linked, 0, sizeof(k->linked));
	for (i = 0; i < k->a->entries; i++) {
		gva_t slot = GVA(shadow + (uint64_t)i * linux_single_slot(&k->shape));

		if (guest_read(k->sc->c->g, slot, raw, abi->request_bytes + k->sc->c->word, NULL))
			return false;
		k->id[i] = num_le64(raw + abi->id);
		k->request[i] = scan_word(k->sc, raw + abi->request_bytes);
		k->nr_used += k->request[i] != 0;
		k->nr_bad += !slot_fits(k, i);
		if (k->nr_bad > 1)
			return false;
	}
	return true;
}

/* Does the list from `id` go through all free slots? */
static bool list_closes(const struct candidate *k, uint64_t id)
{
	uint32_t nr = 0;

	while (id < k->a->entries && !k->request[id] && nr <= k->a->entries) {
		id = k->id[id];
		nr++;
	}
	return id == FREE_LIST_NIL && nr + k->nr_used == k->a->entries;
}

/* shadow_free, behind the shadow and the lists that some kernels have there. Where no list closes,
 * the driver's usual place. */
static bool find_shadow_free(struct candidate *k, uint64_t shadow)
{
	unsigned w = k->sc->c->word, i;
	uint64_t end = shadow + linux_single_slots(&k->shape) * linux_single_slot(&k->shape), head;

	for (i = 0; i < MAX_TAIL_WORDS; i++)
		if (read_word_at(k->sc, end + i * w, &head) && list_closes(k, head)) {
			k->shape.shadow_free_off = (unsigned)(end + i * w - k->ring.v);
			return true;
		}
	k->shape.shadow_free_off = (unsigned)(end - k->ring.v) + linux_single_lists(&k->shape);
	return false;
}

static void judge_info(struct candidate *k, uint64_t shadow)
{
	bool closes = find_shadow_free(k, shadow);

	k->points = closes;
	k->points += k->a->pvt - k->a->cons == k->nr_used;
	k->points += scan_sring_fits(k->sc, k->a);
	k->points += !k->nr_bad;
	if (!k->nr_used && !closes) /* nothing is in use: only the list tells a shadow */
		k->points = 0;
}

/* The disk, whose private_data is the structure that the ring lies in; 0: there is none yet, or it
 * does not say so. */
static uint64_t info_of_disk(struct scan *sc, uint64_t disk, uint64_t ring)
{
	uint8_t raw[GENDISK_BYTES];
	unsigned off;

	if (!guest_is_kernel_addr(sc->c->g, disk) ||
		guest_read(sc->c->g, GVA(disk), raw, sizeof(raw), NULL))
		return 0;
	for (off = 0; off + sc->c->word <= sizeof(raw); off += sc->c->word) {
		uint64_t v = scan_word(sc, raw + off);

		if (v < ring && ring - v <= MAX_BEFORE && !(v % sc->c->word))
			return v;
	}
	return 0;
}

/* Where the structure begins: the first member is not before xbdev where nothing says. */
static void find_info(struct candidate *k)
{
	unsigned w = k->sc->c->word;
	uint64_t gd_at = k->ring.v - linux_single_facts(&k->shape) - w, gd, info = 0;

	if (read_word_at(k->sc, gd_at, &gd))
		info = info_of_disk(k->sc, gd, k->ring.v);
	k->points += info != 0 && info < gd_at;
	k->shape.ring_off = (unsigned)(k->ring.v - (info && info < gd_at ? info : gd_at - w));
}

/* Try one kind of slots at one place; keep it in `best` when it is better. */
static void try_shadow(struct candidate *k, unsigned gap, struct candidate *best)
{
	uint64_t shadow = k->ring.v + gap;

	if (!read_slots(k, shadow))
		return;
	k->shape.shadow_off = gap;
	judge_info(k, shadow);
	if (k->points)
		find_info(k);
	if (k->points > best->points)
		*best = *k;
}

/* The first slots at one place, from what was read of it: most places need no more. */
static bool begins_there(
	struct candidate *k, const uint8_t *raw, size_t nr_bytes, unsigned gap, uint32_t slot)
{
	const struct blkif_abi *abi = k->sc->c->abi;
	uint32_t i;

	memset(k->linked, 0, sizeof(k->linked));
	for (i = 0; i < FIRST_SLOTS; i++) {
		size_t off = gap + (size_t)i * slot;

		if (!num_range_ok(off, abi->request_bytes + 8, nr_bytes))
			break;
		k->id[i] = num_le64(raw + off + abi->id);
		k->request[i] = scan_word(k->sc, raw + off + abi->request_bytes);
		if (!slot_fits(k, i) && !--k->patience)
			return false;
	}
	return true;
}

static void search_page(
	struct candidate *k, const uint8_t *raw, size_t nr_bytes, struct candidate *best)
{
	unsigned gap, w = k->sc->c->word;

	for (gap = w == 8 ? 24 : 16; gap <= MAX_GAP; gap += w)
		for (k->shape.kind = 0; k->shape.kind < LINUX_NR_SINGLE; k->shape.kind++) {
			k->patience = 2;
			if (linux_single_possible(&k->shape) &&
				k->a->entries <= linux_single_slots(&k->shape) &&
				begins_there(k, raw, nr_bytes, gap, linux_single_slot(&k->shape)))
				try_shadow(k, gap, best);
		}
}

static bool prove_single(
	struct scan *sc, const struct anchor *a, uint64_t ring, struct linux_single_shape *ret)
{
	CLEANUP_FREE struct candidate *v = calloc(2, sizeof(*v));
	uint8_t raw[MAX_GAP + FIRST_SLOTS * 600];

	if (!v || sc->walks_left < SINGLE_WALKS ||
		guest_read(sc->c->g, GVA(ring), raw, sizeof(raw), NULL))
		return false;
	sc->walks_left -= SINGLE_WALKS;
	v[0] = (struct candidate){
		.sc = sc, .a = a, .ring = GVA(ring), .shape = {.word = sc->c->word}};
	search_page(&v[0], raw, sizeof(raw), &v[1]);
	*ret = v[1].shape;
	return v[1].points >= ENOUGH_POINTS;
}

int scan_try_single(struct scan *sc, const struct anchor *a, bool *ret, struct err *err)
{
	struct scan_info found = {.single = true};
	uint64_t ring;

	*ret = false;
	if ((a->sring & PAGE_OFFSET_MASK) || !guest_is_kernel_addr(sc->c->g, a->sring) ||
		a->pvt - a->cons > a->entries)
		return 0;
	ring = scan_sring_fits(sc, a) ? scan_ring_address(sc, a) : 0;
	if (!ring || !prove_single(sc, a, ring, &found.shape))
		return 0;
	*ret = true;
	found.va = GVA(ring - found.shape.ring_off);
	return scan_note_info(sc, &found, err);
}

bool scan_accepts_single(struct scan *sc, const struct anchor *a, gva_t ring, gva_t info)
{
	struct linux_single_shape shape;

	return prove_single(sc, a, ring.v, &shape) && ring.v - shape.ring_off == info.v;
}
