/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/blkfront.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "frontend/linux/learn.h"
#include "frontend/linux/refs.h"
#include "frontend/linux/who.h"
#include "kernel/linux_mounts.h"
#include "kernel/linux_xenbus.h"
#include "kernel/linux_witness.h"

/* Static variables of one name in a kernel. */
#define MAX_CANDIDATES 64u
#define MAX_FS	       64u /* of one device */

/* Where the driver's symbols and types are looked for. */
struct driver {
	const struct linux_kernel *kernel;
	struct linux_module module;
};

struct info_list {
	struct linux_ctx *c;
	gva_t *v;
	size_t nr, cap;
	unsigned facts; /* that must hold of each */
	bool no_memory, broken;
};

/* Of the things that hold of a device's structure: all, or enough when some of it is damaged. */
#define INFO_FACTS	  5u
#define INFO_FACTS_ENOUGH 3u

/* How much of it would the driver have made? */
static unsigned info_facts(struct linux_ctx *c, gva_t info)
{
	const struct linux_layout *l = &c->l;
	uint64_t rinfo, nr, connected, back = 0;
	uint64_t vdevice = layout_read_or(c->g, info, &l->info_vdevice, 0);
	unsigned facts = 0;

	if (layout_read(c->g, info, &l->info_rinfo, &rinfo, NULL) ||
		layout_read(c->g, info, &l->info_nr_rings, &nr, NULL) ||
		layout_read(c->g, info, &l->info_connected, &connected, NULL))
		return 0;
	if (rinfo && layout_read(c->g, GVA(rinfo), &l->ring_dev_info, &back, NULL))
		back = 0;
	facts += connected <= 3;
	facts += nr <= LINUX_MAX_RINGS && (nr || !rinfo);
	facts += !rinfo || guest_is_kernel_addr(c->g, rinfo);
	facts += !rinfo || back == info.v;
	facts += vdevice &&
		 layout_read_or(c->g, info, &l->info_handle, UINT64_MAX) == (vdevice & UINT16_MAX);
	return facts;
}

/* Collect the devices on the list at `head`. False when it is not a list of them. */
static bool walk_infos(struct info_list *list, gva_t head)
{
	struct linux_ctx *c = list->c;
	struct err ignored = ERR_INIT;
	uint64_t node = head.v;

	list->nr = 0;
	list->broken = false;
	for (;;) {
		gva_t info;

		if (guest_read_word(c->g, GVA(node), &node, &ignored)) {
			list->broken = true;
			return list->nr > 0;
		}
		if (node == head.v)
			return true;
		info = GVA(node - c->l.info_list.off);
		if (!guest_is_kernel_addr(c->g, node) || list->nr == LINUX_MAX_DEVICES ||
			info_facts(c, info) < list->facts) {
			list->broken = true;
			return list->nr > 0;
		}
		if (util_grow(&list->v, &list->cap, list->nr + 1, sizeof(*list->v))) {
			list->no_memory = true;
			return false;
		}
		list->v[list->nr++] = info;
	}
}

/* Other drivers have a static info_list too: take the one whose entries are blkfront's. Once it is
 * known, a device of which something is damaged is one all the same. */
static bool find_infos(struct info_list *list, const struct symbols *syms, unsigned facts)
{
	struct symbol found[MAX_CANDIDATES];
	size_t i, nr = symbols_lookup(syms, "info_list", found, ARRAY_SIZE(found));

	for (i = 0; i < MIN(nr, ARRAY_SIZE(found)) && !list->no_memory; i++) {
		list->facts = facts;
		if (!walk_infos(list, found[i].addr) || !list->nr)
			continue;
		list->facts = INFO_FACTS_ENOUGH;
		return walk_infos(list, found[i].addr);
	}
	list->nr = 0;
	return nr > 0;
}

/* Bytes of a type of the kernel, rounded up to where the next pointer of `word` bytes can stand. */
static uint32_t kernel_bytes(
	const struct layout *types, const char *type, unsigned word, uint32_t otherwise)
{
	uint32_t bytes;

	if (!types || layout_type_bytes(types, type, &bytes, NULL) || !bytes || bytes > PAGE_BYTES)
		return otherwise;
	return (uint32_t)num_align_up(bytes, word);
}

