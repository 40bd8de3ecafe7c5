/* SPDX-License-Identifier: BSD-2-Clause
 *
 * by_scan.c - from what the scan found to devices: which layout, where struct page lies.
 */
#include "frontend/linux/blkfront.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "frontend/blkif_abi.h"
#include "frontend/linux/scan_memory.h"

/* x86 places the struct page array at a multiple of 1 GiB, also when it randomises (PUD_MASK in
 * arch/x86/mm/kaslr.c); 1 GiB describes 64 GiB of memory. */
#define VMEMMAP_ALIGN (1ull << 30)
/* 64 TiB, the most that a 4-level kernel addresses, is 1024 of those. */
#define MAX_VMEMMAP_STEPS 1024u
/* struct page, 64 bytes, since 3.x: compound_head shares a word with lru, then _mapcount. */
#define PAGE_COMPOUND_HEAD 8u
#define PAGE_TYPE	   48u
#define PAGE_REFCOUNT	   52u
/* Kernels that do not count references of slabs and large kmalloc pages (seen in 6.16) name the
 * owner in the top byte of _mapcount's word: enum pagetype, 0xf0 is the free lists' own. */
#define PAGE_TYPE_FIRST 0xf1u
#define PAGE_TYPE_LAST	0xfeu
#define MAX_POINTERS	4096u
#define MAX_WITNESSES	16u  /* devices whose own frames must be in use */
#define MAX_MUTEX_BYTES 256u /* with lock debugging about 200 */

/* Page pointers of pending requests, to find the array that they point into. */
struct pointers {
	uint64_t low, high;
	size_t nr;
	bool misaligned;
	uint32_t slots_left; /* to look at */
};

/* Do the members at these places make sense together? */
static bool layout_fits(struct linux_ctx *c, gva_t info)
{
	const struct linux_layout *l = &c->l;
	struct err ignored = ERR_INIT;
	uint64_t connected, pages, vdevice, handle, gd, rinfo, entries, rq;
	char name[32];

	return !layout_read(c->g, info, &l->info_connected, &connected, &ignored) &&
	       !layout_read(c->g, info, &l->info_nr_ring_pages, &pages, &ignored) &&
	       !layout_read(c->g, info, &l->info_vdevice, &vdevice, &ignored) &&
	       !layout_read(c->g, info, &l->info_handle, &handle, &ignored) &&
	       !layout_read(c->g, info, &l->info_gd, &gd, &ignored) &&
	       !layout_read(c->g, info, &l->info_rq, &rq, &ignored) &&
	       !layout_read(c->g, info, &l->info_rinfo, &rinfo, &ignored) &&
	       !layout_read(c->g, GVA(rinfo), &l->ring_nr_ents, &entries, &ignored) &&
	       connected <= 3 && pages <= BLKIF_MAX_RING_PAGES &&
	       blkif_ring_entries(&blkif_abi_x86_64, (unsigned)pages) == entries &&
	       handle == (vdevice & UINT16_MAX) && guest_is_kernel_addr(c->g, rq) &&
	       guest_is_kernel_addr(c->g, gd) && linux_disk_name(c, gd, name, sizeof(name));
}

static void forget_facts(struct linux_layout *l)
{
	struct field *const unproven[] = {&l->info_xbdev, &l->info_gd, &l->info_vdevice,
		&l->info_handle, &l->info_connected, &l->info_nr_ring_pages, &l->info_rq,
		&l->info_max_indirect, &l->info_discard_granularity, &l->info_flush, &l->info_fua,
		&l->info_discard, &l->info_secdiscard};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(unproven); i++)
		unproven[i]->present = false;
}

static bool mutex_fits(struct linux_ctx *c, const struct scan_info *found,
	struct linux_builtin_shape *shape, uint32_t bytes)
{
	shape->mutex_bytes = bytes;
	linux_layout_builtin(&c->l, shape);
	return layout_fits(c, found->va);
}

/* The mutex that struct blkfront_info begins with moves what follows: the usual size, then from the
 * smallest to those of debugging kernels. */
static bool try_mutexes(
	struct linux_ctx *c, const struct scan_info *found, struct linux_builtin_shape *shape)
{
	uint32_t bytes;

	if (mutex_fits(c, found, shape, LINUX_MUTEX_BYTES))
		return true;
	for (bytes = 16; bytes <= MAX_MUTEX_BYTES; bytes += 8)
		if (mutex_fits(c, found, shape, bytes))
			return true;
	return false;
}

