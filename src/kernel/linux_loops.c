/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux_loops.h"

#include <string.h>

#include "base/limits.h"

/* include/uapi/linux/major.h */
#define LOOP_MAJOR 7u

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct linux_loop_layout, dest), false                      \
	}

static const struct field_spec specs[] = {
	MAY("loop_device", "lo_backing_file", backing),
	MAY("loop_device", "lo_offset", offset),
	MAY("loop_device", "lo_sizelimit", limit),
	MAY("loop_device", "lo_disk", disk),
	MAY("loop_cmd", "iocb", iocb),
	MAY("loop_cmd", "bvec", table),
	MAY("request", "q", queue),
	MAY("request_queue", "queuedata", queue_data),
	MAY("gendisk", "major", major),
	MAY("gendisk", "private_data", private_data),
	MAY("file", "f_mapping", mapping),
};

void linux_loop_layout(const struct layout *types, struct linux_loop_layout *ret)
{
	*ret = (struct linux_loop_layout){0};
	layout_fill_known(types, specs, ARRAY_SIZE(specs), ret);
	if (layout_type_bytes(types, "request", &ret->request_bytes, NULL))
		ret->request_bytes = 0;
}

void linux_loops_init(struct linux_loops *l, struct linux_bdevs *bdevs)
{
	*l = (struct linux_loops){.bdevs = bdevs};
}

void linux_loops_fini(struct linux_loops *l)
{
	free(l->v);
	*l = (struct linux_loops){0};
}

/* ---- all of them -------------------------------------------------------------------------- */

struct lister {
	struct linux_loops *all;
	struct linux_loop_layout l;
};

/* The struct loop_device of a block device that is one, whole; 0: it is another. */
static uint64_t find_loop(const struct lister *s, uint64_t bdev)
{
	const struct linux_bdevs *b = s->all->bdevs;
	uint64_t gendisk = layout_pointer(b->k->g, bdev, &b->l.disk);
	uint64_t lo = gendisk ? layout_pointer(b->k->g, gendisk, &s->l.private_data) : 0;

	if (!lo || layout_read_or(b->k->g, GVA(gendisk), &s->l.major, 0) != LOOP_MAJOR)
		return 0;
	return layout_pointer(b->k->g, lo, &s->l.disk) == gendisk ? lo : 0;
}

static void note_loop(void *arg, uint64_t inode UNUSED, uint64_t bdev)
{
	struct lister *s = arg;
	struct linux_loops *all = s->all;
	struct guest *g = all->bdevs->k->g;
	uint64_t lo = find_loop(s, bdev);
	struct linux_loop one = {0};
	struct linux_bdev d;

	if (!lo || !linux_bdev_read(all->bdevs, bdev, &d) || d.partno)
		return;
	one.file = layout_pointer(g, lo, &s->l.backing);
	one.mapping = one.file ? layout_pointer(g, one.file, &s->l.mapping) : 0;
	if (!one.mapping || layout_read(g, GVA(lo), &s->l.offset, &one.offset, NULL) ||
		layout_read(g, GVA(lo), &s->l.limit, &one.limit, NULL) ||
		util_grow(&all->v, &all->cap, all->nr + 1, sizeof(*all->v)))
		return;
	memcpy(one.disk, d.disk, sizeof(one.disk));
	all->v[all->nr++] = one;
}

static void list_loops(struct linux_loops *all)
{
	const struct linux_kernel *k = all->bdevs->k;
	struct lister s = {.all = all};
	CLEANUP(linux_module_close) struct linux_module m;
	uint64_t left = KERNEL_MAX_BDEVS;

	all->listed = true;
	linux_module_open(k, "loop", &m);
	if (!m.types && !k->types)
		return;
	linux_loop_layout(m.types ? m.types : k->types, &s.l);
	if (s.l.backing.present && s.l.private_data.present)
		linux_bdevs_each(all->bdevs, &left, note_loop, &s);
}

static bool has_byte(const struct linux_loop *l, uint64_t mapping, uint64_t position)
{
	return l->mapping == mapping && position >= l->offset &&
	       (!l->limit || position - l->offset < l->limit);
}

const struct linux_loop *linux_loop_on(
	struct linux_loops *l, uint64_t mapping, uint64_t position, bool *several)
{
	const struct linux_loop *found = NULL;
	size_t i;

	*several = false;
	if (!l->listed)
		list_loops(l);
	for (i = 0; i < l->nr; i++) {
		if (!has_byte(&l->v[i], mapping, position))
			continue;
		*several = found != NULL;
		found = &l->v[i];
		if (*several)
			break;
	}
	return found;
}
