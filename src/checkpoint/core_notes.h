/* SPDX-License-Identifier: BSD-2-Clause
 *
 * core_notes.h - the notes of core dumps.
 *
 * A note is {u32 bytes of the name, u32 bytes of the descriptor, u32 type, name, descriptor}, name
 * and descriptor padded to 4 bytes.
 *
 * Of dumps of a machine's memory, as the emulator's dump-guest-memory makes them and makedumpfile
 * of /proc/vmcore, these names are known:
 *
 *   QEMU        type 0, of each vcpu: QEMUCPUState of QEMU's target/i386/arch_dump.c, 440 bytes
 *   CORE        type 1, of each vcpu: struct elf_prstatus; no control registers
 *   VMCOREINFO  lines of text about a Linux kernel (Documentation/admin-guide/kdump/vmcoreinfo.rst)
 *   Xen         the dump is of a host, not of a guest
 */
#ifndef XB_CHECKPOINT_CORE_NOTES_H
#define XB_CHECKPOINT_CORE_NOTES_H

#include "checkpoint/ckpt_priv.h"

struct core_note {
	const uint8_t *name, *desc;
	uint32_t name_len, desc_len, type;
	uint64_t off; /* of the descriptor in the file */
};

typedef int core_note_fn(void *arg, const struct core_note *note, struct err *err);

/* Call fn for each note of buf, which stands at off; -1 from fn ends it. Notes that are cut off,
 * and more than anybody writes, end the list. */
int core_notes_walk(const uint8_t *buf, size_t len, uint64_t off, core_note_fn *fn, void *arg,
	struct err *err) MUST_CHECK;
bool core_note_is_named(const struct core_note *note, const char *name);

struct core_notes {
	bool of_host;	    /* a Xen host's */
	const char *kernel; /* VMCOREINFO, kernel_bytes; NULL none */
	size_t kernel_bytes;
	unsigned nr_qemu; /* vcpus of the emulator's */
};

/* Read notes; buf must live as long as the checkpoint. Makes the vcpus that the emulator describes.
 */
int core_notes_read(struct ckpt *ck, const uint8_t *buf, size_t len, uint64_t off,
	struct core_notes *ret, struct err *err) MUST_CHECK;
/*
 * After the notes, and before anybody looks at vcpus. Where no vcpu says how it pages, the kernel's
 * own top table serves, which VMCOREINFO names. ERR_UNSUPPORTED: this is no dump of a guest.
 */
int core_notes_settle(struct ckpt *ck, const struct core_notes *notes, struct err *err) MUST_CHECK;

#endif