static void choose_layout(struct linux_ctx *c, const struct scan_info *found)
{
	static const enum linux_builtin flexible[] = {LINUX_BUILTIN_5_18, LINUX_BUILTIN_5_8};
	struct linux_builtin_shape shape = {
		.which = LINUX_BUILTIN_4_5,
		.lock_bytes = found->lock_bytes,
		.rinfo_off = found->rinfo_off,
	};
	size_t i;

	if (found->old) {
		if (!try_mutexes(c, found, &shape))
			forget_facts(&c->l);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(flexible); i++) {
		shape.which = flexible[i];
		if (try_mutexes(c, found, &shape))
			return;
	}
	forget_facts(&c->l);
}

static void note_pointer(struct pointers *p, uint64_t page)
{
	p->misaligned |= page % 64 != 0;
	p->low = p->nr ? MIN(p->low, page) : page;
	p->high = p->nr ? MAX(p->high, page) : page;
	p->nr++;
}

static void slot_pointers(struct linux_ctx *c, gva_t slot, struct pointers *p)
{
	const struct linux_layout *l = &c->l;
	struct blkif_wire_request wire;
	struct err ignored = ERR_INIT;
	uint64_t sg, nr, k, link;
	uint8_t raw[160];

	if (guest_read(c->g, slot, raw, sizeof(raw), &ignored) ||
		!layout_value(raw, sizeof(raw), &l->slot_request))
		return;
	blkif_decode_request(&blkif_abi_x86_64, raw, &wire);
	sg = layout_value(raw, sizeof(raw), &l->slot_sg);
	nr = layout_value(raw, sizeof(raw), &l->slot_num_sg);
	if (!wire.nr_seg || nr > BLKIF_MAX_INDIRECT)
		return;
	for (k = 0; k < nr && p->nr < MAX_POINTERS; k++) {
		if (layout_read(c->g, GVA(sg + k * c->sg.bytes), &c->sg.page_link, &link, &ignored))
			return;
		note_pointer(p, link & ~3ull);
	}
}

/* Page pointers of all pending requests of a device. */
static void info_pointers(struct linux_ctx *c, gva_t info, struct pointers *p)
{
	const struct linux_layout *l = &c->l;
	struct err ignored = ERR_INIT;
	uint64_t rinfo, nr, entries, r, k;

	if (layout_read(c->g, info, &l->info_rinfo, &rinfo, &ignored) ||
		layout_read(c->g, info, &l->info_nr_rings, &nr, &ignored) ||
		layout_read(c->g, GVA(rinfo), &l->ring_nr_ents, &entries, &ignored) ||
		nr > SCAN_MAX_QUEUES || entries > BLKIF_MAX_RING_ENTRIES)
		return;
	for (r = 0; r < nr; r++) {
		uint64_t stride = l->info_rinfo_size.present
					  ? l->ring_shadow.off + entries * l->slot_bytes
					  : l->ring_bytes;

		for (k = 0; k < entries && p->nr < MAX_POINTERS && p->slots_left; k++) {
			p->slots_left--;
			slot_pointers(c,
				GVA(rinfo + r * stride + l->ring_shadow.off + k * l->slot_bytes),
				p);
		}
	}
}

static bool is_mapped(struct linux_ctx *c, uint64_t va)
{
	struct err ignored = ERR_INIT;
	struct guest_map map;

	return !guest_translate(c->g, GVA(va), &map, &ignored);
}

/* The struct page of a frame that is in use has references or an owner, or is the tail of one. */
static bool frame_in_use(struct linux_ctx *c, uint64_t vmemmap, gva_t user)
{
	struct err ignored = ERR_INIT;
	struct guest_map map;
	uint64_t page, head;
	uint32_t refs, type;

	if (guest_translate(c->g, user, &map, &ignored))
		return true; /* says nothing */
	page = vmemmap + map.pfn.v * c->pages.entry_bytes;
	if (guest_read_u32(c->g, GVA(page + PAGE_REFCOUNT), &refs, &ignored) ||
		guest_read_u32(c->g, GVA(page + PAGE_TYPE), &type, &ignored) ||
		guest_read_u64(c->g, GVA(page + PAGE_COMPOUND_HEAD), &head, &ignored))
		return false;
	return (refs && refs < 1u << 30) || (head & 1) ||
	       (!refs && type >> 24 >= PAGE_TYPE_FIRST && type >> 24 <= PAGE_TYPE_LAST);
}

