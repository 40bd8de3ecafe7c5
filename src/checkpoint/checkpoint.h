/* SPDX-License-Identifier: BSD-2-Clause
 *
 * checkpoint.h - an opened checkpoint: what it is, its vcpus, and where each guest page lies.
 *
 * parse_checkpoint.c owns the registry of formats and opens; each format fills `struct ckpt_info`,
 * the vcpus and the page map, without reading page data. Reading a page is common code. All
 * pointers that are handed out are borrowed and live until ckpt_close().
 */
#ifndef XB_CHECKPOINT_CHECKPOINT_H
#define XB_CHECKPOINT_CHECKPOINT_H

#include "base/err.h"
#include "base/finding.h"
#include "base/frame.h"
#include "io/source.h"

struct ckpt;

enum ckpt_guest_type {
	CKPT_GUEST_UNKNOWN,
	CKPT_GUEST_PV,
	CKPT_GUEST_PVH, /* HVM stream whose configuration says pvh */
	CKPT_GUEST_HVM, /* HVM stream otherwise */
};

/* What page-table entries of the guest hold in this format. */
enum ckpt_pte_unit {
	CKPT_PTE_PFN, /* save streams of PV guests; everything of HVM and PVH guests (gfn) */
	CKPT_PTE_MFN, /* core dumps of PV guests */
};

enum ckpt_config_kind {
	CKPT_CONFIG_NONE,
	CKPT_CONFIG_XL_JSON,  /* libxl_domain_config as JSON */
	CKPT_CONFIG_SXP,      /* xend s-expression */
	CKPT_CONFIG_XLCFG,    /* what an administrator writes for xl */
	CKPT_CONFIG_XML,      /* libvirt's domain XML */
	CKPT_CONFIG_XENOPS,   /* xenopsd's s-expression */
	CKPT_CONFIG_XENSTORE, /* of a live domain: what its host has of its disks */
};

#define CKPT_MAX_LAYERS 6

struct ckpt_disk {  /* a disk that the configuration names */
	char *vdev; /* "xvda", "hda1", "51712"; as written; may be NULL when the config omits it */
	char *path; /* backend path, may be NULL */
	char *format;  /* "raw", "qcow2", ...; may be NULL */
	char *backend; /* "phy", "qdisk", ...; may be NULL */
	bool read_only, cdrom;
};

struct ckpt_info {
	const char *format; /* outermost, without compression: "xl", "libxl", "libxc", "xen2" */
	char layers[CKPT_MAX_LAYERS][24]; /* outside in: "gzip", "xl", "libxl v2", "libxc v3" */
	unsigned nr_layers;
	bool complete;		  /* the end marker was read (and nothing is missing before it) */
	char incomplete_why[160]; /* "" when complete */
	char written_by[192];	  /* which tool of which versions of Xen */
	char restore[256];	  /* what can restore it: "by ...", "not by ...: with ..." */
	/* The guest agreed to be saved, so that its drivers stood still. A core dump is of one that
	 * ran, or crashed, as far as anybody can tell. */
	bool suspended;
	enum ckpt_guest_type guest_type;
	unsigned word_bytes; /* 4 or 8: guest width (HVM: 8) ; 0 unknown */
	unsigned pt_levels;  /* 2..5 as the vcpu's paging mode says; 0 unknown */
	enum ckpt_pte_unit pte_unit;
	uint64_t nr_pfns;	       /* PV: p2m entries; HVM: highest listed gfn + 1 */
	uint64_t nr_data_pages;	       /* distinct pfns with data */
	uint64_t nr_repeats;	       /* page entries that a later one replaced (live stream) */
	unsigned xen_major, xen_minor; /* of the writer; 0.0 unknown or converted */
	unsigned nr_emulator_records;
	uint64_t stream_off; /* file offset of the libxc (or 2.0) body */
	enum ckpt_config_kind config_kind;
	const char *config; /* text, not NUL-terminated */
	size_t config_bytes;
	char *name, *uuid;     /* from the configuration; NULL unknown */
	unsigned config_vcpus; /* max_vcpus of the configuration; 0 unknown */
	struct ckpt_disk *disks;
	size_t nr_disks;
};

enum ckpt_vcpu_kind {
	CKPT_VCPU_PV64,	 /* vcpu_guest_context, 5168 bytes */
	CKPT_VCPU_PV32,	 /* vcpu_guest_context, 2800 bytes */
	CKPT_VCPU_XEN20, /* full_execution_context_t, 2516 bytes */
	/* vcpu_guest_context of xen-unstable until the FPU's state came first, in August 2005: with
	 * pt_base, 2784 bytes; since June with ctrlreg[8], 2816 bytes. 32 bits. */
	CKPT_VCPU_2005_SPRING,
	CKPT_VCPU_2005_SUMMER,
	CKPT_VCPU_HVM, /* HVM save record type 2 (CPU); in a core dump vcpu_guest_context */
};

