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

/* Room for one more: arrays grow when their length is a power of two. */
static void *grow_array(void *array, size_t nr, size_t each)
{
	return nr & (nr - 1) ? array : realloc(array, (nr ? nr * 2 : 1) * each);
}

struct who *who_append(struct who **array, size_t *nr)
{
	struct who *grown = grow_array(*array, *nr, sizeof(*grown));

	if (!grown)
		return NULL;
	*array = grown;
	grown += (*nr)++;
	*grown = (struct who){.inode = WHO_UNKNOWN_U64, .position = WHO_UNKNOWN_U64};
	return grown;
}

struct who_layer *who_add_layer(struct who *w)
{
	struct who_layer *grown = grow_array(w->layers, w->nr_layers, sizeof(*grown));

	if (!grown)
		return NULL;
	w->layers = grown;
	grown += w->nr_layers++;
	*grown = (struct who_layer){.sector = WHO_UNKNOWN_U64};
	return grown;
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
