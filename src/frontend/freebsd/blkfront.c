/* SPDX-License-Identifier: BSD-2-Clause
 *
 * blkfront.c - FreeBSD's block frontend: by symbols of a kernel that is named, or by structure.
 */
#include "frontend/freebsd/blkfront.h"

#include <string.h>

#include "base/limits.h"

static bool is_known(const struct fb_device *v, size_t nr, const struct fb_device *f)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (v[i].shadow.v == f->shadow.v)
			return true;
	return false;
}

static int by_structure(
	struct guest *g, struct fb_device *ret, size_t max, size_t *nr, struct err *err)
{
	CLEANUP(front_rings_fini) struct front_rings rings = {0};
	struct fb_device f;
	size_t i;

	if (front_rings_find(g, &rings, err))
		return -1;
	for (i = 0; i < rings.nr && *nr < max; i++)
		if (fb_match(g, &rings.v[i], &f) && !is_known(ret, *nr, &f)) {
			f.by = BLK_BY_SCAN;
			ret[(*nr)++] = f;
		}
	return 0;
}

static void by_symbols(struct guest *g, const struct kernel *k, struct fb_device *ret, size_t max,
	size_t *nr, struct snapshot *s)
{
	struct err why = ERR_INIT;
	size_t i;

	if (fb_by_symbols(g, kernel_symbols(k), ret, max, nr, &why))
		snapshot_how(s, "xbd: %s", why.text);
	for (i = 0; i < *nr; i++)
		ret[i].by = k->file ? BLK_BY_ELF_SYMBOLS : BLK_BY_KSYMS;
}

static int find_xbd(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	CLEANUP_FREE struct fb_device *v = NULL;
	size_t max = limit_in_guest(
		FREEBSD_MAX_DEVICES, memory_info(guest_memory(g)).nr_data_pages, PAGE_BYTES);
	size_t nr = 0, i;

	if (s->nr_devices || (*k->facts->os && strcmp(k->facts->os, "FreeBSD") != 0))
		return 0;
	v = calloc(max, sizeof(*v));
	if (!v)
		return err_nomem(err, "the devices found");
	if (kernel_symbols(k) && opt->locate != FRONTEND_LOCATE_SCAN)
		by_symbols(g, k, v, max, &nr, s);
	if (!nr && opt->locate != FRONTEND_LOCATE_SYMBOLS) {
		if (by_structure(g, v, max, &nr, err))
			return -1;
		s->every_page = true;
	}
	for (i = 0; i < nr; i++)
		if (fb_decode(g, &v[i], opt->config, s, err))
			return -1;
	return 0;
}

const struct frontend_ops frontend_freebsd_blkfront = {
	.name = "freebsd-blkfront",
	.looks_for = "FreeBSD's xbd or xb, by symbols or by its array of commands",
	.find = find_xbd,
	.resume = &fb_resume,
};
