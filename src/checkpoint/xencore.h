/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xencore.h - the sections of a Xen core dump; see ckpt_xencore.c.
 */
#ifndef XB_CHECKPOINT_XENCORE_H
#define XB_CHECKPOINT_XENCORE_H

#include "checkpoint/ckpt_priv.h"

enum section_kind {
	SECTION_NOTE,
	SECTION_PRSTATUS,
	SECTION_SHARED_INFO,
	SECTION_PAGES,
	SECTION_P2M,
	SECTION_PFN,
	NR_SECTIONS,
};

struct section {
	uint64_t off, size, entsize; /* off: in the file; size 0: not there */
};

struct xencore {
	struct ckpt *ck;
	uint64_t off; /* of the ELF header */
	struct section s[NR_SECTIONS];
	bool hvm, has_header;
	uint64_t nr_vcpus, nr_pages; /* as the header says */
	unsigned word_bytes;	     /* of a PV guest */
	bool is_pae;		     /* Xen has page tables of three levels for guests of 32 bits */
};

/* Is it an ELF core file with sections and without segments? */
bool xencore_is_one(const struct source *src, uint64_t off);
/* Fill x->s, and the end that the headers give the file. ERR_UNSUPPORTED: of no Xen domain. */
int xencore_read_sections(struct xencore *x, struct err *err) MUST_CHECK;
const char *xencore_section_name(enum section_kind kind);

#endif
