/* SPDX-License-Identifier: BSD-2-Clause
 *
 * facts.c - what the kernel says about itself: release, host name, command line, clocks.
 */
#include "frontend/linux/image.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/num.h"

/* COMMAND_LINE_SIZE of x86 is 2048; saved_command_line may have extras put in front. */
#define MAX_CMDLINE 8192u
/* tk_core is a sequence counter, perhaps padded, and the struct timekeeper behind it. */
#define MAX_TK_OFFSET 64u

static void read_text(struct linux_ctx *c, gva_t base, const struct field *f, char *buf, size_t cap)
{
	struct err ignored = ERR_INIT;
	size_t i;

	if (!f->present || guest_read_str(c->g, gva_add(base, f->off), buf, cap, &ignored)) {
		buf[0] = '\0';
		return;
	}
	for (i = 0; buf[i]; i++)
		if (!isprint((unsigned char)buf[i]))
			buf[i] = '?';
}

static void read_uts(struct linux_image *im, struct linux_ctx *c)
{
	struct guest_facts *f = &c->s->guest;
	struct err ignored = ERR_INIT;
	gva_t uts;

	if (symbols_get(im->symbols, "init_uts_ns", &uts, &ignored))
		return;
	read_text(c, uts, &c->l.uts_release, f->release, sizeof(f->release));
	read_text(c, uts, &c->l.uts_version, f->version, sizeof(f->version));
	read_text(c, uts, &c->l.uts_machine, f->machine, sizeof(f->machine));
	read_text(c, uts, &c->l.uts_nodename, f->hostname, sizeof(f->hostname));
}

/*
 * "Linux version RELEASE (": for kernels whose types are not known, and to check what the types led
 * to. The banner is constant and says what it is; when the two differ, the other names that were
 * read beside the wrong release are as wrong.
 */
static void read_banner(struct linux_image *im, struct linux_ctx *c)
{
	static const char start[] = "Linux version ";
	struct guest_facts *f = &c->s->guest;
	struct err ignored = ERR_INIT;
	char text[128], release[sizeof(f->release)];
	size_t len;
	gva_t at;

	if (symbols_get(im->symbols, "linux_banner", &at, &ignored) ||
		guest_read_str(c->g, at, text, sizeof(text), &ignored) ||
		strncmp(text, start, sizeof(start) - 1))
		return;
	len = strcspn(text + sizeof(start) - 1, " ");
	snprintf(release, sizeof(release), "%.*s", (int)MIN(len, sizeof(release) - 1),
		text + sizeof(start) - 1);
	if (!strcmp(f->release, release))
		return;
	if (f->release[0]) {
		snapshot_how(
			c->s, "release: %s by the banner, but init_uts_ns says otherwise", release);
		f->version[0] = f->machine[0] = f->hostname[0] = '\0';
	}
	snprintf(f->release, sizeof(f->release), "%s", release);
}

static void read_cmdline(struct linux_image *im, struct linux_ctx *c)
{
	struct err ignored = ERR_INIT;
	char buf[MAX_CMDLINE];
	uint64_t text;
	gva_t var;

	if (symbols_get(im->symbols, "saved_command_line", &var, &ignored) ||
		guest_read_u64(c->g, var, &text, &ignored) || !text ||
		guest_read_str(c->g, GVA(text), buf, sizeof(buf), &ignored))
		return;
	free(c->s->guest.cmdline);
	c->s->guest.cmdline = strdup(buf);
}

/* Is this a struct timekeeper? Its clock source has a name. */
static bool is_timekeeper(struct linux_ctx *c, gva_t tk)
{
	struct err ignored = ERR_INIT;
	uint64_t clock, name;
	char text[32];
	size_t i;

	if (linux_get(c->g, tk, &c->l.tk_clock, &clock, &ignored) ||
		!guest_is_kernel_addr(c->g, clock) ||
		linux_get(c->g, GVA(clock), &c->l.clocksource_name, &name, &ignored) ||
		guest_read_str(c->g, GVA(name), text, sizeof(text), &ignored))
		return false;
	for (i = 0; text[i]; i++)
		if (!isgraph((unsigned char)text[i]))
			return false;
	return i >= 2;
}

/*
 * CLOCK_MONOTONIC when the timekeeper was last brought up to date: at the suspension, since Linux
 * stops it there. tkr_mono.base + (xtime_nsec >> shift), kernel/time/timekeeping.c.
 */
static void read_clock(struct linux_image *im, struct linux_ctx *c)
{
	struct guest_facts *f = &c->s->guest;
	uint64_t shift, nsec, base, sec;
	struct err ignored = ERR_INIT;
	gva_t tk;
	unsigned off;

	/* An array of them since Linux 6.17; the first is the system's. */
	if (symbols_get(im->symbols, "tk_core", &tk, &ignored) &&
		symbols_get(im->symbols, "timekeeper_data", &tk, &ignored))
		return;
	for (off = 0; off <= MAX_TK_OFFSET && !is_timekeeper(c, gva_add(tk, off)); off += 8)
		;
	tk = gva_add(tk, off);
	if (off > MAX_TK_OFFSET || linux_get(c->g, tk, &c->l.tk_shift, &shift, &ignored) ||
		linux_get(c->g, tk, &c->l.tk_xtime_nsec, &nsec, &ignored) ||
		linux_get(c->g, tk, &c->l.tk_base, &base, &ignored) || shift > 63)
		return;
	f->mono_known = num_add(base, nsec >> shift, &f->mono_ns);
	if (!linux_get(c->g, tk, &c->l.tk_xtime_sec, &sec, &ignored)) {
		f->wall_known = true;
		f->wall_sec = sec;
	}
}

void linux_read_facts(struct linux_image *im, struct linux_ctx *c)
{
	snprintf(c->s->guest.os, sizeof(c->s->guest.os), "Linux");
	read_uts(im, c);
	read_banner(im, c);
	read_cmdline(im, c);
	read_clock(im, c);
}