struct ckpt_vcpu {
	uint32_t id;
	enum ckpt_vcpu_kind kind;
	const uint8_t *ctx; /* the raw context or record body */
	size_t ctx_bytes;
	uint64_t ctx_off; /* its file offset */
	/* decoded; 0 where the kind has no such register */
	uint64_t cr0, cr3, cr4, efer;
	bool efer_unknown; /* core dumps have none: its bit LMA is told from the page tables */
	uint64_t ip, sp;
	uint64_t dx;	 /* PV: pfn of start_info */
	uint64_t si;	 /* Xen 2.0: pfn of the suspend record */
	pfn_t root;	 /* frame of the top page table (from cr3) */
	pfn_t user_root; /* PV64: user half's top table, or v == UINT64_MAX */
};

enum ckpt_page_kind {
	CKPT_PAGE_ABSENT, /* never listed */
	CKPT_PAGE_DATA,
	CKPT_PAGE_NO_DATA, /* listed without data: XTAB (unmapped) or XALLOC */
	CKPT_PAGE_BROKEN,  /* listed as poisoned */
	CKPT_PAGE_FAILED,  /* listed with data that cannot be had: `why` */
};

struct ckpt_page {
	enum ckpt_page_kind kind;
	uint8_t type; /* the stream's nibble: 0 normal, 1-4 L1..L4, |8 pinned, 13 broken, 14 xalloc,
			 15 xtab */
	uint64_t off; /* file offset of the data */
	const uint8_t *data; /* PAGE_BYTES bytes, or NULL */
	const char *why;     /* CKPT_PAGE_FAILED: a static text */
};

/* A run of page entries as the stream lists them, in file order. Frames of a run are consecutive,
 * and so is their data. A run that a later one replaces (wholly or in part) still stands here. */
struct ckpt_run {
	uint64_t pfn; /* first */
	uint64_t off; /* file offset of the first page's data; 0 when the type has none */
	uint32_t nr;
	uint8_t type;
	bool ignored;  /* resent for comparison only (VERIFY) */
	bool packed;   /* pages of a kdump file: `off` is PAGE_BYTES times a number of its own */
	bool squeezed; /* one page, whose content is made: `off` is that of its code, not of data */
};

#define CKPT_TYPE_BROKEN 13 /* poisoned */
#define CKPT_TYPE_XALLOC 14 /* memory without content */
#define CKPT_TYPE_XTAB	 15 /* no memory there */

/* Type nibbles whose entries are followed by page data. */
static inline bool ckpt_type_has_data(unsigned type)
{
	return type <= 4 || (type >= 9 && type <= 12);
}

/* Level 1..4 of a page-table page, or 0. */
static inline unsigned ckpt_type_level(unsigned type)
{
	return type <= 4 ? type : type >= 9 && type <= 12 ? type - 8 : 0;
}

/*
 * Recognise and index. A truncated stream whose header is good is opened all the same
 * (info.complete = false) as far as it could be read; ERR_CORRUPT only when nothing useful is
 * there or a record contradicts itself; ERR_UNSUPPORTED for a format that is recognised by name.
 * What Xen's restore would refuse but we can read becomes a finding (XB0xx) in ckpt_findings().
 */
int ckpt_open(const char *path, struct ckpt **ret, struct err *err) MUST_CHECK;
/* The one that begins at that offset of the file, which may unpack to `most` bytes (0: the bounds
 * of io/unpack.h). */
int ckpt_open_at(const char *path, uint64_t off, uint64_t most, struct ckpt **ret,
	struct err *err) MUST_CHECK;
/* Takes over `src`, also on failure. */
int ckpt_open_source(struct source *src, struct ckpt **ret, struct err *err) MUST_CHECK;
void ckpt_close(struct ckpt *ck);

const struct ckpt_info *ckpt_info(const struct ckpt *ck);
const struct source *ckpt_source(const struct ckpt *ck);
const struct finding_list *ckpt_findings(const struct ckpt *ck);

/*
 * Rules on the content of a PV guest's page tables (XB027), which opening does not read: of those
 * that are `wanted`, all copies that the stream has of them. Returns how many pages were left out.
 */
typedef bool ckpt_wanted_fn(const void *arg, pfn_t pfn);
uint64_t ckpt_verify_tables(const struct ckpt *ck, ckpt_wanted_fn *wanted, const void *arg,
	struct finding_list *findings);

/* In ascending order of id. */
size_t ckpt_nr_vcpus(const struct ckpt *ck);
const struct ckpt_vcpu *ckpt_vcpu(const struct ckpt *ck, size_t index);

