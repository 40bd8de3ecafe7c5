/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Way: bus_kset (drivers/base/bus.c) holds the kobject of every bus's subsys_private; that of the
 * bus named "xen" (drivers/xen/xenbus/xenbus_probe_frontend.c) has a klist of devices. Up to Linux
 * 6.2 struct bus_type points to its subsys_private; since then only bus_kset leads there, and it
 * did so before as well.
 */
#include "kernel/linux_xenbus.h"

#include <inttypes.h>
#include <string.h>

/* A PC has some forty buses. */
#define MAX_BUSES 4096u
/* A guest has as many devices as somebody attached. */
#define MAX_DEVICES 65536u
/* lib/klist.c: an entry that is only still there because somebody looks at it. */
#define KNODE_DEAD 1u

struct bus_layout {
	/* struct kset, kobject, subsys_private, bus_type */
	struct field kset_list, kset_kobj, kobj_entry, private_subsys, private_bus, private_devices;
	struct field bus_name;
	/* struct klist, klist_node, device_private, device, xenbus_device */
	struct field klist_list, node_list, node_klist, private_node, private_device;
	struct field driver_data, xen_dev, xen_nodename;
	struct field subsys_until, bus_until,
		devices_until;		  /* struct bus_type_private, to 2.6.38 */
	struct field private_driver_data; /* from 2.6.31 to 3.15 in struct device_private */
};

#define ROW(type, member, dest, required)                                                          \
	{                                                                                          \
		type, member, offsetof(struct bus_layout, dest), required                          \
	}
#define NEED(type, member, dest) ROW(type, member, dest, true)
#define MAY(type, member, dest)	 ROW(type, member, dest, false)

static const struct field_spec specs[] = {
	NEED("kset", "list", kset_list),
	NEED("kset", "kobj", kset_kobj),
	NEED("kobject", "entry", kobj_entry),
	MAY("subsys_private", "subsys", private_subsys),
	MAY("subsys_private", "bus", private_bus),
	MAY("subsys_private", "klist_devices", private_devices),
	MAY("bus_type_private", "subsys", subsys_until),
	MAY("bus_type_private", "bus", bus_until),
	MAY("bus_type_private", "klist_devices", devices_until),
	NEED("bus_type", "name", bus_name),
	NEED("klist", "k_list", klist_list),
	NEED("klist_node", "n_node", node_list),
	NEED("klist_node", "n_klist", node_klist),
	NEED("device_private", "knode_bus", private_node),
	NEED("device_private", "device", private_device),
	MAY("device", "driver_data", driver_data),
	MAY("device_private", "driver_data", private_driver_data),
	NEED("xenbus_device", "dev", xen_dev),
	NEED("xenbus_device", "nodename", xen_nodename),
};

struct bus_walk {
	struct guest *g;
	struct bus_layout l;
	uint64_t devices; /* address of the bus's list_head; 0: not found yet */
	struct linux_xenbus *ret;
};

/*
 * Walk a struct list_head; fn gets each node and stops the walk with a non-zero return, which is
 * returned. -1: the list cannot be followed back to its head.
 */
static int walk_list(struct bus_walk *w, uint64_t head, unsigned max,
	int (*fn)(struct bus_walk *w, uint64_t node, struct err *err), struct err *err)
{
	uint64_t node = head;
	unsigned i;

	for (i = 0; i < max; i++) {
		int rc;

		if (guest_read_word(w->g, GVA(node), &node, err))
			return -1;
		if (node == head)
			return 0;
		if (!guest_is_kernel_addr(w->g, node))
			break;
		rc = fn(w, node, err);
		if (rc)
			return rc;
	}
	return err_set(
		err, ERR_CORRUPT, "the list at 0x%" PRIx64 " does not lead back to its head", head);
}

static bool read_text(struct bus_walk *w, gva_t base, const struct field *f, char *buf, size_t cap)
{
	uint64_t text;

	return !layout_read(w->g, base, f, &text, NULL) && text &&
	       !guest_read_str(w->g, GVA(text), buf, cap, NULL);
}

