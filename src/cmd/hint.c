/* SPDX-License-Identifier: BSD-2-Clause
 *
 * hint.c - what would help, in the words of the command line.
 */
#include <string.h>

#include "cmd/cmd.h"

/* The words of err_override(): --allow=WORD, and other options. */
static const struct {
	const char *word, *text;
} hints[] = {
	{"as-disk", "validate and replay take a disk: --disk=VDEV=[FORMAT:]PATH"},
	{"capacity", "--allow=capacity goes on all the same"},
	{"changed", "--allow=changed goes on all the same"},
	{"disk", "--disk=VDEV=PATH names it"},
	{"findings", "--allow=findings goes on all the same"},
	{"force", "--force replaces it"},
	{"hole", "--allow=hole leaves it out"},
	{"holes", "--holes=zero fills it"},
	{"identity", "--allow=identity goes on all the same"},
	{"in-use", "--allow=in-use goes on all the same"},
	{"overlap", "--allow=overlap takes the plan's order"},
	{"revert", "replay --revert does that"},
	{"size", "--allow=size leaves it out"},
	{"skip-unknown", "--skip-unknown leaves such requests out"},
};

const char *cmd_hint(const struct err *err)
{
	size_t i;

	for (i = 0; err->override && i < ARRAY_SIZE(hints); i++)
		if (!strcmp(err->override, hints[i].word))
			return hints[i].text;
	return NULL;
}
