/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Pages hang on address_space.i_pages, an xarray since Linux 4.20 (include/linux/xarray.h). An
 * entry that ends in 01 is a value, one in 10 the kernel's own: above 4096 a node of 64 slots,
 * below it says that the slot belongs to the one before.
 */
#include "kernel/linux_cache.h"

#include "base/limits.h"
#include "base/num.h"

#define ENTRY_BITS	3u
#define ENTRY_INTERNAL	2u
#define LOWEST_NODE	4096u
#define NODE_SLOTS	64u
#define NODE_SHIFT	6u
#define MAX_SHIFT	60u
#define MAX_BUFFERS	4096u	   /* of a folio */
#define FOLIO_COST	8u	   /* of slots: its struct page takes as much room */
#define MAX_FOLIO_PAGES (1u << 18) /* of 1 GiB */
/* include/linux/pagemap.h: AS_EIO and AS_ENOSPC. */
#define MAPPING_FAILED 3u
/* include/linux/jbd2.h, from BH_PrivateStart on: JBD, JWrite, Freed, Revoked, RevokeValid,
 * JBDDirty, State or JournalHead, Shadow. The journal knows a newer content than the disk has. What
 * follows says nothing of that. */
#define JOURNAL_BITS 0xffull

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct linux_cache_layout, dest), false                     \
	}

static const struct field_spec specs[] = {
	MAY("address_space", "i_pages", pages),
	MAY("address_space", "nrpages", nrpages),
	MAY("address_space", "flags", as_flags),
	MAY("xarray", "xa_head", xa_head),
	MAY("xa_node", "shift", shift),
	MAY("xa_node", "slots", slots),
	MAY("page", "private", private),
	MAY("buffer_head", "b_state", b_state),
	MAY("buffer_head", "b_this_page", b_next),
	MAY("buffer_head", "b_page", b_page),
	MAY("buffer_head", "b_size", b_size),
};

static int find_bit(const struct layout *types, const char *name)
{
	int64_t v;

	return layout_enum_value(types, name, &v, NULL) || v < 0 || v > 31 ? -1 : (int)v;
}

bool linux_cache_init(struct linux_cache *c, const struct linux_kernel *k)
{
	struct linux_cache_layout *l = &c->l;

	*c = (struct linux_cache){.k = k,
		.left = limit_in_guest(KERNEL_MAX_CACHED,
			memory_info(guest_memory(k->g)).nr_data_pages, KERNEL_CACHED_BYTES)};
	linux_folios_init(&c->folios, k);
	if (!k->types || !k->pages.known)
		return false;
	layout_fill_known(k->types, specs, ARRAY_SIZE(specs), l);
	l->locked = find_bit(k->types, "PG_locked");
	l->writeback = find_bit(k->types, "PG_writeback");
	l->uptodate = find_bit(k->types, "PG_uptodate");
	l->dirty = find_bit(k->types, "PG_dirty");
	l->error = find_bit(k->types, "PG_error"); /* until 6.11 */
	l->has_private = find_bit(k->types, "PG_private");
	l->b_uptodate = find_bit(k->types, "BH_Uptodate");
	l->b_dirty = find_bit(k->types, "BH_Dirty");
	l->b_lock = find_bit(k->types, "BH_Lock");
	l->b_private_start = find_bit(k->types, "BH_PrivateStart");
	return l->pages.present && l->as_flags.present && l->xa_head.present && l->shift.present &&
	       l->slots.present && l->private.present && l->b_page.present && l->b_size.present &&
	       l->b_uptodate >= 0 && l->locked >= 0 && l->writeback >= 0 && l->uptodate >= 0 &&
	       l->dirty >= 0 && l->has_private >= 0 && l->b_dirty >= 0 && l->b_lock >= 0 &&
	       l->b_private_start >= 0;
}

uint64_t linux_cache_pages(const struct linux_cache *c, uint64_t mapping)
{
	struct guest *g = c->k->g;

	return layout_read_or(g, GVA(mapping), &c->l.as_flags, MAPPING_FAILED) & MAPPING_FAILED
		       ? 0
		       : layout_read_or(g, GVA(mapping), &c->l.nrpages, 0);
}

/* ---- the tree ----------------------------------------------------------------------------- */

struct cache_walk {
	struct linux_cache *c;
	linux_cache_fn *fn;
	void *arg;
};

static bool is_node(uint64_t entry)
{
	return (entry & ENTRY_BITS) == ENTRY_INTERNAL && entry > LOWEST_NODE;
}

static void visit_entry(const struct cache_walk *w, uint64_t entry, uint64_t index, uint64_t nr)
{
	if (!entry || entry & ENTRY_BITS || !guest_is_kernel_addr(w->c->k->g, entry) ||
		nr > MAX_FOLIO_PAGES)
		return;
	w->c->left -= MIN(w->c->left, (uint64_t)FOLIO_COST);
	w->fn(w->arg, entry, index, nr);
}

static bool read_slots(const struct cache_walk *w, uint64_t node, uint64_t slots[NODE_SLOTS])
{
	struct guest *g = w->c->k->g;
	uint8_t raw[NODE_SLOTS * 8];
	unsigned i, word = guest_word_bytes(g);

	if (guest_read(g, GVA(node + w->c->l.slots.off), raw, NODE_SLOTS * (size_t)word, NULL))
		return false;
	for (i = 0; i < NODE_SLOTS; i++)
		slots[i] = word == 8 ? num_le64(raw + 8 * i) : num_le32(raw + 4 * i);
	return true;
}

