/* SPDX-License-Identifier: BSD-2-Clause
 *
 * by_symbols.c - the driver's variables by the names in the kernel file.
 *
 * All but three are file-static, and other drivers have static variables of the same names
 * ("state"): of several candidates only one that stands beside rec_ring counts.
 */
#include "frontend/netbsd/xbd.h"

#include <inttypes.h>

/* The static variables of xbd.c are a few dozen words of .bss. */
#define NB_NEAR_BYTES	  256u
#define NB_MAX_CANDIDATES 32u

static bool is_near(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) <= NB_NEAR_BYTES;
}

/* The address of a variable; 0 when it is unknown or not to be told from its namesakes. A single
 * candidate is believed wherever it stands (rec_ring_free is in .data). */
static uint32_t pick_symbol(
	const struct symbols *file, const char *name, uint32_t anchor, bool alone_far)
{
	struct symbol sym[NB_MAX_CANDIDATES];
	size_t nr = symbols_lookup(file, name, sym, NB_MAX_CANDIDATES), i, near = 0;
	uint64_t found = 0;

	if (nr > NB_MAX_CANDIDATES)
		return 0;
	for (i = 0; i < nr; i++) {
		if (!is_near(sym[i].addr.v, anchor) && !(nr == 1 && alone_far))
			continue;
		found = sym[i].addr.v;
		near++;
	}
	return near == 1 && found <= UINT32_MAX ? (uint32_t)found : 0;
}

static struct nb_value read_value(struct guest *g, const struct symbols *file, const char *name,
	uint32_t anchor, bool alone_far)
{
	uint32_t va = pick_symbol(file, name, anchor, alone_far);
	struct nb_value v = {0};
	struct err err;

	v.known = va && !guest_read_u32(g, GVA(va), &v.v, &err);
	return v;
}

static uint32_t read_pointer(
	struct guest *g, const struct symbols *file, const char *name, uint32_t anchor)
{
	struct nb_value v = read_value(g, file, name, anchor, true);

	return v.known && v.v >= NB_KERNEL_LOW ? v.v : 0;
}

/* Linux of Xen 2.0 has a rec_ring too, but it is the array itself. */
static bool is_array(const struct symbols *file, const char *name)
{
	struct symbol sym;

	return symbols_lookup(file, name, &sym, 1) && sym.bytes > 4;
}

int nb_locate_symbols(struct guest *g, const struct symbols *file, struct snapshot *s,
	struct nb_place *place, struct err *err)
{
	struct nb_value ring;
	uint32_t log;
	gva_t var;

	*place = (struct nb_place){.by = BLK_BY_ELF_SYMBOLS};
	if (symbols_get(file, "rec_ring", &var, err) || is_array(file, "rec_ring")) {
		snapshot_how(s, "netbsd-xbd: the kernel file names no rec_ring pointer");
		return 0;
	}
	if (guest_read_u32(g, var, &log, err)) {
		finding_add(&s->findings, "XB209", finding_anywhere(),
			"cannot read rec_ring at 0x%" PRIx64 ", where the kernel file has it: %s",
			var.v, err->text);
		return 0;
	}
	if (log && log < NB_KERNEL_LOW) {
		finding_add(&s->findings, "XB209", finding_anywhere(),
			"rec_ring at 0x%" PRIx64 " holds 0x%x, which is no kernel address: is this "
			"the kernel that the guest runs?",
			var.v, log);
		return 0;
	}
	place->found = true;
	place->log_va = log;
	place->log_null = !log;
	place->statics_va = (uint32_t)var.v;
	ring = read_value(g, file, "blk_ring", place->statics_va, true);
	place->ring_va = ring.v;
	place->ring_null = ring.known && !ring.v;
	place->p2m_va = read_pointer(g, file, "xpmap_phys_to_machine_mapping", place->statics_va);
	place->vbd_va = read_pointer(g, file, "vbd_info", place->statics_va);
	place->nr_vbds = read_value(g, file, "nr_vbds", place->statics_va, true);
	place->free_head = read_value(g, file, "rec_ring_free", place->statics_va, true);
	place->req_prod = read_value(g, file, "req_prod", place->statics_va, true);
	place->resp_cons = read_value(g, file, "resp_cons", place->statics_va, true);
	place->recovery = read_value(g, file, "recovery", place->statics_va, false);
	place->state = read_value(g, file, "state", place->statics_va, false);
	snapshot_how(s,
		"netbsd-xbd: rec_ring (at 0x%" PRIx64
		" by the kernel file) = 0x%x, blk_ring = 0x%x",
		var.v, log, place->ring_va);
	return 0;
}
