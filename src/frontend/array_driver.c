/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/array_driver.h"

#include <string.h>

#include "base/limits.h"

struct device_array {
	const struct array_driver *how;
	uint8_t *v; /* of how->device_bytes each */
	size_t nr, max;
};

static void *device_at(const struct device_array *a, size_t i)
{
	return a->v + i * a->how->device_bytes;
}

static bool is_known(const struct device_array *a, const void *device)
{
	size_t i;

	for (i = 0; i < a->nr; i++)
		if (a->how->is_same(device_at(a, i), device))
			return true;
	return false;
}

/* A device is made where it will stand. */
static int search_structure(struct guest *g, struct device_array *a, struct err *err)
{
	CLEANUP(front_rings_fini) struct front_rings rings = {0};
	size_t i;

	if (front_rings_find(g, &rings, err))
		return -1;
	for (i = 0; i < rings.nr && a->nr < a->max; i++) {
		void *device = device_at(a, a->nr);

		if (a->how->match(g, &rings.v[i], device) && !is_known(a, device))
			a->nr++;
	}
	return 0;
}

static enum blk_located search_symbols(
	struct guest *g, const struct kernel *k, struct device_array *a, struct snapshot *s)
{
	struct err why = ERR_INIT;

	if (a->how->by_symbols(g, kernel_symbols(k), a->v, a->max, &a->nr, &why))
		snapshot_how(s, "xbd: %s", why.text);
	return k->file ? BLK_BY_ELF_SYMBOLS : BLK_BY_KSYMS;
}

int array_driver_find(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	const struct array_driver *how, struct snapshot *s, struct err *err)
{
	CLEANUP_FREE uint8_t *v = NULL;
	struct device_array a = {.how = how,
		.max = limit_in_guest(
			how->max_devices, memory_info(guest_memory(g)).nr_data_pages, PAGE_BYTES)};
	enum blk_located by = BLK_BY_SCAN;
	size_t i;

	if (s->nr_devices || (*k->facts->os && strcmp(k->facts->os, how->os) != 0))
		return 0;
	a.v = v = calloc(a.max, how->device_bytes);
	if (!v)
		return err_nomem(err, "the devices found");
	if (kernel_symbols(k) && opt->locate != FRONTEND_LOCATE_SCAN)
		by = search_symbols(g, k, &a, s);
	if (!a.nr && opt->locate != FRONTEND_LOCATE_SYMBOLS) {
		by = BLK_BY_SCAN;
		if (search_structure(g, &a, err))
			return -1;
		s->every_page = true;
	}
	for (i = 0; i < a.nr; i++) {
		if (how->decode(g, device_at(&a, i), opt->config, s, err))
			return -1;
		s->devices[s->nr_devices - 1].located_by = by;
	}
	return 0;
}
