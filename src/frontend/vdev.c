/* SPDX-License-Identifier: BSD-2-Clause
 *
 * vdev.c - xen-vbd-interface(7): a disk and a partition in one number.
 */
#include "frontend/vdev.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DISK    (1u << 20) /* of the extended form */
#define EXTENDED    (1u << 28)
#define MAJOR_XVD   202u
#define MAJOR_SD    8u
#define MAJOR_IDE   3u
#define MAJOR_IDE2  22u
#define SHORT_DISKS 16u
#define SHORT_PARTS 16u
#define EXT_PARTS   256u
#define IDE_DISKS   4u
#define IDE_PARTS   64u

/* "a" is 0, "z" 25, "aa" 26. Moves *p behind the letters. */
static bool parse_letters(const char **p, unsigned *ret)
{
	unsigned disk = 0;

	if (!islower((unsigned char)**p))
		return false;
	for (; islower((unsigned char)**p); ++*p) {
		disk = disk * 26 + (unsigned)(**p - 'a') + 1;
		if (disk > MAX_DISK)
			return false;
	}
	*ret = disk - 1;
	return true;
}

static bool parse_decimal(const char **p, unsigned limit, unsigned *ret)
{
	unsigned v = 0;

	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); ++*p) {
		v = v * 10 + (unsigned)(**p - '0');
		if (v >= limit)
			return false;
	}
	*ret = v;
	return true;
}

static bool number_xvd(unsigned disk, unsigned part, uint64_t *ret)
{
	if (disk >= MAX_DISK || part >= EXT_PARTS)
		return false;
	*ret = disk < SHORT_DISKS && part < SHORT_PARTS
		       ? (uint64_t)MAJOR_XVD << 8 | disk << 4 | part
		       : (uint64_t)EXTENDED | (uint64_t)disk << 8 | part;
	return true;
}

static bool number_sd(unsigned disk, unsigned part, uint64_t *ret)
{
	if (disk >= SHORT_DISKS || part >= SHORT_PARTS)
		return false;
	*ret = (uint64_t)MAJOR_SD << 8 | disk << 4 | part;
	return true;
}

static bool number_hd(unsigned disk, unsigned part, uint64_t *ret)
{
	unsigned major = disk < 2 ? MAJOR_IDE : MAJOR_IDE2;

	if (disk >= IDE_DISKS || part >= IDE_PARTS)
		return false;
	*ret = (uint64_t)major << 8 | (disk & 1) << 6 | part;
	return true;
}

/* "d0p1" */
static bool parse_plain(const char *name, uint64_t *ret)
{
	unsigned disk, part = 0;

	if (*name++ != 'd' || !parse_decimal(&name, MAX_DISK, &disk))
		return false;
	if (*name == 'p' && (name++, !parse_decimal(&name, EXT_PARTS, &part)))
		return false;
	return !*name && number_xvd(disk, part, ret);
}

static bool parse_number(const char *name, uint64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)*name))
		return false;
	*ret = strtoull(name, &end, 0);
	return !*end;
}

bool vdev_number(const char *name, uint64_t *ret)
{
	static const struct {
		const char *prefix;
		bool (*number)(unsigned disk, unsigned part, uint64_t *ret);
	} kinds[] = {{"xvd", number_xvd}, {"sd", number_sd}, {"hd", number_hd}};
	unsigned i, disk, part = 0;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const char *p = name + strlen(kinds[i].prefix);

		if (strncmp(name, kinds[i].prefix, strlen(kinds[i].prefix)))
			continue;
		return parse_letters(&p, &disk) && (!*p || parse_decimal(&p, EXT_PARTS, &part)) &&
		       !*p && kinds[i].number(disk, part, ret);
	}
	return parse_plain(name, ret) || parse_number(name, ret);
}
