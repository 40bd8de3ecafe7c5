/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/page_cache.h"

#include <string.h>

#include "base/frame.h"

#define NOWHERE UINT32_MAX

struct slot {
	uint64_t key;
	uint32_t newer, older; /* in the order in which they were asked for */
	uint32_t next;	       /* of the same bucket */
	bool used;
};

struct page_cache {
	unsigned nr; /* slots, and buckets */
	uint32_t newest, oldest;
	struct slot *slots;
	uint32_t *buckets; /* first slot of each */
	uint8_t **pages;   /* as they are needed */
};

struct page_cache *page_cache_new(unsigned nr)
{
	struct page_cache *c = calloc(1, sizeof(*c));
	unsigned i;

	if (!c)
		return NULL;
	c->nr = nr;
	c->slots = calloc(nr, sizeof(*c->slots));
	c->buckets = malloc(nr * sizeof(*c->buckets));
	c->pages = calloc(nr, sizeof(*c->pages));
	if (!c->slots || !c->buckets || !c->pages) {
		page_cache_free(c);
		return NULL;
	}
	memset(c->buckets, 0xff, nr * sizeof(*c->buckets));
	for (i = 0; i < nr; i++) {
		c->slots[i].older = i + 1 < nr ? i + 1 : NOWHERE;
		c->slots[i].newer = i ? i - 1 : NOWHERE;
	}
	c->oldest = nr - 1;
	return c;
}

void page_cache_free(struct page_cache *c)
{
	unsigned i;

	if (!c)
		return;
	for (i = 0; c->pages && i < c->nr; i++)
		free(c->pages[i]);
	free(c->slots);
	free(c->buckets);
	free(c->pages);
	free(c);
}

static uint32_t *bucket_of(struct page_cache *c, uint64_t key)
{
	return &c->buckets[(key * 0x9e3779b97f4a7c15ull >> 32) % c->nr];
}

static uint32_t find_slot(struct page_cache *c, uint64_t key)
{
	uint32_t i = *bucket_of(c, key);

	while (i != NOWHERE && c->slots[i].key != key)
		i = c->slots[i].next;
	return i;
}

static void take_out(struct page_cache *c, uint32_t i)
{
	struct slot *s = &c->slots[i];

	if (s->newer == NOWHERE)
		c->newest = s->older;
	else
		c->slots[s->newer].older = s->older;
	if (s->older == NOWHERE)
		c->oldest = s->newer;
	else
		c->slots[s->older].newer = s->newer;
}

static void make_newest(struct page_cache *c, uint32_t i)
{
	if (c->newest == i)
		return;
	take_out(c, i);
	c->slots[i].newer = NOWHERE;
	c->slots[i].older = c->newest;
	c->slots[c->newest].newer = i;
	c->newest = i;
}

static void make_oldest(struct page_cache *c, uint32_t i)
{
	if (c->oldest == i)
		return;
	take_out(c, i);
	c->slots[i].older = NOWHERE;
	c->slots[i].newer = c->oldest;
	c->slots[c->oldest].older = i;
	c->oldest = i;
}

static void forget_key(struct page_cache *c, uint32_t i)
{
	uint32_t *link = bucket_of(c, c->slots[i].key);

	if (!c->slots[i].used)
		return;
	while (*link != i)
		link = &c->slots[*link].next;
	*link = c->slots[i].next;
	c->slots[i].used = false;
}

const uint8_t *page_cache_find(struct page_cache *c, uint64_t key)
{
	uint32_t i = find_slot(c, key);

	if (i == NOWHERE)
		return NULL;
	make_newest(c, i);
	return c->pages[i];
}

uint8_t *page_cache_room(struct page_cache *c, uint64_t key)
{
	uint32_t i = c->oldest, *bucket = bucket_of(c, key);

	if (!c->pages[i])
		c->pages[i] = malloc(PAGE_BYTES);
	if (!c->pages[i])
		return NULL;
	forget_key(c, i);
	make_newest(c, i);
	c->slots[i].key = key;
	c->slots[i].used = true;
	c->slots[i].next = *bucket;
	*bucket = i;
	return c->pages[i];
}

void page_cache_drop(struct page_cache *c, uint64_t key)
{
	uint32_t i = find_slot(c, key);

	if (i == NOWHERE)
		return;
	forget_key(c, i);
	make_oldest(c, i);
}

void page_cache_empty(struct page_cache *c)
{
	unsigned i;

	for (i = 0; i < c->nr; i++)
		c->slots[i].used = false;
	memset(c->buckets, 0xff, c->nr * sizeof(*c->buckets));
}

void page_cache_for_each(struct page_cache *c, page_cache_fn *fn, void *arg)
{
	unsigned i;

	for (i = 0; i < c->nr; i++)
		if (c->slots[i].used)
			fn(arg, c->slots[i].key, c->pages[i]);
}
