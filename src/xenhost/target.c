/* SPDX-License-Identifier: BSD-2-Clause
 *
 * target.c - a live domain's table in the shape in which the analysis takes it.
 */
#include "xenhost/xenhost.h"

#include <inttypes.h>
#include <string.h>

#include "guest/p2m.h"

void xenhost_p2m_fini(struct xenhost_p2m *p2m)
{
	free(p2m->mfn);
	memset(p2m, 0, sizeof(*p2m));
}

int xenhost_target(struct xenhost *x, uint32_t domid, struct p2m **ret,
	struct finding_list *findings, struct err *err)
{
	struct xenhost_domain dom;
	struct xenhost_p2m table;

	if (xenhost_domain(x, domid, &dom, err) || xenhost_p2m(x, &dom, &table, err))
		return -1;
	if (table.nr_differ || table.nr_foreign)
		finding_add(findings, "XB522", finding_anywhere(),
			"the table of domain %u (by %s): %" PRIu64
			" entries differ from %s, %" PRIu64 " name frames of others",
			domid, table.how, table.nr_differ,
			table.checked ? table.checked : "nothing", table.nr_foreign);
	/* Takes the array over, whatever comes of it. */
	return p2m_from_array(take(table.mfn), table.nr, ret, err);
}
