/* SPDX-License-Identifier: BSD-2-Clause
 *
 * legacy.h - the libxc stream of Xen 3.0 to 4.5 (xc_linux_save.c, xc_domain_save.c; described at
 * the head of tools/libxc/xg_save_restore.h since 4.1).
 *
 *   ulong        p2m_size                   ulong: 4 or 8 bytes, as the tool stack that wrote it
 *   PV:          [extended information]     since 3.2 always
 *                ulong frame[]              pfns of the p2m's pages
 *   body:        chunks {i32 id, ...}       id > 0: a batch of pages; 0 ends the body
 *   tail:        PV: missing pfns, vcpu contexts, shared_info; HVM: special pfns, context, qemu
 *
 * Body and tail repeat in a stream with checkpoints (Remus). Nothing is aligned. All functions
 * return 0 with l->cut set where the file ends; the checkpoint is then marked incomplete.
 */
#ifndef XB_CHECKPOINT_LEGACY_H
#define XB_CHECKPOINT_LEGACY_H

#include <inttypes.h>

#include "checkpoint/ckpt_priv.h"

#define LEGACY_MAX_BATCH 1024
/* A word has 28 bits for the frame. */
#define LEGACY_MAX_PFNS	       (UINT64_C(1) << 28)
#define LEGACY_WORD_PFN	       (LEGACY_MAX_PFNS - 1)
#define LEGACY_WORD_TYPE_SHIFT 28

/* What is known of a stream before it is read. */
enum legacy_hint {
	LEGACY_UNKNOWN, /* not even that there is one: only what is certain counts */
	LEGACY_EITHER,	/* a wrapper says that there is one */
	LEGACY_PV,
	LEGACY_HVM,
};

static inline enum legacy_hint legacy_hint_of(enum ckpt_guest_type config)
{
	if (config == CKPT_GUEST_UNKNOWN)
		return LEGACY_EITHER;
	return config == CKPT_GUEST_PV ? LEGACY_PV : LEGACY_HVM;
}

/* What the first bytes say. */
struct legacy_form {
	unsigned tools; /* bytes of the tool stack's ulong: 4 or 8 */
	bool hvm, extended;
	uint64_t p2m_size;
	uint64_t list_bytes; /* of the list of p2m frames; 0: not known before the extended
				information is read */
};

/* The oldest and newest Xen that writes what was seen: 0x0301 is 3.1. */
struct legacy_age {
	unsigned first, last;
};

struct legacy {
	struct ckpt *ck;
	uint64_t off; /* of what is read next */
	struct legacy_form form;
	struct legacy_age age;
	bool wrapped; /* a tool stack wrote it, not xc_save alone */
	bool cut;
	bool old;	      /* of Xen 2.0: fewer types and chunks */
	bool verify;	      /* batches are resent for comparison */
	bool extv;	      /* each vcpu is followed by its extended context */
	uint32_t xsave_bytes; /* and by so much of xsave state; 0: by none */
	bool last;	      /* no epoch follows */
	uint32_t seen;	      /* bit per id of a chunk that has no pages, negated */
	unsigned top_level;   /* highest level of a page table in any batch */
	uint64_t nr_listed;   /* words of all batches that count */
	uint64_t vcpus[CKPT_MAX_VCPUS / 64];
	/* Of the list of missing pfns as of the last whole tail, in the map. */
	size_t missing_first, nr_missing;
	/* Compressed checkpoints: batches are words only, and codes in their order come apart. */
	bool compress; /* from the next epoch on */
	bool compressed;
	struct squeeze_parser parser;
	uint32_t *words; /* with data, of this epoch */
	size_t nr_words, cap_words, next_word;
};

/* legacy_probe.c: is it one, and of what form? False: no, or (with a wrapper's word for it) not
 * enough of it is there to tell. */
bool legacy_recognise(
	const struct source *src, uint64_t off, enum legacy_hint hint, struct legacy_form *ret);

/* Does a chunk stand there that can begin an epoch? */
bool legacy_chunk_follows(const struct source *src, uint64_t off, const struct legacy_form *form);

/* ckpt_legacy.c: what a wrapper calls. */
int legacy_open(struct ckpt *ck, uint64_t off, enum legacy_hint hint, struct err *err) MUST_CHECK;
/* The next n bytes, or NULL: then the checkpoint is marked incomplete and l->cut set. */
const uint8_t *legacy_take(struct legacy *l, uint64_t n, const char *what);
/* An unsigned long of the tool stack. */
uint64_t legacy_ulong(const struct legacy_form *form, const uint8_t *p);
void legacy_not_before(struct legacy *l, unsigned version);
void legacy_not_after(struct legacy *l, unsigned version);

/* legacy_chunks.c: all chunks of a body, its end included. */
int legacy_body(struct legacy *l, struct err *err) MUST_CHECK;
/* Bytes behind the id of a chunk that is always as long; false: unknown, or its length varies. */
bool legacy_chunk_is_fixed(int32_t id, uint32_t *ret_bytes);
bool legacy_chunk_is_known(int32_t id);

/* legacy_tmem.c: the body of a TMEM chunk, and of what was invalidated since. */
int legacy_tmem(struct legacy *l, struct err *err) MUST_CHECK;
int legacy_tmem_extra(struct legacy *l, struct err *err) MUST_CHECK;

/* legacy_compressed.c: a batch's word whose page comes as a code; codes; and whether all came. */
int legacy_keep_word(struct legacy *l, uint32_t word, struct err *err) MUST_CHECK;
int legacy_compressed_data(struct legacy *l, struct err *err) MUST_CHECK;
int legacy_enable_compression(struct legacy *l, struct err *err) MUST_CHECK;
int legacy_check_compressed(struct legacy *l, struct err *err) MUST_CHECK;

/* legacy_pages.c */
int legacy_index_run(struct legacy *l, const struct ckpt_run *run, struct err *err) MUST_CHECK;
int legacy_batch(struct legacy *l, uint32_t count, struct err *err) MUST_CHECK;
/* u32 count, ulong pfn[]: frames that the guest does not have. */
int legacy_missing(struct legacy *l, struct err *err) MUST_CHECK;
/* Can that be a word of a batch? */
bool legacy_word_ok(const struct legacy_form *form, uint64_t word);

/* legacy_tail.c: what stands behind a body. For PV l->vcpus says which vcpus there are. */
int legacy_pv_tail(struct legacy *l, struct err *err) MUST_CHECK;
int legacy_hvm_tail(struct legacy *l, struct err *err) MUST_CHECK;

#endif
