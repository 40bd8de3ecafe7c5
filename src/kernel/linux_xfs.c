/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The log is a circle that is written in order, and each sector of it is stamped with the number of
 * the turn, its cycle (fs/xfs/libxfs/xfs_log_format.h, xlog_get_cycle()). What is to be written
 * next begins at xlog.l_curr_block: the record that is being filled gets its place there, and is
 * moved on before it is written (fs/xfs/xfs_log.c, xlog_state_switch_iclogs()). So no sector from
 * there on has the stamp of this turn yet.
 */
#include "kernel/linux_xfs.h"

struct xfs_layout {
	/* struct xfs_mount, xlog */
	struct field log, log_target, data_target;
	struct field start, blocks, cycle, block;
};

#define MUST(type, member, dest)                                                                   \
	{                                                                                          \
		type, member, offsetof(struct xfs_layout, dest), true                              \
	}

static const struct field_spec specs[] = {
	MUST("xfs_mount", "m_log", log),
	MUST("xfs_mount", "m_logdev_targp", log_target),
	MUST("xfs_mount", "m_ddev_targp", data_target),
	MUST("xlog", "l_logBBstart", start),
	MUST("xlog", "l_logBBsize", blocks),
	MUST("xlog", "l_curr_cycle", cycle),
	MUST("xlog", "l_curr_block", block),
};

static void read_place(const struct linux_kernel *k, const struct xfs_layout *l, uint64_t log,
	struct mounted_fs *fs)
{
	uint64_t start, blocks, cycle, block;

	if (layout_read(k->g, GVA(log), &l->start, &start, NULL) ||
		layout_read(k->g, GVA(log), &l->blocks, &blocks, NULL) ||
		layout_read(k->g, GVA(log), &l->cycle, &cycle, NULL) ||
		layout_read(k->g, GVA(log), &l->block, &block, NULL) || !cycle || block >= blocks ||
		start > INT64_MAX)
		return;
	fs->log_sector = start + block;
	fs->log_cycle = cycle;
}

void linux_xfs_read(const struct linux_kernel *k, uint64_t mount, struct mounted_fs *fs)
{
	CLEANUP(linux_module_close) struct linux_module m;
	struct xfs_layout l = {0};
	uint64_t log, log_target, data_target;

	linux_module_open(k, "xfs", &m);
	if (layout_fill(m.types ? m.types : k->types, specs, ARRAY_SIZE(specs), &l, NULL) ||
		layout_read(k->g, GVA(mount), &l.log, &log, NULL) ||
		layout_read(k->g, GVA(mount), &l.log_target, &log_target, NULL) ||
		layout_read(k->g, GVA(mount), &l.data_target, &data_target, NULL) ||
		log_target != data_target) /* a log on a device of its own */
		return;
	read_place(k, &l, log, fs);
}
