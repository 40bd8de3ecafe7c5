/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xenvbd.c - the storage driver of Xen's Windows PV drivers (win-xenvbd 8 and 9).
 *
 * Its requests hang on lists of a structure that only its own symbols describe (XENVBD_RING's
 * SubmittedReqs), and symbols of Windows are never in memory. So its disks are what their shared
 * rings say. It hands what was on the way back to the queues of its requests from Windows when the
 * guest resumes (PdoPreResume, __PauseRing), in which order is not known here.
 *
 * The driver is recognised by the version resource of its image, VS_VERSIONINFO (verrsrc.h): the
 * fixed part has {u32 signature, u32 struct version, u32 file version high, low}; behind it stand
 * texts in UTF-16, of which OriginalFilename is the driver's.
 */
#include "frontend/ring_disks.h"

#include <string.h>

#include "base/num.h"

#define FIXED_SIGNATURE 0xfeef04bdu
#define FIXED_STRUCT	0x00010000u
#define FIXED_BYTES	52u

struct version_search {
	struct guest *g;
	char text[32];
};

static const uint8_t file_name[] = "x\0e\0n\0v\0b\0d\0.\0s\0y\0s";

static bool read_version(const uint8_t *fixed, const uint8_t *end, char *text, size_t cap)
{
	uint32_t high, low;

	if (end - fixed < (ptrdiff_t)FIXED_BYTES || num_le32(fixed + 4) != FIXED_STRUCT ||
		!memmem(fixed, (size_t)(end - fixed), file_name, sizeof(file_name)))
		return false;
	high = num_le32(fixed + 8);
	low = num_le32(fixed + 12);
	snprintf(text, cap, "%u.%u.%u.%u", high >> 16, high & 0xffff, low >> 16, low & 0xffff);
	return true;
}

static int visit_page(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct version_search *s = arg;
	unsigned off;

	for (off = 0; off < PAGE_BYTES; off += 4)
		if (num_le32(page + off) == FIXED_SIGNATURE &&
			read_version(page + off, page + PAGE_BYTES, s->text, sizeof(s->text))) {
			guest_page(s->g, pfn);
			return 1;
		}
	return 0;
}

static int find_xenvbd(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	struct ring_disks_how how = {.driver = &frontend_windows_xenvbd};
	struct version_search v = {.g = g};

	if (s->nr_devices || opt->locate == FRONTEND_LOCATE_SYMBOLS ||
		(*k->facts->os && strcmp(k->facts->os, "Windows") != 0))
		return 0;
	if (!guest_maps_anything(g) || !memory_for_each_page(guest_memory(g), visit_page, &v))
		return 0;
	how.version = v.text;
	return ring_disks_find(g, k, opt, &how, s, err);
}

const struct frontend_ops frontend_windows_xenvbd = {
	.name = "windows-xenvbd",
	.looks_for = "Windows' xenvbd.sys",
	.find = find_xenvbd,
	.resume = &frontend_resume_unknown,
};
