/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux_facts.h"

#include <ctype.h>
#include <string.h>

#include "base/num.h"
#include "guest/window.h"

/* COMMAND_LINE_SIZE of x86 is 2048; saved_command_line may have extras put in front. */
#define MAX_CMDLINE 8192u
/* tk_core is a sequence counter, perhaps padded, and the struct timekeeper behind it. */
#define MAX_TK_OFFSET 64u
#define BANNER	      "Linux version "
/* From _text to _end; distribution kernels take 16 to 32 MiB. */
#define MAX_IMAGE_32 (64u << 20)

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct linux_facts_layout, dest), false                     \
	}

static const struct field_spec specs[] = {
	MAY("uts_namespace", "name.release", release),
	MAY("uts_namespace", "name.version", version),
	MAY("uts_namespace", "name.machine", machine),
	MAY("uts_namespace", "name.nodename", nodename),
	MAY("timekeeper", "tkr_mono.clock", clock),
	MAY("timekeeper", "tkr_mono.shift", shift),
	MAY("timekeeper", "tkr_mono.xtime_nsec", xtime_nsec),
	MAY("timekeeper", "tkr_mono.base", base),
	MAY("timekeeper", "xtime_sec", xtime_sec),
	MAY("clocksource", "name", clock_name),
};

void linux_facts_layout(const struct layout *types, struct linux_facts_layout *ret)
{
	*ret = (struct linux_facts_layout){0};
	if (types)
		layout_fill_known(types, specs, ARRAY_SIZE(specs), ret);
}

static void read_text(struct guest *g, gva_t base, const struct field *f, char *buf, size_t cap)
{
	size_t i;

	if (!f->present || guest_read_str(g, gva_add(base, f->off), buf, cap, NULL)) {
		buf[0] = '\0';
		return;
	}
	for (i = 0; buf[i]; i++)
		if (!isprint((unsigned char)buf[i]))
			buf[i] = '?';
}

static void read_uts(struct linux_kernel *k, const struct linux_facts_layout *l)
{
	struct guest_facts *f = &k->facts;
	gva_t uts;

	if (symbols_get(k->symbols, "init_uts_ns", &uts, NULL))
		return;
	read_text(k->g, uts, &l->release, f->release, sizeof(f->release));
	read_text(k->g, uts, &l->version, f->version, sizeof(f->version));
	read_text(k->g, uts, &l->machine, f->machine, sizeof(f->machine));
	read_text(k->g, uts, &l->nodename, f->hostname, sizeof(f->hostname));
}

struct banner {
	struct guest *g;
	char release[sizeof(((struct guest_facts *)0)->release)];
};

/* "Linux version RELEASE (": the text of linux_banner, and where the log begins with it. */
static bool read_release(struct banner *b, gva_t at)
{
	static const size_t start = sizeof(BANNER) - 1;
	char text[sizeof(BANNER) + sizeof(b->release) + 2];
	size_t len;

	if (guest_read_str(b->g, at, text, sizeof(text), NULL) || strncmp(text, BANNER, start))
		return false;
	len = strcspn(text + start, " ");
	if (!isdigit((unsigned char)text[start]) || strncmp(text + start + len, " (", 2))
		return false;
	snprintf(b->release, sizeof(b->release), "%.*s", (int)len, text + start);
	return true;
}

static bool is_not_banner(void *arg, gva_t at)
{
	return !read_release(arg, at);
}

/* Where no symbol leads to the banner, in the image. Elsewhere may be logs of other kernels, so
 * that in the direct map, where the image of 32 bits lies, one has to know where it starts. */
static void search_banner(const struct linux_kernel *k, struct banner *b)
{
	struct window in;
	gva_t text;

	if (guest_word_bytes(k->g) == 8 && window_at(k->g, 0, &in)) {
		window_search(k->g, in, BANNER, sizeof(BANNER) - 1, is_not_banner, b);
	} else if (k->symbols && !symbols_get(k->symbols, "_text", &text, NULL)) {
		in = (struct window){text, gva_add(text, MAX_IMAGE_32)};
		window_search(k->g, in, BANNER, sizeof(BANNER) - 1, is_not_banner, b);
	}
}

