/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Frames of a guest that are not plain memory.
 */
#include "check/specials.h"

#include <string.h>

struct list {
	struct check_special *v;
	size_t nr, cap;
};

static int add_special(struct list *l, uint64_t pfn, const char *what, struct err *err)
{
	if (util_grow(&l->v, &l->cap, l->nr + 1, sizeof(*l->v)))
		return err_nomem(err, "listing special pages");
	l->v[l->nr++] = (struct check_special){pfn, what};
	return 0;
}

static int by_pfn(const void *a, const void *b)
{
	const struct check_special *p = a, *q = b;

	return p->pfn < q->pfn ? -1 : p->pfn > q->pfn;
}

/* A hostile list names one page a million times. */
static void drop_repeats(struct list *l)
{
	size_t i, n = 0;

	if (l->nr)
		qsort(l->v, l->nr, sizeof(*l->v), by_pfn);
	for (i = 0; i < l->nr; i++)
		if (!n || l->v[i].pfn != l->v[n - 1].pfn)
			l->v[n++] = l->v[i];
	l->nr = n;
}

/* Pages without data are no use to a request, and a finding of their own. */
static int add_p2m(struct memory m, struct list *l, struct err *err)
{
	size_t i, nr = memory_info(m).nr_p2m_frames, full = 1024;

	for (i = 0; i < nr; i++) {
		pfn_t pfn = memory_p2m_frame(m, i);

		if (memory_page(m, pfn).state != MEMORY_DATA)
			continue;
		if (l->nr == full) {
			drop_repeats(l);
			full = 2 * l->nr + 1024;
		}
		if (add_special(l, pfn.v, "page of the p2m table", err))
			return -1;
	}
	return 0;
}

static int add_start_info(struct memory m, struct list *l, struct err *err)
{
	struct memory_info info = memory_info(m);
	const struct ckpt_start_info *si = &info.start_info;
	uint64_t end = info.nr_pfns;

	if (!info.start_info_known)
		return 0;
	if (add_special(l, si->page.v, "start_info page", err) ||
		(si->store && si->store < end && add_special(l, si->store, "xenstore page", err)) ||
		(si->console && si->console < end &&
			add_special(l, si->console, "console page", err)))
		return -1;
	return 0;
}

/* xen/include/public/hvm/params.h: the restore clears these pages, or hands them to a daemon. */
static const struct {
	unsigned param;
	const char *what;
} hvm_pages[] = {
	{1, "xenstore page"},
	{17, "console page"},
	{5, "page of the emulator's requests"},
	{6, "page of the emulator's buffered requests"},
	{27, "page of the paging ring"},
	{28, "page of the monitor ring"},
	{29, "page of the sharing ring"},
};

static int add_hvm_pages(struct memory m, struct list *l, struct err *err)
{
	uint64_t pfn;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hvm_pages); i++)
		if (memory_hvm_param(m, hvm_pages[i].param, &pfn) && pfn &&
			add_special(l, pfn, hvm_pages[i].what, err))
			return -1;
	return 0;
}

/* Xen 2.0: the page in which the guest asked to be suspended (ESI). */
static int add_suspend_record(struct memory m, struct list *l, struct err *err)
{
	pfn_t record = memory_info(m).suspend_record;

	return record.v == UINT64_MAX ? 0 : add_special(l, record.v, "suspend record", err);
}

int check_specials(struct memory m, struct check_special **ret, size_t *nr, struct err *err)
{
	struct list l = {0};

	*ret = NULL;
	*nr = 0;
	if (add_start_info(m, &l, err) || add_suspend_record(m, &l, err) ||
		add_hvm_pages(m, &l, err) || add_p2m(m, &l, err)) {
		free(l.v);
		return -1;
	}
	drop_repeats(&l);
	*ret = l.v;
	*nr = l.nr;
	return 0;
}
