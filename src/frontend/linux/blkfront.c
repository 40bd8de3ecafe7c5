/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/blkfront.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "frontend/linux/mounts.h"
#include "frontend/linux/image.h"

/* Static variables of one name in a kernel. */
#define MAX_CANDIDATES 64u

struct info_list {
	struct linux_ctx *c;
	gva_t *v;
	size_t nr, cap;
	bool no_memory, broken;
};

/* Would the driver have made this structure? */
static bool info_is_plausible(struct linux_ctx *c, gva_t info)
{
	struct err ignored = ERR_INIT;
	uint64_t rinfo, nr, connected, back;

	if (linux_get(c->g, info, &c->l.info_rinfo, &rinfo, &ignored) ||
		linux_get(c->g, info, &c->l.info_nr_rings, &nr, &ignored) ||
		linux_get(c->g, info, &c->l.info_connected, &connected, &ignored) || connected > 3)
		return false;
	if (!rinfo)
		return nr <= LINUX_MAX_RINGS;
	return guest_is_kernel_addr(c->g, rinfo) && nr && nr <= LINUX_MAX_RINGS &&
	       !linux_get(c->g, GVA(rinfo), &c->l.ring_dev_info, &back, &ignored) && back == info.v;
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

		if (guest_read_u64(c->g, GVA(node), &node, &ignored)) {
			list->broken = true;
			return list->nr > 0;
		}
		if (node == head.v)
			return true;
		info = GVA(node - c->l.info_list.off);
		if (!guest_is_kernel_addr(c->g, node) || list->nr == LINUX_MAX_DEVICES ||
			!info_is_plausible(c, info)) {
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

/* Other drivers have a static info_list too: take the one whose entries are blkfront's. */
static bool find_infos(struct info_list *list, const struct symbols *syms)
{
	struct symbol found[MAX_CANDIDATES];
	size_t i, nr = symbols_lookup(syms, "info_list", found, ARRAY_SIZE(found));

	for (i = 0; i < MIN(nr, ARRAY_SIZE(found)) && !list->no_memory; i++)
		if (walk_infos(list, found[i].addr) && list->nr)
			return true;
	list->nr = 0;
	return nr > 0;
}

/* Bytes of a type of the kernel, rounded up to where the next pointer can stand. */
static uint32_t kernel_bytes(const struct linux_image *im, const char *type, uint32_t otherwise)
{
	struct err ignored = ERR_INIT;
	uint32_t bytes;

	if (!im->btf || layout_type_bytes(im->btf, type, &bytes, &ignored) || !bytes ||
		bytes > PAGE_BYTES)
		return otherwise;
	return (uint32_t)num_align_up(bytes, 8);
}

/* No types of the driver: the table whose members hold together on this guest's devices. */
static bool find_infos_builtin(
	struct linux_image *im, struct info_list *list, const struct symbols *syms)
{
	static const char *const names[] = {
		[LINUX_BUILTIN_5_18] = "built-in (5.18)",
		[LINUX_BUILTIN_5_8] = "built-in (5.8)",
		[LINUX_BUILTIN_4_5] = "built-in (4.5)",
	};
	struct linux_builtin_shape shape = {
		.mutex_bytes = kernel_bytes(im, "mutex", LINUX_MUTEX_BYTES),
		.lock_bytes = kernel_bytes(im, "spinlock", LINUX_LOCK_BYTES),
	};
	uint32_t tag_set_bytes = kernel_bytes(im, "blk_mq_tag_set", 0);
	struct linux_ctx *c = list->c;

	for (shape.which = 0; shape.which < LINUX_NR_BUILTIN; shape.which++) {
		shape.rinfo_off = tag_set_bytes ? linux_builtin_tag_set(&shape) + tag_set_bytes : 0;
		linux_layout_builtin(&c->l, &shape);
		c->l.origin = names[shape.which];
		find_infos(list, syms);
		if (list->nr)
			return true;
	}
	return false;
}

static bool find_devices(struct linux_image *im, struct info_list *list)
{
	struct linux_ctx *c = list->c;
	const struct symbols *syms = im->module_symbols ? im->module_symbols : im->symbols;
	const struct layout *types = im->module_btf ? im->module_btf : im->btf;
	struct err why = ERR_INIT;

	if (!syms) {
		snapshot_how(c->s, "xen-blkfront: no symbols to look for it");
		return false;
	}
	if (types && !linux_layout_driver(types, &c->l, &why)) {
		if (!c->l.info_list.present) {
			snapshot_how(c->s, "xen-blkfront: its devices are on no list");
			return false;
		}
		find_infos(list, syms);
	} else if (!find_infos_builtin(im, list, syms)) {
		snapshot_how(c->s, "xen-blkfront: %s",
			types ? why.text : "the image has no types, and no built-in ones fit");
		return false;
	}
	snapshot_how(
		c->s, "xen-blkfront: %zu devices on info_list, layout %s", list->nr, c->l.origin);
	if (list->broken)
		finding_add(&c->s->findings, "XB313", finding_anywhere(),
			"the list of devices breaks off behind %zu of them", list->nr);
	return list->nr > 0;
}

int linux_by_symbols(struct guest *g, const struct frontend_options *opt,
	const struct symbols *file, struct snapshot *s, struct err *err)
{
	CLEANUP(linux_image_close) struct linux_image im;
	struct err why = ERR_INIT;
	struct linux_ctx c;
	struct info_list list = {.c = &c};
	CLEANUP_FREE gva_t *infos = NULL;
	size_t i;
	bool found;

	linux_ctx_init(&c, g, s);
	linux_image_open(&im, &c, file, &why);
	c.located_by = im.from_file ? BLK_BY_ELF_SYMBOLS : BLK_BY_KALLSYMS_BTF;
	found = find_devices(&im, &list);
	infos = list.v;
	if (list.no_memory)
		return err_nomem(err, "the list of devices");
	for (i = 0; found && i < list.nr; i++) {
		struct blkdev *d = snapshot_add_device(s);

		if (!d)
			return err_nomem(err, "a device");
		if (linux_decode_device(&c, infos[i], d, err))
			return -1;
	}
	if (!opt->facts_only && im.symbols && im.btf)
		return linux_find_fs(g, im.symbols, im.btf, s, err);
	return 0;
}

static int by_both(struct guest *g, const struct frontend_options *opt, const struct symbols *file,
	struct snapshot *s, struct err *err)
{
	CLEANUP(snapshot_fini) struct snapshot sym = {0};
	CLEANUP(snapshot_fini) struct snapshot scan = {0};

	if (linux_by_symbols(g, opt, file, &sym, err))
		return -1;
	/* `info` wants an answer, not two. */
	if (!(opt->facts_only && sym.nr_devices) && linux_by_scan(g, &scan, err))
		return -1;
	return linux_reconcile(s, &sym, &scan, err);
}

static int linux_blkfront_scan(struct guest *g, const struct frontend_options *opt,
	const struct symbols *kernel_file, struct snapshot *s, struct err *err)
{
	switch (opt->locate) {
	case FRONTEND_LOCATE_SYMBOLS:
		return linux_by_symbols(g, opt, kernel_file, s, err);
	case FRONTEND_LOCATE_SCAN:
		return linux_by_scan(g, s, err);
	default:
		return by_both(g, opt, kernel_file, s, err);
	}
}

const struct frontend_ops frontend_linux_blkfront = {
	.name = "linux-blkfront",
	.looks_for =
		"a 64-bit Linux kernel 4.5 or newer with xen-blkfront (its kallsyms and BTF in "
		"memory, or its ring structures by their shape)",
	.word_bytes = 8,
	.scan = linux_blkfront_scan,
};
