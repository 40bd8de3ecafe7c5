/* SPDX-License-Identifier: BSD-2-Clause
 *
 * pfn_set.h - a set of frame numbers below 2^64-1.
 */
#ifndef XB_GUEST_PFN_SET_H
#define XB_GUEST_PFN_SET_H

#include "base/err.h"

struct pfn_set;

int pfn_set_new(struct pfn_set **ret, struct err *err) MUST_CHECK;
void pfn_set_free(struct pfn_set *s);
void pfn_set_add(struct pfn_set *s, uint64_t pfn);
/* When memory ran out it holds everything: a page kept too many is harmless. */
bool pfn_set_has(const struct pfn_set *s, uint64_t pfn);

#endif
