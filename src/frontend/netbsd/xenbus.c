/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xenbus.c - NetBSD's block frontend of Xen 3 and newer: by symbols of a kernel that is named, or
 * by structure; and what it does when it resumes.
 *
 * xbd_xenbus_suspend() waits until the disk is not busy, and xbd_xenbus_resume() makes a new ring.
 * A flush (DIOCCACHESYNC) does not make the disk busy: it is not waited for, and who made it waits
 * for ever.
 */
#include "frontend/netbsd/xenbus.h"

#include "base/limits.h"
#include "frontend/array_driver.h"

static bool is_same(const void *device, const void *other)
{
	const struct nx_device *a = device, *b = other;

	return a->ring.shared.pages[0].v == b->ring.shared.pages[0].v;
}

static int find_xbd(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	static const struct array_driver how = {.os = "NetBSD",
		.device_bytes = sizeof(struct nx_device),
		.max_devices = NETBSD_MAX_DEVICES,
		.match = nx_match,
		.is_same = is_same,
		.by_symbols = nx_by_symbols,
		.decode = nx_decode};

	return array_driver_find(g, k, opt, &how, s, err);
}

static void place_request(
	const struct blkdev *d UNUSED, const struct io_request *r UNUSED, struct resume_place *ret)
{
	*ret = (struct resume_place){.why = "on the ring: not issued again", .stream = "lost"};
}

static const struct frontend_resume resume = {
	.place = place_request,
	.order = frontend_order_by_slot,
	.order_known = frontend_order_is_unknown,
	.suspend = FRONTEND_DRAINS,
	.forgets_flushes = true,
};

const struct frontend_ops frontend_netbsd_xenbus = {
	.name = "netbsd-xenbus",
	.looks_for = "NetBSD's xbd of Xen 3 and newer, by symbols or by its array of requests",
	.find = find_xbd,
	.resume = &resume,
};
