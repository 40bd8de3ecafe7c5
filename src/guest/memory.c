/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest/memory.h"

#include <string.h>

struct memory_info memory_info(struct memory m)
{
	return m.ops->info(m.source);
}

struct memory_page memory_page(struct memory m, pfn_t pfn)
{
	return m.ops->page(m.source, pfn);
}

bool memory_next_run(struct memory m, pfn_t from, struct memory_run *ret)
{
	return m.ops->next_run(m.source, from, ret);
}

struct memory_root memory_root(struct memory m, size_t index)
{
	return m.ops->root(m.source, index);
}

pfn_t memory_p2m_frame(struct memory m, size_t index)
{
	return m.ops->p2m_frame ? m.ops->p2m_frame(m.source, index) : PFN(UINT64_MAX);
}

bool memory_hvm_param(struct memory m, uint64_t index, uint64_t *ret)
{
	return m.ops->hvm_param && m.ops->hvm_param(m.source, index, ret);
}

bool memory_to_pfn(struct memory m, mfn_t mfn, pfn_t *ret)
{
	return m.ops->to_pfn && m.ops->to_pfn(m.source, mfn, ret);
}

bool memory_to_mfn(struct memory m, pfn_t pfn, mfn_t *ret)
{
	return m.ops->to_mfn && m.ops->to_mfn(m.source, pfn, ret);
}

const struct finding_list *memory_findings(struct memory m)
{
	return m.ops->findings ? m.ops->findings(m.source) : NULL;
}

static void memory_advise(struct memory m, bool sequential)
{
	if (m.ops->advise)
		m.ops->advise(m.source, sequential);
}

static int visit_run(struct memory m, const struct memory_run *run, memory_page_fn *fn, void *arg)
{
	uint8_t copy[PAGE_BYTES];
	uint64_t i;
	int rc = 0;

	for (i = 0; i < run->nr && !rc; i++) {
		const uint8_t *page = run->data ? run->data + i * PAGE_BYTES
						: memory_page(m, PFN(run->pfn + i)).data;

		if (page && !run->data)
			page = memcpy(copy, page, sizeof(copy));
		if (page)
			rc = fn(arg, PFN(run->pfn + i), page);
	}
	return rc;
}

int memory_for_each_page(struct memory m, memory_page_fn *fn, void *arg)
{
	struct memory_run run = {0};
	int rc = 0;

	memory_advise(m, true);
	while (!rc && memory_next_run(m, PFN(run.pfn + run.nr), &run))
		if (!run.level)
			rc = visit_run(m, &run, fn, arg);
	memory_advise(m, false);
	return rc;
}

bool memory_is_removed(const uint8_t *page)
{
	static const uint8_t mark[PAGE_BYTES] = CKPT_REMOVED_MARK;

	return page && !memcmp(page, mark, sizeof(mark));
}

const char *memory_lack(const struct memory_page *page)
{
	switch (page->state) {
	case MEMORY_BROKEN:
		return "was poisoned memory";
	case MEMORY_NO_DATA:
		return "is listed without data";
	case MEMORY_FAILED:
		return page->why;
	default:
		return "is not in the checkpoint";
	}
}
