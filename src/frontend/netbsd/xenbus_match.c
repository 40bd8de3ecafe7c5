/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xenbus_match.c - from a front ring to the device that has it, and from symbols to the devices.
 */
#include "frontend/netbsd/xenbus.h"

#include "base/num.h"

#define MAX_GAP	   16u	 /* between the front ring and the array */
#define MAX_TAIL   1024u /* behind the array, in which the state and the size stand */
#define TAIL_BYTES 48u
#define MAX_SOFTC  8192u /* from the softc to its front ring */
#define MAX_UNITS  256u
#define NAME_WORDS 16u /* of struct device, in which its private part is looked for */

static const struct nx_req_layout wide[] = {
	{.bytes = 80, .grants = 16, .nr_grants = 11, .nseg = 60, .data = 72},
	{.bytes = 160, .grants = 48, .nr_grants = 22, .data = 144},
};
static const struct nx_req_layout narrow[] = {
	{.bytes = 64, .grants = 8, .nr_grants = 11, .nseg = 52, .data = 60},
	{.bytes = 124, .grants = 24, .nr_grants = 22, .data = 116},
};

static uint64_t word_of(const struct guest *g, const uint8_t *p)
{
	return guest_word_bytes(g) == 8 ? num_le64(p) : num_le32(p);
}

static bool is_array(struct guest *g, gva_t at, const struct nx_req_layout *l)
{
	unsigned word = guest_word_bytes(g), i;

	for (i = 0; i < NX_REQS; i++) {
		uint8_t raw[2];

		if (guest_read(g, gva_add(at, (uint64_t)i * l->bytes + word), raw, sizeof(raw),
			    NULL) ||
			num_le16(raw) != i)
			return false;
	}
	return true;
}

static bool is_sector_size(uint64_t n)
{
	return n >= 512 && n <= 4096 && !(n & (n - 1));
}

/* {int state, int shutdown, u64 sectors, long sector size, u64 blocks of 512, long info, long
 * handle}: the sizes prove each other. */
static bool is_tail(struct guest *g, const uint8_t *p, struct nx_device *n)
{
	unsigned word = guest_word_bytes(g);
	uint64_t sectors = num_le64(p + 8), bytes = word_of(g, p + 16), blocks, all;

	n->state = num_le32(p);
	blocks = num_le64(p + 16 + word);
	n->info = word_of(g, p + 24 + word);
	n->handle = word_of(g, p + 24 + 2 * word);
	if (n->state > 2 || num_le32(p + 4) > 2 || !sectors || !is_sector_size(bytes) ||
		!num_mul(sectors, bytes, &all) || blocks != all / SECTOR_BYTES)
		return false;
	n->nr_sectors = blocks;
	n->sector_bytes = bytes;
	return true;
}

static void find_tail(struct guest *g, struct nx_device *n)
{
	gva_t at = gva_add(n->reqs, (uint64_t)NX_REQS * n->at->bytes + guest_word_bytes(g));
	uint8_t raw[TAIL_BYTES];
	uint32_t state;
	unsigned off;

	for (off = 0; off < MAX_TAIL && !n->tail_known; off += 4)
		n->tail_known = !guest_read(g, gva_add(at, off), raw, sizeof(raw), NULL) &&
				is_tail(g, raw, n);
	/* A bool before them, since 4.x: with pointers of 8 bytes a gap follows the two ints. */
	if (n->tail_known && n->at->nseg && off == 12 && guest_word_bytes(g) == 8 &&
		!guest_read_u32(g, gva_add(at, 4), &state, NULL) && state <= 2)
		n->state = state;
}

bool nx_match(struct guest *g, const struct front_ring *r, void *device)
{
	struct nx_device *ret = device;
	unsigned word = guest_word_bytes(g), gap, i;
	const struct nx_req_layout *layouts = word == 8 ? wide : narrow;

	if (r->entries != NX_REQS)
		return false;
	*ret = (struct nx_device){.ring = *r};
	for (gap = 0; gap <= MAX_GAP; gap += 4)
		for (i = 0; i < ARRAY_SIZE(wide); i++) {
			ret->reqs = gva_add(r->va, FRONT_RING_BYTES(word) + gap);
			if (!is_array(g, ret->reqs, &layouts[i]))
				continue;
			ret->at = &layouts[i];
			find_tail(g, ret);
			return true;
		}
	return false;
}

/* ---- symbols ------------------------------------------------------------------------------- */

/* struct cfdriver (sys/device.h) {LIST link, LIST attachments, void **devs, char *name, ...}; until
 * 3.x the devices came first. */
static bool read_devices(struct guest *g, gva_t cd, uint64_t *ret_devices, uint64_t *ret_units)
{
	unsigned word = guest_word_bytes(g), i;
	uint64_t name;
	char text[8];

	for (i = 1; i < 8; i++) {
		if (guest_read_word(g, gva_add(cd, (uint64_t)i * word), &name, NULL) || !name ||
			guest_read_str(g, GVA(name), text, sizeof(text), NULL) || text[0] != 'x' ||
			text[1] != 'b' || text[2] != 'd' || text[3])
			continue;
		*ret_units = MAX_UNITS;
		return !guest_read_word(
			g, gva_add(cd, (uint64_t)(i - 1) * word), ret_devices, NULL);
	}
	return false;
}

/* The front ring within the structure at `at`. */
static bool match_in(struct guest *g, uint64_t at, struct nx_device *ret)
{
	uint64_t end = at + MAX_SOFTC;
	struct front_ring r;

	while (at < end && front_ring_in(g, GVA(at), end - at, &r)) {
		if (nx_match(g, &r, ret))
			return true;
		at = r.va.v + guest_word_bytes(g);
	}
	return false;
}

/* The device itself until 4.x; since then a pointer of struct device leads to it (dv_private). */
static bool match_device(struct guest *g, uint64_t device, struct nx_device *ret)
{
	unsigned word = guest_word_bytes(g), i;
	uint64_t private;

	for (i = 0; i < NAME_WORDS; i++)
		if (!guest_read_word(g, GVA(device + (uint64_t)i * word), &private, NULL) &&
			guest_is_kernel_addr(g, private) && private != device &&
			match_in(g, private, ret))
			return true;
	return match_in(g, device, ret);
}

int nx_by_symbols(struct guest *g, const struct symbols *symbols, void *v, size_t max, size_t *nr,
	struct err *err)
{
	struct nx_device *ret = v;
	uint64_t devices, units, unit, device;
	gva_t cd;

	if (symbols_get(symbols, "xbd_cd", &cd, err))
		return -1;
	if (!read_devices(g, cd, &devices, &units))
		return err_set(err, ERR_NOTFOUND, "xbd_cd leads to no devices");
	for (unit = 0; unit < units && *nr < max; unit++) {
		if (guest_read_word(g, GVA(devices + unit * guest_word_bytes(g)), &device, NULL))
			break;
		if (guest_is_kernel_addr(g, device) && match_device(g, device, &ret[*nr]))
			(*nr)++;
		else if (unit >= 16)
			break;
	}
	return 0;
}
