/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The pages of pending requests and of their rings, in a domain that was restored and still stands,
 * against the checkpoint.
 */
#include "check/run.h"

#include <inttypes.h>
#include <string.h>

struct wanted {
	uint64_t pfn;
	int ring, slot; /* slot -1: a page of the ring itself */
};

struct wanted_list {
	struct wanted *v;
	size_t nr, cap;
	bool no_memory;
};

static void want_page(struct wanted_list *l, pfn_t pfn, unsigned ring, int slot)
{
	if (pfn.v == UINT64_MAX)
		return;
	if (util_grow(&l->v, &l->cap, l->nr + 1, sizeof(*l->v))) {
		l->no_memory = true;
		return;
	}
	l->v[l->nr++] = (struct wanted){pfn.v, (int)ring, slot};
}

static void want_device(struct wanted_list *l, const struct blkdev *d)
{
	size_t i, j;

	for (i = 0; i < d->nr_rings; i++)
		for (j = 0; j < d->rings[i].nr_pages; j++)
			want_page(l, d->rings[i].pages[j], d->rings[i].index, -1);
	for (i = 0; i < d->nr_requests; i++)
		for (j = 0; j < d->requests[i].nr_seg; j++)
			if (d->requests[i].seg[j].frame == IO_FRAME_OK)
				want_page(l, d->requests[i].seg[j].pfn, d->requests[i].ring,
					(int)d->requests[i].slot);
}

static int by_pfn(const void *a, const void *b)
{
	const struct wanted *p = a, *q = b;

	if (p->pfn != q->pfn)
		return p->pfn < q->pfn ? -1 : 1;
	return p->slot < q->slot ? -1 : p->slot > q->slot;
}

/* False: the checkpoint has no such page, or it could not be had of the domain. */
static bool compare_page(
	struct check_run *run, const struct wanted *w, check_fetch_fn *fetch, void *arg)
{
	struct memory_page saved = memory_page(run->in->memory, PFN(w->pfn));
	struct err why = ERR_INIT;
	const uint8_t *now;
	size_t at;

	if (saved.state != MEMORY_DATA) {
		if (w->slot < 0)
			run_skip_as(run, "XB520",
				"page 0x%" PRIx64 " of ring %d is not in the checkpoint", w->pfn,
				w->ring);
		return false; /* a request's: XB120 */
	}
	if (memory_is_removed(saved.data)) {
		run_skip_as(run, "XB520",
			"page 0x%" PRIx64 " was left out of this redacted checkpoint", w->pfn);
		return false;
	}
	now = fetch(arg, PFN(w->pfn), &why);
	if (!now) {
		run_broken_as(
			run, "XB521", w->ring, w->slot, "page 0x%" PRIx64 ": %s", w->pfn, why.text);
		return false;
	}
	if (!memcmp(now, saved.data, PAGE_BYTES))
		return true;
	for (at = 0; now[at] == saved.data[at]; at++)
		;
	run_broken_as(run, "XB520", w->ring, w->slot,
		"page 0x%" PRIx64 " differs from byte %zu on: 0x%02x, the checkpoint has 0x%02x",
		w->pfn, at, now[at], saved.data[at]);
	return true;
}

uint64_t check_compare_pages(
	const struct check_input *in, check_fetch_fn *fetch, void *arg, struct check_result *out)
{
	static const struct check_rule rule = {.ids = {"XB520", "XB521"}};
	struct check_run run = {.in = in, .rule = &rule, .out = out};
	uint64_t compared = 0;
	size_t d, i;

	for (d = 0; d < in->snap->nr_devices; d++) {
		struct wanted_list l = {0};

		run.dev = &in->snap->devices[d];
		want_device(&l, run.dev);
		if (l.nr)
			qsort(l.v, l.nr, sizeof(*l.v), by_pfn);
		for (i = 0; i < l.nr; i++) {
			if (i && l.v[i].pfn == l.v[i - 1].pfn)
				continue;
			compared += compare_page(&run, &l.v[i], fetch, arg);
		}
		out->no_memory |= l.no_memory;
		free(l.v);
	}
	out->no_memory |= out->findings.lost;
	return compared;
}
