/* SPDX-License-Identifier: BSD-2-Clause
 *
 * scan_memory.c - find xen-blkfront's devices by shape, without a symbol, a type or a version.
 *
 * Anchor: struct blkif_front_ring, {u32 req_prod_pvt, u32 rsp_cons, u32 nr_ents, sring *}, padded
 * where pointers are long, with nr_ents a power of two and a page-aligned pointer. Proof: the
 * ring's dev_info leads to a structure whose {rinfo, nr_rings} leads back to this very ring.
 * Addresses are resolved through the page tables, so that neither the direct map's place nor the
 * allocator matters; a stale copy of a ring fails the proof because the way back ends at another
 * frame.
 */
#include "frontend/linux/blkfront.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "frontend/blkif_abi.h"
#include "frontend/linux/scan_anchor.h"

/* Old-style anchors that the direct map does not explain; a guest has some network rings too. */
#define MAX_UNRESOLVED 256u
/* Mappings to ask for old-style rings: each page of a guest stands in the direct map and perhaps in
 * one more place, but tables that point at each other make as many as one likes. */
#define MAPPINGS_BASE	  (1u << 22)
#define MAPPINGS_PER_PAGE 4u

#define MAX_ANCHOR_BYTES 24u
#define NR_ENTS_OFF	 8u
/* The number of entries, with long pointers and the padding behind it: a power of two. */
static bool is_ring_size(uint64_t v)
{
	return v >= 32 && v <= 512 && !(v & (v - 1));
}

uint64_t scan_word(const struct scan *sc, const uint8_t *p)
{
	return sc->c->word == 8 ? num_le64(p) : num_le32(p);
}

/* `words`: what stands there, as far as the pointer. */
static bool anchor_at(
	struct scan *sc, pfn_t pfn, unsigned off, const uint8_t *words, struct anchor *ret)
{
	*ret = (struct anchor){
		.pfn = pfn,
		.off = off,
		.pvt = num_le32(words),
		.cons = num_le32(words + 4),
		.entries = num_le32(words + NR_ENTS_OFF),
		.sring = scan_word(sc, words + sc->at.sring),
	};
	/* The indices and the pointer are judged later; one of them may be damaged. */
	return (guest_is_kernel_addr(sc->c->g, ret->sring) ||
		       ret->pvt - ret->cons <= ret->entries) &&
	       sc->walks_left;
}

/* Is `ring` the address of the anchor's front ring, as the page tables say? */
bool scan_is_at(struct scan *sc, const struct anchor *a, uint64_t ring)
{
	struct err ignored = ERR_INIT;
	struct guest_map map;

	if (!sc->walks_left)
		return false;
	sc->walks_left--;
	return !guest_translate(sc->c->g, GVA(ring), &map, &ignored) && map.pfn.v == a->pfn.v &&
	       map.offset == a->off;
}

/* Bytes before the front ring in a ring structure of that size; 0 when it cannot be one. By the
 * size alone: the ring's own number of entries may be damaged. */
unsigned scan_lock_bytes(const struct scan *sc, uint32_t rinfo_size)
{
	uint32_t entries;

	for (entries = MIN_ENTRIES; entries <= BLKIF_MAX_RING_ENTRIES; entries *= 2) {
		uint32_t rest = sc->at.shadow + sc->at.slot_bytes * entries;

		if (rinfo_size > rest && rinfo_size - rest <= MAX_LOCK_BYTES &&
			!(rinfo_size % sc->c->word))
			return rinfo_size - rest;
	}
	return 0;
}

