/* SPDX-License-Identifier: BSD-2-Clause
 *
 * vbds.c - vbd_info, the driver's table of disks, by its structure.
 */
#include "frontend/netbsd/scan.h"

#define NB_VBDS_BYTES (NB_MAX_VBDS * NB_VDISK_BYTES)

struct vbd_scan {
	struct guest *g;
	const struct nb_va_map *map;
	const struct nb_wire *log;
	struct nb_vbd vbd[NB_MAX_VBDS];
	unsigned nr, covered;
	bool tie;
	uint32_t va;
};

/* Used slots whose disk is in the table. */
static unsigned count_covered(
	const struct nb_wire log[NB_SLOTS], const struct nb_vbd *vbd, unsigned nr)
{
	unsigned i, j, covered = 0;

	for (i = 0; i < NB_SLOTS; i++) {
		if (!nb_is_used(&log[i]) || log[i].op == NB_OP_PROBE)
			continue;
		for (j = 0; j < nr && vbd[j].device != log[i].device; j++)
			;
		covered += j < nr;
	}
	return covered;
}

static unsigned count_data(const struct nb_wire log[NB_SLOTS])
{
	unsigned i, nr = 0;

	for (i = 0; i < NB_SLOTS; i++)
		nr += nb_is_used(&log[i]) && log[i].op != NB_OP_PROBE;
	return nr;
}

static void consider_vbd(struct vbd_scan *scan, uint32_t va, const uint8_t *bytes)
{
	struct nb_vbd vbd[NB_MAX_VBDS];
	unsigned nr = nb_vbds_parse(bytes, NB_VBDS_BYTES, vbd), covered;

	if (!nr)
		return;
	covered = count_covered(scan->log, vbd, nr);
	if (scan->nr && covered < scan->covered)
		return;
	scan->tie = scan->nr && covered == scan->covered && va != scan->va;
	scan->nr = nr;
	scan->covered = covered;
	scan->va = va;
}

/* malloc() serves the 768 bytes from the bucket of 1024. */
static int look_for_vbds(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct vbd_scan *scan = arg;
	uint32_t va = nb_va_of(scan->map, pfn);
	unsigned off;

	for (off = 0; va && off < PAGE_BYTES; off += 1024)
		consider_vbd(scan, va + off, page + off);
	return 0;
}

static void look_beside(struct vbd_scan *scan, const struct nb_statics *near)
{
	uint8_t bytes[NB_VBDS_BYTES];
	unsigned i;

	for (i = 0; i < NB_NEAR_WORDS; i++)
		if (near->known[i] && near->word[i] >= NB_KERNEL_LOW && !(near->word[i] % 1024) &&
			!guest_read(scan->g, GVA(near->word[i]), bytes, sizeof(bytes), NULL))
			consider_vbd(scan, near->word[i], bytes);
}

/* Most of the requests must be for its disks: one may have a damaged number. */
void nb_find_vbds(struct guest *g, const struct nb_va_map *map, const struct nb_wire log[NB_SLOTS],
	const struct nb_statics *near, struct nb_place *place)
{
	struct vbd_scan scan = {.g = g, .map = map, .log = log};
	unsigned data = count_data(log);

	if (near)
		look_beside(&scan, near);
	if (data && (scan.tie || scan.covered * 2 <= data)) {
		scan.nr = scan.covered = scan.va = 0;
		memory_for_each_page(guest_memory(g), look_for_vbds, &scan);
		if (scan.covered * 2 <= data)
			return;
	}
	if (!scan.nr || scan.tie)
		return;
	place->vbd_va = scan.va;
	place->nr_vbds = (struct nb_value){.known = true, .v = scan.nr};
}
