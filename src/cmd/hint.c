/* SPDX-License-Identifier: BSD-2-Clause
 *
 * hint.c - what an error means for the caller: the exit status, and what would help, in the words
 * of the command line.
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
	{"domain", "'xl list' shows those that there are"},
	{"force", "--force replaces it"},
	{"elf", "an ELF file of the same memory can be redacted"},
	{"empty", "look for the whole file, or save again"},
	{"formats", "'xbdsnap help formats' lists what can be opened"},
	{"frontend", "'xbdsnap help formats' lists the drivers that are known, --kernel=FILE gives "
		     "the kernel's symbols"},
	{"holes", "--holes=zero fills it"},
	{"nbd", "build it with libnbd"},
	{"max-size", "--max-size=SIZE allows more"},
	{"offset", "--offset=BYTES opens what begins there"},
	{"revert", "replay --revert does that"},
	{"said", NULL}, /* the text says it itself */
	{"skip-unknown", "--skip-unknown leaves such requests out"},
	{"no-ring", "without --ring it says what will be issued"},
	{"xen", "build it with the Xen libraries"},
};

/* What to do next where the error itself has no word for it. */
static const char *next_step(enum err_class cls)
{
	switch (cls) {
	case ERR_CORRUPT:
		return "look for another copy of it";
	case ERR_UNSUPPORTED:
		return "'xbdsnap help formats' says what is known";
	case ERR_NODATA:
		return "another checkpoint of the guest may have it";
	case ERR_NOTFOUND:
		return "'xbdsnap info' says what is there";
	default:
		return NULL;
	}
}

const char *cmd_hint(const struct err *err)
{
	size_t i;

	for (i = 0; err->override && i < ARRAY_SIZE(hints); i++)
		if (!strcmp(err->override, hints[i].word))
			return hints[i].text;
	return next_step(err->cls);
}

const char *cmd_hint_word(const char *text)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hints); i++)
		if (!strcmp(text, hints[i].word))
			return hints[i].word;
	return NULL;
}

int cmd_status_of(const struct err *err)
{
	switch (err->cls) {
	case ERR_USAGE:
		return CMD_USAGE;
	case ERR_REFUSED:
		return CMD_UNSAFE;
	case ERR_UNSUPPORTED:
	case ERR_NODATA:
	case ERR_NOTFOUND:
		return CMD_UNDETERMINED;
	case ERR_CORRUPT:
		return CMD_CORRUPT;
	default:
		return CMD_FAILED;
	}
}
