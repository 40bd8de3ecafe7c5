/* SPDX-License-Identifier: BSD-2-Clause
 *
 * who_origin.c - what a bio is for: the function that it ends with knows, and what that finds at
 * bi_private or around the bio.
 *
 * Names and structures: block/fops.c, fs/iomap/direct-io.c, fs/direct-io.c, fs/buffer.c,
 * fs/aio.c, io_uring/rw.c, mm/page_io.c, block/bio.c, drivers/block/loop.c, drivers/md/dm.c,
 * drivers/md/dm-crypt.c, fs/xfs/xfs_buf.c, fs/xfs/xfs_log.c, fs/jbd2/commit.c,
 * fs/ext4/fast_commit.c.
 */
#include "frontend/linux/who.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

/* Bios on top of each other: device-mapper on device-mapper, some times over, each split. */
#define MAX_UPWARDS 32u

/* ---- tasks -------------------------------------------------------------------------------- */

void linux_put_task(struct linux_who *w, uint64_t task, struct who *t)
{
	struct linux_task found;

	if (!task || !linux_task_read(&w->tasks, task, &found))
		return;
	t->task_known = true;
	t->pid = found.pid;
	t->tid = found.tid;
	memcpy(t->comm, found.comm, sizeof(t->comm));
	free(t->cgroup);
	t->cgroup = linux_task_cgroup(&w->tasks, task);
}

/* Who waits at a completion: struct swait_queue on his stack. */
static uint64_t find_waiter(struct linux_who *w, uint64_t completion)
{
	uint64_t node = layout_pointer(w->g, completion, &w->l.wait_list);

	if (!node || node == completion + w->l.wait_list.off || !w->l.swait_list.present)
		return 0;
	return layout_pointer(w->g, node - w->l.swait_list.off, &w->l.swait_task);
}

static uint64_t uring_task(struct linux_who *w, uint64_t req)
{
	uint64_t tctx;

	if (w->l.uring_task.present)
		return layout_pointer(w->g, req, &w->l.uring_task);
	tctx = layout_pointer(w->g, req, &w->l.uring_tctx);
	return tctx ? layout_pointer(w->g, tctx, &w->l.tctx_task) : 0;
}

/* Asynchronous I/O says by ki_complete what the struct kiocb is part of. Of synchronous I/O the
 * caller knows the waiter. True: `at` was moved. */
static bool take_iocb(struct linux_who *w, struct linux_bio_part *at, uint64_t iocb, struct who *t,
	struct linux_origin *o)
{
	const struct linux_function *end;

	if (!guest_is_kernel_addr(w->g, iocb))
		return false;
	o->iocb = iocb;
	o->file = layout_pointer(w->g, iocb, &w->l.ki_filp);
	o->ki_pos = layout_read_or(w->g, GVA(iocb), &w->l.ki_pos, WHO_UNKNOWN_U64);
	end = linux_code_at(&w->code, layout_pointer(w->g, iocb, &w->l.ki_complete));
	if (!strcmp(end->name, "lo_rw_aio_complete"))
		return linux_end_loop(w, at, iocb, end, t, o);
	if (!strcmp(end->name, "aio_complete_rw") && w->l.aio_rw.present)
		o->task = linux_task_of(
			&w->tasks, layout_pointer(w->g, iocb - w->l.aio_rw.off, &w->l.aio_ctx));
	else if (!strncmp(end->name, "io_complete_rw", 14)) /* io_rw.kiocb is io_kiocb's first */
		o->task = uring_task(w, iocb);
	return false;
}

/* ---- ends --------------------------------------------------------------------------------- */

static bool end_device_async(
	struct linux_who *w, struct linux_bio_part *at, struct who *t, struct linux_origin *o)
{
	uint64_t dio = at->made - w->l.bdio_bio.off;

	o->kind = WHO_DEVICE;
	return w->l.bdio_bio.present &&
	       take_iocb(w, at, layout_pointer(w->g, dio, &w->l.bdio_iocb), t, o);
}

static bool end_device(
	struct linux_who *w, struct linux_bio_part *at, struct who *t, struct linux_origin *o)
{
	uint64_t flags = layout_read_or(w->g, GVA(at->private), &w->l.bdio_flags, 0);
	uint64_t iocb = layout_pointer(w->g, at->private, &w->l.bdio_iocb);

	o->kind = WHO_DEVICE;
	if (!layout_read_or(w->g, GVA(at->private), &w->l.bdio_is_sync, 0) &&
		!(flags & w->l.dio_is_sync))
		return take_iocb(w, at, iocb, t, o);
	o->task = iocb; /* a union: the waiter where it is synchronous */
	return false;
}

