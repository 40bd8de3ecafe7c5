/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux_pages.h"

#include "base/num.h"

/* Start of the array without randomisation: arch/x86/include/asm/pgtable_64_types.h. */
#define VMEMMAP_4LEVEL 0xffffea0000000000ull
#define VMEMMAP_5LEVEL 0xffd4000000000000ull
/* Where it is when it was randomised: at a multiple of 1 GiB (PUD_MASK in arch/x86/mm/kaslr.c);
 * 1 GiB describes 64 GiB of memory. */
#define VMEMMAP_ALIGN (1ull << 30)
/* 64 TiB, the most that a 4-level kernel addresses, is 1024 of those. */
#define MAX_VMEMMAP_STEPS 1024u
/* struct page of x86-64 without debugging options, since 3.x: compound_head shares a word with lru,
 * then _mapcount. Of 32 bits it has 32, 36 or 40. */
#define STRUCT_PAGE_BYTES  64u
#define PAGE_COMPOUND_HEAD 8u
#define PAGE_TYPE	   48u
#define PAGE_REFCOUNT	   52u
/* Kernels that do not count references of slabs and large kmalloc pages (seen in 6.16) name the
 * owner in the top byte of _mapcount's word: enum pagetype, 0xf0 is the free lists' own. */
#define PAGE_TYPE_FIRST 0xf1u
#define PAGE_TYPE_LAST	0xfeu
/* Of 32 bits: 32 bytes, 40 with what cgroups or poisoning add, more with debugging. The zone is in
 * the topmost two bits of page.flags when neither sections nor nodes are (include/linux/
 * page-flags-layout.h); ZONE_DMA ends at 16 MiB. */
#define MIN_PAGE_32 28u
#define MAX_PAGE_32 64u
#define ZONE_SHIFT  30u
#define DMA_FRAMES  4096u
/* 52 physical address bits. */
#define MAX_FRAMES (1ull << 40)

struct linux_pages linux_pages_unknown(const struct guest *g)
{
	return (struct linux_pages){
		.entry_bytes = guest_word_bytes(g) == 8 ? STRUCT_PAGE_BYTES : 0};
}

/* ---- by symbols --------------------------------------------------------------------------- */

/* A variable where the kernel can move the array, else it is where it always was. A table that
 * names functions only (no KALLSYMS_ALL) does not tell whether there is the variable. */
static bool find_vmemmap(struct guest *g, const struct symbols *symbols, uint64_t *ret)
{
	gva_t var;

	if (!symbols_get(symbols, "vmemmap_base", &var, NULL))
		return !guest_read_word(g, var, ret, NULL) && guest_is_kernel_addr(g, *ret);
	*ret = guest_pt_levels(g) == 5 ? VMEMMAP_5LEVEL : VMEMMAP_4LEVEL;
	return !symbols_get(symbols, "linux_banner", &var, NULL);
}

/* FLATMEM, the usual model of 32-bit kernels; with others the array has holes. */
static bool find_mem_map(struct guest *g, const struct symbols *symbols, uint64_t *ret)
{
	gva_t var;

	return !symbols_get(symbols, "mem_map", &var, NULL) &&
	       !guest_read_word(g, var, ret, NULL) && guest_is_kernel_addr(g, *ret);
}

void linux_pages_by_symbols(struct guest *g, const struct symbols *symbols,
	const struct layout *types, struct linux_pages *ret)
{
	uint32_t bytes;

	*ret = linux_pages_unknown(g);
	if (types && !layout_type_bytes(types, "page", &bytes, NULL) && bytes)
		ret->entry_bytes = bytes;
	if (guest_word_bytes(g) == 8)
		ret->known = find_vmemmap(g, symbols, &ret->start);
	else
		ret->known = ret->entry_bytes && find_mem_map(g, symbols, &ret->start);
}

/* ---- by pointers into it ------------------------------------------------------------------ */

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

void linux_page_pointers_add(
	struct linux_page_pointers *p, const struct linux_pages *pages, uint64_t page)
{
	p->misaligned |= pages->entry_bytes && page % pages->entry_bytes;
	if (!p->nr++) {
		p->low = p->high = page;
		return;
	}
	p->step = common_divisor(p->step, page < p->low ? p->low - page : page - p->low);
	p->low = MIN(p->low, page);
	p->high = MAX(p->high, page);
}

static bool is_mapped(struct guest *g, uint64_t va)
{
	struct guest_map map;

	return !guest_translate(g, GVA(va), &map, NULL);
}

/* The struct page of a frame that is in use has references or an owner, or is the tail of one. */
static bool frame_in_use(struct guest *g, const struct linux_pages *pages, gva_t user)
{
	struct guest_map map;
	uint64_t page, head;
	uint32_t refs, type;

	if (guest_translate(g, user, &map, NULL))
		return true; /* says nothing */
	page = pages->start + map.pfn.v * pages->entry_bytes;
	if (guest_read_u32(g, GVA(page + PAGE_REFCOUNT), &refs, NULL) ||
		guest_read_u32(g, GVA(page + PAGE_TYPE), &type, NULL) ||
		guest_read_u64(g, GVA(page + PAGE_COMPOUND_HEAD), &head, NULL))
		return false;
	return (refs && refs < 1u << 30) || (head & 1) ||
	       (!refs && type >> 24 >= PAGE_TYPE_FIRST && type >> 24 <= PAGE_TYPE_LAST);
}

