/* SPDX-License-Identifier: BSD-2-Clause
 *
 * live_memory.h - the memory of a domain that lives, as guest/memory.h wants it.
 *
 * The guest may change any page while it is looked at, on purpose too. So a page is copied once,
 * when it is first asked for, and all that is asked of it later is answered out of the copy: nobody
 * checks one value and uses another. The copies are bounded (LIVE_HELD pages, those asked for last)
 * and stand until live_memory_forget() or live_memory_renew(), which copies all of them again, one
 * right behind the other: as near to one instant as can be had of a guest that runs.
 *
 * Nothing here knows Xen: frames come through struct live_frames, from a domain (xen_live.c) or a
 * test. Pages can fail at any time; the domain may give them back to Xen, or be gone.
 */
#ifndef XB_XENHOST_LIVE_MEMORY_H
#define XB_XENHOST_LIVE_MEMORY_H

#include "guest/memory.h"

#define LIVE_HELD 16384u /* 64 MiB, as they are needed */

struct live_frames {
	void *arg;
	/* Copy nr frames (machine frames of a PV domain, gfns of another), PAGE_BYTES each; ok[i]
	 * is false where that cannot be done. The mapping is read-only, and gone afterwards. */
	void (*read)(void *arg, const uint64_t *frames, size_t nr, uint8_t *buf, bool *ok);
	/* May be NULL. */
	bool (*hvm_param)(void *arg, uint64_t index, uint64_t *ret);
	void (*free)(void *arg); /* may be NULL; called once, when making the memory fails too */
};

/* A vcpu's registers. */
struct live_cpu {
	uint32_t vcpu;
	bool paging, user; /* user: at privilege level 3, where that is known */
	uint64_t cr3_frame;
	unsigned offset; /* of the top table in its page */
};

struct live_facts {
	enum ckpt_guest_type type;
	unsigned word_bytes, pt_levels; /* 0: as the vcpus page */
	uint64_t nr_pfns, nr_pages;
	bool suspended;
};

struct live_memory;

/*
 * `mfn`: PV, the table of nr_pfns machine frames (UINT64_MAX: none), else NULL; borrowed for the
 * call. ERR_SYSTEM: no memory.
 */
int live_memory_new(const struct live_facts *facts, const uint64_t *mfn, struct live_frames from,
	struct live_memory **ret, struct err *err) MUST_CHECK;
void live_memory_free(struct live_memory *m);
struct memory live_memory_of(const struct live_memory *m);

/* The registers of now, in place of those of before; `cpus` ascend by vcpu. -1: no memory. */
int live_memory_set_cpus(struct live_memory *m, const struct live_cpu *cpus, size_t nr) MUST_CHECK;
void live_memory_set_mode(struct live_memory *m, unsigned word_bytes, unsigned pt_levels);

void live_memory_forget(struct live_memory *m);
struct pfn_set;
/* Copy again what is held, but for the pages of `keep` (NULL: none), which stay as they were
 * copied. Returns how many pages. -1: no memory, nothing was done. */
int64_t live_memory_renew(struct live_memory *m, const struct pfn_set *keep) MUST_CHECK;
/* Were pages given up since the last forget or renew, for want of room? Then those that are there
 * are not all of one time. */
bool live_memory_overflowed(const struct live_memory *m);

#endif
