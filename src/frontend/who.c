/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/who.h"

#include <string.h>

const char *who_kind_name(enum who_kind kind)
{
	static const char *const names[] = {
		[WHO_UNKNOWN] = "unknown",
		[WHO_DIRECT] = "direct",
		[WHO_DEVICE] = "device",
		[WHO_WRITE_BACK] = "write-back",
		[WHO_CACHE_READ] = "cache-read",
		[WHO_DEVICE_CACHE] = "device-cache",
		[WHO_METADATA] = "metadata",
		[WHO_JOURNAL] = "journal",
		[WHO_SWAP] = "swap",
		[WHO_FLUSH] = "flush",
		[WHO_DISCARD] = "discard",
	};

	return names[kind];
}

void who_fini(struct who *w)
{
	free(w->cgroup);
	free(w->path);
	free(w->layers);
	free(w->lost);
	*w = (struct who){0};
}

struct who *who_append(struct who **array, size_t *nr)
{
	struct who *w = util_append_zeroed(array, nr, sizeof(*w));

	if (w)
		w->inode = w->position = WHO_UNKNOWN_U64;
	return w;
}

struct who_layer *who_add_layer(struct who *w)
{
	struct who_layer *layer = util_append_zeroed(&w->layers, &w->nr_layers, sizeof(*layer));

	if (layer)
		layer->sector = WHO_UNKNOWN_U64;
	return layer;
}

void who_lost(struct who *w, const char *fmt, ...)
{
	va_list ap;

	if (w->lost)
		return;
	va_start(ap, fmt);
	if (vasprintf(&w->lost, fmt, ap) < 0)
		w->lost = NULL;
	va_end(ap);
}
