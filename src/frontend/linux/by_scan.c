/* SPDX-License-Identifier: BSD-2-Clause
 *
 * by_scan.c - from what the scan found to devices: which layout, where struct page lies.
 */
#include "frontend/linux/blkfront.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "frontend/blkif_abi.h"
#include "frontend/linux/learn.h"
#include "frontend/linux/scan_memory.h"

#define MAX_MUTEX_BYTES 256u /* with lock debugging about 200 */

/* Of five things that hold with the right layout, how many do: one may be damaged. */
#define LAYOUT_FACTS 5u
static unsigned layout_facts(struct linux_ctx *c, gva_t info)
{
	const struct linux_layout *l = &c->l;
	uint64_t v, handle, entries;
	uint64_t rinfo = c->rinfo ? c->rinfo : layout_read_or(c->g, info, &l->info_rinfo, 0);
	unsigned facts = 0;
	char name[32];

	facts += layout_read_or(c->g, info, &l->info_connected, UINT64_MAX) <= 3;
	v = layout_read_or(c->g, info, &l->info_nr_ring_pages, UINT64_MAX);
	entries = layout_read_or(c->g, GVA(rinfo), &l->ring_nr_ents, 0);
	facts += v <= BLKIF_MAX_RING_PAGES && blkif_ring_entries(c->abi, (unsigned)v) == entries;
	v = layout_read_or(c->g, info, &l->info_vdevice, UINT64_MAX);
	handle = layout_read_or(c->g, info, &l->info_handle, UINT64_MAX);
	facts += v && v != UINT64_MAX && handle == (v & UINT16_MAX);
	facts += guest_is_kernel_addr(c->g, layout_read_or(c->g, info, &l->info_rq, 0));
	v = layout_read_or(c->g, info, &l->info_gd, 0);
	facts += guest_is_kernel_addr(c->g, v) && linux_disk_name(c, v, name, sizeof(name));
	return facts;
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

static bool mutex_fits(struct linux_ctx *c, gva_t info, struct linux_builtin_shape *shape,
	uint32_t bytes, unsigned facts)
{
	shape->mutex_bytes = bytes;
	linux_layout_builtin(&c->l, shape);
	return layout_facts(c, info) >= facts;
}

/* The mutex that struct blkfront_info begins with moves what follows: the usual size, then from the
 * smallest to those of debugging kernels. */
static bool try_mutexes(
	struct linux_ctx *c, gva_t info, struct linux_builtin_shape *shape, unsigned facts)
{
	uint32_t bytes;

	if (mutex_fits(c, info, shape, LINUX_MUTEX_BYTES(c->word), facts))
		return true;
	for (bytes = 8; bytes <= MAX_MUTEX_BYTES; bytes += c->word)
		if (mutex_fits(c, info, shape, bytes, facts))
			return true;
	return false;
}

/* The same of a device with its ring in it. */
static unsigned single_facts(struct linux_ctx *c, gva_t info)
{
	const struct linux_layout *l = &c->l;
	uint64_t vdevice = layout_read_or(c->g, info, &l->info_vdevice, UINT64_MAX);
	uint64_t gd = layout_read_or(c->g, info, &l->info_gd, 0);
	unsigned facts = layout_read_or(c->g, info, &l->info_connected, UINT64_MAX) <= 3;
	char name[32];

	facts += vdevice && vdevice != UINT64_MAX &&
		 layout_read_or(c->g, info, &l->info_handle, UINT64_MAX) == (vdevice & UINT16_MAX);
	facts += guest_is_kernel_addr(c->g, gd) && linux_disk_name(c, gd, name, sizeof(name));
	return facts;
}

static void choose_single(struct linux_ctx *c, const struct scan_info *found)
{
	c->rinfo = 0;
	linux_layout_single(&c->l, &found->shape);
	if (c->l.sg_bytes)
		c->sg.bytes = c->l.sg_bytes;
	if (single_facts(c, found->va) < 2)
		forget_facts(&c->l);
}

static void choose_layout(struct linux_ctx *c, const struct scan_info *found)
{
	static const enum linux_builtin flexible[] = {LINUX_BUILTIN_5_18, LINUX_BUILTIN_5_8};
	static const enum linux_builtin old[] = {LINUX_BUILTIN_4_5};
	const enum linux_builtin *which = found->old ? old : flexible;
	size_t i, nr = found->old ? ARRAY_SIZE(old) : ARRAY_SIZE(flexible);
	struct linux_builtin_shape shape = {
		.word = c->word,
		.lock_bytes = found->lock_bytes,
		.rinfo_off = found->rinfo_off,
	};
	unsigned facts;

	if (found->single) {
		choose_single(c, found);
		return;
	}
	c->rinfo = found->rinfo;
	for (facts = LAYOUT_FACTS; facts >= LAYOUT_FACTS - 1; facts--)
		for (i = 0; i < nr; i++) {
			shape.which = which[i];
			if (try_mutexes(c, found->va, &shape, facts))
				return;
		}
	forget_facts(&c->l);
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
	uint64_t half = guest_upper_half(g);

	return !half ||
	       guest_for_each_mapping(g, GVA(half), GVA(UINT64_MAX), stop_at_first, NULL) == 1;
}

int linux_by_scan(struct guest *g, struct snapshot *s, struct err *err)
{
	struct linux_ctx c;
	CLEANUP(scan_fini) struct scan sc;
	struct linux_learn learn;
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
	linux_learn_init(&learn);
	for (i = 0; i < sc.nr_infos; i++) {
		choose_layout(&c, &sc.infos[i]);
		linux_learn_device(&c, sc.infos[i].va, &learn);
	}
	linux_learn_pages(&c, &learn);
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
