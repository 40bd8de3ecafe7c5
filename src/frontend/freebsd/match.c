/* SPDX-License-Identifier: BSD-2-Clause
 *
 * match.c - from a front ring to the device that has it, and from symbols to the devices.
 */
#include "frontend/freebsd/blkfront.h"

#include <string.h>

#include "base/num.h"

#define MAX_SOFTC    2048u /* bytes before and behind the ring that may be the softc's */
#define MAX_UNITS    256u
#define DEVICE_WORDS 64u /* of struct _device, in which its softc is looked for */

static const struct fb_command_layout wide = {.sc = 16,
	.flags = 24,
	.id = 40,
	.refs = 48,
	.bio = 56,
	.data = 72,
	.length = 80,
	.nseg = 88,
	.op = 92,
	.sector = 96,
	.indirect = 120};
static const struct fb_command_layout narrow = {.sc = 8,
	.flags = 12,
	.id = 20,
	.refs = 28,
	.bio = 32,
	.data = 40,
	.length = 44,
	.nseg = 48,
	.op = 52,
	.sector = 56,
	.indirect = 72};

static uint64_t word_of(const struct guest *g, const uint8_t *p)
{
	return guest_word_bytes(g) == 8 ? num_le64(p) : num_le32(p);
}

/* The next command, as far behind the first one as it may be: its softc and index. */
static bool find_stride(struct guest *g, struct fb_device *f)
{
	unsigned word = guest_word_bytes(g);
	uint8_t raw[2 * FB_MAX_COMMAND_BYTES];
	uint32_t stride;

	if (guest_read(g, f->shadow, raw, sizeof(raw), NULL))
		return false;
	for (stride = f->at->sector + 8; stride <= FB_MAX_COMMAND_BYTES; stride += word)
		if (word_of(g, raw + stride + f->at->sc) == f->softc.v &&
			num_le64(raw + stride + f->at->id) == 1) {
			f->stride = stride;
			return true;
		}
	return false;
}

static void count_commands(struct guest *g, struct fb_device *f)
{
	uint8_t raw[FB_MAX_COMMAND_BYTES];

	while (f->nr < SHARED_RING_MAX_ENTRIES &&
		!guest_read(
			g, gva_add(f->shadow, (uint64_t)f->nr * f->stride), raw, f->stride, NULL) &&
		word_of(g, raw + f->at->sc) == f->softc.v && num_le64(raw + f->at->id) == f->nr)
		f->nr++;
}

/* Before 10.0 each queue has a bit, of which exactly one is set. */
static void tell_flags(struct guest *g, struct fb_device *f)
{
	uint32_t i, bits = 0, numbers = 0;

	for (i = 0; i < f->nr; i++) {
		uint32_t flags = 0;

		if (guest_read_u32(g, gva_add(f->shadow, (uint64_t)i * f->stride + f->at->flags),
			    &flags, NULL))
			continue;
		flags &= 0xff;
		numbers += flags <= 3 || flags == 0xff;
		bits += (flags & 0x3c) && !((flags & 0x3c) & ((flags & 0x3c) - 1)) && flags <= 0x3f;
	}
	f->bits = bits > numbers;
}

/* {vdevice, state, ring_pages, max_requests}: the latter two are known otherwise. */
static void find_head(struct guest *g, struct fb_device *f)
{
	uint8_t raw[MAX_SOFTC];
	unsigned back, nr = (unsigned)(f->ring.va.v - f->softc.v);

	if (guest_read(g, f->softc, raw, nr, NULL))
		return;
	for (back = 5 * 4 + 4; back + 8 <= nr; back += 4) {
		const uint8_t *pages = raw + nr - back;

		if (num_le32(pages) != f->ring.shared.nr_pages || num_le32(pages + 4) != f->nr ||
			num_le32(pages - 4) > 2)
			continue;
		f->head_known = true;
		f->ring_pages = num_le32(pages);
		f->state = num_le32(pages - 4);
		f->vdevice = num_le32(pages - 8);
		f->refs_before = back - 5 * 4;
		return;
	}
}

bool fb_match(struct guest *g, const struct front_ring *r, void *device)
{
	struct fb_device *ret = device;
	unsigned word = guest_word_bytes(g), off = FRONT_RING_BYTES(word);

	*ret = (struct fb_device){.ring = *r, .at = word == 8 ? &wide : &narrow};
	for (; off < MAX_SOFTC; off += word) {
		uint64_t shadow, softc;

		if (guest_read_word(g, gva_add(r->va, off), &shadow, NULL))
			return false;
		if (!guest_is_kernel_addr(g, shadow) || shadow % word ||
			guest_read_word(g, GVA(shadow + ret->at->sc), &softc, NULL) ||
			softc > r->va.v || r->va.v - softc > MAX_SOFTC || softc % word)
			continue;
		ret->softc = GVA(softc);
		ret->shadow = GVA(shadow);
		if (!find_stride(g, ret))
			continue;
		count_commands(g, ret);
		if (ret->nr < 8)
			continue;
		tell_flags(g, ret);
		find_head(g, ret);
		return true;
	}
	return false;
}

