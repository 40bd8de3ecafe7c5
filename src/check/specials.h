/* SPDX-License-Identifier: BSD-2-Clause
 *
 * specials.h - frames of the guest with a special purpose.
 */
#ifndef XB_CHECK_SPECIALS_H
#define XB_CHECK_SPECIALS_H

#include "guest/memory.h"

/* A frame that data requests must not touch. */
struct check_special {
	uint64_t pfn;
	const char *what; /* static text: "p2m page" */
};

/* Frames with a special purpose. PV: p2m pages, start_info, the store and console rings that it
 * names, the suspend record of Xen 2. HVM and PVH: the pages that the HVM parameters name. *ret is
 * a malloc'ed array, ascending. */
int check_specials(
	struct memory m, struct check_special **ret, size_t *nr, struct err *err) MUST_CHECK;

#endif