/* Frames that must be in use if `vmemmap` is right: those of the structures themselves. */
static bool vmemmap_fits(struct linux_ctx *c, const struct scan *sc, uint64_t vmemmap)
{
	size_t i;

	for (i = 0; i < MIN(sc->nr_infos, (size_t)MAX_WITNESSES); i++) {
		struct err ignored = ERR_INIT;
		uint64_t rinfo, sring;

		if (!frame_in_use(c, vmemmap, sc->infos[i].va))
			return false;
		if (guest_read_u64(c->g, gva_add(sc->infos[i].va, sc->infos[i].rinfo_off), &rinfo,
			    &ignored))
			continue;
		if (!frame_in_use(c, vmemmap, GVA(rinfo)))
			return false;
		if (!guest_read_u64(c->g, GVA(rinfo + c->l.ring_sring.off), &sring, &ignored) &&
			!frame_in_use(c, vmemmap, GVA(sring)))
			return false;
	}
	return true;
}

/*
 * Where the struct page array starts, from pointers into it: the multiple of 1 GiB at or below
 * the lowest, or further down while the array goes on and the highest pointer still names a
 * frame of this guest. Two starts that both fit prove nothing.
 */
static void find_vmemmap(struct linux_ctx *c, const struct scan *sc, const struct pointers *p)
{
	uint64_t nr_pfns = guest_info(c->g)->nr_pfns;
	uint64_t base = p->low & ~(VMEMMAP_ALIGN - 1);
	unsigned step, fits = 0;

	if (!p->nr || p->misaligned)
		return;
	for (step = 0; step < MAX_VMEMMAP_STEPS; step++, base -= VMEMMAP_ALIGN) {
		if (!guest_is_kernel_addr(c->g, base) ||
			(p->high - base) / c->pages.entry_bytes >= nr_pfns || !is_mapped(c, base))
			break;
		if (!vmemmap_fits(c, sc, base))
			continue;
		c->pages.start = base;
		fits++;
	}
	c->pages.known = fits == 1;
	if (c->pages.known)
		snapshot_how(c->s, "scan: struct page array at 0x%" PRIx64, c->pages.start);
	else
		snapshot_how(
			c->s, "scan: the struct page array cannot be told (%u places fit)", fits);
}

static int stop_at_first(void *arg UNUSED, gva_t va UNUSED, const struct guest_map *map UNUSED,
	uint64_t bytes UNUSED)
{
	return 1;
}

/* Every candidate must be mapped where it says it is: without one mapping in the kernel's half no
 * page needs to be looked at. */
static bool has_kernel_mappings(struct guest *g)
{
	uint64_t low = UINT64_MAX << (guest_pt_levels(g) == 5 ? 56 : 47);

	return guest_pt_levels(g) < 4 ||
	       guest_for_each_mapping(g, GVA(low), GVA(UINT64_MAX), stop_at_first, NULL) == 1;
}

int linux_by_scan(struct guest *g, struct snapshot *s, struct err *err)
{
	struct linux_ctx c;
	CLEANUP(scan_fini) struct scan sc;
	struct pointers p = {.slots_left = LINUX_MAX_SLOTS};
	size_t i;

	linux_ctx_init(&c, g, NULL, s);
	scan_init(&sc, &c);
	if (!has_kernel_mappings(g)) {
		snapshot_how(s, "scan: the page tables map nothing for a kernel");
		return 0;
	}
	s->every_page = true;
	if (scan_memory(&sc, err))
		return -1;
	snapshot_how(s, "scan: %zu devices", sc.nr_infos);
	for (i = 0; i < sc.nr_infos; i++) {
		choose_layout(&c, &sc.infos[i]);
		info_pointers(&c, sc.infos[i].va, &p);
	}
	if (sc.nr_infos)
		find_vmemmap(&c, &sc, &p);
	for (i = 0; i < sc.nr_infos; i++) {
		struct blkdev *d = snapshot_add_device(s);

		if (!d)
			return err_nomem(err, "a device");
		choose_layout(&c, &sc.infos[i]);
		if (linux_decode_device(&c, sc.infos[i].va, d, err))
			return -1;
		snprintf(s->guest.os, sizeof(s->guest.os), "Linux");
	}
	return 0;
}
