/* SPDX-License-Identifier: BSD-2-Clause
 *
 * elf_core.h - a guest's memory laid out as an ELF core file, as crash and drgn read one: a note
 * for the registers of each vcpu, one with what the kernel says of itself (VMCOREINFO), and the
 * memory by guest-physical address. Pages of zeros at the end of a stretch are in memsz only.
 */
#ifndef XB_CMD_ELF_CORE_H
#define XB_CMD_ELF_CORE_H

#include "cmd/cmd.h"

struct elf_stretch {
	uint64_t pfn, nr_data, nr_zero; /* pages: with their bytes, then zeros */
	uint64_t off;			/* in the file */
};

struct elf_core {
	struct memory memory;
	bool (*wanted)(void *arg, pfn_t pfn); /* NULL: every page */
	void *arg;
	uint64_t direct_map; /* where the kernel has all memory; 0 unknown */
	/* Its own image lies there too: frames from image_pfn on. nr_image 0: not known. */
	uint64_t image_va, image_pfn, nr_image;
	uint8_t *notes; /* owned */
	size_t nr_notes, cap_notes;
	struct elf_stretch *v; /* owned */
	size_t nr, cap;
	uint64_t data_pages, zero_pages;
};

/* The caller has set memory, wanted, arg, direct_map and image_*. */
int elf_core_add_note(struct elf_core *c, const char *name, uint32_t type, const void *desc,
	size_t bytes, struct err *err) MUST_CHECK;
/* NT_PRSTATUS of a vcpu; one whose registers are not known has zeros. */
int elf_core_add_vcpu(struct elf_core *c, const struct ckpt_vcpu *v, struct err *err) MUST_CHECK;
/* Decide where everything goes. */
int elf_core_lay_out(struct elf_core *c, struct err *err) MUST_CHECK;
/* Call put with all bytes of the file that are none of a hole, ascending; `off` says where. */
typedef int elf_core_put_fn(void *arg, uint64_t off, const void *buf, size_t len, struct err *err);
int elf_core_write(
	const struct elf_core *c, elf_core_put_fn *put, void *arg, struct err *err) MUST_CHECK;
uint64_t elf_core_bytes(const struct elf_core *c);
void elf_core_fini(struct elf_core *c);

#endif
