/* SPDX-License-Identifier: BSD-2-Clause
 *
 * seen.h - looking at the findings that something has earned.
 */
#ifndef XB_TESTS_UNIT_SEEN_H
#define XB_TESTS_UNIT_SEEN_H

#include <string.h>

#include "base/finding.h"

/* How many findings of that rule were added, stored or not. */
static inline uint64_t finding_seen(const struct finding_list *list, const char *rule)
{
	size_t i;

	for (i = 0; i < list->nr_counts; i++)
		if (!strcmp(list->counts[i].rule, rule))
			return list->counts[i].seen;
	return 0;
}

#endif
