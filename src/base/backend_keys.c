/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/backend_keys.h"

#include <string.h>

static const char *const names[BACKEND_NR_KEYS] = {
	[BACKEND_FLUSH] = "feature-flush-cache",
	[BACKEND_BARRIER] = "feature-barrier",
	[BACKEND_DISCARD] = "feature-discard",
	[BACKEND_SECURE_DISCARD] = "discard-secure",
	[BACKEND_PERSISTENT] = "feature-persistent",
	[BACKEND_MAX_INDIRECT_SEGMENTS] = "feature-max-indirect-segments",
	[BACKEND_MAX_QUEUES] = "multi-queue-max-queues",
	[BACKEND_MAX_RING_PAGE_ORDER] = "max-ring-page-order",
	[BACKEND_SECTOR_BYTES] = "sector-size",
	[BACKEND_SECTORS] = "sectors",
	[BACKEND_MODE] = "mode",
};

const char *backend_key_name(enum backend_key key)
{
	return names[key];
}

enum backend_key backend_key_by_name(const char *name)
{
	unsigned i;

	for (i = 0; i < BACKEND_NR_KEYS; i++)
		if (!strcmp(names[i], name))
			break;
	return i;
}
