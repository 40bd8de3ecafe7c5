/* SPDX-License-Identifier: BSD-2-Clause
 *
 * decode.h - from a struct blkfront_info in guest memory to a struct blkdev.
 *
 * Used by the way through symbols and by the structural scan; they differ in how they find the
 * structure and in where its layout comes from. What the guest's memory does not allow to decode
 * becomes a request's `trouble` or a finding, and the decoding goes on.
 */
#ifndef XB_FRONTEND_LINUX_DECODE_H
#define XB_FRONTEND_LINUX_DECODE_H

#include "frontend/frontend.h"
#include "frontend/linux/layout.h"
#include "kernel/linux_pages.h"

/* Ceilings on what a hostile image can make us do and keep, over all devices together. A queue has
 * one ring; Linux starts at most one a CPU. */
#define LINUX_MAX_RINGS 8192u
/* Shadow slots: 256 rings of the longest kind, 4096 of the usual one. */
#define LINUX_MAX_SLOTS (256u * 512u)
/* Segments. Each one that is pending holds a grant: 1024 grant frames of 512 entries; Xen's
 * default limit is 64 frames. */
#define LINUX_MAX_SEGMENTS (1024u * 512u)
/* Block-layer tags: 64 queues as deep as the driver could ask for. */
#define LINUX_MAX_TAGS (64u * 4096u)
/* A guest has as many disks as somebody attached. */
#define LINUX_MAX_DEVICES 1024u

struct linux_ctx {
	struct guest *g;
	struct snapshot *s;
	struct linux_layout l;
	enum blk_located located_by;
	struct linux_pages pages;
	uint64_t rings_left, slots_left, segments_left, tags_left; /* of the ceilings above */
	uint64_t compare_left; /* segments of bios that are only looked at */
};

/* A context with full budgets and nothing known. */
void linux_ctx_init(struct linux_ctx *c, struct guest *g, struct snapshot *s);

/* A shadow slot is 160 bytes; debugging options may enlarge it. Ours to choose. */
#define LINUX_MAX_SLOT_BYTES 1024u

/* Fills d; -1 only without memory. */
int linux_decode_device(
	struct linux_ctx *c, gva_t info, struct blkdev *d, struct err *err) MUST_CHECK;

/* Ring `index` of d, whose struct blkfront_ring_info is at `va`, with its pending requests. */
int linux_decode_ring(struct linux_ctx *c, gva_t info, struct blkdev *d, unsigned index, gva_t va,
	struct err *err) MUST_CHECK;

/*
 * Append what `bytes` bytes at `offset` in the page that `page` stands for cover, split at page
 * borders. 1, with r->trouble set, when the piece makes no sense and its successors are not worth
 * looking at.
 */
int linux_add_piece(struct linux_ctx *c, struct io_request *r, uint64_t page, uint64_t offset,
	uint64_t bytes, struct err *err) MUST_CHECK;
/* Set r->trouble unless it is set. */
void linux_trouble(struct io_request *r, const char *fmt, ...) PRINTF(2, 3);
/* Name by vdevice number: xvd major or the extended form. False: neither. */
bool linux_vdev_name(uint64_t vdevice, char *buf, size_t cap);

/* Name of the struct gendisk at `gd`. False: what stands there is none. */
bool linux_disk_name(struct linux_ctx *c, uint64_t gd, char *buf, size_t cap);

/* Data segments of the slot at `slot` (raw bytes in `raw`) of a request that claims nr_seg. */
struct blkif_wire_request;
int linux_decode_segments(struct linux_ctx *c, const uint8_t *raw, size_t len,
	const struct blkif_wire_request *wire, struct io_request *r, struct err *err) MUST_CHECK;

/* Flags and age from the guest's own request structure. */
void linux_decode_request_facts(struct linux_ctx *c, struct io_request *r);
/* struct request.cmd_flags: the operation, and whether a discard is a secure one. */
enum io_op linux_request_op(uint64_t cmd_flags);
bool linux_request_is_secure(uint64_t cmd_flags);
/* Append the segments that the bios of r->request_va name; what cannot be read is r's trouble. */
int linux_add_bios(struct linux_ctx *c, struct io_request *r, struct err *err) MUST_CHECK;
/* Does the request that a slot was made from ask for the same? If not, finding XB307. */
int linux_compare_request(struct linux_ctx *c, const char *device, const struct io_request *r,
	struct err *err) MUST_CHECK;
/* What the block layer holds that no shadow does. */
int linux_decode_queue(
	struct linux_ctx *c, gva_t info, struct blkdev *d, struct err *err) MUST_CHECK;

#endif
