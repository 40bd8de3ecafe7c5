/* SPDX-License-Identifier: BSD-2-Clause
 *
 * xbd.c - NetBSD's block frontend of Xen 2.0 with the recovery ring.
 */
#include "frontend/netbsd/scan.h"

#include <string.h>

/* Do both ways lead to the same requests? */
static bool same_requests(const struct nb_state *a, const struct nb_state *b)
{
	unsigned i;

	if (a->log_known != b->log_known || a->at.log_va != b->at.log_va)
		return false;
	for (i = 0; i < NB_SLOTS; i++) {
		if (memcmp(a->log[i].fas, b->log[i].fas, sizeof(a->log[i].fas)) ||
			a->log[i].id != b->log[i].id || a->sector[i].from != b->sector[i].from ||
			a->sector[i].sector != b->sector[i].sector)
			return false;
	}
	return true;
}

/* The scan, when it finds a ring at all, finds the one of the symbols. */
static bool same_ring(const struct nb_state *sym, const struct nb_state *scan)
{
	return !scan->ring_known || (sym->ring_known && sym->ring_pfn.v == scan->ring_pfn.v);
}

/* How well the shared ring fits the log. */
static struct nb_ring_points ring_points(const struct nb_state *st)
{
	uint32_t logged[NB_SLOTS];
	struct nb_log_index index;

	if (!st->ring_known || !st->p2m)
		return (struct nb_ring_points){0};
	nb_log_index_init(&index, st->log);
	nb_ring_logged(st->ring, st->p2m, logged);
	return nb_ring_points(st->ring, logged, &index, st->p2m);
}

static unsigned ring_fit(const struct nb_state *st)
{
	struct nb_ring_points p = ring_points(st);

	return p.places + 2 * p.live;
}

/* Of two that differ: does only the one that the structure leads to look like a log? */
static bool scan_is_better(const struct nb_state *sym, const struct nb_state *scan)
{
	return !sym->log_known || (!sym->free_list_ok && scan->free_list_ok);
}

static void report_difference(
	const struct nb_state *sym, const struct nb_state *scan, struct snapshot *s)
{
	finding_add(&s->findings, "XB210", finding_anywhere(),
		"the kernel file leads to the recovery ring at 0x%x and the shared ring at 0x%x, "
		"the structure of memory to 0x%x and 0x%x; %s is shown",
		sym->at.log_va, sym->at.ring_va, scan->at.log_va, scan->at.ring_va,
		scan_is_better(sym, scan) ? "the latter" : "the former");
}

static void swap_states(struct nb_state *a, struct nb_state *b)
{
	struct nb_state tmp = *a;

	*a = *b;
	*b = tmp;
}

/* *st is what the kernel file leads to; it becomes what makes more sense. */
static int take_better(struct guest *g, struct nb_state *st, struct nb_state *scan,
	struct snapshot *s, struct err *err)
{
	struct nb_place place = st->at;

	report_difference(st, scan, s);
	if (scan_is_better(st, scan)) {
		swap_states(st, scan);
		return 0;
	}
	if (same_ring(st, scan) || ring_fit(scan) <= ring_fit(st))
		return 0;
	place.ring_va = scan->at.ring_va;
	nb_state_fini(st);
	return nb_read(g, &place, s, st, err);
}

/* By the criteria of the scan: every slot fits. */
static bool log_is_flawless(const struct nb_state *st)
{
	struct nb_log_points p = nb_log_points(st->log);

	return st->log_known && st->free_list_ok && p.used == st->nr_used &&
	       p.used + p.links == NB_SLOTS;
}

/* Of requests that were answered out of order the ring may have lost some, but hardly all. */
static bool ring_agrees(const struct nb_state *st)
{
	return st->ring_known && st->req_prod == st->pvt_prod &&
	       st->req_prod - st->rsp_cons == st->nr_used &&
	       st->resp_prod - st->rsp_cons <= st->nr_used &&
	       (!st->nr_used || ring_points(st).live);
}

