/* SPDX-License-Identifier: BSD-2-Clause
 *
 * bio.h - what the block layer's own struct request says: operation, flags, times, data.
 */
#ifndef XB_FRONTEND_LINUX_BIO_H
#define XB_FRONTEND_LINUX_BIO_H

#include "frontend/linux/segments.h"

struct linux_bio_layout {
	/* struct request */
	struct field cmd_flags, data_len, sector, first_bio, start_time_ns;
	/* struct bio, struct bio_vec */
	struct field next, io_vec, size, idx, done, done_since, size_until, idx_until;
	struct field vec_page, vec_len, vec_offset;
	uint32_t vec_bytes;	    /* of a struct bio_vec */
	int fua_bit, preflush_bit;  /* in request.cmd_flags; -1 unknown */
	bool op_is_low;		    /* its low byte is the operation, since 4.10 */
	int write_bit, discard_bit; /* until 4.7; -1 unknown */
};
/* `types` NULL: nothing is known. */
void linux_bio_layout(
	const struct layout *types, unsigned word_bytes, struct linux_bio_layout *ret);

/* What is left of a bio: a way through its pieces. */
struct linux_bio_iter {
	uint64_t vec, size, index, done, next;
	unsigned nr; /* pieces so far */
};
bool linux_bio_start(struct guest *g, const struct linux_bio_layout *l, uint64_t bio,
	struct linux_bio_iter *ret, struct err *why);
struct linux_bio_piece {
	uint64_t page; /* a struct page, and the bytes behind it */
	uint64_t offset, bytes;
};
/* 1: the next piece; 0: there is none; -1: the bio cannot be read on, and `why`. */
int linux_bio_next(struct guest *g, const struct linux_bio_layout *l, struct linux_bio_iter *it,
	struct linux_bio_piece *ret, struct err *why);

/* A place in a table of pieces, which a bio may share with those that it was split from or is a
 * copy of: an entry, and how much of it comes before. */
struct linux_bvec_place {
	uint64_t entry, done;
};
/* Where a bio that was just started begins. */
struct linux_bvec_place linux_bio_place(
	const struct linux_bio_layout *l, const struct linux_bio_iter *it);
/* Bytes from one place to a later one. False: they are in no table that a bio can have, or cannot
 * be read, or there are no more steps *left. */
bool linux_bvec_bytes(struct guest *g, const struct linux_bio_layout *l,
	const struct linux_bvec_place *from, const struct linux_bvec_place *to, uint64_t *left,
	uint64_t *ret);

/* Flags and age from the guest's own request structure. */
void linux_decode_request_facts(struct linux_ctx *c, struct io_request *r);
/* struct request.cmd_flags: is it known how they say the operation? It, and whether a discard is a
 * secure one. */
bool linux_request_op_known(const struct linux_bio_layout *l);
enum io_op linux_request_op(const struct linux_bio_layout *l, uint64_t cmd_flags);
bool linux_request_is_secure(uint64_t cmd_flags);
/* Append the segments that the bios of r->request_va name; what cannot be read is r's trouble. */
int linux_add_bios(struct linux_ctx *c, const struct linux_pieces *to, struct err *err) MUST_CHECK;

/* Does the request that a slot was made from ask for the same? If not, finding XB307. */
int linux_compare_request(struct linux_ctx *c, const char *device, const struct io_request *r,
	struct err *err) MUST_CHECK;

#endif