/* No types of the driver: the table whose members hold together on this guest's devices. */
static bool find_infos_builtin(const struct layout *types, struct info_list *list,
	const struct symbols *syms, unsigned facts)
{
	static const char *const names[] = {
		[LINUX_BUILTIN_5_18] = "built-in (5.18)",
		[LINUX_BUILTIN_5_8] = "built-in (5.8)",
		[LINUX_BUILTIN_4_5] = "built-in (4.5)",
	};
	struct linux_ctx *c = list->c;
	struct linux_builtin_shape shape = {
		.word = c->word,
		.mutex_bytes = kernel_bytes(types, "mutex", c->word, LINUX_MUTEX_BYTES(c->word)),
		.lock_bytes = kernel_bytes(types, "spinlock", c->word, LINUX_LOCK_BYTES(c->word)),
	};
	uint32_t tag_set_bytes = kernel_bytes(types, "blk_mq_tag_set", c->word, 0);

	for (shape.which = 0; shape.which < LINUX_NR_BUILTIN; shape.which++) {
		shape.rinfo_off = tag_set_bytes ? linux_builtin_tag_set(&shape) + tag_set_bytes : 0;
		linux_layout_builtin(&c->l, &shape);
		c->l.origin = names[shape.which];
		find_infos(list, syms, facts);
		if (list->nr)
			return true;
	}
	return false;
}

/* Before 4.19 the driver had no list of its devices: the guest's bus has one. */
static bool find_infos_on_bus(struct info_list *list, const struct linux_kernel *k)
{
	CLEANUP(linux_xenbus_free) struct linux_xenbus bus;
	struct err why = ERR_INIT;
	size_t i;

	list->nr = 0;
	if (linux_xenbus_read(k, &bus, &why)) {
		list->no_memory = why.cls == ERR_SYSTEM;
		snapshot_how(list->c->s, "xen-blkfront: the guest's bus: %s", why.text);
		return false;
	}
	for (i = 0; i < bus.nr && list->nr < LINUX_MAX_DEVICES; i++) {
		const struct linux_xenbus_device *x = &bus.v[i];

		if (strncmp(x->nodename, "device/vbd/", strlen("device/vbd/")) || !x->driver_data)
			continue;
		if (util_grow(&list->v, &list->cap, list->nr + 1, sizeof(*list->v))) {
			list->no_memory = true;
			return false;
		}
		list->v[list->nr++] = GVA(x->driver_data);
	}
	return list->nr > 0;
}

static bool find_devices(const struct driver *drv, struct info_list *list)
{
	const struct linux_kernel *k = drv->kernel;
	struct linux_ctx *c = list->c;
	const struct symbols *syms = drv->module.symbols ? drv->module.symbols : k->symbols;
	const struct layout *types = drv->module.types ? drv->module.types : k->types;
	struct err why = ERR_INIT;
	bool listed = true;

	if (types && !linux_layout_driver(types, &c->l, &why)) {
		/* A kernel without KALLSYMS_ALL keeps no names of a module's data. */
		listed = c->l.info_list.present && find_infos(list, syms, INFO_FACTS);
		if (listed && !list->nr)
			find_infos(list, syms, INFO_FACTS_ENOUGH);
		if (!listed && !find_infos_on_bus(list, k))
			return false;
	} else if (!find_infos_builtin(k->types, list, syms, INFO_FACTS) &&
		   !find_infos_builtin(k->types, list, syms, INFO_FACTS_ENOUGH)) {
		snapshot_how(c->s, "xen-blkfront: %s",
			types ? why.text : "the image has no types, and no built-in ones fit");
		return false;
	}
	snapshot_how(c->s, "xen-blkfront: %zu devices on %s, layout %s", list->nr,
		listed ? "info_list" : "the guest's bus", c->l.origin);
	if (list->broken) {
		finding_add(&c->s->findings, "XB313", finding_anywhere(),
			"the list of devices breaks off behind %zu of them", list->nr);
		snapshot_doubt(c->s, "the driver's list of devices breaks off");
	}
	return list->nr > 0;
}

