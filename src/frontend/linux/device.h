/* SPDX-License-Identifier: BSD-2-Clause
 *
 * device.h - a device of xen-blkfront: its facts and its rings.
 */
#ifndef XB_FRONTEND_LINUX_DEVICE_H
#define XB_FRONTEND_LINUX_DEVICE_H

#include "frontend/request.h"
#include "guest/layout.h"

/* Where the kernel has what it knows of a disk. */
struct linux_disk_layout {
	/* struct gendisk, and what holds its size: itself, or a struct block_device */
	struct field name, part0, part0_nr_sects;
	struct field nr_sectors, read_only, flags;
	/* struct request_queue, elevator_queue, elevator_type */
	struct field logical_size, physical_size, requeue_list, elevator;
	struct field elevator_type, elevator_name;
	/* struct xenbus_device */
	struct field nodename, otherend_id;
};
/* `types` NULL: what never differed. */
void linux_disk_layout(const struct layout *types, struct linux_disk_layout *ret);

/* A shadow slot is 160 bytes; debugging options may enlarge it. Ours to choose. */
#define LINUX_MAX_SLOT_BYTES 1024u

struct linux_ctx;
/* Fills d from the struct blkfront_info at `info`; -1 only without memory. */
int linux_decode_device(
	struct linux_ctx *c, gva_t info, struct blkdev *d, struct err *err) MUST_CHECK;

/* Ring `index` of d, whose struct blkfront_ring_info is at `va`, with its pending requests. */
int linux_decode_ring(struct linux_ctx *c, gva_t info, struct blkdev *d, unsigned index, gva_t va,
	uint32_t entries, struct err *err) MUST_CHECK;

/* Name by vdevice number: xvd major or the extended form. False: neither. */
bool linux_vdev_name(uint64_t vdevice, char *buf, size_t cap);
/* Name of the struct gendisk at `gd`. False: what stands there is none. */
bool linux_disk_name(struct linux_ctx *c, uint64_t gd, char *buf, size_t cap);

#endif
