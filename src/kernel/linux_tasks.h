/* SPDX-License-Identifier: BSD-2-Clause
 *
 * linux_tasks.h - the processes of a Linux guest: by their memory, by their contexts of
 * asynchronous I/O; and where they stand among the control groups.
 */
#ifndef XB_KERNEL_LINUX_TASKS_H
#define XB_KERNEL_LINUX_TASKS_H

#include "kernel/linux.h"

struct linux_task {
	uint32_t pid;  /* of the process, as the system's own name space counts */
	uint32_t tid;  /* of the thread */
	char comm[17]; /* hostile text */
};

struct linux_tasks_layout {
	/* struct task_struct, mm_struct, kioctx_table */
	struct field tasks, pid, tgid, comm, mm, cgroups;
	struct field ioctx_table, ctx_nr, ctx_table;
	/* struct css_set, cgroup, kernfs_node */
	struct field dfl_cgrp, cgroup_kn, kn_parent, kn_parent_rcu, kn_name;
};

struct linux_owner {
	uint64_t thing, task; /* a context or a struct mm_struct, and whose it is */
};

struct linux_tasks {
	const struct linux_kernel *k; /* borrowed */
	struct linux_tasks_layout l;
	bool listed;	       /* the list was read, as far as it goes */
	struct linux_owner *v; /* owned, ascending by thing */
	size_t nr, cap;
};

void linux_tasks_init(struct linux_tasks *t, const struct linux_kernel *k);
void linux_tasks_fini(struct linux_tasks *t);

/* False: no struct task_struct is there. */
bool linux_task_read(struct linux_tasks *t, uint64_t task, struct linux_task *ret);
/* Whose mm_struct or kioctx it is; 0 unknown. */
uint64_t linux_task_of(struct linux_tasks *t, uint64_t thing);
/* "/system.slice/..." of the unified hierarchy, malloc'ed; NULL unknown. */
char *linux_task_cgroup(struct linux_tasks *t, uint64_t task);
char *linux_cgroup_path(struct linux_tasks *t, uint64_t cgroup);

#endif