enum fb_queue fb_queue_of(const struct fb_device *f, const uint8_t *raw)
{
	uint32_t flags = num_le32(raw + f->at->flags) & 0xff;

	if (!f->bits)
		return flags <= FB_COMPLETE ? (enum fb_queue)flags : FB_NONE;
	switch (flags & 0x3c) {
	case 1 << 2:
		return FB_FREE;
	case 1 << 3:
		return FB_READY;
	case 1 << 4:
		return FB_BUSY;
	case 1 << 5:
		return FB_COMPLETE;
	default:
		return FB_NONE;
	}
}

/* ---- symbols ------------------------------------------------------------------------------- */

/*
 * sys/kern/subr_bus.c: struct devclass {TAILQ link, parent, TAILQ drivers, char *name,
 * device_t *devices, int maxunit}: all pointers before maxunit.
 */
#define CLASS_NAME    5u /* words */
#define CLASS_DEVICES 6u
#define CLASS_MAXUNIT 7u
#define MAX_CLASSES   4096u

static bool is_class(struct guest *g, uint64_t class, const char *name)
{
	uint64_t text;
	char buf[8];

	return !guest_read_word(g, GVA(class + CLASS_NAME * guest_word_bytes(g)), &text, NULL) &&
	       !guest_read_str(g, GVA(text), buf, sizeof(buf), NULL) && !strcmp(buf, name);
}

/* The driver's own variable, or since 14.0 the list of all classes. */
static bool find_class(struct guest *g, const struct symbols *symbols, uint64_t *ret)
{
	unsigned left = MAX_CLASSES;
	gva_t at;

	if ((!symbols_get(symbols, "xbd_devclass", &at, NULL) ||
		    !symbols_get(symbols, "xb_devclass", &at, NULL)) &&
		!guest_read_word(g, at, ret, NULL) &&
		(is_class(g, *ret, "xbd") || is_class(g, *ret, "xb")))
		return true;
	if (symbols_get(symbols, "devclasses", &at, NULL) || guest_read_word(g, at, ret, NULL))
		return false;
	while (*ret && left--) {
		if (is_class(g, *ret, "xbd") || is_class(g, *ret, "xb"))
			return true;
		if (guest_read_word(g, GVA(*ret), ret, NULL))
			return false;
	}
	return false;
}

/* A softc begins with the pointer to its device. */
static bool softc_of(struct guest *g, uint64_t device, uint64_t *ret)
{
	unsigned word = guest_word_bytes(g), i;
	uint64_t back;

	for (i = 0; i < DEVICE_WORDS; i++)
		if (!guest_read_word(g, GVA(device + (uint64_t)i * word), ret, NULL) && *ret &&
			!guest_read_word(g, GVA(*ret), &back, NULL) && back == device)
			return true;
	return false;
}

static bool device_of_unit(struct guest *g, uint64_t devices, unsigned unit, struct fb_device *ret)
{
	struct front_ring r;
	uint64_t device, softc, at;

	if (guest_read_word(
		    g, GVA(devices + (uint64_t)unit * guest_word_bytes(g)), &device, NULL) ||
		!device || !softc_of(g, device, &softc))
		return false;
	for (at = softc; at < softc + MAX_SOFTC; at = r.va.v + guest_word_bytes(g)) {
		if (!front_ring_in(g, GVA(at), softc + MAX_SOFTC - at, &r))
			return false;
		if (fb_match(g, &r, ret) && ret->softc.v == softc)
			return true;
	}
	return false;
}

int fb_by_symbols(struct guest *g, const struct symbols *symbols, void *v, size_t max, size_t *nr,
	struct err *err)
{
	struct fb_device *ret = v;
	unsigned word = guest_word_bytes(g), unit;
	uint64_t class, devices;
	uint32_t units;

	if (!find_class(g, symbols, &class))
		return err_set(err, ERR_NOTFOUND, "its symbols lead to no class of xbd devices");
	if (guest_read_word(g, GVA(class + CLASS_DEVICES * word), &devices, err) ||
		guest_read_u32(g, GVA(class + CLASS_MAXUNIT * word), &units, err))
		return err_in(err, "class of xbd devices");
	for (unit = 0; unit < MIN(units, MAX_UNITS) && *nr < max; unit++)
		if (device_of_unit(g, devices, unit, &ret[*nr]))
			(*nr)++;
	return 0;
}
