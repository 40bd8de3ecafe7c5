/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/banner.h"

#include <ctype.h>
#include <string.h>

#include "base/num.h"

#define MAX_LINE 160u

/* A text that a kernel has of itself. */
struct banner {
	const char *os;
	const char *start; /* the release follows */
	const char *proof; /* stands behind the release, on the same line */
	bool whole;	   /* the text ends there: in a log of another kernel more follows */
	bool branch;	   /* the release names one, behind a dash */
	bool bare;	   /* without a release: the name alone says it */
};

/*
 * Sources: init/version.c of Linux; sys/conf/newvers.sh of each BSD; kernel.c of Mini-OS;
 * grub-core/normal/main.c; lib/ukboot/banner.c of Unikraft.
 */
static const struct banner banners[] = {
	{.os = "Linux", .start = "Linux version ", .proof = " (", .whole = true},
	{.os = "FreeBSD", .start = "FreeBSD ", .proof = " ", .branch = true},
	{.os = "NetBSD", .start = "NetBSD ", .proof = ") #"},
	{.os = "OpenBSD", .start = "OpenBSD ", .proof = ") #"},
	{.os = "Mini-OS", .start = "Xen Minimal OS", .bare = true},
	{.os = "GRUB", .start = "GNU GRUB  version %s", .bare = true},
	{.os = "Unikraft", .start = "o.   .o       _ _               __ _", .bare = true},
};

/* "13.2-RELEASE-p11", "9.3", "2.6.18-8.el5xen" */
static size_t release_bytes(const char *text)
{
	size_t n = 0;

	if (!isdigit((unsigned char)text[0]))
		return 0;
	while (isalnum((unsigned char)text[n]) || (text[n] && strchr("._-+~", text[n])))
		n++;
	return text[n] == ' ' ? n : 0;
}

/* FreeBSD's release is "X.Y-BRANCH", and "#N" or where it was taken from stands behind it. */
static bool is_proved(const struct banner *b, const char *release, size_t bytes)
{
	return memchr(release, '.', bytes) && strstr(release + bytes, b->proof) &&
	       (!b->branch || memchr(release, '-', bytes));
}

/* `whole`: a newline and the end of the text are next. */
static bool parse_line(
	const struct banner *b, const char *line, bool whole, struct guest_facts *ret)
{
	const char *release = line + strlen(b->start);
	size_t n = release_bytes(release);

	if (b->bare) {
		snprintf(ret->os, sizeof(ret->os), "%s", b->os);
		return true;
	}
	if (!n || n >= sizeof(ret->release) || !is_proved(b, release, n) || (b->whole && !whole))
		return false;
	snprintf(ret->os, sizeof(ret->os), "%s", b->os);
	snprintf(ret->release, sizeof(ret->release), "%.*s", (int)n, release);
	snprintf(ret->version, sizeof(ret->version), "%s", line);
	return true;
}

/* The printable text at `at`, as far as its page and its line go. Does the text end with the line?
 */
static bool copy_line(const uint8_t *at, const uint8_t *end, char *line)
{
	size_t n = 0, k;

	while (at + n < end && isprint(at[n]))
		n++;
	k = MIN(n, (size_t)MAX_LINE - 1);
	memcpy(line, at, k);
	line[k] = '\0';
	return end - at > (ptrdiff_t)n + 1 && at[n] == '\n' && !at[n + 1];
}

struct banner_search {
	struct guest *g;
	struct guest_facts *ret;
};

static int visit_page(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct banner_search *s = arg;
	const uint8_t *at = page, *end = page + PAGE_BYTES;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(banners); i++) {
		size_t len = strlen(banners[i].start);

		for (at = page; (at = memmem(at, (size_t)(end - at), banners[i].start, len));
			at++) {
			char line[MAX_LINE];
			bool whole = copy_line(at, end, line);

			if (!parse_line(&banners[i], line, whole, s->ret))
				continue;
			guest_page(s->g, pfn);
			return 1;
		}
	}
	return 0;
}

/*
 * Windows: KUSER_SHARED_DATA is mapped at a fixed address: NtSystemRoot (UTF-16) at 0x30,
 * NtBuildNumber at 0x260 since Windows 10, NtMajorVersion and NtMinorVersion at 0x26c (ntddk.h).
 */
#define USER_SHARED_64	 0xfffff78000000000ull
#define USER_SHARED_32	 0xffdf0000ull
#define SYSTEM_ROOT	 0x30u
#define NT_BUILD	 0x260u
#define NT_MAJOR	 0x26cu
#define USER_SHARED_USED 0x274u

static bool read_windows(struct guest *g, struct guest_facts *ret)
{
	uint8_t raw[USER_SHARED_USED];
	uint32_t major, minor, build;
	gva_t at = GVA(guest_word_bytes(g) == 4 || guest_pt_levels(g) < 4 ? USER_SHARED_32
									  : USER_SHARED_64);

	if (guest_read(g, at, raw, sizeof(raw), NULL) || !isalpha(raw[SYSTEM_ROOT]) ||
		memcmp(raw + SYSTEM_ROOT + 1, "\0:\0\\\0", 5))
		return false;
	major = num_le32(raw + NT_MAJOR);
	minor = num_le32(raw + NT_MAJOR + 4);
	build = num_le32(raw + NT_BUILD) & 0xffff;
	if (major < 4 || major > 99 || minor > 99)
		return false;
	snprintf(ret->os, sizeof(ret->os), "Windows");
	if (build)
		snprintf(ret->release, sizeof(ret->release), "%u.%u.%u", major, minor, build);
	else
		snprintf(ret->release, sizeof(ret->release), "%u.%u", major, minor);
	return true;
}

void banner_read_facts(struct guest *g, struct guest_facts *ret)
{
	struct banner_search s = {.g = g, .ret = ret};

	if (!read_windows(g, ret))
		memory_for_each_page(guest_memory(g), visit_page, &s);
}
