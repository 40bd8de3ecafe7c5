/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux_folios.h"

/* include/linux/page-flags.h: FOLIO_MAPPING_ANON, and KSM or movable. */
#define MAPPING_ANON  1u
#define MAPPING_FLAGS 3u
#define TAIL	      1u
/* A mask of a tail page has all of these set; no pointer into the array of struct page does
 * (Documentation/arch/x86/x86_64/mm.rst). */
#define MASK_BITS 0xffffff0000000000ull
/* Areas that have pages of one anon_vma: processes that share them since a fork. */
#define MAX_AREAS 256u
#define MAX_DEPTH 64u

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct linux_folios_layout, dest), false                    \
	}

static const struct field_spec folio_specs[] = {
	MAY("folio", "flags", flags),
	MAY("folio", "mapping", mapping),
	MAY("folio", "index", index),
};

static const struct field_spec page_specs[] = {
	MAY("page", "flags", flags),
	MAY("page", "mapping", mapping),
	MAY("page", "index", index),
};

static const struct field_spec specs[] = {
	MAY("page", "compound_head", compound_head),
	MAY("page", "compound_info", compound_info), /* since 7.0 */
	MAY("anon_vma", "rb_root.rb_root.rb_node", anon_tree),
	MAY("rb_node", "rb_left", rb_left),
	MAY("rb_node", "rb_right", rb_right),
	MAY("anon_vma_chain", "rb", chain_rb),
	MAY("anon_vma_chain", "vma", chain_vma),
	MAY("vm_area_struct", "vm_mm", vma_mm),
};

void linux_folios_init(struct linux_folios *f, const struct linux_kernel *k)
{
	*f = (struct linux_folios){.k = k};
	if (!k->types)
		return;
	layout_fill_known(k->types, folio_specs, ARRAY_SIZE(folio_specs), &f->l);
	if (!f->l.mapping.present || !f->l.index.present)
		layout_fill_known(k->types, page_specs, ARRAY_SIZE(page_specs), &f->l);
	layout_fill_known(k->types, specs, ARRAY_SIZE(specs), &f->l);
}

/* The struct page that says what the whole folio is. */
static bool find_head(const struct linux_folios *f, uint64_t page, uint64_t *ret)
{
	struct guest *g = f->k->g;
	const struct field *at =
		f->l.compound_head.present ? &f->l.compound_head : &f->l.compound_info;
	uint64_t info;

	if (layout_read(g, GVA(page), at, &info, NULL))
		return false;
	*ret = page;
	if (info & TAIL)
		*ret = (info & MASK_BITS) == MASK_BITS ? page & (info - TAIL) : info - TAIL;
	return true;
}

bool linux_folio_read(const struct linux_folios *f, uint64_t page, struct linux_folio *ret)
{
	struct guest *g = f->k->g;
	uint32_t each = f->k->pages.entry_bytes;
	pfn_t pfn, head;

	if (!find_head(f, page, &ret->head) || !linux_pages_pfn(&f->k->pages, page, &pfn) ||
		!linux_pages_pfn(&f->k->pages, ret->head, &head) || ret->head > page || !each ||
		layout_read(g, GVA(ret->head), &f->l.flags, &ret->flags, NULL) ||
		layout_read(g, GVA(ret->head), &f->l.mapping, &ret->mapping, NULL) ||
		layout_read(g, GVA(ret->head), &f->l.index, &ret->index, NULL))
		return false;
	ret->index += pfn.v - head.v;
	ret->kind = LINUX_FOLIO_OTHER;
	if ((ret->mapping & MAPPING_FLAGS) == MAPPING_ANON)
		ret->kind = LINUX_FOLIO_ANON;
	else if (ret->mapping && !(ret->mapping & MAPPING_FLAGS))
		ret->kind = LINUX_FOLIO_FILE;
	ret->mapping &= ~(uint64_t)MAPPING_FLAGS;
	if (!guest_is_kernel_addr(g, ret->mapping))
		ret->kind = LINUX_FOLIO_OTHER;
	if (ret->kind == LINUX_FOLIO_OTHER)
		ret->mapping = 0;
	return true;
}

/* ---- whose memory ------------------------------------------------------------------------- */

struct area_walk {
	const struct linux_folios *f;
	unsigned left;
	uint64_t mm; /* so far */
	bool differ;
};

static void visit_areas(struct area_walk *w, uint64_t node, unsigned depth)
{
	const struct linux_folios_layout *l = &w->f->l;
	struct guest *g = w->f->k->g;
	uint64_t vma, mm, next;

	if (!guest_is_kernel_addr(g, node) || depth == MAX_DEPTH || !w->left) {
		w->differ |= node != 0;
		return;
	}
	w->left--;
	if (layout_read(g, GVA(node - l->chain_rb.off), &l->chain_vma, &vma, NULL) ||
		layout_read(g, GVA(vma), &l->vma_mm, &mm, NULL)) {
		w->differ = true;
		return;
	}
	w->differ |= w->mm && w->mm != mm;
	w->mm = mm;
	if (!layout_read(g, GVA(node), &l->rb_left, &next, NULL))
		visit_areas(w, next, depth + 1);
	if (!layout_read(g, GVA(node), &l->rb_right, &next, NULL))
		visit_areas(w, next, depth + 1);
}

uint64_t linux_folio_mm(const struct linux_folios *f, const struct linux_folio *folio)
{
	struct area_walk w = {.f = f, .left = MAX_AREAS};
	uint64_t root;

	if (folio->kind != LINUX_FOLIO_ANON || !f->l.chain_rb.present ||
		layout_read(f->k->g, GVA(folio->mapping), &f->l.anon_tree, &root, NULL))
		return 0;
	visit_areas(&w, root, 0);
	return w.differ ? 0 : w.mm;
}
