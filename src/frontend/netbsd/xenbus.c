/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xenbus.c - NetBSD's block frontend of Xen 3 and newer: by symbols of a kernel that is named, or
 * by structure; and what it does when it resumes.
 *
 * xbd_xenbus_suspend() waits until the disk is not busy, and xbd_xenbus_resume() makes a new ring.
 * A flush (DIOCCACHESYNC) does not make the disk busy: it is not waited for, and who made it waits
 * for ever.
 */
#include "frontend/netbsd/xenbus.h"

#include <string.h>

#include "base/limits.h"

static bool is_known(const struct nx_device *v, size_t nr, const struct nx_device *n)
{
	size_t i;

	for (i = 0; i < nr; i++)
		if (v[i].ring.shared.pages[0].v == n->ring.shared.pages[0].v)
			return true;
	return false;
}

static int by_structure(
	struct guest *g, struct nx_device *ret, size_t max, size_t *nr, struct err *err)
{
	CLEANUP(front_rings_fini) struct front_rings rings = {0};
	struct nx_device n;
	size_t i;

	if (front_rings_find(g, &rings, err))
		return -1;
	for (i = 0; i < rings.nr && *nr < max; i++)
		if (nx_match(g, &rings.v[i], &n) && !is_known(ret, *nr, &n)) {
			n.by = BLK_BY_SCAN;
			ret[(*nr)++] = n;
		}
	return 0;
}

static void by_symbols(struct guest *g, const struct kernel *k, struct nx_device *ret, size_t max,
	size_t *nr, struct snapshot *s)
{
	struct err why = ERR_INIT;
	size_t i;

	if (nx_by_symbols(g, kernel_symbols(k), ret, max, nr, &why))
		snapshot_how(s, "xbd: %s", why.text);
	for (i = 0; i < *nr; i++)
		ret[i].by = k->file ? BLK_BY_ELF_SYMBOLS : BLK_BY_KSYMS;
}

static int find_xbd(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	CLEANUP_FREE struct nx_device *v = NULL;
	size_t max = limit_in_guest(
		NETBSD_MAX_DEVICES, memory_info(guest_memory(g)).nr_data_pages, PAGE_BYTES);
	size_t nr = 0, i;

	if (s->nr_devices || (*k->facts->os && strcmp(k->facts->os, "NetBSD") != 0))
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
		if (nx_decode(g, &v[i], opt->config, s, err))
			return -1;
	return 0;
}

static void place_request(
	const struct blkdev *d UNUSED, const struct io_request *r UNUSED, struct resume_place *ret)
{
	*ret = (struct resume_place){.why = "on the ring: not issued again", .stream = "lost"};
}

static int compare_slots(
	const struct blkdev *d UNUSED, const struct io_request *a, const struct io_request *b)
{
	return io_request_by_slot(a, b);
}

static bool is_order_known(const struct blkdev *d UNUSED, const struct io_request *a UNUSED,
	const struct io_request *b UNUSED)
{
	return false;
}

static const struct frontend_resume resume = {
	.place = place_request,
	.order = compare_slots,
	.order_known = is_order_known,
	.suspend = FRONTEND_DRAINS,
	.forgets_flushes = true,
};

const struct frontend_ops frontend_netbsd_xenbus = {
	.name = "netbsd-xenbus",
	.looks_for = "NetBSD's xbd of Xen 3 and newer, by symbols or by its array of requests",
	.find = find_xbd,
	.resume = &resume,
};
