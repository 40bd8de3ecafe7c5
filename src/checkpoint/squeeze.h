/* SPDX-License-Identifier: BSD-2-Clause
 *
 * squeeze.h - pages that Remus sent compressed (4.2 to 4.5, tools/libxc/xc_compression.c).
 *
 * A page is a code: the byte 0x00, nothing changed; 0x80, all of it follows; else runs, each a byte
 * of which bit 7 says that the next (bits 0-6) words of four bytes stay as they are, or else are
 * those that follow. Runs come to a page exactly. What a code changes is the page's content in the
 * epoch before, as it stands in the stream.
 *
 * A code is found when the stream is indexed and applied when its page is read: the last content
 * that stands in the stream as a whole, then the codes since. Work and memory are bounded: pages
 * that were made are kept in a cache, and all that is applied in the life of a checkpoint is
 * counted.
 *
 * Codes of an epoch are one stream of bytes, which the file holds in pieces. A code that runs over
 * from one piece into another is joined.
 */
#ifndef XB_CHECKPOINT_SQUEEZE_H
#define XB_CHECKPOINT_SQUEEZE_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/pagemap.h"

/* ---- while the stream is read ------------------------------------------------------------- */

struct squeeze_code {
	uint64_t off; /* of its first byte in the file */
	bool whole;   /* 0x80, and the page stands at off + 1, in one piece */
};

typedef int squeeze_code_fn(void *arg, const struct squeeze_code *code, struct err *err);

struct squeeze_parser {
	struct squeeze_code code;
	bool inside;	 /* of a code */
	uint32_t filled; /* bytes of the page that are accounted for */
	uint32_t copy;	 /* bytes of the run that are still to come */
	uint64_t end;	 /* file offset behind the last piece, or behind what is wrong in it */
};

struct squeeze;

struct squeeze *squeeze_new(const struct source *src);
void squeeze_free(struct squeeze *s);
/* The next piece of codes, at off. Calls fn for each code that ends in it; -1 from fn ends it. */
int squeeze_feed(struct squeeze *s, struct squeeze_parser *p, uint64_t off, uint64_t bytes,
	squeeze_code_fn *fn, void *arg, struct err *err) MUST_CHECK;

/* ---- afterwards --------------------------------------------------------------------------- */

/* Once, when the map is finished. Borrows it. */
int squeeze_finish(struct squeeze *s, const struct pagemap *map) MUST_CHECK;
/* The content of a page whose current run is a code. It stands until SQUEEZE_HELD others were asked
 * for. NULL and *why, a static text: it cannot be made. */
const uint8_t *squeeze_page(struct squeeze *s, const struct ckpt_run *run, const char **why);
#define SQUEEZE_HELD 512u

/* Runs whose content that page is made from, the run itself included. Non-zero from fn stops and is
 * returned. */
int squeeze_for_each_source(
	const struct squeeze *s, const struct ckpt_run *run, ckpt_run_fn *fn, void *arg);
/* Stretches of the file that a code copies into the page, to `at`. Non-zero from fn stops and is
 * returned. */
int squeeze_for_each_literal(
	const struct squeeze *s, const struct ckpt_run *run, ckpt_literal_fn *fn, void *arg);

#endif
