/* SPDX-License-Identifier: BSD-2-Clause
 *
 * single.h - struct blkfront_info and struct blk_shadow of the kernels that have one ring a device,
 * which lies in the device's structure: before Linux 4.5, and XenLinux.
 */
#ifndef XB_FRONTEND_LINUX_SINGLE_H
#define XB_FRONTEND_LINUX_SINGLE_H

#include "frontend/linux/layout.h"

enum linux_single {
	LINUX_SINGLE_FRAMES,   /* frame[11]: XenLinux, and pvops up to 3.7 */
	LINUX_SINGLE_GRANTS,   /* and grants_used[11]: 3.8 and 3.9 */
	LINUX_SINGLE_LISTS,    /* grants_used[11] and sg[11]: 3.10 */
	LINUX_SINGLE_LISTS_20, /* the same with longer entries of sg, 32 bits */
	LINUX_SINGLE_LISTS_24,
	LINUX_SINGLE_POINTERS, /* to grants, indirect grants and sg: 3.11 to 4.3 */
	LINUX_SINGLE_PAGES,    /* and num_sg; rings of several pages: 4.4 */
	LINUX_SINGLE_INFLIGHT, /* with a flag behind it, by which 32 bits are longer: later 4.4 */
	LINUX_NR_SINGLE,
};

/* Offsets but ring_off are from the front ring. */
struct linux_single_shape {
	enum linux_single kind;
	unsigned word;
	unsigned ring_off; /* in struct blkfront_info */
	unsigned shadow_off, shadow_free_off;
};

/* False: kernels with such pointers have no slots of that kind. */
bool linux_single_possible(const struct linux_single_shape *s);
/* Bytes of a slot, and how many there are. */
uint32_t linux_single_slot(const struct linux_single_shape *s);
uint32_t linux_single_slots(const struct linux_single_shape *s);
/* Bytes from the shadow's end to shadow_free, without debugging. */
uint32_t linux_single_lists(const struct linux_single_shape *s);
/* Bytes from vdevice, behind gd and xbdev, to the front ring. */
uint32_t linux_single_facts(const struct linux_single_shape *s);
void linux_layout_single(struct linux_layout *l, const struct linux_single_shape *s);

#endif
