/* SPDX-License-Identifier: BSD-2-Clause
 *
 * stream_walk.h - along a stream that comes through a pipe, from header to header.
 *
 * For who sees each byte once, and cannot look ahead: it says how many bytes of header come next
 * and, given them, how many bytes follow and what they are. It knows libxl and libxc streams (of
 * Xen 4.6 and newer) with what xl, libvirt and xenopsd put around them. It judges nothing.
 */
#ifndef XB_CHECKPOINT_STREAM_WALK_H
#define XB_CHECKPOINT_STREAM_WALK_H

#include "base/util.h"

#define STREAM_HEAD_MAX 56u

enum stream_part {
	STREAM_OTHER,
	STREAM_PAGES,	/* what follows is the body of a PAGE_DATA record */
	STREAM_RESENT,	/* the same, for comparison only (VERIFY) */
	STREAM_EPOCH,	/* what came before is a consistent state (Remus, COLO) */
	STREAM_TAIL,	/* the guest's memory and vcpus are complete; the stream is not, but libxl
			   takes its end for a last record (as seen with 4.17) */
	STREAM_LAST,	/* the record that completes the stream: nothing of it comes behind */
	STREAM_UNKNOWN, /* the header says nothing that is understood, so what follows is not known
			 */
};

enum stream_place {
	STREAM_AT_START, /* of a stream, whichever it is */
	STREAM_IN_XL,	 /* behind the first bytes of the header */
	STREAM_IN_LIBVIRT,
	STREAM_IN_XAPI,
	STREAM_IN_LIBXL,
	STREAM_IN_LIBXC,
	STREAM_AT_LIBXC, /* at its header, inside of libxl */
	STREAM_AT_XAPI_RECORD,
	STREAM_AT_LIBXL_RECORD,
	STREAM_AT_LIBXC_RECORD,
	STREAM_AT_END,
};

struct stream_walk {
	enum stream_place place;
	bool xapi, libxl; /* what the stream at hand stands in */
	bool verify;
	unsigned depth; /* of streams in each other */
	bool known;	/* a header has been understood */
};

struct stream_step {
	enum stream_part part;
	uint64_t body; /* that many bytes follow, padding included */
};

#define STREAM_WALK_INIT                                                                           \
	{                                                                                          \
		.place = STREAM_AT_START                                                           \
	}

/* How many bytes of header come next, at most STREAM_HEAD_MAX; 0: none, the stream is over. */
size_t stream_walk_head(const struct stream_walk *w);
/* `head`: those bytes. */
struct stream_step stream_walk_next(struct stream_walk *w, const uint8_t *head);

#endif
