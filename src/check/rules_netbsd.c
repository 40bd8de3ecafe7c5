/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What NetBSD's xbd of Xen 2 (sys/arch/xen/xen/xbd.c 1.36.14.1, the recovery ring) gets wrong, and
 * what its shadow must look like.
 */
#include "check/run.h"

#include <inttypes.h>
#include <string.h>

#include "frontend/netbsd/wire.h"

static void garbage_sectors(struct check_run *run)
{
	size_t i, nr = 0, reads = 0;

	for (i = 0; i < run->dev->nr_requests; i++) {
		const struct io_request *r = &run->dev->requests[i];

		nr += io_request_moves_data(r);
		reads += r->op == IO_READ;
	}
	if (nr)
		run_broken(run, -1, -1,
			"on resume the driver would issue %zu requests (%zu reads, %zu writes) at "
			"sectors that it never recorded",
			nr, reads, nr - reads);
}

static void lost_sectors(struct check_run *run)
{
	size_t i;

	for (i = 0; i < run->dev->nr_requests; i++) {
		const struct io_request *r = &run->dev->requests[i];

		if (io_request_moves_data(r) && r->sector_from == IO_SECTOR_UNKNOWN)
			run_broken_request(run, r, "the sector of this %s could not be recovered",
				io_op_name(r->op));
	}
}

/* Are they two elements of one array of xbdreqs? */
static bool share_array(uint64_t a, uint64_t b)
{
	uint64_t away = a > b ? a - b : b - a;

	return away && !(away % NB_XBDREQ_BYTES) && away / NB_XBDREQ_BYTES < NB_XBDREQ_USED;
}

/* Of all other used slots, of any disk: those that share an array with that one, and those that
 * have the same pointer. */
static unsigned count_sharing(
	const struct io_ring *g, unsigned slot, uint64_t id, unsigned *ret_same)
{
	unsigned nr = 0;
	uint32_t i;

	*ret_same = 0;
	for (i = 0; i < g->entries; i++) {
		if (i == slot || !g->slots[i].used)
			continue;
		nr += share_array(g->slots[i].id, id);
		*ret_same += g->slots[i].id == id;
	}
	return nr;
}

/* The ids are addresses inside one array of 64: congruent, and not far apart. Whatever most of them
 * agree on is the array. */
static void request_pointers(struct check_run *run)
{
	const struct io_ring *g = run->dev->nr_rings ? run->dev->rings : NULL;
	unsigned sharing, same, used = 0;
	uint32_t k;
	size_t i;

	if (!g || !g->slots || g->entries > CHECK_MAX_ENTRIES)
		return;
	for (k = 0; k < g->entries; k++)
		used += g->slots[k].used;
	for (i = 0; i < run->dev->nr_requests; i++) {
		const struct io_request *r = &run->dev->requests[i];

		sharing = count_sharing(g, r->slot, r->id, &same);
		if (r->id < NB_KERNEL_LOW || r->id > UINT32_MAX)
			run_broken_request(
				run, r, "id 0x%" PRIx64 " is not an address of the kernel", r->id);
		else if (same)
			run_broken_request(
				run, r, "%u other slots have the same id 0x%" PRIx64, same, r->id);
		else if ((sharing + 1) * 2 < used || (!sharing && used > 1))
			run_broken_request(run, r,
				"id 0x%" PRIx64 " does not lie in the array of xbdreqs that the "
				"other slots point into",
				r->id);
	}
}

static void live_count(struct check_run *run)
{
	size_t nr = run->dev->nr_requests;

	if (run->dev->nr_rings) /* of all disks together */
		nr = MAX(nr, (size_t)run->dev->rings[0].nr_used);
	if (nr > NB_XBDREQ_USED)
		run_broken(run, -1, -1,
			"%zu requests are live, the driver cannot have more than %u", nr,
			NB_XBDREQ_USED);
}

static void check_bias(struct check_run *run)
{
	size_t i, j;

	for (i = 0; i < run->dev->nr_requests; i++) {
		const struct io_request *r = &run->dev->requests[i];

		for (j = 0; j < r->nr_seg; j++)
			if (r->seg[j].unbiased) {
				run_broken_request(run, r,
					"segment %zu lies below the 0x%x pages by which the driver "
					"shifts its frames",
					j, NB_BIAS_PAGES);
				break;
			}
	}
}

static const struct check_rule rules[] = {
	{{"XB201"}, garbage_sectors},
	{{"XB202"}, lost_sectors},
	{{"XB203"}, request_pointers},
	{{"XB204"}, live_count},
	{{"XB206"}, check_bias},
	{{"XB207"}, run_recovering},
};

const struct check_rules check_rules_netbsd = {&frontend_netbsd_xbd, rules, ARRAY_SIZE(rules)};
