/* SPDX-License-Identifier: BSD-2-Clause
 *
 * memory.h - the memory of a guest, wherever it comes from: a checkpoint (memory_ckpt.c), a core
 * dump, a live domain, a test.
 *
 * A source fills `struct memory_ops`; readers call the memory_*() below. `page`, `next_run` and
 * `info` are needed, all other slots may be NULL: then nothing is known of what they give. The
 * source is the caller's, outlives every use, and is never changed by a reader.
 *
 * How long a page lives. Where info.pages_stay is set, a page's pointer lives as long as the source
 * (the file is mapped). Elsewhere the page was made or mapped for the asker - a delta, a compressed
 * page, a frame of a live domain - and its bytes stand only until MEMORY_HELD other pages were
 * asked for; a source keeps a bounded number of pages, at least that many. Whoever wants a page for
 * longer copies it: guest_hold(). Asking again is always right: the second answer is the same.
 *
 * Pages can fail: a delta whose base is missing, a frame that cannot be mapped. That is
 * MEMORY_FAILED and `why`, never an error of the reader. All that comes out of a page is hostile.
 */
#ifndef XB_GUEST_MEMORY_H
#define XB_GUEST_MEMORY_H

#include "checkpoint/checkpoint.h"

#define MEMORY_HELD 8u

enum memory_state {
	MEMORY_ABSENT, /* the source says nothing of this frame */
	MEMORY_DATA,
	MEMORY_NO_DATA, /* it lists the frame without content */
	MEMORY_BROKEN,	/* it lists it as poisoned */
	MEMORY_FAILED,	/* there should be content, which cannot be had: `why` */
};

struct memory_page {
	enum memory_state state;
	uint8_t level;	     /* 1-4: a page table, as the source marks it; see info.tables_marked */
	bool pinned;	     /* as such a table */
	const uint8_t *data; /* PAGE_BYTES bytes with MEMORY_DATA, else NULL */
	const char *why;     /* MEMORY_FAILED: static text, "its delta has no page to apply to" */
};

/* A stretch of frames with data, all of one kind. */
struct memory_run {
	uint64_t pfn, nr;
	uint8_t level;
	const uint8_t *data; /* of all of them, one behind the other; NULL: only page by page */
};

/* A vcpu's way into its page tables. */
struct memory_root {
	uint32_t vcpu;
	bool paging; /* false: HVM with CR0.PG clear, addresses are physical */
	pfn_t table;
	unsigned offset; /* of the top table in its page */
};

struct memory_info {
	enum ckpt_guest_type type;
	unsigned word_bytes; /* 4 or 8; 0 unknown */
	unsigned pt_levels;  /* 2..5; 0 unknown */
	enum ckpt_pte_unit pte_unit;
	bool frames_known;  /* to_pfn() and to_mfn() answer */
	bool tables_marked; /* the source says which pages are page tables (PV save streams) */
	bool pages_stay;
	bool suspended; /* as it agreed: its drivers stood still */
	uint64_t nr_pfns, nr_data_pages;
	size_t nr_roots;
	size_t nr_p2m_frames;  /* that p2m_frame() names; 0 unknown */
	pfn_t suspend_record;  /* Xen 2.0: where the guest asked to be suspended; UINT64_MAX none */
	bool start_info_known; /* PV of Xen 3 and newer */
	struct ckpt_start_info start_info;
};

struct memory_ops {
	struct memory_info (*info)(const void *source);
	struct memory_page (*page)(const void *source, pfn_t pfn);
	/* The stretch that holds `from`, or the next one behind it. False: there is none. */
	bool (*next_run)(const void *source, pfn_t from, struct memory_run *ret);
	/* index < info.nr_roots, ascending by vcpu */
	struct memory_root (*root)(const void *source, size_t index);
	/* The guest's own p2m table, index < info.nr_p2m_frames: a page full of its entries each.
	 */
	pfn_t (*p2m_frame)(const void *source, size_t index);
	bool (*hvm_param)(const void *source, uint64_t index, uint64_t *ret);
	/* What page tables with machine frames need (info.pte_unit). False: no frame of the
	 * guest's, or one that several pages claim. */
	bool (*to_pfn)(const void *source, mfn_t mfn, pfn_t *ret);
	/* The source's own table of machine frames, where it brings one along. */
	bool (*to_mfn)(const void *source, pfn_t pfn, mfn_t *ret);
	/* What was found wrong with the source itself. */
	const struct finding_list *(*findings)(const void *source);
	/* All of it will be read in ascending order, or no longer. */
	void (*advise)(const void *source, bool sequential);
};

struct memory {
	const struct memory_ops *ops; /* NULL: there is no memory */
	const void *source;
};

/* Borrows ck. */
struct memory memory_of_ckpt(const struct ckpt *ck);

struct memory_info memory_info(struct memory m);
struct memory_page memory_page(struct memory m, pfn_t pfn);
bool memory_next_run(struct memory m, pfn_t from, struct memory_run *ret);
struct memory_root memory_root(struct memory m, size_t index);
pfn_t memory_p2m_frame(struct memory m, size_t index);
bool memory_hvm_param(struct memory m, uint64_t index, uint64_t *ret);
bool memory_to_pfn(struct memory m, mfn_t mfn, pfn_t *ret);
bool memory_to_mfn(struct memory m, pfn_t pfn, mfn_t *ret);
const struct finding_list *memory_findings(struct memory m); /* NULL: none */

/* Call fn with each page that has data and is not marked as a page table, ascending. The page lives
 * until fn returns, whatever fn asks for. Non-zero stops the walk and is returned. */
typedef int memory_page_fn(void *arg, pfn_t pfn, const uint8_t *page);
int memory_for_each_page(struct memory m, memory_page_fn *fn, void *arg);

/* Were the page's bytes left out by redact? NULL: no. */
bool memory_is_removed(const uint8_t *page);

/* How to say of a page without data that it has none: "is not in the checkpoint". */
const char *memory_lack(const struct memory_page *page);

#endif
