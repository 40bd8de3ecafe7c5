/* SPDX-License-Identifier: BSD-2-Clause
 *
 * statics.c - the driver's variables, from the one that is known: rec_ring.
 *
 * The static variables of xbd.c are a few dozen words of .bss, together. Their order is the
 * compiler's; what each holds tells which it is.
 */
#include "frontend/netbsd/scan.h"

void nb_statics_read(struct guest *g, uint32_t rec_ring, struct nb_statics *ret)
{
	unsigned i;

	*ret = (struct nb_statics){.first = rec_ring - NB_NEAR_BYTES};
	for (i = 0; i < NB_NEAR_WORDS; i++)
		ret->known[i] = !guest_read_u32(g, GVA(ret->first + 4 * i), &ret->word[i], NULL);
}

bool nb_statics_has(const struct nb_statics *st, uint32_t word)
{
	unsigned i;

	for (i = 0; i < NB_NEAR_WORDS; i++)
		if (st->known[i] && st->word[i] == word)
			return true;
	return false;
}

/* What the pair ought to agree with. */
struct expected {
	uint32_t req_prod, resp_prod, nr_used, log_va, ring_va;
};

struct indices {
	uint32_t req_prod, resp_cons;
	unsigned agree;
	bool ambiguous;
};

static bool is_pointer_word(const struct nb_statics *st, unsigned i, const struct expected *e)
{
	return i < NB_NEAR_WORDS && st->known[i] && st->word[i] &&
	       (st->word[i] == e->log_va || st->word[i] == e->ring_va);
}

static void try_indices(
	struct indices *best, uint32_t req, uint32_t cons, bool beside, const struct expected *e)
{
	unsigned agree;

	if (req - cons > NB_SLOTS)
		return;
	agree = (unsigned)(req == e->req_prod) + (e->resp_prod - cons <= req - cons) +
		(req - cons == e->nr_used) + beside;
	if (agree < 2 || agree < best->agree)
		return;
	if (agree == best->agree) {
		best->ambiguous |= req != best->req_prod || cons != best->resp_cons;
		return;
	}
	*best = (struct indices){req, cons, agree, false};
}

void nb_statics_indices(const struct nb_statics *st, uint32_t req_prod, uint32_t resp_prod,
	unsigned nr_used, struct nb_place *place)
{
	struct expected e = {req_prod, resp_prod, nr_used, place->log_va, place->ring_va};
	struct indices best = {0};
	unsigned i;

	for (i = 0; i + 1 < NB_NEAR_WORDS; i++) {
		bool beside = is_pointer_word(st, i - 1, &e) || is_pointer_word(st, i + 2, &e);

		if (!st->known[i] || !st->known[i + 1])
			continue;
		try_indices(&best, st->word[i], st->word[i + 1], beside, &e);
		try_indices(&best, st->word[i + 1], st->word[i], beside, &e);
	}
	if (!best.agree || best.ambiguous)
		return;
	place->req_prod = (struct nb_value){.known = true, .v = best.req_prod};
	place->resp_cons = (struct nb_value){.known = true, .v = best.resp_cons};
}
