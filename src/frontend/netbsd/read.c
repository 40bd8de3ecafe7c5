/* SPDX-License-Identifier: BSD-2-Clause
 *
 * read.c - read the driver's objects once their places are known.
 */
#include "frontend/netbsd/xbd.h"

#include <string.h>

#include "base/num.h"

static bool p2m_is_sane(struct p2m *p2m)
{
	uint64_t pfn, nr = MIN(p2m_nr(p2m), UINT64_C(4096));
	mfn_t mfn;

	for (pfn = 0; pfn < nr; pfn++)
		if (p2m_lookup(p2m, PFN(pfn), &mfn) == P2M_VALID && mfn.v && !(mfn.v >> 20))
			return true;
	return false;
}

/* NULL in *ret when the table at va does not serve. */
static int try_p2m_at(struct guest *g, uint32_t va, struct p2m **ret, struct err *err)
{
	struct p2m *p2m = NULL;

	*ret = NULL;
	if (va < NB_KERNEL_LOW)
		return 0;
	if (p2m_from_va(g, GVA(va), guest_info(g)->nr_pfns, &p2m, err))
		return err->cls == ERR_SYSTEM ? -1 : 0;
	if (!p2m_is_sane(p2m)) {
		p2m_free(p2m);
		return 0;
	}
	*ret = p2m;
	return 0;
}

int nb_open_p2m(struct guest *g, uint32_t va, struct snapshot *s, struct p2m **ret, struct err *err)
{
	struct netbsd_start_info start;
	uint32_t listed = netbsd_read_start_info(g, &start) ? start.mfn_list : 0;
	const char *how = listed == va ? "xpmap_phys_to_machine_mapping and start_info.mfn_list"
				       : "xpmap_phys_to_machine_mapping";

	if (try_p2m_at(g, va, ret, err))
		return -1;
	if (!*ret) {
		how = "start_info.mfn_list";
		if (try_p2m_at(g, listed, ret, err))
			return -1;
	}
	if (!*ret) {
		how = "the frame list of the checkpoint";
		if (p2m_from_guest(g, ret, err)) {
			*ret = NULL;
			how = "nowhere";
			if (err->cls == ERR_SYSTEM)
				return -1;
		}
	}
	if (s)
		snapshot_how(s, "netbsd-xbd: machine frames from %s", how);
	return 0;
}

static void read_log(struct guest *g, struct nb_state *st)
{
	uint8_t bytes[NB_LOG_BYTES];
	struct nb_value head;
	struct err err;
	unsigned i;

	if (guest_read(g, GVA(st->at.log_va), bytes, sizeof(bytes), &err))
		return;
	st->log_known = true;
	for (i = 0; i < NB_SLOTS; i++) {
		st->log[i] = nb_wire_parse(bytes + (size_t)i * NB_SLOT_BYTES);
		if (nb_is_used(&st->log[i]))
			st->nr_used++;
	}
	st->nr_free = NB_SLOTS - st->nr_used;
	head = st->at.free_head.known ? st->at.free_head : nb_free_head(st->log);
	st->at.free_head = head;
	st->free_list_ok = head.known && nb_free_list_ok(st->log, head.v);
}

static void read_ring(struct guest *g, struct nb_state *st)
{
	struct guest_map map;
	struct err err;

	if (!st->at.ring_va)
		return;
	if (!guest_translate(g, GVA(st->at.ring_va), &map, &err))
		st->ring_pfn = map.pfn;
	if (guest_read(g, GVA(st->at.ring_va), st->ring, sizeof(st->ring), &err))
		return;
	st->ring_known = true;
	st->req_prod = num_le32(st->ring);
	st->resp_prod = num_le32(st->ring + 4);
}

/* Without the private indices: each used slot is one request that is not consumed. */
static void settle_indices(struct nb_state *st)
{
	st->pvt_prod = st->at.req_prod.known ? st->at.req_prod.v : st->req_prod;
	st->rsp_cons = st->at.resp_cons.known ? st->at.resp_cons.v : st->pvt_prod - st->nr_used;
	if (st->at.req_prod.known && st->at.resp_cons.known)
		st->indices = IO_INDICES_READ;
	else if (st->at.req_prod.known || st->ring_known)
		st->indices = IO_INDICES_DERIVED;
}

/* struct xbdreq, i386: xr_parent 4, xr_bn s64 12, xr_bqueue 20, xr_bdone 24, xr_breq 36. */
static struct nb_xbdreq read_xbdreq(struct guest *g, uint32_t va)
{
	uint8_t b[NB_XBDREQ_BYTES];
	struct nb_xbdreq x = {0};
	struct err err;

	if (va < NB_KERNEL_LOW || guest_read(g, GVA(va), b, sizeof(b), &err))
		return x;
	x.known = true;
	x.parent = num_le32(b + 4);
	x.bn = (int64_t)num_le64(b + 12);
	x.bqueue = (int32_t)num_le32(b + 20);
	x.bdone = (int32_t)num_le32(b + 24);
	x.breq = (int32_t)num_le32(b + 36);
	return x;
}

static void read_requests(struct guest *g, struct nb_state *st)
{
	unsigned i;

	for (i = 0; i < NB_SLOTS; i++) {
		if (!nb_is_used(&st->log[i]) || st->log[i].op == NB_OP_PROBE)
			continue;
		st->own[i] = read_xbdreq(g, st->log[i].id);
		if (st->own[i].known)
			st->parent[i] = read_xbdreq(g, st->own[i].parent);
	}
}

static void read_vbds(struct guest *g, struct nb_state *st)
{
	uint8_t bytes[NB_MAX_VBDS * NB_VDISK_BYTES];
	unsigned nr = st->at.nr_vbds.known ? MIN(st->at.nr_vbds.v, NB_MAX_VBDS) : 0;
	struct err err;

	if (!st->at.vbd_va || !nr ||
		guest_read(g, GVA(st->at.vbd_va), bytes, nr * NB_VDISK_BYTES, &err))
		return;
	st->nr_vbds = nb_vbds_parse(bytes, nr * NB_VDISK_BYTES, st->vbd);
}

int nb_read(struct guest *g, const struct nb_place *place, struct snapshot *s, struct nb_state *st,
	struct err *err)
{
	*st = (struct nb_state){.at = *place, .ring_pfn = PFN(UINT64_MAX)};
	if (nb_open_p2m(g, place->p2m_va, s, &st->p2m, err))
		return -1;
	if (place->log_null)
		return 0;
	read_log(g, st);
	read_ring(g, st);
	settle_indices(st);
	read_requests(g, st);
	read_vbds(g, st);
	nb_recover_sectors(st, st->sector, NULL);
	return 0;
}

void nb_state_fini(struct nb_state *st)
{
	p2m_free(st->p2m);
	memset(st, 0, sizeof(*st));
}
