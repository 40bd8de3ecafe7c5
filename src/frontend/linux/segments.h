/* SPDX-License-Identifier: BSD-2-Clause
 *
 * segments.h - the data of a request, in the order in which the guest described it.
 */
#ifndef XB_FRONTEND_LINUX_SEGMENTS_H
#define XB_FRONTEND_LINUX_SEGMENTS_H

#include "frontend/request.h"
#include "guest/layout.h"
#include "kernel/linux_pages.h"

/* struct scatterlist */
struct linux_sg_layout {
	struct field page_link, offset, length;
	uint32_t bytes; /* 0: not known yet */
};
/* `types` NULL: the usual of kernels with such pointers. */
void linux_sg_layout(const struct layout *types, unsigned word_bytes, struct linux_sg_layout *ret);

struct linux_ctx;
struct blkif_wire_request;

/* The scatter list of a slot; at 0: it has none. */
struct linux_slot_list {
	uint64_t at, nr;
};
struct linux_slot_list linux_slot_list(
	struct linux_ctx *c, gva_t slot, const uint8_t *raw, const struct blkif_wire_request *wire);
/* Where c->sg.bytes is not known: by the list at `sg`, if it is one of nr entries. */
void linux_sg_learn(struct linux_ctx *c, uint64_t sg, uint64_t nr);

/* Data segments of the slot whose bytes are `raw`, of a request whose wire form is `wire`. */
int linux_decode_segments(struct linux_ctx *c, const uint8_t *raw, size_t len,
	const struct blkif_wire_request *wire, struct io_request *r, struct err *err) MUST_CHECK;

/* Where pieces of data go. */
struct linux_pieces {
	const struct linux_pages *pages;
	struct io_request *r;
	uint64_t *left; /* how many segments may still be added to it and to others */
};
/*
 * Append what `bytes` bytes at `offset` in the page that `page` stands for cover, split at page
 * borders. 1, with r->trouble set, when the piece makes no sense and its successors are not worth
 * looking at.
 */
int linux_add_piece(const struct linux_pieces *to, uint64_t page, uint64_t offset, uint64_t bytes,
	struct err *err) MUST_CHECK;
/* Set r->trouble unless it is set. */
void linux_trouble(struct io_request *r, const char *fmt, ...) PRINTF(2, 3);

#endif