static struct blkdev *find_by_name(struct snapshot *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->nr_devices; i++)
		if (!strcmp(s->devices[i].name, name))
			return &s->devices[i];
	return NULL;
}

static bool is_ours(void *arg, const char *disk)
{
	return find_by_name(arg, disk);
}

static int note_fs(struct snapshot *s, const struct mounted_fs *fs, struct err *err)
{
	struct blkdev *d = find_by_name(s, fs->disk);
	struct mounted_fs *grown;

	if (!d || d->nr_fs >= MAX_FS)
		return 0;
	grown = realloc(d->fs, (d->nr_fs + 1) * sizeof(*grown));
	if (!grown)
		return err_nomem(err, "noting a file system");
	d->fs = grown;
	d->fs[d->nr_fs++] = *fs;
	snapshot_how(s, "%s: %s %s mounted from sector %" PRIu64 "%s%s", d->name, fs->type,
		fs->uuid[0] ? fs->uuid : "without UUID", fs->start,
		fs->super_known ? ", its superblock in memory" : "",
		fs->journal_sequence != FS_UNKNOWN_U64 ? ", and its journal's" : "");
	return 0;
}

/* What is mounted from the devices of `s`. What is not found stays unknown; s->how says why. */
static int note_mounts(const struct linux_kernel *k, struct snapshot *s, struct err *err)
{
	CLEANUP(linux_mounts_free) struct linux_mounts m = {0};
	struct err why = ERR_INIT;
	size_t i;

	if (linux_mounts_read(k, is_ours, s, &m, &why)) {
		if (why.cls == ERR_SYSTEM) {
			*err = why;
			return -1;
		}
		snapshot_how(s, "mounted file systems: not found: %s", why.text);
		return 0;
	}
	for (i = 0; i < m.nr; i++)
		if (note_fs(s, &m.v[i], err))
			return -1;
	for (i = 0; i < s->nr_devices; i++)
		s->devices[i].fs_known = m.complete && !m.start_unknown;
	if (!m.complete)
		snapshot_how(s, "mounted file systems: the list of superblocks breaks off");
	if (m.start_unknown)
		snapshot_how(s, "mounted file systems: where a partition begins was not found");
	return 0;
}

static void close_driver(struct driver *drv)
{
	linux_module_close(&drv->module);
}

/* What neither symbols nor types told. */
static void learn_kernel(struct linux_ctx *c, const struct info_list *list)
{
	struct linux_learn learn;
	size_t i;

	linux_learn_init(&learn);
	for (i = 0; i < list->nr; i++)
		linux_learn_device(c, list->v[i], &learn);
	linux_learn_pages(c, &learn);
}

static int decode_devices(const struct linux_kernel *k, const struct frontend_options *opt,
	struct linux_ctx *c, struct err *err)
{
	CLEANUP(close_driver) struct driver drv = {.kernel = k};
	struct info_list list = {.c = c};
	CLEANUP_FREE gva_t *infos = NULL;
	bool found;
	size_t i;

	linux_module_open(k, "xen_blkfront", &drv.module);
	snapshot_how_all(c->s, drv.module.how);
	found = find_devices(&drv, &list);
	infos = list.v;
	if (list.no_memory)
		return err_nomem(err, "the list of devices");
	if (found && !(c->pages.known && c->sg.bytes))
		learn_kernel(c, &list);
	for (i = 0; found && i < list.nr; i++) {
		struct blkdev *d = snapshot_add_device(c->s);

		if (!d)
			return err_nomem(err, "a device");
		if (linux_decode_device(c, infos[i], d, err))
			return -1;
	}
	if (!found || opt->locate == FRONTEND_LOCATE_SYMBOLS)
		return 0;
	return linux_confirm(k, opt->config, c, err);
}

