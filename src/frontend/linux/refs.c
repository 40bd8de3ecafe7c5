/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/linux/refs.h"

#include <inttypes.h>

#include "kernel/linux_grants.h"

static void check_request(const struct linux_grants *gr, struct snapshot *s, const struct blkdev *d,
	const struct io_request *r)
{
	size_t i;

	for (i = 0; i < r->nr_seg; i++) {
		if (!linux_grant_is_free(gr, r->seg[i].gref))
			continue;
		finding_add(&s->findings, "XB321",
			finding_at_slot(d->name, (int)r->ring, (int)r->slot),
			"segment %zu uses grant %" PRId64 ", which is on the list of free ones", i,
			r->seg[i].gref);
		return;
	}
}

int linux_check_refs(const struct linux_kernel *k, struct snapshot *s, struct err *err)
{
	CLEANUP(linux_grants_free) struct linux_grants gr;
	size_t i, j;

	if (linux_grants_read(k, &gr, err))
		return -1;
	snapshot_how(s, "the kernel's free grants: %s", gr.bits ? "known" : "not known");
	for (i = 0; i < s->nr_devices; i++)
		for (j = 0; j < s->devices[i].nr_requests; j++)
			check_request(&gr, s, &s->devices[i], &s->devices[i].requests[j]);
	if (gr.deferred_known && gr.nr_deferred)
		finding_add(&s->findings, "XB322", finding_anywhere(),
			"%" PRIu32 " grants, the first of them %" PRIu32
			", were to end while a backend had them mapped",
			gr.nr_deferred, gr.first_deferred);
	return 0;
}
