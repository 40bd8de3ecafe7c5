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

#define MAX_POINTERS	4096u
#define MAX_WITNESSES	16u  /* devices whose own frames must be in use */
#define MAX_MUTEX_BYTES 256u /* with lock debugging about 200 */

/* Page pointers of pending requests, to find the array that they point into. */
struct pointers {
	struct linux_page_pointers v;
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
	for (k = 0; k < nr && p->v.nr < MAX_POINTERS; k++) {
		if (layout_read(c->g, GVA(sg + k * c->sg.bytes), &c->sg.page_link, &link, &ignored))
			return;
		linux_page_pointers_add(&p->v, &c->pages, link & ~3ull);
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

		for (k = 0; k < entries && p->v.nr < MAX_POINTERS && p->slots_left; k++) {
			p->slots_left--;
			slot_pointers(c,
				GVA(rinfo + r * stride + l->ring_shadow.off + k * l->slot_bytes),
				p);
		}
	}
}

/* Addresses whose frames must be in use: those of the structures themselves. */
static size_t list_used(struct linux_ctx *c, const struct scan *sc, gva_t used[3 * MAX_WITNESSES])
{
	size_t i, nr = 0;

	for (i = 0; i < MIN(sc->nr_infos, (size_t)MAX_WITNESSES); i++) {
		const struct scan_info *info = &sc->infos[i];
		uint64_t rinfo, sring;

		used[nr++] = info->va;
		if (guest_read_u64(c->g, gva_add(info->va, info->rinfo_off), &rinfo, NULL))
			continue;
		used[nr++] = GVA(rinfo);
		if (!guest_read_u64(c->g, GVA(rinfo + c->l.ring_sring.off), &sring, NULL))
			used[nr++] = GVA(sring);
	}
	return nr;
}

static void find_pages(struct linux_ctx *c, const struct scan *sc, const struct pointers *p)
{
	gva_t used[3 * MAX_WITNESSES];
	unsigned fits;

	if (!p->v.nr || p->v.misaligned)
		return;
	fits = linux_pages_by_pointers(c->g, &p->v, used, list_used(c, sc, used), &c->pages);
	if (fits == 1)
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
		find_pages(&c, &sc, &p);
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
