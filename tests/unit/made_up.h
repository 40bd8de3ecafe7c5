/* SPDX-License-Identifier: BSD-2-Clause
 *
 * made_up.h - a driver of a kind that is not decoded: it counts on barriers, and sends its copies
 * again.
 */
#ifndef XB_TESTS_MADE_UP_H
#define XB_TESTS_MADE_UP_H

#include "frontend/frontend.h"

static void place_made_up(
	const struct blkdev *d UNUSED, const struct io_request *r UNUSED, struct resume_place *ret)
{
	*ret = (struct resume_place){.why = "by slot", .stream = "all"};
}

static int order_made_up(
	const struct blkdev *d UNUSED, const struct io_request *a, const struct io_request *b)
{
	return io_request_by_slot(a, b);
}

static bool known_made_up(const struct blkdev *d UNUSED, const struct io_request *a UNUSED,
	const struct io_request *b UNUSED)
{
	return true;
}

static const struct frontend_resume resume_made_up = {.place = place_made_up,
	.order = order_made_up,
	.order_known = known_made_up,
	.counts_on_barriers = true};
static const struct frontend_ops made_up = {.name = "made-up", .resume = &resume_made_up};

#endif
