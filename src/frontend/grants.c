/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/grants.h"

#include "base/num.h"

#define HVM_PARAM_STORE_PFN 1u /* public/hvm/params.h */
#define XENSTORE_ENTRY	    1u /* GNTTAB_RESERVED_XENSTORE */
#define NR_RESERVED	    8u /* GNTTAB_NR_RESERVED_ENTRIES; those behind xenstore's are not used */
#define TYPE_MASK	    3u
#define PERMIT_ACCESS	    1u
#define FLAGS_KNOWN	    0x1ffu
#define MAX_FRAMES	    256u

/* What a table names a page of the guest by: its machine frame under PV. */
static bool name_of_page(struct memory m, pfn_t pfn, uint64_t *ret)
{
	mfn_t mfn;

	if (memory_info(m).type != CKPT_GUEST_PV) {
		*ret = pfn.v;
		return true;
	}
	if (!memory_to_mfn(m, pfn, &mfn))
		return false;
	*ret = mfn.v;
	return true;
}

static bool page_of_name(struct memory m, uint64_t name, pfn_t *ret)
{
	if (memory_info(m).type == CKPT_GUEST_PV)
		return memory_to_pfn(m, MFN(name), ret);
	*ret = PFN(name);
	return name < memory_info(m).nr_pfns;
}

bool grants_store_page(struct guest *g, pfn_t *ret)
{
	struct memory m = guest_memory(g);
	struct memory_info info = memory_info(m);

	if (info.start_info_known) {
		*ret = PFN(info.start_info.store);
		return info.start_info.store != 0;
	}
	return memory_hvm_param(m, HVM_PARAM_STORE_PFN, &ret->v) && ret->v;
}

static uint64_t frame_of(const uint8_t *entry, unsigned entry_bytes)
{
	return entry_bytes == 8 ? num_le32(entry + 4) : num_le64(entry + 8);
}

/* May all of the page be entries? */
static bool is_table(const uint8_t *page, unsigned entry_bytes)
{
	unsigned off;

	for (off = 0; off < PAGE_BYTES; off += entry_bytes)
		if (num_le16(page + off) & ~FLAGS_KNOWN)
			return false;
	return true;
}

static bool is_first_frame(const uint8_t *page, unsigned entry_bytes)
{
	unsigned off;

	for (off = (XENSTORE_ENTRY + 1) * entry_bytes; off < NR_RESERVED * entry_bytes; off += 8)
		if (num_le64(page + off))
			return false;
	return is_table(page, entry_bytes);
}

struct grant_search {
	struct grants *ret;
	uint64_t store;
};

static int visit_page(void *arg, pfn_t pfn, const uint8_t *page)
{
	struct grant_search *s = arg;
	unsigned each;

	for (each = 8; each <= 16; each += 8) {
		const uint8_t *entry = page + XENSTORE_ENTRY * each;

		if ((num_le16(entry) & TYPE_MASK) != PERMIT_ACCESS ||
			frame_of(entry, each) != s->store || !is_first_frame(page, each))
			continue;
		*s->ret = (struct grants){true, each, pfn, 1};
		return 1;
	}
	return 0;
}

void grants_find(struct guest *g, struct grants *ret)
{
	struct grant_search s = {.ret = ret};
	struct memory m = guest_memory(g);
	const uint8_t *page;
	pfn_t store;

	*ret = (struct grants){0};
	if (!grants_store_page(g, &store) || !name_of_page(m, store, &s.store))
		return;
	memory_for_each_page(m, visit_page, &s);
	while (ret->found && ret->nr_frames < MAX_FRAMES &&
		(page = guest_peek(g, PFN(ret->first.v + ret->nr_frames))) &&
		is_table(page, ret->entry_bytes))
		ret->nr_frames++;
}

static const uint8_t *entry_at(struct guest *g, const struct grants *t, uint64_t gref)
{
	uint64_t each = PAGE_BYTES / (t->found ? t->entry_bytes : 8), frame = gref / each;
	const uint8_t *page;

	if (!t->found || frame >= t->nr_frames)
		return NULL;
	page = guest_page(g, PFN(t->first.v + frame));
	return page ? page + gref % each * t->entry_bytes : NULL;
}

bool grants_page(struct guest *g, const struct grants *t, uint64_t gref, pfn_t *ret)
{
	const uint8_t *entry = entry_at(g, t, gref);

	return entry && (num_le16(entry) & TYPE_MASK) == PERMIT_ACCESS &&
	       page_of_name(guest_memory(g), frame_of(entry, t->entry_bytes), ret);
}

bool grants_ref(struct guest *g, const struct grants *t, pfn_t pfn, uint32_t *ret)
{
	uint64_t name, gref, nr;

	if (!t->found || !name_of_page(guest_memory(g), pfn, &name))
		return false;
	nr = (uint64_t)t->nr_frames * (PAGE_BYTES / t->entry_bytes);
	for (gref = XENSTORE_ENTRY + 1; gref < nr; gref++) {
		const uint8_t *entry = entry_at(g, t, gref);

		if (entry && (num_le16(entry) & TYPE_MASK) == PERMIT_ACCESS &&
			frame_of(entry, t->entry_bytes) == name) {
			*ret = (uint32_t)gref;
			return true;
		}
	}
	return false;
}
