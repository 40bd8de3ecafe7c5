/* SPDX-License-Identifier: BSD-2-Clause
 *
 * page_cache.h - a bounded number of pages that were made for somebody, the last ones asked for.
 */
#ifndef XB_IO_PAGE_CACHE_H
#define XB_IO_PAGE_CACHE_H

#include "base/util.h"

struct page_cache;

/* Room for `nr` pages, at least one. NULL: no memory. */
struct page_cache *page_cache_new(unsigned nr);
void page_cache_free(struct page_cache *c);
/* The page of that key, NULL: it is not here. It stays until nr - 1 other keys were asked for. */
const uint8_t *page_cache_find(struct page_cache *c, uint64_t key);
/* Room for the page of a key that is not here, in place of the one that was not asked for the
 * longest. The caller fills all of it, or calls page_cache_drop(). NULL: no memory. */
uint8_t *page_cache_room(struct page_cache *c, uint64_t key);
void page_cache_drop(struct page_cache *c, uint64_t key);
void page_cache_empty(struct page_cache *c);
/* Each page, in no order. The cache must not be asked or changed meanwhile, the page's bytes may
 * be.
 */
typedef void page_cache_fn(void *arg, uint64_t key, uint8_t *page);
void page_cache_for_each(struct page_cache *c, page_cache_fn *fn, void *arg);

#endif
