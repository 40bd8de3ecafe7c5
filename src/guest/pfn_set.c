/* SPDX-License-Identifier: BSD-2-Clause */
#include "guest/pfn_set.h"

#include <string.h>

#define FIRST_SLOTS 4096u

struct pfn_set {
	uint64_t *slots;     /* open addressing; all ones: free */
	size_t nr_slots, nr; /* slots: a power of two */
	bool lost;
};

int pfn_set_new(struct pfn_set **ret, struct err *err)
{
	struct pfn_set *s = calloc(1, sizeof(*s));
	uint64_t *slots = malloc(FIRST_SLOTS * sizeof(*slots));

	if (!s || !slots) {
		free(s);
		free(slots);
		return err_nomem(err, "a set of pages");
	}
	memset(slots, 0xff, FIRST_SLOTS * sizeof(*slots));
	s->slots = slots;
	s->nr_slots = FIRST_SLOTS;
	*ret = s;
	return 0;
}

void pfn_set_free(struct pfn_set *s)
{
	if (!s)
		return;
	free(s->slots);
	free(s);
}

/* Where pfn is or belongs. */
static size_t find_slot(const struct pfn_set *s, uint64_t pfn)
{
	size_t i = (size_t)((pfn * 0x9e3779b97f4a7c15ull) >> 20) & (s->nr_slots - 1);

	while (s->slots[i] != UINT64_MAX && s->slots[i] != pfn)
		i = (i + 1) & (s->nr_slots - 1);
	return i;
}

static int grow_slots(struct pfn_set *s)
{
	uint64_t *old = s->slots;
	size_t nr_old = s->nr_slots, i;
	uint64_t *fresh = malloc(nr_old * 2 * sizeof(*fresh));

	if (!fresh)
		return -1;
	memset(fresh, 0xff, nr_old * 2 * sizeof(*fresh));
	s->slots = fresh;
	s->nr_slots = nr_old * 2;
	for (i = 0; i < nr_old; i++)
		if (old[i] != UINT64_MAX)
			s->slots[find_slot(s, old[i])] = old[i];
	free(old);
	return 0;
}

void pfn_set_add(struct pfn_set *s, uint64_t pfn)
{
	size_t i = find_slot(s, pfn);

	if (s->slots[i] == pfn)
		return;
	if (s->nr * 2 >= s->nr_slots) {
		if (grow_slots(s)) {
			s->lost = true;
			return;
		}
		i = find_slot(s, pfn);
	}
	s->slots[i] = pfn;
	s->nr++;
}

bool pfn_set_has(const struct pfn_set *s, uint64_t pfn)
{
	return s->lost || s->slots[find_slot(s, pfn)] == pfn;
}
