/* SPDX-License-Identifier: BSD-2-Clause */
#include "checkpoint/pagetable.h"

#include "base/frame.h"

#define PTE_PRESENT  (1ull << 0)
#define PTE_WRITABLE (1ull << 1)
#define PTE_USER     (1ull << 2)
#define PTE_LARGE    (1ull << 7)
#define PTE_NX	     (1ull << 63)
/* Bits 51-12: what every writer of save streams stores; MAXPHYADDR never exceeds it. */
#define PTE_FRAME(e) (((e) >> 12) & ((1ull << 40) - 1))

static const struct pt_mode modes[] = {
	{.levels = 2,
		.entry_bytes = 4,
		.index_bits = 10,
		.top_bits = 10,
		.large_levels = 2,
		.va_bits = 32},
	{.levels = 3,
		.entry_bytes = 8,
		.index_bits = 9,
		.top_bits = 2,
		.large_levels = 2,
		.va_bits = 32},
	{.levels = 4,
		.entry_bytes = 8,
		.index_bits = 9,
		.top_bits = 9,
		.large_levels = 3,
		.va_bits = 48},
	{.levels = 5,
		.entry_bytes = 8,
		.index_bits = 9,
		.top_bits = 9,
		.large_levels = 3,
		.va_bits = 57},
};

const struct pt_mode *pt_mode_for(unsigned levels)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++)
		if (modes[i].levels == levels)
			return &modes[i];
	return NULL;
}

unsigned pt_entries(const struct pt_mode *m, unsigned level)
{
	return 1u << (level == m->levels ? m->top_bits : m->index_bits);
}

uint64_t pt_span(const struct pt_mode *m, unsigned level)
{
	return 1ull << (PAGE_SHIFT + (level - 1) * m->index_bits);
}

unsigned pt_index(const struct pt_mode *m, unsigned level, uint64_t va)
{
	return (unsigned)(va / pt_span(m, level)) & (pt_entries(m, level) - 1);
}

struct pt_entry pt_decode(const struct pt_mode *m, unsigned level, uint64_t raw)
{
	/* A top-level PAE entry has no RW, US, PS and NX bits: they are reserved there. */
	bool pae_top = m->levels == 3 && level == 3;
	struct pt_entry e = {
		.present = raw & PTE_PRESENT,
		.writable = pae_top || (raw & PTE_WRITABLE),
		.user = pae_top || (raw & PTE_USER),
		.no_execute = m->entry_bytes == 8 && !pae_top && (raw & PTE_NX),
		.frame = m->entry_bytes == 4 ? raw >> 12 : PTE_FRAME(raw),
	};

	e.large = level > 1 && level <= m->large_levels && !pae_top && (raw & PTE_LARGE);
	/* The low bits of a large frame hold PAT and (4 MiB) address bits above 32. */
	if (e.large)
		e.frame &= ~((pt_span(m, level) >> PAGE_SHIFT) - 1);
	return e;
}
