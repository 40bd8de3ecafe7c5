/* SPDX-License-Identifier: BSD-2-Clause
 *
 * who.h - who asked for the requests of a Linux guest: from a struct request to its bios, from
 * each bio up through device-mapper to where it was made, and from there to the task and the file.
 *
 * who.c goes through requests and bios, who_origin.c says what a bio is for by the function that it
 * ends with (who_btrfs.c, who_stack.c and who_loop.c for some), who_pages.c whose its pages are.
 * This header is theirs.
 */
#ifndef XB_FRONTEND_LINUX_WHO_H
#define XB_FRONTEND_LINUX_WHO_H

#include "frontend/linux/bio.h"
#include "frontend/linux/queue.h"
#include "frontend/request.h"
#include "kernel/linux_bdevs.h"
#include "kernel/linux_code.h"
#include "kernel/linux_ext4.h"
#include "kernel/linux_files.h"
#include "kernel/linux_folios.h"
#include "kernel/linux_loops.h"
#include "kernel/linux_tasks.h"

struct linux_who_layout {
	/* struct bio */
	struct field bi_bdev, bi_disk, bi_partno, bi_sector, bi_end_io, bi_private, bi_blkg;
	/* struct request, blk_mq_hw_ctx */
	struct field rq_hctx;
	/* struct blkcg_gq, blkcg */
	struct field blkg_blkcg, blkcg_cgroup;
	/* struct kiocb, aio_kiocb, io_kiocb, io_uring_task */
	struct field ki_filp, ki_pos, ki_complete, aio_rw, aio_ctx, uring_task, uring_tctx,
		tctx_task;
	/* struct blkdev_dio, iomap_dio, iomap_dio_simple, dio */
	struct field bdio_bio, bdio_iocb, bdio_flags, bdio_is_sync;
	struct field idio_iocb, idio_size, idio_waits, idio_waiter;
	struct field sdio_bio, sdio_iocb, sdio_size;
	struct field dio_iocb, dio_waiter, dio_is_async;
	/* struct completion, swait_queue, buffer_head */
	struct field wait_list, swait_task, swait_list, b_end_io;
	uint64_t dio_is_sync; /* of blkdev_dio.flags; 0 unknown */
};

/* A stretch of a bio, and the bio that was made for it: another one where that was split. */
struct linux_bio_part {
	uint64_t bio, made;
	uint64_t skip, bytes;		  /* in its data */
	const struct linux_function *end; /* of `made` */
	uint64_t private;
};

/* What the maker of a bio says of all of it. */
struct linux_origin {
	enum who_kind kind;    /* WHO_UNKNOWN: its pages tell */
	uint64_t task;	       /* struct task_struct; 0 unknown */
	uint64_t file;	       /* struct file; 0 unknown */
	uint64_t iocb, ki_pos; /* of direct I/O in a file; 0 none */
	uint64_t dio_bytes;    /* of all that is in flight for it; WHO_UNKNOWN_U64 */
};

/* A stretch of direct I/O whose place in the file waits for the others of its kind. */
struct linux_direct {
	struct io_request *r;
	size_t index; /* in r->who */
	uint64_t iocb, ki_pos, dio_bytes;
	uint64_t va; /* of its data in the process; WHO_UNKNOWN_U64 */
};

/* File systems whose metadata is on its way. */
#define LINUX_WHO_MAX_EXT4 16u

struct linux_who_ext4 {
	uint64_t mapping; /* of its device */
	bool known;
	struct linux_ext4 fs;
};

struct linux_who {
	struct guest *g;
	const struct linux_kernel *k;
	struct linux_who_layout l;
	struct linux_bio_layout bio;
	struct linux_queue_layout queue;
	struct linux_code code;
	struct linux_tasks tasks;
	struct linux_files files;
	struct linux_folios folios;
	struct linux_bdevs bdevs;
	struct linux_loops loops;
	struct linux_cache cache; /* once there is one of these */
	struct linux_who_ext4 ext4[LINUX_WHO_MAX_EXT4];
	size_t nr_ext4;
	struct linux_direct *direct; /* owned */
	size_t nr_direct, cap_direct;
	/* Of what a hostile image can make us do: steps; and bytes of what is said. Where these are
	 * used up, no steps are left either. */
	uint64_t left, room;
};

/* Fill `who` of every request of the devices of `s` that are ours. -1 only without memory. */
int linux_note_who(const struct linux_kernel *k, struct snapshot *s, struct err *err) MUST_CHECK;

/* What is said of a stretch takes this much. */
void linux_who_charge(struct linux_who *w, const struct who *n);

/* who_origin.c: what a bio is for. `at` is moved to the bio that was made first when it is
 * another's copy; its layers go into `t`. */
void linux_find_origin(
	struct linux_who *w, struct linux_bio_part *at, struct who *t, struct linux_origin *ret);
/* The task and its group. */
void linux_put_task(struct linux_who *w, uint64_t task, struct who *t);

/* By the function that a bio ends with. True: `at` was moved to the bio that this one is a copy or
 * a piece of. */
typedef bool linux_end_fn(
	struct linux_who *w, struct linux_bio_part *at, struct who *t, struct linux_origin *o);

/* who_stack.c: the devices that a bio has been through. */
linux_end_fn linux_end_dm, linux_end_crypt, linux_end_md, linux_end_raid5, linux_end_chain;
/* The device of the bio, and its partition, as a layer. */
void linux_put_device(struct linux_who *w, uint64_t bio, uint64_t sector, const char *kind,
	const char *label, struct who *t);
uint64_t linux_bio_sector(struct linux_who *w, uint64_t bio);

/* who_loop.c: the struct kiocb `iocb`, whose file is o->file, ends with the loop driver's `end`.
 * True: `at` was moved to the bio above, and was cut where that ends; what o said was the loop
 * device's. */
bool linux_end_loop(struct linux_who *w, struct linux_bio_part *at, uint64_t iocb,
	const struct linux_function *end, struct who *t, struct linux_origin *o);
/* The loop device, where the file with that mapping is what one lies on, as a layer. */
void linux_put_loop_on(struct linux_who *w, uint64_t mapping, struct who *n);

/* who_btrfs.c: what a bio of btrfs is. */
enum linux_btrfs_bio {
	LINUX_BTRFS_TOP,   /* the one that was made first: its pages tell */
	LINUX_BTRFS_PIECE, /* `at` was moved to the one that it is a piece of */
	LINUX_BTRFS_IOMAP, /* iomap's: at->private is its struct iomap_dio now */
};
enum linux_btrfs_bio linux_btrfs_above(struct linux_who *w, struct linux_bio_part *at);

/* who_metadata.c: what of an ext4 is at a byte of its device. */
enum meaning_kind linux_metadata_kind(struct linux_who *w, uint64_t mapping, uint64_t position);
void linux_metadata_close(struct linux_who *w);

/* who_pages.c: append the stretches of the part, `t` is what is known of all of them. */
int linux_put_stretches(struct linux_who *w, const struct linux_bio_part *at,
	const struct linux_origin *o, const struct who *t, struct io_request *r,
	struct err *err) MUST_CHECK;
/* Where direct I/O of several bios stands in its file. */
void linux_place_direct(struct linux_who *w);

#endif
