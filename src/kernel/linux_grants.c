/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Source: drivers/xen/grant-table.c. gnttab_list points to pages of grant references, as many as
 * there are; the free ones are linked through it from gnttab_free_head on, and gnttab_free_count
 * says how many they are. Since Linux 3.5 deferred_list has those that were to end while a backend
 * had them mapped.
 */
#include "kernel/linux_grants.h"

#include <string.h>

#include "base/num.h"

#define REFS_PER_PAGE (PAGE_BYTES / 4)
#define LIST_END      0xffffffffu
/* NR_RESERVED_ENTRIES: Xen's own use of the first ones. */
#define FIRST_REF 8u
/* Grant tables of more frames do not exist (gnttab_max_frames); with 512 references each. */
#define MAX_REFS     (32768u * 512u)
#define MAX_DEFERRED 65536u
/* Static variables of that name in a kernel. */
#define MAX_CANDIDATES 16u

struct grant_walk {
	struct guest *g;
	uint64_t list; /* of pages */
	uint32_t page; /* which one `raw` is; UINT32_MAX: none */
	uint8_t raw[PAGE_BYTES];
};

static bool read_next(struct grant_walk *w, uint32_t ref, uint32_t *ret)
{
	uint32_t page = ref / REFS_PER_PAGE;
	unsigned word = guest_word_bytes(w->g);
	uint64_t at;

	if (page != w->page) {
		if (guest_read_word(w->g, GVA(w->list + (uint64_t)word * page), &at, NULL) ||
			!guest_is_kernel_addr(w->g, at) ||
			guest_read(w->g, GVA(at), w->raw, sizeof(w->raw), NULL))
			return false;
		w->page = page;
	}
	*ret = num_le32(w->raw + ref % REFS_PER_PAGE * 4);
	return true;
}

/* 1: noted, 0: it cannot be free, or was there before, -1: no memory. */
static int note_free(struct linux_grants *gr, uint32_t ref, struct err *err)
{
	size_t had = (gr->nr_refs + 7) / 8, cap = had;

	if (ref < FIRST_REF || ref >= MAX_REFS)
		return 0;
	if (ref >= gr->nr_refs) {
		if (util_grow(&gr->bits, &cap, ref / 8 + 1, 1))
			return err_nomem(err, "the guest's free grants");
		memset(gr->bits + had, 0, cap - had);
		gr->nr_refs = (uint32_t)MIN(cap * 8, MAX_REFS);
	}
	if (gr->bits[ref / 8] >> ref % 8 & 1)
		return 0;
	gr->bits[ref / 8] |= (uint8_t)(1u << ref % 8);
	return 1;
}

/* Only a list that ends where its count says it does. */
static int walk_free(
	struct grant_walk *w, uint32_t head, uint32_t nr, struct linux_grants *gr, struct err *err)
{
	uint32_t i, ref = head;

	for (i = 0; i < nr; i++) {
		int status = note_free(gr, ref, err);

		if (status < 0)
			return -1;
		if (!status || !read_next(w, ref, &ref))
			break;
	}
	if (i == nr && ref == LIST_END)
		return 0;
	free(take(gr->bits));
	gr->nr_refs = 0;
	return 0;
}

static bool read_variable(const struct linux_kernel *k, const char *name, uint32_t *ret)
{
	gva_t at;

	return !symbols_get(k->symbols, name, &at, NULL) && !guest_read_u32(k->g, at, ret, NULL);
}

static int read_free(const struct linux_kernel *k, struct linux_grants *ret, struct err *err)
{
	struct grant_walk w = {.g = k->g, .page = UINT32_MAX};
	uint32_t head, nr;
	gva_t list;

	if (!read_variable(k, "gnttab_free_head", &head) ||
		!read_variable(k, "gnttab_free_count", &nr) ||
		symbols_get(k->symbols, "gnttab_list", &list, NULL) ||
		guest_read_word(k->g, list, &w.list, NULL) || !guest_is_kernel_addr(k->g, w.list) ||
		!nr || nr > MAX_REFS)
		return 0;
	return walk_free(&w, head, nr, ret, err);
}

/* ---- those that a backend keeps ------------------------------------------------------------ */

struct deferred_layout {
	struct field list, ref;
};

/* Is there a list of struct deferred_entry at `head`? */
static bool walk_deferred(const struct linux_kernel *k, const struct deferred_layout *l, gva_t head,
	struct linux_grants *ret)
{
	uint64_t node = head.v, ref;
	uint32_t nr;

	for (nr = 0; nr <= MAX_DEFERRED; nr++) {
		if (guest_read_word(k->g, GVA(node), &node, NULL))
			return false;
		if (node == head.v) {
			ret->nr_deferred = nr;
			return true;
		}
		if (!guest_is_kernel_addr(k->g, node) ||
			layout_read(k->g, GVA(node - l->list.off), &l->ref, &ref, NULL) ||
			ref < FIRST_REF || ref >= MAX_REFS)
			return false;
		if (!nr)
			ret->first_deferred = (uint32_t)ref;
	}
	return false;
}

/* Others may have a static list of that name: unless one alone is left, nothing is known. */
static void read_deferred(const struct linux_kernel *k, struct linux_grants *ret)
{
	static const struct field_spec specs[] = {
		{"deferred_entry", "list", offsetof(struct deferred_layout, list), true},
		{"deferred_entry", "ref", offsetof(struct deferred_layout, ref), true},
	};
	struct deferred_layout l = {0};
	struct symbol found[MAX_CANDIDATES];

	if (!k->types || layout_fill(k->types, specs, ARRAY_SIZE(specs), &l, NULL) ||
		symbols_lookup(k->symbols, "deferred_list", found, MAX_CANDIDATES) != 1)
		return;
	ret->deferred_known = walk_deferred(k, &l, found[0].addr, ret);
}

int linux_grants_read(const struct linux_kernel *k, struct linux_grants *ret, struct err *err)
{
	*ret = (struct linux_grants){0};
	if (read_free(k, ret, err))
		return -1;
	read_deferred(k, ret);
	return 0;
}

bool linux_grant_is_free(const struct linux_grants *gr, int64_t ref)
{
	return gr->bits && ref >= 0 && ref < gr->nr_refs && gr->bits[ref / 8] >> ref % 8 & 1;
}

void linux_grants_free(struct linux_grants *gr)
{
	free(gr->bits);
	*gr = (struct linux_grants){0};
}
