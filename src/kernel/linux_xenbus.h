/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_xenbus.h - the devices that Xen gave a Linux guest, as the kernel's own bus lists them.
 *
 * It knows of them whether or not a driver does, and no driver's list is involved.
 */
#ifndef XB_KERNEL_LINUX_XENBUS_H
#define XB_KERNEL_LINUX_XENBUS_H

#include "kernel/linux.h"

struct linux_xenbus_device {
	char nodename[64];    /* in xenstore, below the guest's own directory: "device/vbd/51712" */
	uint64_t driver_data; /* the structure of the driver that has it; 0: none has */
};

struct linux_xenbus {
	struct linux_xenbus_device *v;
	size_t nr, cap;
};

/*
 * The whole list, or -1: it is not to be found (ERR_NOTFOUND), it breaks off (ERR_CORRUPT), or
 * there is no memory (ERR_SYSTEM). To be freed in any case.
 */
int linux_xenbus_read(
	const struct linux_kernel *k, struct linux_xenbus *ret, struct err *err) MUST_CHECK;
void linux_xenbus_free(struct linux_xenbus *x);

#endif
