/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Walks init_task.tasks (include/linux/sched/signal.h: for_each_process). A process's contexts of
 * asynchronous I/O hang on its memory: mm_struct.ioctx_table (fs/aio.c).
 */
#include "kernel/linux_tasks.h"

#include <string.h>

#include "base/limits.h"

#define MAX_CONTEXTS 1024u /* of one process */
#define MAX_OWNERS   (4u * KERNEL_MAX_TASKS)
#define MAX_DEPTH    64u  /* of control groups */
#define MAX_NAME     256u /* NAME_MAX and its end */

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct linux_tasks_layout, dest), false                     \
	}

static const struct field_spec specs[] = {
	MAY("task_struct", "tasks", tasks),
	MAY("task_struct", "pid", pid),
	MAY("task_struct", "tgid", tgid),
	MAY("task_struct", "comm", comm),
	MAY("task_struct", "mm", mm),
	MAY("task_struct", "cgroups", cgroups),
	MAY("mm_struct", "ioctx_table", ioctx_table),
	MAY("kioctx_table", "nr", ctx_nr),
	MAY("kioctx_table", "table", ctx_table),
	MAY("css_set", "dfl_cgrp", dfl_cgrp),
	MAY("cgroup", "kn", cgroup_kn),
	MAY("kernfs_node", "parent", kn_parent),
	MAY("kernfs_node", "__parent", kn_parent_rcu), /* since 6.15 */
	MAY("kernfs_node", "name", kn_name),
};

void linux_tasks_init(struct linux_tasks *t, const struct linux_kernel *k)
{
	*t = (struct linux_tasks){.k = k};
	if (k->types)
		layout_fill_known(k->types, specs, ARRAY_SIZE(specs), &t->l);
}

void linux_tasks_fini(struct linux_tasks *t)
{
	free(t->v);
	*t = (struct linux_tasks){0};
}

bool linux_task_read(struct linux_tasks *t, uint64_t task, struct linux_task *ret)
{
	struct guest *g = t->k->g;
	uint64_t tid, pid;
	char comm[17];

	if (!guest_is_kernel_addr(g, task) || !t->l.comm.present ||
		layout_read(g, GVA(task), &t->l.pid, &tid, NULL) ||
		layout_read(g, GVA(task), &t->l.tgid, &pid, NULL) ||
		guest_read_str(g, GVA(task + t->l.comm.off), comm,
			MIN(sizeof(comm), (size_t)t->l.comm.bytes + 1), NULL))
		return false;
	*ret = (struct linux_task){.pid = (uint32_t)pid, .tid = (uint32_t)tid};
	memcpy(ret->comm, comm, sizeof(comm));
	return true;
}

/* ---- whose is it? ------------------------------------------------------------------------- */

static void note_owner(struct linux_tasks *t, uint64_t thing, uint64_t task)
{
	if (!thing || t->nr == MAX_OWNERS || util_grow(&t->v, &t->cap, t->nr + 1, sizeof(*t->v)))
		return;
	t->v[t->nr++] = (struct linux_owner){thing, task};
}

static void note_contexts(struct linux_tasks *t, uint64_t mm, uint64_t task)
{
	uint64_t table = layout_read_or(t->k->g, GVA(mm), &t->l.ioctx_table, 0), nr, ctx;
	unsigned i, word = guest_word_bytes(t->k->g);

	if (!table || !t->l.ctx_table.present ||
		layout_read(t->k->g, GVA(table), &t->l.ctx_nr, &nr, NULL))
		return;
	for (i = 0; i < MIN(nr, (uint64_t)MAX_CONTEXTS); i++) {
		if (guest_read_word(
			    t->k->g, GVA(table + t->l.ctx_table.off + i * word), &ctx, NULL))
			return;
		note_owner(t, ctx, task);
	}
}

static int by_thing(const void *a, const void *b)
{
	const struct linux_owner *x = a, *y = b;

	return x->thing < y->thing ? -1 : x->thing > y->thing;
}

static void list_tasks(struct linux_tasks *t)
{
	struct guest *g = t->k->g;
	uint64_t node, mm, i;
	uint64_t most = limit_in_guest(
		KERNEL_MAX_TASKS, memory_info(guest_memory(g)).nr_data_pages, KERNEL_TASK_BYTES);
	gva_t init;

	t->listed = true;
	if (!t->l.tasks.present || symbols_get(t->k->symbols, "init_task", &init, NULL))
		return;
	node = init.v + t->l.tasks.off;
	for (i = 0; i < most; i++) {
		uint64_t task;

		if (guest_read_word(g, GVA(node), &node, NULL) || !guest_is_kernel_addr(g, node) ||
			node == init.v + t->l.tasks.off)
			break;
		task = node - t->l.tasks.off;
		mm = layout_read_or(g, GVA(task), &t->l.mm, 0);
		if (!mm) /* a thread of the kernel */
			continue;
		note_owner(t, mm, task);
		note_contexts(t, mm, task);
	}
	if (t->nr)
		qsort(t->v, t->nr, sizeof(*t->v), by_thing);
}

uint64_t linux_task_of(struct linux_tasks *t, uint64_t thing)
{
	const struct linux_owner key = {.thing = thing}, *found;

	if (!t->listed)
		list_tasks(t);
	found = t->nr ? bsearch(&key, t->v, t->nr, sizeof(key), by_thing) : NULL;
	return found ? found->task : 0;
}

/* ---- control groups ----------------------------------------------------------------------- */

static bool read_name(struct linux_tasks *t, uint64_t node, char name[MAX_NAME])
{
	uint64_t text;

	return !layout_read(t->k->g, GVA(node), &t->l.kn_name, &text, NULL) && text &&
	       !guest_read_str(t->k->g, GVA(text), name, MAX_NAME, NULL);
}

char *linux_cgroup_path(struct linux_tasks *t, uint64_t cgroup)
{
	const struct field *up = t->l.kn_parent.present ? &t->l.kn_parent : &t->l.kn_parent_rcu;
	char name[MAX_NAME], *path = strdup(""), *longer;
	uint64_t node = layout_read_or(t->k->g, GVA(cgroup), &t->l.cgroup_kn, 0), parent;
	unsigned i;

	for (i = 0; path && i < MAX_DEPTH; i++, node = parent) {
		if (!guest_is_kernel_addr(t->k->g, node) ||
			layout_read(t->k->g, GVA(node), up, &parent, NULL))
			break;
		if (!parent) {
			if (!*path) {
				free(path);
				path = strdup("/");
			}
			return path;
		}
		if (!read_name(t, node, name) || asprintf(&longer, "/%s%s", name, path) < 0)
			break;
		free(path);
		path = longer;
	}
	free(path);
	return NULL;
}

char *linux_task_cgroup(struct linux_tasks *t, uint64_t task)
{
	uint64_t set = layout_read_or(t->k->g, GVA(task), &t->l.cgroups, 0);
	uint64_t group = set ? layout_read_or(t->k->g, GVA(set), &t->l.dfl_cgrp, 0) : 0;

	return group ? linux_cgroup_path(t, group) : NULL;
}
