/* SPDX-License-Identifier: BSD-2-Clause
 *
 * legacy_tmem.c - pass over the pages that a guest put into the hypervisor's transcendent memory
 * (4.0 to 4.5, tools/libxc/xc_tmem.c). They are none of the guest's own, so only their
 * places are noted.
 *
 * u32 version, max pools, ~0, client flags, weight, cap, ~0; pools {u32 id, flags, nr pages, u64
 * uuid[2], nr x {oid, u32 index, page}} until the id is ~0. A list of pages may end early with an
 * oid of ones. An oid has 8 bytes in 4.0, 24 since 4.1, and nothing in the chunk says which: the
 * one that leads to another chunk it is.
 */
#include <limits.h>
#include <string.h>

#include "checkpoint/legacy.h"

#define HEAD_BYTES 28u
#define POOL_BYTES 24u /* behind the id */
#define OID_4_0	   8u
#define OID_4_1	   24u
#define ALL_ONES   UINT32_MAX

struct walk {
	const struct source *src;
	uint64_t off;
	unsigned oid_bytes;
	struct ckpt *keep; /* note where pages stand; NULL: not yet */
	struct err *err;   /* of that */
};

/* The next n bytes; NULL: the file ends. */
static const uint8_t *walk_take(struct walk *w, uint64_t n)
{
	const uint8_t *p = source_at(w->src, w->off, n);

	w->off += p ? n : 0;
	return p;
}

/* u32 flags, nr pages, u64 uuid[2], pages */
static bool walk_pool(struct walk *w)
{
	static const uint8_t ones[OID_4_1] = {[0 ... OID_4_1 - 1] = 0xff};
	const uint8_t *p = walk_take(w, POOL_BYTES);
	uint32_t i, nr;
	uint64_t bytes;

	if (!p)
		return false;
	/* TMEM_POOL_PAGESIZE_SHIFT and _MASK of public/tmem.h */
	bytes = UINT64_C(1) << ((num_le32(p) >> 4 & 15) + 12);
	nr = num_le32(p + 4);
	for (i = 0; i < nr; i++) {
		const uint8_t *oid = walk_take(w, w->oid_bytes);

		if (!oid)
			return false;
		if (!memcmp(oid, ones, w->oid_bytes))
			break;
		if (!walk_take(w, 4 + bytes))
			return false;
		if (w->keep && ckpt_add_extra(w->keep, w->off - bytes, bytes, w->err))
			return false;
	}
	return true;
}

static bool walk_pools(struct walk *w)
{
	const uint8_t *p = walk_take(w, HEAD_BYTES);

	if (!p || num_le32(p + 8) != ALL_ONES || num_le32(p + 24) != ALL_ONES)
		return false;
	while ((p = walk_take(w, 4)) && num_le32(p) != ALL_ONES)
		if (!walk_pool(w))
			return false;
	return p;
}

/* {u32 pool, oid, u32 index} until the pool is ~0 */
static bool walk_extra(struct walk *w)
{
	const uint8_t *p;

	while ((p = walk_take(w, 4)) && num_le32(p) != ALL_ONES)
		if (!walk_take(w, w->oid_bytes + 4))
			return false;
	return p;
}

static bool leads_to_chunk(const struct legacy *l, uint64_t off)
{
	const uint8_t *p = source_at(l->ck->src, off, 4);
	int32_t id = p ? (int32_t)num_le32(p) : 0;

	return p && (id > 0 ? id <= LEGACY_MAX_BATCH : legacy_chunk_is_known(id));
}

typedef bool walk_fn(struct walk *w);

static int pass_over(struct legacy *l, walk_fn *walk, const char *what, struct err *err)
{
	static const struct {
		unsigned oid_bytes, first, last;
	} forms[] = {{OID_4_1, 0x0401, 0x0405}, {OID_4_0, 0x0400, 0x0400}};
	/* What speaks for an older and for a newer writer alike says nothing. */
	unsigned last = l->age.first <= l->age.last ? l->age.last : UINT_MAX;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		struct walk w = {l->ck->src, l->off, forms[i].oid_bytes, NULL, NULL};
		struct walk again = {l->ck->src, l->off, forms[i].oid_bytes, l->ck, err};

		if (l->age.first > forms[i].last || last < forms[i].first || !walk(&w) ||
			!leads_to_chunk(l, w.off))
			continue;
		legacy_not_before(l, forms[i].first);
		legacy_not_after(l, forms[i].last);
		l->off = w.off;
		return walk(&again) ? 0 : -1;
	}
	l->cut = true;
	return ckpt_incomplete(l->ck, l->off,
		"the %s chunk at 0x%" PRIx64 " leads to no other chunk: it is damaged, or the file "
		"ends in it",
		what, l->off - 4);
}

int legacy_tmem(struct legacy *l, struct err *err)
{
	return pass_over(l, walk_pools, "TMEM", err);
}

int legacy_tmem_extra(struct legacy *l, struct err *err)
{
	return pass_over(l, walk_extra, "TMEM_EXTRA", err);
}
