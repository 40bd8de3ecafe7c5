/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_foreign.c - files that are no saved Xen guest, recognised so that they can be named: the
 * state that other programs save, and disks.
 */
#include <string.h>

#include "checkpoint/ckpt_priv.h"
#include "io/disk.h"

typedef bool looks_like_fn(const struct source *src);

static bool has_word(const struct source *src, uint64_t off, uint32_t word)
{
	const uint8_t *p = source_at(src, off, 4);

	return p && num_le32(p) == word;
}

/* ---- the state of other programs ---------------------------------------------------------- */

/* Of qemu's docs/devel/migration: "QEVM" and a version; a section of memory is called "ram". */
#define QEVM_SEARCH 4096u

static bool is_qevm(const struct source *src)
{
	return ckpt_has_magic(src, 0, "QEVM", 4);
}

static bool is_qemu_stream(const struct source *src)
{
	uint64_t len = MIN(source_bytes(src), (uint64_t)QEVM_SEARCH);

	return is_qevm(src) && memmem(source_at(src, 0, len), (size_t)len, "\3ram", 4);
}

static bool is_libvirt_qemu(const struct source *src)
{
	return ckpt_has_magic(src, 0, "LibvirtQemudSave", 16) ||
	       ckpt_has_magic(src, 0, "LibvirtQemudPart", 16);
}

/* IMG_COMMON_MAGIC and IMG_SERVICE_MAGIC of criu's include/magic.h. */
static bool is_criu(const struct source *src)
{
	return has_word(src, 0, 0x54564319) || has_word(src, 0, 0x55105940);
}

/* SSMFILEHDR_MAGIC_BASE of VirtualBox's SSM.cpp; its version follows. */
static bool is_virtualbox(const struct source *src)
{
	return ckpt_has_magic(src, 0, "\177VirtualBox SavedState V", 24);
}

/* The four headers of .vmss and .vmsn that Volatility's vmware plugin knows. */
static bool is_vmware(const struct source *src)
{
	static const uint32_t magics[] = {0xbed2bed0, 0xbad1bad1, 0xbed2bed2, 0xbed3bed3};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(magics); i++)
		if (has_word(src, 0, magics[i]))
			return true;
	return false;
}

/* HyperVStorage, of Microsoft's vmsavedstatedumpprovider: .vmrs, and .vmcx without memory. */
static bool is_hyperv(const struct source *src)
{
	return has_word(src, 0, 0x01282014);
}

static bool is_windows_dump(const struct source *src)
{
	return ckpt_has_magic(src, 0, "PAGEDUMP", 8) || ckpt_has_magic(src, 0, "PAGEDU64", 8);
}

static bool is_lime(const struct source *src)
{
	return ckpt_has_magic(src, 0, "EMiL", 4);
}

/*
 * The memory of a machine with a BIOS, byte by byte, as VMware's .vmem or qemu's pmemsave have it:
 * it begins with the 256 vectors of real mode, and most point into the BIOS.
 */
static bool is_raw_memory(const struct source *src)
{
	const uint8_t *p = source_at(src, 0, 1024);
	unsigned i, in_bios = 0;

	for (i = 0; p && i < 256; i++)
		in_bios += num_le16(p + 4 * i + 2) == 0xf000;
	return in_bios >= 128 && source_bytes(src) >= 1 << 20;
}

static const struct {
	const char *name;
	looks_like_fn *looks_like;
} programs[] = {
	{"libvirt save image of a QEMU or KVM guest", is_libvirt_qemu},
	{"QEMU migration stream (a KVM or emulated guest)", is_qemu_stream},
	{"QEMU device state without memory (QEVM)", is_qevm},
	{"CRIU image (of processes)", is_criu},
	{"VirtualBox saved state", is_virtualbox},
	{"VMware suspended state or snapshot (.vmss, .vmsn)", is_vmware},
	{"Hyper-V saved state (.vmrs) or configuration (.vmcx)", is_hyperv},
	{"Windows crash dump", is_windows_dump},
	{"LiME memory dump", is_lime},
	{"raw image of a machine's memory (VMware .vmem or the like)", is_raw_memory},
};

/* ---- disks -------------------------------------------------------------------------------- */

/* A partition table of a PC: its mark, and entries that are empty or make sense. */
static bool has_mbr(const struct source *src)
{
	const uint8_t *p = source_at(src, 0, 512);
	unsigned i, used = 0;

	if (!p || num_le16(p + 510) != 0xaa55)
		return false;
	for (i = 0; i < 4; i++) {
		const uint8_t *e = p + 446 + 16 * i;

		if (*e & 0x7f)
			return false;
		used += e[4] && num_le32(e + 12);
	}
	return used > 0;
}

