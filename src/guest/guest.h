/* SPDX-License-Identifier: BSD-2-Clause
 *
 * guest.h - the guest's memory as the guest saw it.
 *
 * Translates guest virtual addresses through the page tables in its memory, from the root of a
 * vcpu. Page-table entries are hostile: every walk is bounded by the number of levels.
 * A page that is needed but not in the checkpoint is ERR_NODATA; an address that the guest does
 * not map is ERR_NOTFOUND.
 */
#ifndef XB_GUEST_GUEST_H
#define XB_GUEST_GUEST_H

#include "guest/memory.h"

struct guest;

struct guest_map {	 /* the result of a translation */
	pfn_t pfn;	 /* of the 4 KiB page that holds the address */
	uint64_t offset; /* in it */
	uint64_t
		left; /* bytes from the address to the end of its mapping (4 KiB, 2/4 MiB, 1 GiB) */
	unsigned level; /* of the leaf entry: 1 = 4 KiB */
	bool writable, no_execute, user;
	bool untrusted; /* PV: a table on the way was not saved as a page table of its level */
};

/* Borrows the source of `m`. ERR_NODATA or ERR_UNSUPPORTED when no vcpu gives a usable root. */
int guest_open(struct memory m, struct guest **ret, struct err *err) MUST_CHECK;
/* A source that lives has new pages and registers: forget what was made of the old ones. Fails as
 * guest_open() does; then only this may be called again. */
int guest_reload(struct guest *g, struct err *err) MUST_CHECK;
void guest_close(struct guest *g);
struct memory guest_memory(const struct guest *g);
const struct memory_info *guest_info(const struct guest *g);
unsigned guest_pt_levels(const struct guest *g);  /* 2..5 */
unsigned guest_word_bytes(const struct guest *g); /* size of a guest pointer: 4 or 8 */

/* Through the page tables of the first vcpu. */
int guest_translate(struct guest *g, gva_t va, struct guest_map *ret, struct err *err) MUST_CHECK;

/* Read len bytes; may cross pages. On failure nothing is promised about buf. */
int guest_read(struct guest *g, gva_t va, void *buf, size_t len, struct err *err) MUST_CHECK;
int guest_read_u32(struct guest *g, gva_t va, uint32_t *ret, struct err *err) MUST_CHECK;
int guest_read_u64(struct guest *g, gva_t va, uint64_t *ret, struct err *err) MUST_CHECK;
/* A guest pointer or long (4 or 8 bytes). */
int guest_read_word(struct guest *g, gva_t va, uint64_t *ret, struct err *err) MUST_CHECK;
/* A NUL-terminated string of at most cap-1 bytes; cut there. */
int guest_read_str(struct guest *g, gva_t va, char *buf, size_t cap, struct err *err) MUST_CHECK;
/* By frame; must not cross the page. */
int guest_read_frame(
	struct guest *g, pfn_t pfn, size_t off, void *buf, size_t len, struct err *err) MUST_CHECK;

/*
 * The page in place, which lives as memory.h says; NULL when it has no data. guest_page() counts as
 * a read that the analysis depends on (see guest_track_reads); guest_peek() does not, for scans
 * that look at everything.
 */
const uint8_t *guest_page(struct guest *g, pfn_t pfn);
const uint8_t *guest_peek(const struct guest *g, pfn_t pfn);
/* `page` itself where pages stay, else its copy in buf[PAGE_BYTES]: for who needs it for long. */
const uint8_t *guest_hold(const struct guest *g, const uint8_t *page, uint8_t *buf);

/* Keep a set of the pages that were read (page tables included). */
int guest_track_reads(struct guest *g, struct err *err) MUST_CHECK;
bool guest_was_read(const struct guest *g, pfn_t pfn);

/*
 * Call `fn` for each present leaf mapping in [start, end], ascending; a non-zero return stops the
 * enumeration and is returned. Tables that are absent are skipped. Reads are not tracked.
 * Bounded: gives up with -1 after visiting more tables than the guest has pages.
 */
typedef int guest_map_fn(void *arg, gva_t va, const struct guest_map *map, uint64_t bytes);
int guest_for_each_mapping(struct guest *g, gva_t start, gva_t end, guest_map_fn *fn, void *arg);

/* Do the page tables lead to a page with data? True of a guest that does not use any. Asked again
 * it costs nothing. */
bool guest_maps_anything(struct guest *g);

/* The first address of the upper half, where kernels of four and five levels live; 0: there is one
 * space of 32 bits. */
uint64_t guest_upper_half(const struct guest *g);

/* Is the address canonical and in the kernel half (upper half; i386: >= 0xc0000000)? */
bool guest_is_kernel_addr(const struct guest *g, uint64_t va);

#endif
