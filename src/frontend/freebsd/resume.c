/* SPDX-License-Identifier: BSD-2-Clause
 *
 * resume.c - xbd_suspend() lets what is on the ring come to an end, or refuses the suspension after
 * 30 seconds; xbd_resume() makes a new ring and starts what waits in the queues. A request that is
 * on the ring of a suspended guest is issued by nobody.
 */
#include "frontend/freebsd/blkfront.h"

static void place_request(
	const struct blkdev *d UNUSED, const struct io_request *r, struct resume_place *ret)
{
	*ret = (struct resume_place){.why = "on the ring: not issued again", .stream = "lost"};
	if (r->state == IO_QUEUED)
		*ret = (struct resume_place){
			.why = "queued in the driver", .stream = "queued", .copied_anew = true};
}

const struct frontend_resume fb_resume = {
	.place = place_request,
	.order = frontend_order_by_slot,
	.order_known = frontend_order_is_unknown,
	.suspend = FRONTEND_DRAINS,
};