/* `below`: the shift of the node above, whose children are smaller. */
static void visit_node(const struct cache_walk *w, uint64_t node, uint64_t index, uint64_t below)
{
	uint64_t slots[NODE_SLOTS], shift;
	unsigned i, n;

	if (layout_read(w->c->k->g, GVA(node), &w->c->l.shift, &shift, NULL) ||
		shift % NODE_SHIFT || shift >= below || !read_slots(w, node, slots))
		return;
	for (i = 0; i < NODE_SLOTS && w->c->left; i += n) {
		uint64_t at = index + ((uint64_t)i << shift);

		/* Slots that belong to this one. */
		for (n = 1; i + n < NODE_SLOTS && slots[i + n] &&
			    (slots[i + n] & ENTRY_BITS) == ENTRY_INTERNAL && !is_node(slots[i + n]);
			n++)
			;
		w->c->left--;
		if (!is_node(slots[i]))
			visit_entry(w, slots[i], at, (uint64_t)n << shift);
		else if (shift)
			visit_node(w, slots[i] - ENTRY_INTERNAL, at, shift);
	}
}

void linux_cache_walk(struct linux_cache *c, uint64_t mapping, linux_cache_fn *fn, void *arg)
{
	const struct cache_walk w = {c, fn, arg};
	uint64_t head;

	if (layout_read(c->k->g, GVA(mapping + c->l.pages.off), &c->l.xa_head, &head, NULL))
		return;
	if (is_node(head))
		visit_node(&w, head - ENTRY_INTERNAL, 0, MAX_SHIFT + NODE_SHIFT);
	else
		visit_entry(&w, head, 0, 1);
}

uint64_t linux_cache_find(const struct linux_cache *c, uint64_t mapping, uint64_t index)
{
	struct guest *g = c->k->g;
	uint64_t entry, shift, below = MAX_SHIFT + NODE_SHIFT, node, slot, base = 0;
	unsigned word = guest_word_bytes(g);

	if (layout_read(g, GVA(mapping + c->l.pages.off), &c->l.xa_head, &entry, NULL))
		return 0;
	for (; is_node(entry); below = shift) {
		node = entry - ENTRY_INTERNAL;
		if (layout_read(g, GVA(node), &c->l.shift, &shift, NULL) || shift % NODE_SHIFT ||
			shift >= below || (below > MAX_SHIFT && index >> shift >= NODE_SLOTS))
			return 0;
		slot = index >> shift & (NODE_SLOTS - 1);
		do /* the folio's own slot stands before those that belong to it */
			if (guest_read_word(
				    g, GVA(node + c->l.slots.off + slot * word), &entry, NULL))
				return 0;
		while ((entry & ENTRY_BITS) == ENTRY_INTERNAL && !is_node(entry) && slot--);
		base += slot << shift;
	}
	if (!entry || entry & ENTRY_BITS || !guest_is_kernel_addr(g, entry) || index < base ||
		index - base >= MAX_FOLIO_PAGES)
		return 0;
	return entry + (index - base) * c->k->pages.entry_bytes;
}

/* ---- is it what the disk has? ------------------------------------------------------------- */

static bool has_bit(uint64_t flags, int bit)
{
	return bit >= 0 && flags >> bit & 1;
}

struct buffer {
	uint64_t state, next, bytes;
};

static bool read_buffer(const struct linux_cache *c, uint64_t bh, uint64_t page, struct buffer *ret)
{
	struct guest *g = c->k->g;
	uint64_t owner;

	return guest_is_kernel_addr(g, bh) &&
	       !layout_read(g, GVA(bh), &c->l.b_page, &owner, NULL) && owner == page &&
	       !layout_read(g, GVA(bh), &c->l.b_state, &ret->state, NULL) &&
	       !layout_read(g, GVA(bh), &c->l.b_next, &ret->next, NULL) &&
	       !layout_read(g, GVA(bh), &c->l.b_size, &ret->bytes, NULL) && ret->bytes;
}

static bool buffer_is_clean(const struct linux_cache *c, uint64_t state)
{
	return has_bit(state, c->l.b_uptodate) && !has_bit(state, c->l.b_dirty) &&
	       !has_bit(state, c->l.b_lock) && !(state >> c->l.b_private_start & JOURNAL_BITS);
}

/* What hangs on the folio are its buffers, in a ring; or it is nothing that is known here. */
static bool buffers_are_clean(const struct linux_cache *c, const struct linux_cache_part *p)
{
	uint64_t bh = layout_read_or(c->k->g, GVA(p->folio), &c->l.private, 0), at = 0;
	struct buffer b;
	unsigned i;

	for (i = 0; i < MAX_BUFFERS && at < p->offset + p->bytes; i++) {
		if (!read_buffer(c, bh, p->folio, &b))
			return false;
		if (at + b.bytes > p->offset && !buffer_is_clean(c, b.state))
			return false;
		at += b.bytes;
		bh = b.next;
	}
	return at >= p->offset + p->bytes;
}

/* Where a page has buffers they know whether they are up to date: of a block device it may be none
 * of the others. */
bool linux_cache_is_clean(const struct linux_cache *c, const struct linux_cache_part *p)
{
	struct linux_folio folio;

	if (!linux_folio_read(&c->folios, p->folio, &folio) || folio.kind != LINUX_FOLIO_FILE ||
		folio.head != p->folio || folio.mapping != p->mapping || folio.index != p->index ||
		has_bit(folio.flags, c->l.dirty) || has_bit(folio.flags, c->l.writeback) ||
		has_bit(folio.flags, c->l.locked) || has_bit(folio.flags, c->l.error))
		return false;
	return has_bit(folio.flags, c->l.has_private) ? buffers_are_clean(c, p)
						      : has_bit(folio.flags, c->l.uptodate);
}
