/* SPDX-License-Identifier: BSD-2-Clause
 *
 * resume.c - what the driver does with its pending requests when the guest resumes.
 *
 * One log serves all disks of the interface: rec_ring_recover() goes through its slots. Xen 2.0 has
 * no barriers.
 */
#include "frontend/netbsd/xbd.h"

static int compare_slots(
	const struct blkdev *d UNUSED, const struct io_request *a, const struct io_request *b)
{
	return io_request_by_slot(a, b);
}

static bool is_order_known(const struct blkdev *d UNUSED, const struct io_request *a UNUSED,
	const struct io_request *b UNUSED)
{
	return true;
}

static void place_request(
	const struct blkdev *d UNUSED, const struct io_request *r UNUSED, struct resume_place *ret)
{
	*ret = (struct resume_place){.why = "by slot", .stream = "log", .order_known = true};
}

const struct frontend_resume nb_resume = {
	.place = place_request,
	.order = compare_slots,
	.order_known = is_order_known,
	.one_log = true,
	.ring_image = nb_ring_image,
};
