/* SPDX-License-Identifier: BSD-2-Clause
 *
 * hint.c - what would help, in the words of the command line.
 */
#include <string.h>

#include "cmd/cmd.h"
#include "replay/allow.h"

/* The words of err_override(). */
#define ALLOW_HINT(id, name, effect) {name, "--allow=" name " " effect},

static const struct {
	const char *word, *text;
} hints[] = {
	/* clang-format off */
	REPLAY_ALLOWS(ALLOW_HINT)
	/* clang-format on */
	{"as-disk", "validate and replay take a disk: --disk=VDEV=[FORMAT:]PATH"},
	{"disk", "--disk=VDEV=PATH names it"},
	{"force", "--force replaces it"},
	{"holes", "--holes=zero fills it"},
	{"revert", "replay --revert does that"},
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
