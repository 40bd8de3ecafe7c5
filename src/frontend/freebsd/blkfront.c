/* SPDX-License-Identifier: BSD-2-Clause
 *
 * blkfront.c - FreeBSD's block frontend: by symbols of a kernel that is named, or by structure.
 */
#include "frontend/freebsd/blkfront.h"

#include "base/limits.h"
#include "frontend/array_driver.h"

static bool is_same(const void *device, const void *other)
{
	const struct fb_device *a = device, *b = other;

	return a->shadow.v == b->shadow.v;
}

static int find_xbd(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	static const struct array_driver how = {.os = "FreeBSD",
		.device_bytes = sizeof(struct fb_device),
		.max_devices = FREEBSD_MAX_DEVICES,
		.match = fb_match,
		.is_same = is_same,
		.by_symbols = fb_by_symbols,
		.decode = fb_decode};

	return array_driver_find(g, k, opt, &how, s, err);
}

const struct frontend_ops frontend_freebsd_blkfront = {
	.name = "freebsd-blkfront",
	.looks_for = "FreeBSD's xbd or xb, by symbols or by its array of commands",
	.find = find_xbd,
	.resume = &fb_resume,
};