/* Core dumps of PV guests: which page had which machine frame, as the dump's own table says. False:
 * none, not known, or a frame that several pages claim. */
bool ckpt_has_frames(const struct ckpt *ck);
bool ckpt_to_pfn(const struct ckpt *ck, mfn_t mfn, pfn_t *ret);
bool ckpt_to_mfn(const struct ckpt *ck, pfn_t pfn, mfn_t *ret);

/* Do pointers to pages live as long as the checkpoint? Else those of pages that are made of deltas
 * (Remus) or unpacked (kdump) stand until SQUEEZE_HELD (squeeze.h) others were asked for. */
bool ckpt_pages_stay(const struct ckpt *ck);
/* The last copy of a page that the stream holds. */
struct ckpt_page ckpt_page(const struct ckpt *ck, pfn_t pfn);

/*
 * Redact overwrites the payload pages that it leaves out with this text and zeros, so that nobody
 * takes the zeros for what the guest meant to write: a page with it is as good as absent.
 */
#define CKPT_REMOVED_MARK "xbdsnap redact: the payload that stood here was left out\n"

/* Current pages only, ascending by pfn, as runs (a run may be shorter than the stream's own). */
size_t ckpt_nr_runs(const struct ckpt *ck);
/* Index of the first that ends behind pfn; ckpt_nr_runs(): none does. */
size_t ckpt_run_from(const struct ckpt *ck, pfn_t pfn);
struct ckpt_run ckpt_run(const struct ckpt *ck, size_t index);
/* Every run in file order, replaced and ignored ones too. */
size_t ckpt_nr_file_runs(const struct ckpt *ck);
struct ckpt_run ckpt_file_run(const struct ckpt *ck, size_t index);

/*
 * Of a run that is squeezed, for who rewrites the file: the runs that its page is made from, itself
 * included; and where its code copies bytes of the file into the page, to `at`. Non-zero from fn
 * stops and is returned.
 */
typedef int ckpt_run_fn(void *arg, const struct ckpt_run *run);
int ckpt_for_each_source(
	const struct ckpt *ck, const struct ckpt_run *run, ckpt_run_fn *fn, void *arg);
typedef int ckpt_literal_fn(void *arg, uint32_t at, uint64_t off, uint32_t bytes);
int ckpt_for_each_literal(
	const struct ckpt *ck, const struct ckpt_run *run, ckpt_literal_fn *fn, void *arg);

/* What the file holds of the guest that is no page of its own (transcendent memory). */
struct ckpt_extra {
	uint64_t off, bytes;
};
size_t ckpt_nr_extras(const struct ckpt *ck);
struct ckpt_extra ckpt_extra(const struct ckpt *ck, size_t index); /* ascending */
/* File offsets of pages without which the file could not be read: where the guest's own memory says
 * which page is which. In any order, perhaps several times. */
size_t ckpt_nr_needed(const struct ckpt *ck);
uint64_t ckpt_needed(const struct ckpt *ck, size_t index);
/* Where the checkpoint begins in the file. */
uint64_t ckpt_start(const struct ckpt *ck);
/* Behind this offset nothing of the file was understood, or anything else stands. */
uint64_t ckpt_end(const struct ckpt *ck);

/* PV: pfns of the pages that make up the p2m, as the stream lists them; 0 entries when it does not.
 */
size_t ckpt_nr_p2m_frames(const struct ckpt *ck);
pfn_t ckpt_p2m_frame(const struct ckpt *ck, size_t index);

/* Suspended PV guests of Xen 3 and newer: what start_info, the page that vcpu 0's edx names, says
 * of the rings that the restore sets up anew. Pfns, as the guest left them in a saved image. */
struct ckpt_start_info {
	pfn_t page;
	uint64_t store_off, console_off; /* file offsets of the two words */
	uint64_t store, console;	 /* 0: none; not bounded by anything */
};
/* Xen 2.0, and the hybrids of 2005: the page in which the guest asked to be suspended. False: none.
 */
bool ckpt_suspend_record(const struct ckpt *ck, pfn_t *ret);
/* Where in it: behind start_info, whose 320 bytes it repeats first (linux-public/suspend.h). */
#define SUSPEND_NR_PFNS 324u
/* False: there is none, or its page has no data. */
bool ckpt_start_info(const struct ckpt *ck, struct ckpt_start_info *ret);

/* HVM and PVH: the value of a parameter (public/hvm/params.h) as the restore sets it. False: the
 * stream has none of that index. */
bool ckpt_hvm_param(const struct ckpt *ck, uint64_t index, uint64_t *ret);

/* The saved shared_info page (PAGE_BYTES bytes), or NULL. Frame numbers in it are stale. */
const uint8_t *ckpt_shared_info(const struct ckpt *ck);

#endif
