/* SPDX-License-Identifier: BSD-2-Clause
 *
 * place_map.c - a tree of pages, as deep as page tables of hardware. Frames that lie far from each
 * other cost four pages each, beside the page of content that each of them brings.
 */
#include "guard/place_map.h"

#define LEVELS	   4u
#define LEVEL_BITS 10u
#define NODE_WORDS (1u << LEVEL_BITS)

union word {
	union word *node;
	uint64_t place;
};

struct place_map {
	union word *top;
};

struct place_map *place_map_new(struct err *err)
{
	struct place_map *m = calloc(1, sizeof(*m));

	if (m)
		m->top = calloc(NODE_WORDS, sizeof(*m->top));
	if (m && m->top)
		return m;
	free(m);
	err_nomem(err, "the index of pages");
	return NULL;
}

static void free_node(union word *node, unsigned level)
{
	unsigned i;

	for (i = 0; level && i < NODE_WORDS; i++)
		if (node[i].node)
			free_node(node[i].node, level - 1);
	free(node);
}

void place_map_free(struct place_map *m)
{
	if (!m)
		return;
	free_node(m->top, LEVELS - 1);
	free(m);
}

int place_map_set(struct place_map *m, uint64_t pfn, uint64_t place, uint64_t *ret, struct err *err)
{
	union word *node = m->top;
	unsigned level;

	*ret = 0;
	if (pfn >> LEVELS * LEVEL_BITS)
		return 0;
	for (level = LEVELS - 1; level; level--) {
		union word *w = &node[pfn >> level * LEVEL_BITS & (NODE_WORDS - 1)];

		if (!w->node)
			w->node = calloc(NODE_WORDS, sizeof(*w->node));
		if (!w->node)
			return err_nomem(err, "the index of pages");
		node = w->node;
	}
	node += pfn & (NODE_WORDS - 1);
	*ret = node->place;
	node->place = place;
	return 0;
}