/* bi_private is the task itself. */
static bool end_device_simple(struct linux_who *w UNUSED, struct linux_bio_part *at,
	struct who *t UNUSED, struct linux_origin *o)
{
	o->kind = WHO_DEVICE;
	o->task = at->private;
	return false;
}

static bool end_iomap(
	struct linux_who *w, struct linux_bio_part *at, struct who *t, struct linux_origin *o)
{
	o->kind = WHO_DIRECT;
	o->dio_bytes = layout_read_or(w->g, GVA(at->private), &w->l.idio_size, WHO_UNKNOWN_U64);
	if (layout_read_or(w->g, GVA(at->private), &w->l.idio_waits, 0))
		o->task = layout_pointer(w->g, at->private, &w->l.idio_waiter);
	return take_iocb(w, at, layout_pointer(w->g, at->private, &w->l.idio_iocb), t, o);
}

static bool end_iomap_simple(
	struct linux_who *w, struct linux_bio_part *at, struct who *t, struct linux_origin *o)
{
	uint64_t dio = at->made - w->l.sdio_bio.off;

	o->kind = WHO_DIRECT;
	if (!w->l.sdio_bio.present)
		return false;
	o->dio_bytes = layout_read_or(w->g, GVA(dio), &w->l.sdio_size, WHO_UNKNOWN_U64);
	return take_iocb(w, at, layout_pointer(w->g, dio, &w->l.sdio_iocb), t, o);
}

/* fs/direct-io.c: file systems that have not moved to iomap. */
static bool end_dio(
	struct linux_who *w, struct linux_bio_part *at, struct who *t, struct linux_origin *o)
{
	o->kind = WHO_DIRECT;
	if (!layout_read_or(w->g, GVA(at->private), &w->l.dio_is_async, 1))
		o->task = layout_pointer(w->g, at->private, &w->l.dio_waiter);
	return take_iocb(w, at, layout_pointer(w->g, at->private, &w->l.dio_iocb), t, o);
}

static bool end_waited(struct linux_who *w, struct linux_bio_part *at, struct who *t UNUSED,
	struct linux_origin *o)
{
	o->task = find_waiter(w, at->private);
	return false;
}

/* A struct io_uring_cmd is the first of its io_kiocb. */
static bool end_command(struct linux_who *w, struct linux_bio_part *at, struct who *t UNUSED,
	struct linux_origin *o)
{
	o->kind = WHO_DISCARD;
	o->file = layout_pointer(w->g, at->private,
		&(struct field){.present = true, .bytes = guest_word_bytes(w->g)});
	o->task = uring_task(w, at->private);
	return false;
}

static const char *const journal_ends[] = {
	"journal_end_buffer_io_sync", /* fs/jbd2/commit.c */
	"ext4_end_buffer_io_sync",    /* fs/ext4/fast_commit.c */
};

static bool is_journal(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(journal_ends); i++)
		if (!strcmp(journal_ends[i], name))
			return true;
	return false;
}

static bool end_buffer(struct linux_who *w, struct linux_bio_part *at, struct who *t UNUSED,
	struct linux_origin *o)
{
	if (is_journal(linux_code_at(&w->code, layout_pointer(w->g, at->private, &w->l.b_end_io))
			       ->name))
		o->kind = WHO_JOURNAL;
	return false;
}

static bool end_swap(struct linux_who *w UNUSED, struct linux_bio_part *at UNUSED,
	struct who *t UNUSED, struct linux_origin *o)
{
	o->kind = WHO_SWAP;
	return false;
}

static bool end_journal(struct linux_who *w UNUSED, struct linux_bio_part *at UNUSED,
	struct who *t UNUSED, struct linux_origin *o)
{
	o->kind = WHO_JOURNAL;
	return false;
}

static bool end_metadata(struct linux_who *w UNUSED, struct linux_bio_part *at UNUSED,
	struct who *t UNUSED, struct linux_origin *o)
{
	o->kind = WHO_METADATA;
	return false;
}

static bool end_btrfs(
	struct linux_who *w, struct linux_bio_part *at, struct who *t, struct linux_origin *o)
{
	enum linux_btrfs_bio above = linux_btrfs_above(w, at);

	return above == LINUX_BTRFS_IOMAP ? end_iomap(w, at, t, o) : above == LINUX_BTRFS_PIECE;
}

/* ---- all of them -------------------------------------------------------------------------- */

