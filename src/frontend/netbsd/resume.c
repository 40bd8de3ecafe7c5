/* SPDX-License-Identifier: BSD-2-Clause
 *
 * resume.c - what the driver does with its pending requests when the guest resumes.
 *
 * One log serves all disks of the interface: rec_ring_recover() goes through its slots. Xen 2.0 has
 * no barriers.
 */
#include "frontend/netbsd/xbd.h"

static void place_request(
	const struct blkdev *d UNUSED, const struct io_request *r UNUSED, struct resume_place *ret)
{
	*ret = (struct resume_place){.why = "by slot", .stream = "log", .order_known = true};
}

const struct frontend_resume nb_resume = {
	.place = place_request,
	.order = frontend_order_by_slot,
	.order_known = frontend_order_is_known,
	.one_log = true,
	.ring_image = nb_ring_image,
};
