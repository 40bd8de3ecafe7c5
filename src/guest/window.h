/* SPDX-License-Identifier: BSD-2-Clause
 *
 * window.h - searching the kernel's image as the guest maps it (x86).
 *
 * A 64-bit kernel lies in the top 2 GiB of the address space, at a random place there when it is
 * randomised; a 32-bit one near the start of the direct map, unless it was moved. What we look for
 * is read-only data; when nothing is mapped read-only and no-execute (large pages, early boot, no
 * such bit in the tables), every page of the window is searched. None of this counts as a read that
 * the analysis depends on.
 */
#ifndef XB_GUEST_WINDOW_H
#define XB_GUEST_WINDOW_H

#include "guest/guest.h"

struct window {
	gva_t start, end; /* inclusive */
};
/* Where the image may lie, the likeliest place first. False: there is no place `index`. */
bool window_at(const struct guest *g, unsigned index, struct window *ret);

/* Call fn for each occurrence, in ascending order, also across page borders; false stops. */
void window_search(struct guest *g, struct window in, const void *needle, size_t len,
	bool (*fn)(void *arg, gva_t at), void *arg);

/* The same, in data that is written too. */
void window_search_all(struct guest *g, struct window in, const void *needle, size_t len,
	bool (*fn)(void *arg, gva_t at), void *arg);

/* Copy up to cap bytes that end at `end` and are mapped without a gap; returns how many, and in
 * ret_start where they begin (page-aligned, or cap-limited). */
size_t window_peek_back(struct guest *g, gva_t end, uint8_t *buf, size_t cap, gva_t *ret_start);

#endif