static const struct {
	const char *name;
	linux_end_fn *fn;
} ends[] = {
	{"blkdev_bio_end_io_async", end_device_async}, {"blkdev_bio_end_io", end_device},
	{"blkdev_bio_end_io_simple", end_device_simple}, /* until 6.1 */
	{"iomap_dio_bio_end_io", end_iomap},
	{"iomap_dio_simple_end_io", end_iomap_simple}, /* since 7.0 */
	{"dio_bio_end_aio", end_dio}, {"dio_bio_end_io", end_dio},
	{"submit_bio_wait_endio", end_waited}, {"bio_wait_end_io", end_waited}, /* since 7.0 */
	{"bio_cmd_bio_end_io", end_command}, {"end_bio_bh_io_sync", end_buffer},
	{"end_swap_bio_write", end_swap}, {"end_swap_bio_read", end_swap},
	{"swap_bio_read_end_io", end_swap}, /* since 7.0 */
	{"journal_end_buffer_io_sync", end_journal}, {"ext4_end_buffer_io_sync", end_journal},
	{"xlog_bio_end_io", end_journal}, {"xfs_buf_bio_end_io", end_metadata},
	{"bio_chain_endio", linux_end_chain}, {"btrfs_simple_end_io", end_btrfs},
	{"btrfs_end_bio", end_btrfs}, /* until 6.1 */
	{"clone_endio", linux_end_dm}, {"crypt_endio", linux_end_crypt},
	{"raid1_end_write_request", linux_end_md}, {"raid1_end_read_request", linux_end_md},
	{"raid10_end_write_request", linux_end_md}, {"raid10_end_read_request", linux_end_md},
	{"raid5_end_write_request", linux_end_raid5}, {"raid5_end_read_request", linux_end_raid5},
	{"md_end_io_acct", linux_end_md},  /* until 6.5 */
	{"md_end_clone_io", linux_end_md}, /* since then */
};

static bool read_end(struct linux_who *w, struct linux_bio_part *at)
{
	uint64_t end;

	at->end = &w->code.none;
	if (layout_read(w->g, GVA(at->made), &w->l.bi_end_io, &end, NULL) ||
		layout_read(w->g, GVA(at->made), &w->l.bi_private, &at->private, NULL))
		return false;
	at->end = linux_code_at(&w->code, end);
	return true;
}

static bool go_up(
	struct linux_who *w, struct linux_bio_part *at, struct who *t, struct linux_origin *o)
{
	size_t i;

	if (!read_end(w, at)) {
		who_lost(t, "the bio at 0x%" PRIx64, at->made);
		return false;
	}
	for (i = 0; i < ARRAY_SIZE(ends); i++)
		if (!strcmp(ends[i].name, at->end->name))
			return ends[i].fn(w, at, t, o);
	return false;
}

/* Its group is that of the bio where no task is known, as of what the page cache writes. */
static void put_group(struct linux_who *w, uint64_t bio, struct who *t)
{
	uint64_t group = layout_pointer(w->g, bio, &w->l.bi_blkg);

	group = group ? layout_pointer(w->g, group, &w->l.blkg_blkcg) : 0;
	group = group ? layout_pointer(w->g, group, &w->l.blkcg_cgroup) : 0;
	if (group)
		t->cgroup = linux_cgroup_path(&w->tasks, group);
}

static void put_file(struct linux_who *w, uint64_t file, struct who *t, struct linux_origin *o)
{
	struct linux_inode inode;
	struct linux_path path;

	linux_file_path(&w->files, file, &path);
	t->path = path.text;
	t->path_whole = path.whole;
	t->deleted = path.deleted;
	if (!path.text)
		who_lost(t, "the name of the file at 0x%" PRIx64, file);
	if (!linux_inode_of_file(&w->files, file, &inode)) {
		who_lost(t, "the inode of the file at 0x%" PRIx64, file);
		return;
	}
	t->inode = inode.ino;
	memcpy(t->fs, inode.fs, sizeof(t->fs));
	if (inode.kind != LINUX_INODE_FILE && o->kind == WHO_DIRECT)
		o->kind = WHO_DEVICE;
}

void linux_find_origin(
	struct linux_who *w, struct linux_bio_part *at, struct who *t, struct linux_origin *ret)
{
	uint64_t sector = linux_bio_sector(w, at->bio);
	unsigned i;

	if (sector != WHO_UNKNOWN_U64)
		sector += at->skip / SECTOR_BYTES;
	*ret = (struct linux_origin){.dio_bytes = WHO_UNKNOWN_U64};
	linux_put_device(w, at->bio, sector, "disk", "", t);
	put_group(w, at->bio, t);
	for (i = 0; i < MAX_UPWARDS && go_up(w, at, t, ret); i++)
		;
	if (i == MAX_UPWARDS)
		who_lost(t, "too many bios on top of each other");
	if (ret->file)
		put_file(w, ret->file, t, ret);
	linux_put_task(w, ret->task, t);
	t->kind = ret->kind;
}