/* Find {rinfo, nr_rings} in the info that owns the anchor: ret->rinfo_off and lock_bytes. */
static bool find_rinfo(struct scan *sc, const struct anchor *a, struct scan_info *ret)
{
	struct err ignored = ERR_INIT;
	uint8_t raw[INFO_BYTES];
	unsigned d, w = sc->c->word;

	if (guest_read(sc->c->g, ret->va, raw, sizeof(raw), &ignored))
		return false;
	for (d = 64; d + w + 8 <= sizeof(raw); d += w) {
		uint64_t rinfo = scan_word(sc, raw + d);
		uint32_t nr = num_le32(raw + d + w), size = num_le32(raw + d + w + 4), r;
		unsigned lock = ret->old ? LINUX_LOCK_BYTES(w) : scan_lock_bytes(sc, size);

		if (!guest_is_kernel_addr(sc->c->g, rinfo) || !nr || nr > SCAN_MAX_QUEUES || !lock)
			continue;
		if (ret->old)
			size = lock + sc->at.old_end;
		for (r = 0; r < nr; r++)
			if (scan_is_at(sc, a, rinfo + (uint64_t)r * size + lock)) {
				ret->rinfo_off = d;
				ret->lock_bytes = lock;
				return true;
			}
	}
	return false;
}

int scan_note_info(struct scan *sc, const struct scan_info *found, struct err *err)
{
	size_t i;

	for (i = 0; i < sc->nr_infos; i++)
		if (sc->infos[i].va.v == found->va.v) {
			sc->infos[i].votes++;
			return 0;
		}
	if (sc->nr_infos == LINUX_MAX_DEVICES)
		return 0;
	if (util_grow(&sc->infos, &sc->cap_infos, sc->nr_infos + 1, sizeof(*sc->infos)))
		return err_nomem(err, "the devices found");
	sc->infos[sc->nr_infos++] = *found;
	return 0;
}

/* The word at `off` behind the anchor's front ring, by frame: large kmalloc objects, and the first
 * page of vmalloc'ed ones. */
static bool word_behind(struct scan *sc, const struct anchor *a, unsigned off, uint64_t *ret)
{
	uint64_t at = (uint64_t)a->off + off;
	const uint8_t *page;

	page = guest_peek(sc->c->g, PFN(a->pfn.v + (at >> PAGE_SHIFT)));
	if (!page || (at & PAGE_OFFSET_MASK) > PAGE_BYTES - sc->c->word)
		return false;
	*ret = scan_word(sc, page + (at & PAGE_OFFSET_MASK));
	return true;
}

/* Can a structure of the driver stand there? */
static bool may_be_info(const struct scan *sc, uint64_t info)
{
	return info && !(info % sc->c->word) && guest_is_kernel_addr(sc->c->g, info);
}

static bool prove_ring(struct scan *sc, const struct anchor *a, uint64_t info, bool old,
	struct err *err, int *status)
{
	struct scan_info found = {.va = GVA(info), .old = old};

	if (!may_be_info(sc, info) || !find_rinfo(sc, a, &found))
		return false;
	*status = scan_note_info(sc, &found, err);
	return true;
}

static bool prove_new(struct scan *sc, const struct anchor *a, struct err *err, int *status)
{
	uint64_t info;

	if (!word_behind(sc, a, sc->at.dev_info, &info))
		return false;
	if (prove_ring(sc, a, info, false, err, status))
		return true;
	scan_note_doubt(sc, a, info);
	return false;
}

/* `ring`: where the anchor's front ring may be mapped. */
static bool prove_old(
	struct scan *sc, const struct anchor *a, uint64_t ring, struct err *err, int *status)
{
	struct err ignored = ERR_INIT;
	uint64_t info;

	return scan_is_at(sc, a, ring) &&
	       !guest_read_word(sc->c->g, GVA(ring + sc->at.old_dev_info), &info, &ignored) &&
	       prove_ring(sc, a, info, true, err, status);
}

/* Padding of a shared ring page is zero. What its indices say is judged later. */
bool scan_sring_fits(struct scan *sc, const struct anchor *a)
{
	struct err ignored = ERR_INIT;
	uint8_t raw[BLKIF_SRING_HEADER];
	unsigned i;

	if (guest_read(sc->c->g, GVA(a->sring), raw, sizeof(raw), &ignored))
		return false;
	for (i = BLKIF_SRING_PAD; i < sizeof(raw); i++)
		if (raw[i])
			return false;
	return true;
}