/* Without a look at every page. st->confirmed_by, and a doubt for what does not hold. */
static int confirm_by_itself(struct guest *g, struct nb_state *st, const struct ckpt_info *config,
	struct snapshot *s, struct err *err)
{
	CLEANUP(snapshot_fini) struct snapshot found = {0};

	if (log_is_flawless(st))
		st->confirmed_by |= BLK_CONFIRMED_STRUCTURE;
	else
		snapshot_doubt(s, "the recovery ring does not have the structure of one");
	if (ring_agrees(st))
		st->confirmed_by |= BLK_CONFIRMED_RING;
	else
		snapshot_doubt(s, "the shared ring and the recovery ring do not agree");
	if (nb_emit(g, st, &found, err))
		return -1;
	frontend_confirm_config(config, &found);
	if (found.doubt)
		snapshot_doubt(s, "%s", found.doubt);
	st->confirmed = !s->doubt;
	return 0;
}

/* Compare with what the structure of all of memory says. */
static int confirm_by_scan(
	struct guest *g, struct nb_state *st, struct snapshot *s, struct err *err)
{
	struct nb_state scan;
	struct nb_place place;
	int failed = 0;

	st->confirmed = false;
	if (nb_locate_scan(g, s, &place, err))
		return -1;
	if (!place.found)
		return 0;
	if (nb_read(g, &place, s, &scan, err)) {
		nb_state_fini(&scan);
		return -1;
	}
	st->confirmed = same_requests(st, &scan) && same_ring(st, &scan);
	if (st->confirmed)
		st->confirmed_by |= BLK_CONFIRMED_SCAN;
	else
		failed = take_better(g, st, &scan, s, err);
	nb_state_fini(&scan);
	return failed;
}

/* What the kernel file led to. */
static int confirm_log(struct guest *g, struct nb_state *st, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	if (opt->locate == FRONTEND_LOCATE_SYMBOLS)
		return 0;
	if (confirm_by_itself(g, st, opt->config, s, err))
		return -1;
	if (opt->locate == FRONTEND_LOCATE_BOTH || (s->doubt && !opt->facts_only))
		return confirm_by_scan(g, st, s, err);
	return 0;
}

static int locate_log(struct guest *g, const struct frontend_options *opt,
	const struct symbols *file, struct snapshot *s, struct nb_place *place, struct err *err)
{
	*place = (struct nb_place){0};
	if (file && opt->locate != FRONTEND_LOCATE_SCAN &&
		nb_locate_symbols(g, file, s, place, err))
		return -1;
	if (place->found || opt->locate == FRONTEND_LOCATE_SYMBOLS)
		return 0;
	return nb_locate_scan(g, s, place, err);
}

static int find_xbd(struct guest *g, const struct kernel *k, const struct frontend_options *opt,
	struct snapshot *s, struct err *err)
{
	struct nb_place place;
	struct nb_state st;
	int failed;

	if (!netbsd_may_run(g))
		return 0;
	if (locate_log(g, opt, k->file, s, &place, err))
		return -1;
	if (!place.found)
		return 0;
	failed = nb_read(g, &place, s, &st, err);
	if (!failed && place.by == BLK_BY_ELF_SYMBOLS)
		failed = confirm_log(g, &st, opt, s, err);
	/* Again, for the findings: only those of what is shown. */
	if (!failed)
		nb_recover_sectors(&st, st.sector, &s->findings);
	if (!failed)
		failed = nb_emit(g, &st, s, err);
	if (!failed && st.confirmed_by)
		frontend_confirm_config(opt->config, s);
	nb_state_fini(&st);
	return failed;
}

const struct frontend_ops frontend_netbsd_xbd = {
	.name = "netbsd-xbd",
	.looks_for = "a NetBSD recovery ring (64 slots of 60 bytes) in a Xen 2.0 guest, by the "
		     "symbol rec_ring of a kernel that is named, or by its structure",
	.find = find_xbd,
	.resume = &nb_resume,
};
