/* SPDX-License-Identifier: BSD-2-Clause
 *
 * learn.h - what pending requests tell of their kernel, where its types are not known: the size of
 * an entry of a scatter list, and where the array of struct page lies.
 */
#ifndef XB_FRONTEND_LINUX_LEARN_H
#define XB_FRONTEND_LINUX_LEARN_H

#include "frontend/linux/ctx.h"

/* Addresses whose frames are in use: those of the driver's structures. */
#define LEARN_MAX_USED 48u

struct linux_learn {
	struct linux_page_pointers pointers;
	uint32_t slots_left; /* to look at */
	gva_t used[LEARN_MAX_USED];
	size_t nr_used;
};

void linux_learn_init(struct linux_learn *l);
/* From the device at `info`, whose layout c->l is. */
void linux_learn_device(struct linux_ctx *c, gva_t info, struct linux_learn *l);
/* When all devices were looked at: sets c->pages where it can be told. */
void linux_learn_pages(struct linux_ctx *c, const struct linux_learn *l);

#endif