/*
 * Before Linux 5.8 the pointer to the device is 80 KiB behind the ring, so the ring's own address
 * is needed. The shared page is always in the direct map: its address minus its frame is the base.
 */
static int try_old(struct scan *sc, const struct anchor *a, struct err *err)
{
	struct err ignored = ERR_INIT;
	struct guest_map map;
	uint64_t base;
	int status = 0;

	if ((a->sring & PAGE_OFFSET_MASK) || !scan_sring_fits(sc, a) ||
		guest_translate(sc->c->g, GVA(a->sring), &map, &ignored))
		return 0;
	base = a->sring - (map.pfn.v << PAGE_SHIFT);
	if (prove_old(sc, a, base + (a->pfn.v << PAGE_SHIFT) + a->off, err, &status))
		return status;
	if (sc->nr_unresolved == MAX_UNRESOLVED)
		return 0;
	if (util_grow(&sc->unresolved, &sc->cap_unresolved, sc->nr_unresolved + 1,
		    sizeof(*sc->unresolved)))
		return err_nomem(err, "the rings found");
	sc->unresolved[sc->nr_unresolved++] = *a;
	return 0;
}

static int consider_anchor(
	struct scan *sc, pfn_t pfn, const uint8_t *page, unsigned off, struct err *err)
{
	struct anchor a;
	bool single;
	int status = 0;

	if (!anchor_at(sc, pfn, off, page + off, &a))
		return 0;
	sc->walks_left--;
	if (prove_new(sc, &a, err, &status))
		return status;
	if (scan_try_single(sc, &a, &single, err))
		return -1;
	return single ? 0 : try_old(sc, &a, err);
}

/*
 * The end of a shadow's free list, the id of a slot: another way to a ring whose front is damaged.
 * Which slot it is is told by the ring that stands before the first one.
 */
static int consider_end(struct scan *sc, pfn_t pfn, unsigned off, struct err *err)
{
	unsigned k, behind;

	for (k = 0; k < BLKIF_MAX_RING_ENTRIES && sc->walks_left; k++) {
		struct anchor a = {.pfn = pfn};
		uint64_t info, start = (uint64_t)pfn.v << PAGE_SHIFT;
		int status = 0;

		behind = sc->at.shadow + k * sc->at.slot_bytes + sc->at.slot_id;
		if (start + off < behind)
			break;
		a.pfn = PFN((start + off - behind) >> PAGE_SHIFT);
		a.off = (unsigned)((start + off - behind) & PAGE_OFFSET_MASK);
		if (!word_behind(sc, &a, sc->at.dev_info, &info) || !may_be_info(sc, info))
			continue;
		sc->walks_left--;
		if (prove_ring(sc, &a, info, false, err, &status))
			return status;
	}
	return 0;
}

/* Third and fourth word of an anchor, seen as one, are a power of two from 32 to 512; the other way
 * to a ring is the end of its free list. */
static unsigned in_range(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	v = le64toh(v);
	return (unsigned)(v - 32 <= 512 - 32) | (unsigned)(v == FREE_LIST_NIL);
}

/* Six words at a time: this loop sees all of memory. */
static bool six_in_range(const uint8_t *p)
{
	return in_range(p) | in_range(p + 8) | in_range(p + 16) | in_range(p + 24) |
	       in_range(p + 32) | in_range(p + 40);
}

static bool eight_narrow_in_range(const uint8_t *p)
{
	uint32_t v[8];
	unsigned i, any = 0;

	memcpy(v, p, sizeof(v));
	for (i = 0; i < ARRAY_SIZE(v); i++)
		any |= (unsigned)(le32toh(v[i]) - 32 <= 512 - 32) |
		       (unsigned)(le32toh(v[i]) == FREE_LIST_NIL);
	return any;
}

static int consider_narrow_word(
	struct scan *sc, pfn_t pfn, const uint8_t *page, unsigned k, struct err *err)
{
	uint32_t v = num_le32(page + k);

