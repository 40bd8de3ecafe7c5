/* SPDX-License-Identifier: BSD-2-Clause
 *
 * single.c - the table of those kernels, by the declarations in drivers/block/xen-blkfront.c of
 * 2.6.32, 3.4, 3.8, 3.10, 3.16 and 4.4, and in drivers/xen/blkfront/block.h of XenLinux 2.6.18.
 */
#include "frontend/linux/single.h"

#include "base/num.h"
#include "frontend/blkif_abi.h"

#define NR_SLOTS 32u /* of a ring of one page */
#define MAX_REFS 16u /* XENBUS_MAX_RING_GRANTS of 4.4 */

static uint32_t request_bytes(const struct linux_single_shape *s)
{
	return s->word == 8 ? blkif_abi_x86_64.request_bytes : blkif_abi_x86_32.request_bytes;
}

/* struct scatterlist inside a slot: with 32 bits, a bus address of 4 or 8 bytes, and its length. */
static uint32_t list_entry(const struct linux_single_shape *s)
{
	if (s->kind == LINUX_SINGLE_LISTS)
		return s->word == 8 ? 32 : 16;
	return s->kind == LINUX_SINGLE_LISTS_20 ? 20 : 24;
}

static bool has_lists(const struct linux_single_shape *s)
{
	return s->kind >= LINUX_SINGLE_LISTS && s->kind <= LINUX_SINGLE_LISTS_24;
}

static bool has_pages(const struct linux_single_shape *s)
{
	return s->kind >= LINUX_SINGLE_PAGES;
}

bool linux_single_possible(const struct linux_single_shape *s)
{
	return s->word == 4 ||
	       (s->kind != LINUX_SINGLE_LISTS_20 && s->kind != LINUX_SINGLE_LISTS_24 &&
		       s->kind != LINUX_SINGLE_INFLIGHT);
}

uint32_t linux_single_slot(const struct linux_single_shape *s)
{
	uint32_t w = s->word, bytes = request_bytes(s) + w;

	switch (s->kind) {
	case LINUX_SINGLE_FRAMES:
		return bytes + BLKIF_MAX_SEGMENTS * w;
	case LINUX_SINGLE_GRANTS:
		return bytes + 2 * BLKIF_MAX_SEGMENTS * w;
	case LINUX_SINGLE_POINTERS:
		return bytes + 3 * w;
	case LINUX_SINGLE_PAGES:
		return bytes + 4 * w;
	case LINUX_SINGLE_INFLIGHT:
		return bytes + 5 * w;
	default:
		return bytes + BLKIF_MAX_SEGMENTS * (w + list_entry(s));
	}
}

uint32_t linux_single_slots(const struct linux_single_shape *s)
{
	return has_pages(s) ? LINUX_OLD_SLOTS : NR_SLOTS;
}

/* 3.8: the head of a list and a count; 3.10: a list of two words; 3.11: two of those. */
uint32_t linux_single_lists(const struct linux_single_shape *s)
{
	if (s->kind == LINUX_SINGLE_FRAMES)
		return 0;
	if (s->kind == LINUX_SINGLE_GRANTS)
		return 2 * s->word;
	return (has_lists(s) ? 3 : 5) * s->word;
}

/* vdevice, handle, connected, then one ring_ref, or 16 and the number of pages. */
uint32_t linux_single_facts(const struct linux_single_shape *s)
{
	return 12 + (has_pages(s) ? 4 * MAX_REFS + 4 : 4);
}

static struct field field_at(uint32_t off, uint32_t bytes)
{
	return (struct field){.present = true, .off = off, .bytes = bytes};
}

static void place_slot(struct linux_layout *l, const struct linux_single_shape *s)
{
	uint32_t w = s->word, req = request_bytes(s), behind = req + w;
	uint32_t array = BLKIF_MAX_SEGMENTS * w;

	l->slot_bytes = linux_single_slot(s);
	l->slot_req = field_at(0, req);
	l->slot_request = field_at(req, w);
	if (s->kind == LINUX_SINGLE_FRAMES || s->kind == LINUX_SINGLE_GRANTS)
		l->slot_frame = field_at(behind, array);
	if (s->kind == LINUX_SINGLE_GRANTS)
		l->slot_grants_used = field_at(behind + array, array);
	if (has_lists(s)) {
		l->slot_grants_used = field_at(behind, array);
		l->slot_sg = field_at(behind + array, BLKIF_MAX_SEGMENTS * list_entry(s));
		l->sg_bytes = list_entry(s);
	}
	if (s->kind < LINUX_SINGLE_POINTERS)
		return;
	l->slot_grants_used = field_at(behind, w);
	l->slot_indirect_grants = field_at(behind + w, w);
	l->slot_sg = field_at(behind + 2 * w, w);
	if (has_pages(s))
		l->slot_num_sg = field_at(behind + 3 * w, 4);
}

static void place_info(struct linux_layout *l, const struct linux_single_shape *s)
{
	uint32_t w = s->word, vdevice = s->ring_off - linux_single_facts(s);

	l->info_gd = field_at(vdevice - w, w);
	/* XenLinux has a dev_t between the two, which nothing needs. */
	if (s->ring_off >= linux_single_facts(s) + 2 * w)
		l->info_xbdev = field_at(vdevice - 2 * w, w);
	l->info_vdevice = field_at(vdevice, 4);
	l->info_handle = field_at(vdevice + 4, 2);
	l->info_connected = field_at(vdevice + 8, 4);
	l->ring_ref = field_at(vdevice + 12, has_pages(s) ? 4 * MAX_REFS : 4);
	if (has_pages(s))
		l->info_nr_ring_pages = field_at(s->ring_off - 4, 4);
}

void linux_layout_single(struct linux_layout *l, const struct linux_single_shape *s)
{
	static const char *const origins[LINUX_NR_SINGLE] = {
		[LINUX_SINGLE_FRAMES] = "built-in (2.6.16 to 3.7)",
		[LINUX_SINGLE_GRANTS] = "built-in (3.8)",
		[LINUX_SINGLE_LISTS] = "built-in (3.10)",
		[LINUX_SINGLE_LISTS_20] = "built-in (3.10)",
		[LINUX_SINGLE_LISTS_24] = "built-in (3.10)",
		[LINUX_SINGLE_POINTERS] = "built-in (3.11)",
		[LINUX_SINGLE_PAGES] = "built-in (4.4)",
		[LINUX_SINGLE_INFLIGHT] = "built-in (4.4)",
	};
	uint32_t w = s->word;

	*l = (struct linux_layout){
		.grant_gref = field_at(0, 4),
		.status_waiting = UINT32_MAX,
		.origin = origins[s->kind],
	};
	*(has_pages(s) ? &l->grant_page : &l->grant_pfn) = field_at(w, w);
	place_slot(l, s);
	place_info(l, s);
	l->ring_pvt = field_at(s->ring_off, 4);
	l->ring_cons = field_at(s->ring_off + 4, 4);
	l->ring_nr_ents = field_at(s->ring_off + 8, 4);
	l->ring_sring = field_at(s->ring_off + (w == 8 ? 16 : 12), w);
	l->ring_shadow =
		field_at(s->ring_off + s->shadow_off, linux_single_slots(s) * linux_single_slot(s));
	l->ring_shadow_free = field_at(s->ring_off + s->shadow_free_off, w);
}
