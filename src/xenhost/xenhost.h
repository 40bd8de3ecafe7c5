/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xenhost.h - a live domain of this host: its frames, its p2m, its virtual disks.
 *
 * The only folder that knows the Xen libraries; no type of theirs leaves it. Everything is read,
 * nothing is changed: domains are neither paused nor resumed. Without Xen support in the build
 * xenhost_open() fails with ERR_UNSUPPORTED. What a domain's memory says (table sizes, addresses)
 * is as hostile as a checkpoint.
 */
#ifndef XB_XENHOST_XENHOST_H
#define XB_XENHOST_XENHOST_H

#include "base/backend_keys.h"
#include "base/finding.h"
#include "base/frame.h"

struct xenhost;
struct p2m;

/* All that is opened for it is opened here. ERR_UNSUPPORTED "built without Xen support"; ERR_SYSTEM
 * when this is no dom0. */
int xenhost_open(struct xenhost **ret, struct err *err) MUST_CHECK;
void xenhost_close(struct xenhost *x);

/* Of the hypervisor; 0.0 unknown. */
void xenhost_version(struct xenhost *x, unsigned *ret_major, unsigned *ret_minor);

struct xenhost_domain {
	uint32_t domid;
	bool is_pv;  /* else HVM or PVH, where pfn = gfn */
	bool is_pvh; /* HVM without emulated devices */
	bool paused, shut_down, dying;
	unsigned shutdown_reason; /* of sched.h, when it is shut down */
	uint64_t cpu_ns;	  /* that its vcpus have run */
	unsigned nr_vcpus;	  /* online */
	unsigned nr_vcpu_ids;	  /* the highest + 1 */
	unsigned word_bytes;	  /* PV: 4 or 8 */
	uint64_t nr_pages;	  /* that it has now */
	uint64_t nr_pfns;	  /* highest pfn or gfn + 1, bounded by what the domain may have */
	uint64_t shared_info;	  /* frame */
	char name[80];		  /* from xenstore; "" unknown */
	char uuid[37];
};

/* ERR_NOTFOUND when there is no such domain. */
int xenhost_domain(
	struct xenhost *x, uint32_t domid, struct xenhost_domain *ret, struct err *err) MUST_CHECK;

#define XENHOST_DOMID_MAX (XEN_FIRST_RESERVED_DOMID - 1)

/* The domain that a user names by its number or its name. Whether there is one of that number is
 * for xenhost_domain(). */
int xenhost_find(struct xenhost *x, const char *word, uint32_t *ret, struct err *err) MUST_CHECK;
/* "running", "paused", "suspended" (as it agreed, for a save), "restored" (and never run),
 * "crashed", "shut down", "dying" */
const char *xenhost_state(const struct xenhost_domain *d);
/* Its drivers stand still, as they do in a checkpoint: it is suspended, or restored and has not
 * run.
 */
bool xenhost_is_still(const struct xenhost_domain *d);

struct pause_hold;
/* Paused until pause_end() of pause.h, or until this process is gone. */
int xenhost_pause(
	const struct xenhost_domain *dom, struct pause_hold **ret, struct err *err) MUST_CHECK;

struct live_memory;
/* Its memory and its registers. The caller frees it with live_memory_free(), before x is closed. */
int xenhost_memory(struct xenhost *x, const struct xenhost_domain *dom, struct live_memory **ret,
	struct err *err) MUST_CHECK;
/* The registers of now. */
int xenhost_read_cpus(struct xenhost *x, const struct xenhost_domain *dom, struct live_memory *m,
	struct err *err) MUST_CHECK;

struct xenhost_p2m {
	uint64_t *mfn; /* malloc'ed; UINT64_MAX = none */
	uint64_t nr, nr_valid;
	const char *how;     /* static text: which way gave the table */
	const char *checked; /* static text: what it was compared with, or NULL */
	uint64_t nr_differ;  /* entries that the comparison contradicts */
	uint64_t nr_foreign; /* valid entries whose frame is not the domain's; not in nr_valid */
};

/*
 * The table of a PV domain, running, stuck or restored and still paused. ERR_UNSUPPORTED for HVM
 * and PVH: there is nothing to translate. The caller frees with xenhost_p2m_fini().
 */
int xenhost_p2m(struct xenhost *x, const struct xenhost_domain *dom, struct xenhost_p2m *ret,
	struct err *err) MUST_CHECK;
void xenhost_p2m_fini(struct xenhost_p2m *p2m);

/* The same as a target table for frontend_set_target(); what the comparison contradicts becomes a
 * finding. `findings` may be NULL. */