static bool find_release(const struct linux_kernel *k, struct banner *b)
{
	gva_t at;

	if (k->symbols && !symbols_get(k->symbols, "linux_banner", &at, NULL) &&
		read_release(b, at))
		return true;
	search_banner(k, b);
	return b->release[0];
}

/*
 * For kernels whose types are not known, and to check what the types led to. The banner is constant
 * and says what it is; when the two differ, the other names that were read beside the wrong release
 * are as wrong.
 */
static void read_banner(struct linux_kernel *k)
{
	struct banner b = {.g = k->g};
	struct guest_facts *f = &k->facts;

	if (!find_release(k, &b) || !strcmp(f->release, b.release))
		return;
	if (f->release[0]) {
		util_note(&k->how, "release: %s by the banner, but init_uts_ns says otherwise",
			b.release);
		f->version[0] = f->machine[0] = f->hostname[0] = '\0';
	}
	snprintf(f->os, sizeof(f->os), "Linux");
	snprintf(f->release, sizeof(f->release), "%s", b.release);
}

static void read_cmdline(struct linux_kernel *k)
{
	char buf[MAX_CMDLINE];
	uint64_t text;
	gva_t var;

	if (symbols_get(k->symbols, "saved_command_line", &var, NULL) ||
		guest_read_word(k->g, var, &text, NULL) || !text ||
		guest_read_str(k->g, GVA(text), buf, sizeof(buf), NULL))
		return;
	free(k->facts.cmdline);
	k->facts.cmdline = strdup(buf);
}

/* Is this a struct timekeeper? Its clock source has a name. */
static bool is_timekeeper(struct guest *g, const struct linux_facts_layout *l, gva_t tk)
{
	uint64_t clock, name;
	char text[32];
	size_t i;

	if (layout_read(g, tk, &l->clock, &clock, NULL) || !guest_is_kernel_addr(g, clock) ||
		layout_read(g, GVA(clock), &l->clock_name, &name, NULL) ||
		guest_read_str(g, GVA(name), text, sizeof(text), NULL))
		return false;
	for (i = 0; text[i]; i++)
		if (!isgraph((unsigned char)text[i]))
			return false;
	return i >= 2;
}

/* Behind tk_core's sequence counter. False: there is none. */
static bool find_timekeeper(
	const struct linux_kernel *k, const struct linux_facts_layout *l, gva_t *ret)
{
	unsigned off, step = guest_word_bytes(k->g);
	gva_t core;

	/* An array of them since Linux 6.17; the first is the system's. */
	if (symbols_get(k->symbols, "tk_core", &core, NULL) &&
		symbols_get(k->symbols, "timekeeper_data", &core, NULL))
		return false;
	for (off = 0; off <= MAX_TK_OFFSET; off += step) {
		*ret = gva_add(core, off);
		if (is_timekeeper(k->g, l, *ret))
			return true;
	}
	return false;
}

/*
 * CLOCK_MONOTONIC when the timekeeper was last brought up to date: at the suspension, since Linux
 * stops it there. tkr_mono.base + (xtime_nsec >> shift), kernel/time/timekeeping.c.
 */
static void read_clock(struct linux_kernel *k, const struct linux_facts_layout *l)
{
	struct guest_facts *f = &k->facts;
	uint64_t shift, nsec, base;
	gva_t tk;

	if (!find_timekeeper(k, l, &tk) || layout_read(k->g, tk, &l->shift, &shift, NULL) ||
		layout_read(k->g, tk, &l->xtime_nsec, &nsec, NULL) ||
		layout_read(k->g, tk, &l->base, &base, NULL) || shift > 63)
		return;
	f->mono_known = num_add(base, nsec >> shift, &f->mono_ns);
	f->wall_known = !layout_read(k->g, tk, &l->xtime_sec, &f->wall_sec, NULL);
}

void linux_read_clock(struct linux_kernel *k)
{
	struct linux_facts_layout l;

	linux_facts_layout(k->types, &l);
	k->facts.mono_known = false;
	k->facts.wall_known = false;
	read_clock(k, &l);
}

void linux_read_facts(struct linux_kernel *k, const struct linux_facts_layout *l)
{
	if (k->symbols) {
		snprintf(k->facts.os, sizeof(k->facts.os), "Linux");
		read_uts(k, l);
	}
	read_banner(k);
	if (!k->symbols)
		return;
	read_cmdline(k);
	read_clock(k, l);
}
