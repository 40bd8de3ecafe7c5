/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/banner.h"

#include <ctype.h>
#include <string.h>

#include "base/num.h"
#include "guest/window.h"

#define MAX_LINE 160u
/* That are looked at when no kernel lies where it should: 1 GiB. */
#define MAX_PAGES (1u << 18)

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

struct banner_search {
	struct guest *g;
	const struct banner *banner;
	struct guest_facts *ret;
	uint64_t pages_left;
	bool found;
};

/* The printable text at `at`, as far as `end` and its line go. */
static bool parse_text(struct banner_search *s, const uint8_t *at, const uint8_t *end)
{
	char line[MAX_LINE];
	size_t n = 0;
	bool whole;

	while (at + n < end && isprint(at[n]))
		n++;
	whole = end - at > (ptrdiff_t)n + 1 && at[n] == '\n' && !at[n + 1];
	snprintf(line, sizeof(line), "%.*s", (int)n, (const char *)at);
	s->found = parse_line(s->banner, line, whole, s->ret);
	return s->found;
}

static bool look_at(void *arg, gva_t at)
{
	struct banner_search *s = arg;
	char text[PAGE_BYTES];

	return guest_read_str(s->g, at, text, sizeof(text), NULL) ||
	       !parse_text(s, (const uint8_t *)text, (const uint8_t *)text + strlen(text) + 1);
}

static bool find_in_page(struct banner_search *s, const uint8_t *page)
{
	const uint8_t *at = page, *end = page + PAGE_BYTES;
	size_t len = strlen(s->banner->start);

	for (; (at = util_find(at, (size_t)(end - at), s->banner->start, len)); at++)
		if (parse_text(s, at, end))
			return true;
	return false;
}

static int visit_page(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct banner_search *s = arg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(banners); i++) {
		s->banner = &banners[i];
		if (find_in_page(s, page)) {
			guest_page(s->g, pfn);
			return 1;
		}
	}
	return !s->pages_left--;
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

/*
 * A kernel that is not where the large systems are is linked to where it is loaded, at the start of
 * memory: Mini-OS and GRUB as PV guests at 0 (arch/x86/minios-x86_64.lds.S; Makefile.core.def),
 * else at 1 or 2 MiB.
 */
static const struct window low = {{0}, {(64u << 20) - 1}};

static bool find_in_window(struct banner_search *s, struct window in)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(banners) && !s->found; i++) {
		s->banner = &banners[i];
		window_search_all(s->g, in, s->banner->start, strlen(s->banner->start), look_at, s);
	}
	return s->found;
}

void banner_read_facts(struct guest *g, struct guest_facts *ret)
{
	struct banner_search s = {.g = g, .ret = ret, .pages_left = MAX_PAGES};
	struct window in;
	unsigned i;

	if (!guest_maps_anything(g) || read_windows(g, ret))
		return;
	for (i = 0; window_at(g, i, &in); i++)
		if (find_in_window(&s, in))
			return;
	if (!find_in_window(&s, low))
		memory_for_each_page(guest_memory(g), visit_page, &s);
}