static int is_xen(struct bus_walk *w, uint64_t node, struct err *err UNUSED)
{
	const struct bus_layout *l = &w->l;
	uint64_t private = node - l->kobj_entry.off - l->kset_kobj.off - l->private_subsys.off, bus;
	char name[8];

	if (layout_read(w->g, GVA(private), &l->private_bus, &bus, NULL) ||
		!read_text(w, GVA(bus), &l->bus_name, name, sizeof(name)) || strcmp(name, "xen"))
		return 0;
	w->devices = private + l->private_devices.off + l->klist_list.off;
	return 1;
}

/* A path in xenstore is printable, or it is none. */
static void read_nodename(struct bus_walk *w, gva_t xen, struct linux_xenbus_device *d)
{
	size_t i;

	if (!read_text(w, xen, &w->l.xen_nodename, d->nodename, sizeof(d->nodename)))
		d->nodename[0] = '\0';
	for (i = 0; d->nodename[i]; i++)
		if (d->nodename[i] <= ' ' || d->nodename[i] > '~')
			d->nodename[0] = '\0';
}

static int note_device(struct bus_walk *w, uint64_t node, struct err *err)
{
	const struct bus_layout *l = &w->l;
	struct linux_xenbus *x = w->ret;
	gva_t knode = GVA(node - l->node_list.off), private = GVA(knode.v - l->private_node.off);
	uint64_t dev;

	if (layout_read_or(w->g, knode, &l->node_klist, KNODE_DEAD) & KNODE_DEAD)
		return 0;
	if (util_grow(&x->v, &x->cap, x->nr + 1, sizeof(*x->v)))
		return err_nomem(err, "the devices of xenbus");
	if (layout_read(w->g, private, &l->private_device, &dev, err) ||
		layout_read(w->g, l->driver_data.present ? GVA(dev) : private,
			l->driver_data.present ? &l->driver_data : &l->private_driver_data,
			&x->v[x->nr].driver_data, err))
		return -1;
	read_nodename(w, GVA(dev - l->xen_dev.off), &x->v[x->nr]);
	x->nr++;
	return 0;
}

static int fill_layout(const struct layout *types, struct bus_layout *l, struct err *err)
{
	if (layout_fill(types, specs, ARRAY_SIZE(specs), l, err))
		return -1;
	if (!l->private_subsys.present) {
		l->private_subsys = l->subsys_until;
		l->private_bus = l->bus_until;
		l->private_devices = l->devices_until;
	}
	if (!l->private_subsys.present || !l->private_bus.present || !l->private_devices.present)
		return err_set(
			err, ERR_NOTFOUND, "%s have no subsys_private", layout_origin(types));
	return 0;
}

int linux_xenbus_read(const struct linux_kernel *k, struct linux_xenbus *ret, struct err *err)
{
	struct bus_walk w = {.g = k->g, .ret = ret};
	uint64_t buses;
	gva_t var;

	*ret = (struct linux_xenbus){0};
	if (!k->types)
		return err_set(err, ERR_NOTFOUND, "the kernel's types are not known");
	if (fill_layout(k->types, &w.l, err) || symbols_get(k->symbols, "bus_kset", &var, err) ||
		guest_read_word(k->g, var, &buses, err))
		return -1;
	if (!guest_is_kernel_addr(k->g, buses))
		return err_set(err, ERR_CORRUPT, "bus_kset points to 0x%" PRIx64, buses);
	if (walk_list(&w, buses + w.l.kset_list.off, MAX_BUSES, is_xen, err) < 0)
		return -1;
	if (!w.devices)
		return err_set(err, ERR_NOTFOUND, "the kernel has no bus of that name");
	return walk_list(&w, w.devices, MAX_DEVICES, note_device, err);
}

void linux_xenbus_free(struct linux_xenbus *x)
{
	free(x->v);
	*x = (struct linux_xenbus){0};
}