/* linux/raid/md_p.h: superblock 1.2, 4 KiB into the device. */
static bool has_md(const struct source *src)
{
	return has_word(src, 4096, 0xa92b4efc) && has_word(src, 4100, 1);
}

#define EXT_MAGIC_OFF (1024 + 56)

/* What stands where, of the file system's or the table's own documents. */
static const struct {
	const char *name;
	uint64_t off;
	const char *magic;
	unsigned len;
} contents[] = {
	{"GPT partition table", 512, "EFI PART", 8},
	{"GPT partition table", 4096, "EFI PART", 8},
	{"ext file system", EXT_MAGIC_OFF, "\x53\xef", 2},
	{"XFS file system", 0, "XFSB", 4},
	{"btrfs file system", 65536 + 64, "_BHRfS_M", 8},
	{"NTFS file system", 3, "NTFS    ", 8},
	{"FAT file system", 54, "FAT1", 4},
	{"FAT file system", 82, "FAT32", 5},
	{"FFS file system", 8192 + 1372, "\x54\x19\x01\0", 4},
	{"FFS file system", 65536 + 1372, "\x19\x01\x54\x19", 4},
	{"ISO 9660 file system", 32768 + 1, "CD001", 5},
	{"squashfs file system", 0, "hsqs", 4},
	{"LVM physical volume", 512, "LABELONE", 8},
	{"LVM physical volume", 0, "LABELONE", 8},
	{"LVM physical volume", 1024, "LABELONE", 8},
	{"LUKS volume", 0, "LUKS\xba\xbe", 6},
	{"swap space", 4096 - 10, "SWAPSPACE2", 10},
	{"BSD disk label", 512, "\x57\x45\x56\x82", 4},
};

/* An ext superblock has its magic in two bytes only: its block size and revision must make sense.
 */
static bool fits_ext(const struct source *src)
{
	const uint8_t *p = source_at(src, 1024, 80);

	return p && num_le32(p + 24) <= 6 && num_le32(p + 76) <= 1;
}

static const char *image_format(const struct source *src)
{
	const struct disk_magic *m;
	size_t i;

	for (i = 0; (m = disk_magic(i)); i++) {
		uint64_t off = m->at_end ? source_bytes(src) - m->off : m->off;

		if (ckpt_has_magic(src, off, m->magic, m->len))
			return disk_format_name(m->format);
	}
	return NULL;
}

static const char *raw_content(const struct source *src)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(contents); i++)
		if (ckpt_has_magic(src, contents[i].off, contents[i].magic, contents[i].len) &&
			(contents[i].off != EXT_MAGIC_OFF || fits_ext(src)))
			return contents[i].name;
	if (has_md(src))
		return "member of a Linux RAID";
	return has_mbr(src) ? "MBR partition table" : NULL;
}

/* ---- the two formats ---------------------------------------------------------------------- */

static enum ckpt_probe refuse_disk(struct err *err)
{
	err_override(err, "as-disk");
	return CKPT_PROBE_BROKEN;
}

static enum ckpt_probe probe_foreign(const struct source *src, uint64_t off, struct err *err)
{
	const char *format;
	size_t i;

	if (off)
		return CKPT_PROBE_NO;
	for (i = 0; i < ARRAY_SIZE(programs); i++) {
		if (!programs[i].looks_like(src))
			continue;
		err_set(err, ERR_UNSUPPORTED, "%s: not of Xen, not supported", programs[i].name);
		return CKPT_PROBE_BROKEN;
	}
	format = image_format(src);
	if (!format)
		return CKPT_PROBE_NO;
	err_set(err, ERR_CORRUPT, "not a checkpoint, but a disk image (%s)", format);
	return refuse_disk(err);
}

static enum ckpt_probe probe_disk(const struct source *src, uint64_t off, struct err *err)
{
	const char *content = off ? NULL : raw_content(src);

	if (!content)
		return CKPT_PROBE_NO;
	err_set(err, ERR_CORRUPT, "not a checkpoint, but a raw disk (%s)", content);
	return refuse_disk(err);
}

/* The probes have already refused. */
static int open_foreign(struct ckpt *ck UNUSED, uint64_t off UNUSED, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED, "not a checkpoint of Xen");
}

/* Certain by their magics. */
const struct ckpt_format ckpt_format_foreign = {
	.name = "foreign", .probe = probe_foreign, .open = open_foreign};
/* What a disk holds stands deep in it, where a stream without a header can have anything. */
const struct ckpt_format ckpt_format_disk = {
	.name = "disk", .probe = probe_disk, .open = open_foreign};
