/* SPDX-License-Identifier: BSD-2-Clause
 *
 * array_driver.h - drivers that keep their requests in an array, which proves itself beside the
 * front ring: found by symbols of the kernel, or among all front rings.
 */
#ifndef XB_FRONTEND_ARRAY_DRIVER_H
#define XB_FRONTEND_ARRAY_DRIVER_H

#include "frontend/front_ring.h"
#include "frontend/frontend.h"

/* A device is a structure of the family's own, of `device_bytes`. */
struct array_driver {
	const char *os; /* the kernel that has the driver */
	size_t device_bytes, max_devices;
	/* Is the ring that of such a device? Fill what was found. */
	bool (*match)(struct guest *g, const struct front_ring *r, void *device);
	bool (*is_same)(const void *device, const void *other);
	/* Append devices to the array at v. ERR_NOTFOUND: the symbols lead nowhere. */
	int (*by_symbols)(struct guest *g, const struct symbols *symbols, void *v, size_t max,
		size_t *nr, struct err *err);
	/* Append the one device to s; how it was located is filled in by the caller. */
	int (*decode)(struct guest *g, const void *device, const struct ckpt_info *config,
		struct snapshot *s, struct err *err);
};

/* What a driver's `find` has to do. */
int array_driver_find(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	const struct array_driver *how, struct snapshot *s, struct err *err) MUST_CHECK;

#endif