	if (v == FREE_LIST_NIL && !num_le32(page + k + 4) && consider_end(sc, pfn, k, err))
		return -1;
	return is_ring_size(v) ? consider_anchor(sc, pfn, page, k - NR_ENTS_OFF, err) : 0;
}

/* The same with short pointers, where nothing pads the number of entries and less can be told from
 * it. */
static int scan_narrow_page(struct scan *sc, pfn_t pfn, const uint8_t *page, struct err *err)
{
	unsigned off, k;

	for (off = 0; off < PAGE_BYTES; off += 32) {
		if (!eight_narrow_in_range(page + off))
			continue;
		for (k = MAX(off, NR_ENTS_OFF); k < off + 32 && k <= PAGE_BYTES - 8; k += 4)
			if (consider_narrow_word(sc, pfn, page, k, err))
				return -1;
	}
	return 0;
}

static int scan_page(struct scan *sc, pfn_t pfn, const uint8_t *page, struct err *err)
{
	unsigned off, k;

	if (sc->c->word == 4)
		return scan_narrow_page(sc, pfn, page, err);

	/* 510 words can be the one in the middle of an anchor: 85 times six. */
	for (off = 8; off < PAGE_BYTES - 8; off += 48) {
		if (!six_in_range(page + off))
			continue;
		for (k = off; k < off + 48; k += 8) {
			uint64_t v = num_le64(page + k);

			if (v == FREE_LIST_NIL && consider_end(sc, pfn, k, err))
				return -1;
			if (is_ring_size(v) && consider_anchor(sc, pfn, page, k - NR_ENTS_OFF, err))
				return -1;
		}
	}
	return 0;
}

/* VMCOREINFO: a page of lines that starts with the kernel's release. */
static void note_release(struct scan *sc, pfn_t pfn, const uint8_t *page)
{
	static const char key[] = "OSRELEASE=";
	struct guest_facts *f = &sc->c->s->guest;
	size_t len;

	if (memcmp(page, key, sizeof(key) - 1) || f->release[0])
		return;
	(void)guest_page(sc->c->g, pfn); /* the analysis depends on it */
	for (len = 0; len < sizeof(f->release) - 1; len++)
		if (page[sizeof(key) - 1 + len] <= ' ' || page[sizeof(key) - 1 + len] > '~')
			break;
	snprintf(f->release, sizeof(f->release), "%.*s", (int)len,
		(const char *)page + sizeof(key) - 1);
	snprintf(f->os, sizeof(f->os), "Linux");
}

struct visit {
	struct scan *sc;
	struct err *err;
};

static int visit_page(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct visit *v = arg;

	note_release(v->sc, pfn, page);
	return scan_page(v->sc, pfn, page, v->err);
}

struct reverse {
	struct scan *sc;
	struct err *err;
	int status;
	uint64_t mappings_left;
};

