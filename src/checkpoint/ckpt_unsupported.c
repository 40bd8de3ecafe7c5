/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_unsupported.c - formats that are recognised and refused by name, so that nobody mistakes
 * "not implemented" for "damaged".
 */
#include <string.h>

#include "checkpoint/ckpt_priv.h"

typedef bool looks_like_fn(const struct source *src, uint64_t off);

/* xl, xm and xc_save of Xen 3.0 to 4.5 without any header: {ulong p2m_size; PV: [ulong ~0 and
 * extended info], the frames of the p2m; HVM: chunks}. `width` is that of the tools' ulong. */
#define LEGACY_MAX_PFNS	 (UINT64_C(1) << 28)
#define LEGACY_MAX_LIST	 (1u << 20)
#define LEGACY_MAX_BATCH 1024
#define LEGACY_MIN_CHUNK (-20)

static bool is_chunk_id(const struct source *src, uint64_t off)
{
	const uint8_t *p = source_at(src, off, 4);
	int32_t id = p ? (int32_t)num_le32(p) : 0;

	return p && id && id >= LEGACY_MIN_CHUNK && id <= LEGACY_MAX_BATCH;
}

static uint64_t ulong_at(const uint8_t *p, unsigned width)
{
	return width == 8 ? num_le64(p) : num_le32(p);
}

/* Every frame of the p2m's list is below p2m_size, and a chunk follows. */
static bool is_frame_list(const struct source *src, uint64_t off, uint64_t p2m_size, unsigned width)
{
	uint64_t nr = (p2m_size * width + PAGE_BYTES - 1) / PAGE_BYTES, i;
	const uint8_t *list;

	if (nr > LEGACY_MAX_LIST)
		return false;
	list = source_at(src, off, nr * width);
	if (!list || !is_chunk_id(src, off + nr * width))
		return false;
	for (i = 0; i < nr; i++) {
		uint64_t pfn = ulong_at(list + i * width, width);

		if (!pfn || pfn >= p2m_size)
			return false;
	}
	return true;
}

static bool is_legacy_of_width(const struct source *src, uint64_t off, unsigned width)
{
	uint64_t all_ones = width == 8 ? UINT64_MAX : UINT32_MAX;
	const uint8_t *p = source_at(src, off, 2 * width + 8);
	uint64_t p2m_size = p ? ulong_at(p, width) : 0;

	if (!p2m_size || p2m_size > LEGACY_MAX_PFNS)
		return false;
	if (ulong_at(p + width, width) == all_ones)
		return !memcmp(p + 2 * width + 4, "vcpu", 4) ||
		       !memcmp(p + 2 * width + 4, "extv", 4) ||
		       !memcmp(p + 2 * width + 4, "xcnt", 4);
	return is_frame_list(src, off + width, p2m_size, width);
}

/* HVM: a chunk at once. A batch's first words are plain frames, a parameter's pad is 0. */
static bool is_legacy_hvm(const struct source *src, uint64_t off, unsigned width)
{
	const uint8_t *p = source_at(src, off, width + 4 + width);
	uint64_t p2m_size = p ? ulong_at(p, width) : 0;
	int32_t id;

	if (p2m_size < 16 || p2m_size > LEGACY_MAX_PFNS || !is_chunk_id(src, off + width))
		return false;
	id = (int32_t)num_le32(p + width);
	return id == -7 || (id > 1 && ulong_at(p + width + 4, width) < p2m_size &&
				   source_bytes(src) - off > PAGE_BYTES * (uint64_t)id);
}

static bool is_legacy(const struct source *src, uint64_t off)
{
	return is_legacy_of_width(src, off, 8) || is_legacy_of_width(src, off, 4) ||
	       is_legacy_hvm(src, off, 8) || is_legacy_hvm(src, off, 4);
}

static bool is_xend(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "LinuxGuestRecord", 16);
}

static bool is_libvirt(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "libvirt-xml\n \0 \r", 16);
}

static bool is_libvirt_qemu(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "LibvirtQemudSave", 16) ||
	       ckpt_has_magic(src, off, "LibvirtQemudPart", 16);
}

static bool is_xapi_v2(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "XenSavedDomv2-\n", 15);
}

static bool is_xapi_v1(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "XenSavedDomain\n", 15);
}

#define ELF_CORE    4u
#define ELF_TYPE    16
#define ELF64_PHNUM 56
#define ELF64_SHNUM 60

/* Only Xen's dump-core has sections and no segments; its class is always 64 bit. */
static bool is_xen_core(const struct source *src, uint64_t off)
{
	const uint8_t *p = source_at(src, off, 64);

	return p && ckpt_has_magic(src, off, "\177ELF\2\1", 6) &&
	       num_le16(p + ELF_TYPE) == ELF_CORE && !num_le16(p + ELF64_PHNUM) &&
	       num_le16(p + ELF64_SHNUM);
}

static bool is_elf_core(const struct source *src, uint64_t off)
{
	const uint8_t *p = source_at(src, off, 20);

	return p && ckpt_has_magic(src, off, "\177ELF", 4) && num_le16(p + ELF_TYPE) == ELF_CORE;
}

static bool is_elf(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "\177ELF", 4);
}

static bool is_xc_core(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "\xed\xeb\x0f\xf0", 4) ||
	       ckpt_has_magic(src, off, "\xee\xeb\x0f\xf0", 4);
}

static bool is_kdump(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "KDUMP   ", 8) ||
	       ckpt_has_magic(src, off, "makedumpfile", 12);
}

static bool is_qevm(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "QEVM", 4);
}

static bool is_packed(const struct source *src, uint64_t off)
{
	return ckpt_has_magic(src, off, "\x89LZO\0\r\n", 7) ||
	       ckpt_has_magic(src, off, "LZIP", 4) || ckpt_has_magic(src, off, "\x1f\x9d", 2);
}

/* Ordered: what is certain before what is guessed. */
static const struct {
	const char *name;
	looks_like_fn *looks_like;
} known[] = {
	{"libvirt save image (libxl driver)", is_libvirt},
	{"libvirt save image (qemu driver, not Xen)", is_libvirt_qemu},
	{"XenServer suspend image (xapi v2)", is_xapi_v2},
	{"XenServer suspend image (xapi v1, legacy)", is_xapi_v1},
	{"xend save image (Xen 3.0 to 4.4)", is_xend},
	{"Xen domain core dump (ELF)", is_xen_core},
	{"core dump with segments (QEMU or kdump vmcore)", is_elf_core},
	{"ELF file that is no core dump", is_elf},
	{"Xen core dump of before 3.1 (xc_core)", is_xc_core},
	{"kdump file", is_kdump},
	{"file packed with lzop, lzip or compress", is_packed},
	{"QEMU device state without memory (QEVM)", is_qevm},
	{"legacy libxc stream (Xen 3.0 to 4.5)", is_legacy},
};

static const char *name_of(const struct source *src, uint64_t off)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].looks_like(src, off))
			return known[i].name;
	return NULL;
}

static enum ckpt_probe probe(const struct source *src, uint64_t off, struct err *err)
{
	const char *name = name_of(src, off);

	if (!name)
		return CKPT_PROBE_NO;
	err_set(err, ERR_UNSUPPORTED, "%s: recognised, not supported yet", name);
	return CKPT_PROBE_BROKEN;
}

/* The probe has already refused. */
static int open_unsupported(struct ckpt *ck UNUSED, uint64_t off, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "format at 0x%llx: recognised, not supported yet",
		(unsigned long long)off);
}

const struct ckpt_format ckpt_format_unsupported = {
	.name = "unsupported", .probe = probe, .open = open_unsupported};
