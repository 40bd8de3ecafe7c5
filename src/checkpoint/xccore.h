/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xccore.h - the core dump of before Xen 3.1; see ckpt_xccore.c.
 */
#ifndef XB_CHECKPOINT_XCCORE_H
#define XB_CHECKPOINT_XCCORE_H

#include "checkpoint/ckpt_priv.h"
#include "checkpoint/pagetable.h"

struct xccore {
	struct ckpt *ck;
	uint64_t off;				 /* of the header */
	uint64_t nr_vcpus, nr_pages;		 /* as the header says */
	uint64_t ctxt_off, index_off, pages_off; /* in the file */
	unsigned word_bytes;			 /* of the list of frames */
	size_t ctx_bytes;
	enum ckpt_vcpu_kind kind;
	bool marked_hvm;	/* by the header's magic, since 3.0.4 */
	uint64_t nr_listed;	/* frames of the list that the file has */
	uint64_t nr_there;	/* pages that the file has */
	struct frame_map place; /* machine frame: number of its page in the file */
	bool hvm;
	bool recording; /* what pages are looked at is kept for ckpt_needed() */
};

/* The machine frame that the list gives page number i; i < nr_listed. */
uint64_t xccore_frame(const struct xccore *x, uint64_t i);
/* The page of that number, NULL: it is not there. */
const uint8_t *xccore_page(struct xccore *x, uint64_t i);

/*
 * xccore_pages.c: the file lists machine frames, but not which page of the guest had which. Find
 * out, and fill the page map (and for PV guests the table of frames).
 */
enum xccore_found {
	XCCORE_FAILED = -1,
	XCCORE_NOTHING, /* nothing in the file tells */
	XCCORE_FOUND,
};

/* What the guest's own table, which was found, says besides. */
struct xccore_guest {
	unsigned word_bytes, pt_levels;
	uint64_t root; /* machine frame of a top page table that maps the kernel */
	const uint8_t *start_info;
	uint64_t start_info_off;
};

enum xccore_found xccore_number_pv(struct xccore *x, struct xccore_guest *ret, struct err *err);
/* After the vcpus. */
enum xccore_found xccore_number_hvm(struct xccore *x, struct err *err);

#endif