static int by_pfn(const void *a, const void *b)
{
	const struct anchor *x = a, *y = b;

	if (x->pfn.v != y->pfn.v)
		return x->pfn.v < y->pfn.v ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

/* The first of the unresolved, which are sorted, in that frame or behind it. */
static size_t first_from(const struct scan *sc, uint64_t pfn)
{
	size_t low = 0, high = sc->nr_unresolved;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (sc->unresolved[mid].pfn.v < pfn)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int reverse_map(void *arg, gva_t va, const struct guest_map *map, uint64_t bytes)
{
	struct reverse *rev = arg;
	struct scan *sc = rev->sc;
	size_t i;

	if (!rev->mappings_left || !sc->walks_left) {
		sc->walks_left = 0; /* said by scan_memory() */
		return -1;
	}
	rev->mappings_left--;
	for (i = first_from(sc, map->pfn.v); i < sc->nr_unresolved && sc->walks_left; i++) {
		const struct anchor *a = &sc->unresolved[i];

		if (a->pfn.v - map->pfn.v >= bytes >> PAGE_SHIFT)
			break;
		prove_old(sc, a, va.v + ((a->pfn.v - map->pfn.v) << PAGE_SHIFT) + a->off, rev->err,
			&rev->status);
		if (rev->status)
			return -1;
	}
	return 0;
}

/* Rings in vmalloc memory, before 5.8: ask every mapping of the kernel's half where they are. */
static int resolve_by_mappings(struct scan *sc, struct err *err)
{
	struct reverse rev = {.sc = sc, .err = err};

	/* All of vmalloc's area of 32 bits is too small for rings to go there by themselves. */
	if (sc->nr_infos || !sc->nr_unresolved || sc->c->word == 4)
		return 0;
	rev.mappings_left = MAPPINGS_BASE + MAPPINGS_PER_PAGE * guest_info(sc->c->g)->nr_data_pages;
	qsort(sc->unresolved, sc->nr_unresolved, sizeof(*sc->unresolved), by_pfn);
	guest_for_each_mapping(sc->c->g, GVA(guest_upper_half(sc->c->g)),
		GVA(UINT64_MAX - PAGE_OFFSET_MASK), reverse_map, &rev);
	return rev.status;
}

bool scan_accepts(struct scan *sc, gva_t ring, gva_t info)
{
	struct scan_info found = {.va = info};
	struct guest *g = sc->c->g;
	uint8_t words[MAX_ANCHOR_BYTES];
	struct guest_map map;
	struct anchor a;
	uint64_t back;

	if (guest_translate(g, ring, &map, NULL) ||
		guest_read(g, ring, words, sizeof(words), NULL) ||
		!is_ring_size(scan_word(sc, words + NR_ENTS_OFF)) ||
		!anchor_at(sc, map.pfn, (unsigned)map.offset, words, &a) ||
		a.pvt - a.cons > a.entries || (a.sring & PAGE_OFFSET_MASK) ||
		!guest_is_kernel_addr(g, a.sring))
		return false;
	if (!sc->c->l.info_rinfo.present)
		return scan_accepts_single(sc, &a, ring, info);
	found.old =
		guest_read_word(g, gva_add(ring, sc->at.dev_info), &back, NULL) || back != info.v;
	if (found.old && (guest_read_word(g, gva_add(ring, sc->at.old_dev_info), &back, NULL) ||
				 back != info.v || !scan_sring_fits(sc, &a)))
		return false;
	return find_rinfo(sc, &a, &found);
}

void scan_init(struct scan *sc, struct linux_ctx *c)
{
	struct linux_builtin_shape shape = {.which = LINUX_BUILTIN_5_8, .word = c->word};
	struct linux_layout l;

	*sc = (struct scan){.c = c, .walks_left = LINUX_MAX_WALKS};
	linux_layout_builtin(&l, &shape);
	sc->at = (struct scan_places){
		.sring = l.ring_sring.off,
		.dev_info = l.ring_dev_info.off,
		.shadow = l.ring_shadow.off,
		.slot_bytes = l.slot_bytes,
		.slot_id = c->abi->id,
	};
	shape.which = LINUX_BUILTIN_4_5;
	linux_layout_builtin(&l, &shape);
	sc->at.old_dev_info = l.ring_dev_info.off;
	sc->at.old_end = l.ring_bytes;
}

int scan_memory(struct scan *sc, struct err *err)
{
	struct visit visit = {.sc = sc, .err = err};

	/* Page tables hold no rings. */
	if (memory_for_each_page(guest_memory(sc->c->g), visit_page, &visit) ||
		resolve_by_mappings(sc, err) || scan_settle_doubts(sc, err))
		return -1;
	scan_drop_twins(sc);
	if (!sc->walks_left)
		finding_add(&sc->c->s->findings, "XB311", finding_anywhere(),
			"the structural scan stopped: more things look like rings than any guest "
			"has");
	return 0;
}

void scan_fini(struct scan *sc)
{
	free(sc->infos);
	free(sc->unresolved);
	free(sc->doubts);
}