int xenhost_target(struct xenhost *x, uint32_t domid, struct p2m **ret,
	struct finding_list *findings, struct err *err) MUST_CHECK;

/*
 * Copy nr frames (machine frames of a PV domain, gfns of another) into buf, PAGE_BYTES each, read
 * through a read-only mapping. ok[i] is false for a frame that could not be mapped.
 */
int xenhost_read_frames(struct xenhost *x, uint32_t domid, const uint64_t *frames, size_t nr,
	uint8_t *buf, bool *ok, struct err *err) MUST_CHECK;

/* Copy the page that the domain has granted to this one, PAGE_BYTES, through a mapping as a backend
 * makes it, but read-only. */
int xenhost_read_granted(
	struct xenhost *x, uint32_t domid, uint32_t ref, uint8_t *buf, struct err *err) MUST_CHECK;
/* The number of the domain that this runs in; 0 also where xenstore does not say. */
uint32_t xenhost_own_domid(struct xenhost *x);
/* Requests that the block device of that number ("fd:0") has under way, by the sysfs at that
 * folder. False: not known. */
bool xenhost_in_flight(
	const char *sysfs, const char *device, uint64_t *ret_reads, uint64_t *ret_writes);

#define XENHOST_UNKNOWN	  UINT64_MAX
#define XENHOST_MAX_RINGS 256u /* queues of a disk that are looked at */
#define XENHOST_MAX_REFS  16u  /* pages of a ring: max-ring-page-order 4 */
#define XENHOST_MAX_VBDS  1024u

struct xenhost_ring {
	unsigned nr_refs;
	uint32_t ref[XENHOST_MAX_REFS];
	uint64_t event_channel; /* XENHOST_UNKNOWN when absent */
};

/* A disk as xenstore has it. Absent keys, and texts where a number stands: XENHOST_UNKNOWN, "". */
struct xenhost_vbd {
	struct err why;	 /* ERR_NONE: it could be read; else no more is known */
	uint64_t handle; /* the folder's name: the virtual-device number */
	char vdev[32];	 /* backend's "dev" ("xvda"); "" unknown */
	char frontend_path[128], backend_path[128];
	uint64_t backend_domid;
	uint64_t frontend_state, backend_state; /* XenbusState: 4 = connected */
	char protocol[32];			/* "x86_64-abi" */
	struct xenhost_ring *rings;		/* owned */
	size_t nr_rings;
	char params[256], type[16], mode[8];  /* mode "r" or "w" */
	char physical_device[24];	      /* "fd:0", as the backend opened it */
	uint64_t feature[BACKEND_NR_NUMBERS]; /* of the backend */
	uint64_t physical_sector_bytes, info, discard_granularity, discard_alignment;
	uint64_t frontend_persistent;
};

int xenhost_vbds(struct xenhost *x, uint32_t domid, struct xenhost_vbd **ret, size_t *nr,
	struct err *err) MUST_CHECK;
void xenhost_vbds_free(struct xenhost_vbd *v, size_t nr);

/* --- the parts that need no Xen, behind interfaces --- */

struct xenhost_store {
	void *arg;
	/* The value, malloc'ed and NUL-terminated; NULL when there is none. */
	char *(*read)(void *arg, const char *path);
	/* Names in a folder, one malloc'ed block of pointers and text; NULL when it is absent. */
	char **(*list)(void *arg, const char *path, unsigned *nr);
};

int xenhost_find_from(const struct xenhost_store *store, const char *word, uint32_t *ret,
	struct err *err) MUST_CHECK;
int xenhost_vbds_from(const struct xenhost_store *store, uint32_t domid, struct xenhost_vbd **ret,
	size_t *nr, struct err *err) MUST_CHECK;

struct xenhost_memory {
	void *arg;
	/* The frame that a kernel address of vcpu 0 maps to; 0 none. */
	uint64_t (*translate)(void *arg, uint64_t va);
	/* One frame, PAGE_BYTES. False when it cannot be mapped. */
	bool (*read)(void *arg, uint64_t frame, uint8_t *buf);
};

/*
 * Read the linear table of nr entries of word_bytes (4 or 8) at va, which xen.h calls
 * arch_shared_info.p2m_vaddr, into mfn[]. Entries that name no frame of the domain (invalid,
 * foreign, identity) and those whose page is not mapped become UINT64_MAX. Returns how many pages
 * of the table could be read.
 */
uint64_t xenhost_walk_p2m(const struct xenhost_memory *mem, uint64_t va, unsigned word_bytes,
	uint64_t *mfn, uint64_t nr);

/* Entries in which two tables differ. */
uint64_t xenhost_count_differences(const uint64_t *a, const uint64_t *b, uint64_t nr);

#endif
