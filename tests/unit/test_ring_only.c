/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Shared rings found by their shape alone: in real guests, whose rings are known by other means,
 * exactly those are found, and what waits in them is what the driver's own books say.
 */
#include "frontend/frontend.h"

#include <inttypes.h>

#include "real.h"

static void find(struct guest *g, const struct frontend_ops *ops, enum frontend_locate locate,
	struct snapshot *ret)
{
	const struct frontend_options opt = {.locate = locate};
	struct err err = ERR_INIT;
	struct kernel k;

	kernel_open(g, NULL, locate != FRONTEND_LOCATE_SCAN, &k);
	*ret = (struct snapshot){0};
	if (ops->find(g, &k, &opt, ret, &err))
		fail_msg("%s", err.text);
	kernel_close(&k);
}

/* The ring that begins in that page. */
static const struct io_ring *ring_at(
	const struct snapshot *s, uint64_t pfn, const struct blkdev **ret)
{
	size_t i, k;

	for (i = 0; i < s->nr_devices; i++)
		for (k = 0; k < s->devices[i].nr_rings; k++)
			if (s->devices[i].rings[k].pages[0].v == pfn) {
				*ret = &s->devices[i];
				return &s->devices[i].rings[k];
			}
	return NULL;
}

static const struct io_request *request_of(
	const struct blkdev *d, const struct io_ring *ring, uint64_t id)
{
	size_t i;

	for (i = 0; i < d->nr_requests; i++)
		if (d->requests[i].ring == ring->index && d->requests[i].id == id)
			return &d->requests[i];
	return NULL;
}

/* What the shape says of a request, the shadow says, too. */
static void compare_request(const struct io_request *r, const struct io_request *known)
{
	size_t i;

	assert_non_null(known);
	assert_int_equal(r->op, known->op);
	assert_int_equal(r->state, known->state);
	assert_int_equal(r->nr_sectors ? r->nr_sectors : known->nr_sectors, known->nr_sectors);
	if (known->sector_from != IO_SECTOR_UNKNOWN) {
		assert_int_equal(r->sector_from, IO_SECTOR_RING);
		assert_int_equal(r->sector, known->sector);
	}
	for (i = 0; i < r->nr_seg; i++) {
		assert_int_equal(r->seg[i].gref, known->seg[i].gref);
		assert_int_equal(r->seg[i].frame, IO_FRAME_UNKNOWN);
	}
}

static void compare_ring(const struct blkdev *d, const struct io_ring *ring,
	const struct blkdev *known, const struct io_ring *known_ring)
{
	size_t i, nr = 0;

	assert_int_equal(ring->sring_req_prod, known_ring->sring_req_prod);
	assert_int_equal(ring->sring_rsp_prod, known_ring->sring_rsp_prod);
	/* Of a ring that never went round nothing tells how long it is. */
	assert_true(ring->entries <= known_ring->entries);
	if (ring->sring_req_prod > known_ring->entries / 2)
		assert_int_equal(ring->entries, known_ring->entries);
	for (i = 0; i < d->nr_requests; i++) {
		if (d->requests[i].ring != ring->index)
			continue;
		compare_request(&d->requests[i], request_of(known, known_ring, d->requests[i].id));
		nr++;
	}
	assert_true(nr <= known_ring->nr_used);
	if (d->requests_known)
		assert_int_equal(nr, known_ring->nr_used);
}

static void rings_of(const char *name)
{
	struct snapshot known, found;
	size_t i, k, nr = 0, nr_found = 0;
	struct ckpt *ck;
	struct guest *g = real_open(name, &ck);

	find(g, &frontend_linux_blkfront, FRONTEND_LOCATE_SYMBOLS, &known);
	find(g, &frontend_ring_only, FRONTEND_LOCATE_SCAN, &found);
	for (i = 0; i < found.nr_devices; i++)
		for (k = 0; k < found.devices[i].nr_rings; k++) {
			const struct io_ring *ring = &found.devices[i].rings[k], *same;
			const struct blkdev *d = NULL;

			same = ring_at(&known, ring->pages[0].v, &d);
			if (!same)
				fail_msg("%s: a false ring at page 0x%" PRIx64, name,
					ring->pages[0].v);
			compare_ring(&found.devices[i], ring, d, same);
			nr_found++;
		}
	for (i = 0; i < known.nr_devices; i++)
		for (k = 0; k < known.devices[i].nr_rings; k++)
			nr += known.devices[i].rings[k].nr_used > 0;
	if (nr_found < nr)
		fail_msg("%s: %zu rings of %zu", name, nr_found, nr);
	snapshot_fini(&known);
	snapshot_fini(&found);
	real_close(g, ck);
}

static void real_rings(void **state UNUSED)
{
	static const char *const names[] = {"linux-6.1-base", "linux-6.1-ext4", "linux-6.1-flush",
		"linux-6.1-hvm", "linux-6.1-indirect", "linux-6.1-mq", "linux-6.1-nopersist",
		"linux-6.1-pvh", "linux-6.12-discard"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		rings_of(names[i]);
}

/* What looks for the structures of other drivers finds none of theirs. */
static void no_other_driver_in_linux(void **state UNUSED)
{
	static const char *const names[] = {"linux-6.1-mq", "linux-6.1-hvm", "linux-6.12-discard"};
	static const struct frontend_ops *const drivers[] = {&frontend_freebsd_blkfront,
		&frontend_netbsd_xenbus, &frontend_openbsd_xbf, &frontend_minios_blkfront,
		&frontend_unikraft_blkfront, &frontend_grub_xendisk, &frontend_windows_xenvbd};
	struct snapshot found;
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct ckpt *ck;
		struct guest *g = real_open(names[i], &ck);

		for (k = 0; k < ARRAY_SIZE(drivers); k++) {
			find(g, drivers[k], FRONTEND_LOCATE_SCAN, &found);
			assert_int_equal(found.nr_devices, 0);
			snapshot_fini(&found);
		}
		real_close(g, ck);
	}
}

/* Xen 2.0's ring is another one. */
static void none_in_xen2(void **state UNUSED)
{
	struct snapshot found;
	struct ckpt *ck;
	struct guest *g = real_open("xen2-netbsd", &ck);

	find(g, &frontend_ring_only, FRONTEND_LOCATE_SCAN, &found);
	assert_int_equal(found.nr_devices, 0);
	snapshot_fini(&found);
	real_close(g, ck);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_rings),
		cmocka_unit_test(no_other_driver_in_linux),
		cmocka_unit_test(none_in_xen2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
