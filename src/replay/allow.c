/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay/allow.h"

#include <string.h>

#define NAME_OF(id, name, effect) name,
static const char *const names[] = {REPLAY_ALLOWS(NAME_OF)};

unsigned replay_allow_by_name(const char *name)
{
	unsigned i;

	for (i = 0; i < REPLAY_NR_ALLOWS; i++)
		if (!strcmp(names[i], name))
			return 1u << i;
	return 0;
}

const char *replay_allow_name(unsigned bit)
{
	unsigned i;

	for (i = 0; i < REPLAY_NR_ALLOWS; i++)
		if (bit == 1u << i)
			return names[i];
	return NULL;
}