/* By the kernel's symbols and types. No device is not an error; s->how says where it ended. */
static int by_symbols(struct guest *g, const struct kernel *kernel,
	const struct frontend_options *opt, struct snapshot *s, struct err *err)
{
	const struct linux_kernel *k = kernel_linux(kernel);
	struct linux_ctx c;

	if (!k) {
		snapshot_how(s, "xen-blkfront: no symbols to look for it");
		snapshot_doubt(s, "no symbols of a kernel were found");
		return 0;
	}
	linux_ctx_init(&c, g, k, s);
	if (decode_devices(k, opt, &c, err))
		return -1;
	return opt->facts_only || !k->types ? 0 : note_mounts(k, s, err);
}

/* Every page only where it is asked for, or where what costs little leaves a doubt. */
static int by_both(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	CLEANUP(snapshot_fini) struct snapshot sym = {0};
	CLEANUP(snapshot_fini) struct snapshot scan = {0};
	bool every_page = opt->locate == FRONTEND_LOCATE_BOTH;

	if (by_symbols(g, k, opt, &sym, err))
		return -1;
	if (!sym.nr_devices)
		snapshot_doubt(&sym, "the kernel's symbols lead to no device");
	/* `info` wants an answer, not a certain one. In a guest that runs a doubt is no wonder. */
	if (sym.doubt && !((opt->facts_only || opt->running) && sym.nr_devices))
		every_page = true;
	if (every_page && linux_by_scan(g, &scan, err))
		return -1;
	return linux_reconcile(s, &sym, every_page ? &scan : NULL, err);
}

static int find_devices_of(struct guest *g, const struct kernel *k,
	const struct frontend_options *opt, struct snapshot *s, struct err *err)
{
	switch (opt->locate) {
	case FRONTEND_LOCATE_SYMBOLS:
		return by_symbols(g, k, opt, s, err);
	case FRONTEND_LOCATE_SCAN:
		return linux_by_scan(g, s, err);
	default:
		return by_both(g, k, opt, s, err);
	}
}

/* The blocks of the devices that the guest remembers. */
static int note_witnesses(const struct linux_kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	const struct linux_witness_options o = {opt->witness_pages, opt->witness_seed};
	CLEANUP_FREE const char **names = calloc(s->nr_devices, sizeof(*names));
	CLEANUP_FREE struct witness_list *found = calloc(s->nr_devices, sizeof(*found));
	size_t i;
	int rc;

	if (!names || !found)
		return err_nomem(err, "the blocks that the guest remembers");
	for (i = 0; i < s->nr_devices; i++)
		names[i] = s->devices[i].name;
	rc = linux_witness_read(k, names, s->nr_devices, &o, found, err);
	for (i = 0; i < s->nr_devices; i++)
		s->devices[i].witnesses = found[i];
	return rc;
}

static int find_blkfront(struct guest *g, const struct kernel *k,
	const struct frontend_options *opt, struct snapshot *s, struct err *err)
{
	const struct linux_kernel *l = kernel_linux(k);

	/* An image of Xen 2.0: the driver is younger. */
	if (guest_info(g)->suspend_record.v != UINT64_MAX)
		return 0;
	if (find_devices_of(g, k, opt, s, err))
		return -1;
	if (s->nr_devices && l && !opt->facts_only && linux_check_refs(l, s, err))
		return -1;
	if (!s->nr_devices || !(opt->who || opt->witness_pages))
		return 0;
	if (!l || !l->types) {
		snapshot_how(s, "who asked, what the guest remembers: the kernel's types are not "
				"known");
		return 0;
	}
	if (opt->who && linux_note_who(l, s, err))
		return -1;
	return opt->witness_pages ? note_witnesses(l, opt, s, err) : 0;
}

const struct frontend_ops frontend_linux_blkfront = {
	.name = "linux-blkfront",
	.looks_for = "a Linux kernel with xen-blkfront (its kallsyms and BTF in memory, or its "
		     "ring structures by their shape)",
	.find = find_blkfront,
	.resume = &linux_resume,
};
