/* SPDX-License-Identifier: BSD-2-Clause
 *
 * confirm.c - is what the driver's list led to all there is, and is it what it seems?
 *
 * By what costs little and does not depend on that list: the guest's own bus has the same devices,
 * and so has the domain's configuration, where there is one; each ring satisfies the criteria by
 * which the structural scan takes one; the ring that is shared with the backend agrees with the
 * shadow. What cannot be looked at does not confirm.
 */
#include "frontend/linux/blkfront.h"

#include <string.h>

#include "frontend/agree.h"
#include "frontend/linux/scan_memory.h"
#include "kernel/linux_xenbus.h"

static struct blkdev *device_at(const struct snapshot *s, uint64_t va)
{
	size_t i;

	for (i = 0; i < s->nr_devices; i++)
		if (s->devices[i].va.v == va)
			return &s->devices[i];
	return NULL;
}

/* One of which the name cannot be read may be a disk. */
static bool may_be_disk(const struct linux_xenbus_device *x)
{
	return !*x->nodename || !strncmp(x->nodename, "device/vbd/", strlen("device/vbd/"));
}

static void compare_bus(struct snapshot *s, const struct linux_xenbus *bus)
{
	size_t i;

	for (i = 0; i < bus->nr; i++) {
		const struct linux_xenbus_device *x = &bus->v[i];
		struct blkdev *d = NULL;

		if (!may_be_disk(x) || !x->driver_data) /* no driver has it */
			continue;
		d = device_at(s, x->driver_data);
		if (d)
			d->confirmed_by |= BLK_CONFIRMED_BUS;
		else
			snapshot_doubt(s, "the guest's bus has %s, the driver's list does not",
				*x->nodename ? x->nodename : "a device without a name");
	}
	for (i = 0; i < s->nr_devices; i++)
		if (!(s->devices[i].confirmed_by & BLK_CONFIRMED_BUS))
			snapshot_doubt(s, "the driver's list has %s, the guest's bus does not",
				s->devices[i].name);
}

static int confirm_by_bus(const struct linux_kernel *k, struct snapshot *s, struct err *err)
{
	CLEANUP(linux_xenbus_free) struct linux_xenbus bus;
	struct err why = ERR_INIT;

	if (!linux_xenbus_read(k, &bus, &why)) {
		compare_bus(s, &bus);
		return 0;
	}
	if (why.cls == ERR_SYSTEM) {
		*err = why;
		return -1;
	}
	snapshot_doubt(s, "the guest's bus was not found: %s", why.text);
	return 0;
}

static void confirm_structure(struct scan *sc, struct blkdev *d)
{
	struct linux_ctx *c = sc->c;
	size_t i;

	if (!d->requests_known) {
		snapshot_doubt(c->s, "%s: a part of its rings was not found", d->name);
		return;
	}
	for (i = 0; i < d->nr_rings; i++)
		if (!scan_accepts(sc, gva_add(d->rings[i].va, c->l.ring_pvt.off), d->va)) {
			snapshot_doubt(
				c->s, "%s: ring %zu does not have a ring's structure", d->name, i);
			return;
		}
	d->confirmed_by |= BLK_CONFIRMED_STRUCTURE;
}

static int confirm_rings(struct snapshot *s, struct blkdev *d, struct err *err)
{
	const char *why;
	size_t i;

	for (i = 0; i < d->nr_rings; i++) {
		int rc = io_ring_agrees(d, &d->rings[i], &why);

		if (rc < 0)
			return err_nomem(err, "comparing a ring");
		if (rc) {
			snapshot_doubt(s, "%s: ring %zu: %s", d->name, i, why);
			return 0;
		}
	}
	d->confirmed_by |= BLK_CONFIRMED_RING;
	return 0;
}

int linux_confirm(const struct linux_kernel *k, const struct ckpt_info *config, struct linux_ctx *c,
	struct err *err)
{
	unsigned needed = BLK_CONFIRMED_BUS | BLK_CONFIRMED_STRUCTURE | BLK_CONFIRMED_RING;
	CLEANUP(scan_fini) struct scan sc;
	struct snapshot *s = c->s;
	size_t i;

	scan_init(&sc, c);
	if (confirm_by_bus(k, s, err))
		return -1;
	if (frontend_confirm_config(config, s))
		needed |= BLK_CONFIRMED_CONFIG;
	for (i = 0; i < s->nr_devices; i++) {
		struct blkdev *d = &s->devices[i];

		confirm_structure(&sc, d);
		if (confirm_rings(s, d, err))
			return -1;
		d->confirmed = (d->confirmed_by & needed) == needed;
	}
	if (!s->doubt)
		snapshot_how(s,
			"confirmed by the guest's bus,%s the rings' structure, and the rings "
			"that are shared",
			needed & BLK_CONFIRMED_CONFIG ? " the configuration," : "");
	return 0;
}