static bool all_in_use(
	struct guest *g, const struct linux_pages *pages, const gva_t *used, size_t nr)
{
	size_t i;

	for (i = 0; i < nr && frame_in_use(g, pages, used[i]); i++)
		;
	return i == nr;
}

/* How much of the array is looked at at a time. */
struct page_chunk {
	struct guest *g;
	uint64_t at; /* of its first byte; page-aligned */
	bool valid;
	uint8_t raw[PAGE_BYTES];
};

static bool chunk_word(struct page_chunk *c, uint64_t va, uint32_t *ret)
{
	uint64_t at = va & ~PAGE_OFFSET_MASK;

	if (!c->valid || c->at != at) {
		c->at = at;
		c->valid = !guest_read(c->g, GVA(at), c->raw, sizeof(c->raw), NULL);
	}
	if (c->valid)
		*ret = num_le32(c->raw + (va & PAGE_OFFSET_MASK));
	return c->valid;
}

/* Entries of frames that exist are never all zero: with no references _mapcount is -1. */
static bool is_entry_of_dma(struct page_chunk *c, uint64_t entry, uint32_t bytes)
{
	uint32_t flags, any, word, off;

	if (!chunk_word(c, entry, &flags) || flags >> ZONE_SHIFT ||
		!chunk_word(c, entry + bytes - 4, &any))
		return false;
	for (off = 4, any |= flags; !any && off < bytes; off += 4)
		any |= chunk_word(c, entry + off, &word) ? word : 0;
	return any != 0;
}

/* The first entry of the second zone: from `entry` up while that is of the first, or down to the
 * last that is. 0: there is none. */
static uint64_t second_zone(struct page_chunk *c, uint64_t entry, uint32_t bytes, uint64_t most)
{
	uint32_t flags, above;

	if (!chunk_word(c, entry, &flags))
		return 0;
	above = flags >> ZONE_SHIFT;
	if (!above) {
		for (most = MIN(most, DMA_FRAMES); most; most--) {
			entry += bytes;
			if (!chunk_word(c, entry, &flags))
				return 0;
			if (flags >> ZONE_SHIFT)
				return entry;
		}
		return 0;
	}
	for (; most; most--, above = flags >> ZONE_SHIFT) {
		entry -= bytes;
		if (!chunk_word(c, entry, &flags) || flags >> ZONE_SHIFT > above)
			return 0;
		if (!(flags >> ZONE_SHIFT))
			return entry + bytes;
	}
	return 0;
}

/* 0: with entries of that size there is none. */
static uint64_t start_by_zones(struct guest *g, const struct linux_page_pointers *p, uint32_t bytes)
{
	struct page_chunk c = {.g = g};
	uint64_t nr = guest_info(g)->nr_pfns, second, start, i;

	second = second_zone(&c, p->low, bytes, nr);
	if (!second || second < (uint64_t)DMA_FRAMES * bytes)
		return 0;
	start = second - (uint64_t)DMA_FRAMES * bytes;
	if ((p->high - start) / bytes >= nr)
		return 0;
	for (i = 0; i < DMA_FRAMES; i++)
		if (!is_entry_of_dma(&c, start + i * bytes, bytes))
			return 0;
	return start;
}

static unsigned pages_by_zones(
	struct guest *g, const struct linux_page_pointers *p, struct linux_pages *pages)
{
	uint32_t bytes;
	unsigned fits = 0;

	for (bytes = MIN_PAGE_32; bytes <= MAX_PAGE_32; bytes += 4) {
		uint64_t start;

		if ((pages->entry_bytes && bytes != pages->entry_bytes) || p->step % bytes)
			continue;
		start = start_by_zones(g, p, bytes);
		if (!start)
			continue;
		pages->start = start;
		pages->entry_bytes = bytes;
		fits++;
	}
	pages->known = fits == 1;
	return fits;
}

/*
 * The multiple of 1 GiB at or below the lowest pointer, or further down while the array goes on and
 * the highest still names a frame of this guest. Two starts that both fit prove nothing.
 */
unsigned linux_pages_by_pointers(struct guest *g, const struct linux_page_pointers *p,
	const gva_t *used, size_t nr, struct linux_pages *pages)
{
	struct linux_pages at = *pages;
	unsigned step, fits = 0;

	if (!p->nr || p->misaligned)
		return 0;
	if (guest_word_bytes(g) == 4)
		return pages_by_zones(g, p, pages);
	at.start = p->low & ~(VMEMMAP_ALIGN - 1);
	for (step = 0; step < MAX_VMEMMAP_STEPS; step++, at.start -= VMEMMAP_ALIGN) {
		if (!guest_is_kernel_addr(g, at.start) ||
			(p->high - at.start) / at.entry_bytes >= guest_info(g)->nr_pfns ||
			!is_mapped(g, at.start))
			break;
		if (!all_in_use(g, &at, used, nr))
			continue;
		pages->start = at.start;
		fits++;
	}
	pages->known = fits == 1;
	return fits;
}

/* ---- using it ----------------------------------------------------------------------------- */

bool linux_pages_pfn(const struct linux_pages *pages, uint64_t page, pfn_t *ret)
{
	uint64_t off = page - pages->start;

	if (!pages->known || page < pages->start || off % pages->entry_bytes ||
		off / pages->entry_bytes >= MAX_FRAMES)
		return false;
	*ret = PFN(off / pages->entry_bytes);
	return true;
}
