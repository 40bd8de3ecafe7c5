/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux_pages.h"

/* Start of the array without randomisation: arch/x86/include/asm/pgtable_64_types.h. */
#define VMEMMAP_4LEVEL 0xffffea0000000000ull
#define VMEMMAP_5LEVEL 0xffd4000000000000ull
/* Without debugging options, x86-64, since 3.x. */
#define STRUCT_PAGE_BYTES 64u
/* 52 physical address bits. */
#define MAX_FRAMES (1ull << 40)

struct linux_pages linux_pages_unknown(void)
{
	return (struct linux_pages){.entry_bytes = STRUCT_PAGE_BYTES};
}

/* A variable where the kernel can move the array, else it is where it always was. */
void linux_pages_find(struct guest *g, const struct symbols *symbols, const struct layout *types,
	struct linux_pages *ret)
{
	uint32_t bytes;
	gva_t var;

	*ret = linux_pages_unknown();
	if (types && !layout_type_bytes(types, "page", &bytes, NULL) && bytes)
		ret->entry_bytes = bytes;
	if (symbols_get(symbols, "vmemmap_base", &var, NULL)) {
		ret->start = guest_pt_levels(g) == 5 ? VMEMMAP_5LEVEL : VMEMMAP_4LEVEL;
		ret->known = true;
	} else {
		ret->known = !guest_read_word(g, var, &ret->start, NULL) &&
			     guest_is_kernel_addr(g, ret->start);
	}
}

bool linux_pages_pfn(const struct linux_pages *pages, uint64_t page, pfn_t *ret)
{
	uint64_t off = page - pages->start;

	if (!pages->known || page < pages->start || off % pages->entry_bytes ||
		off / pages->entry_bytes >= MAX_FRAMES)
		return false;
	*ret = PFN(off / pages->entry_bytes);
	return true;
}
