/* SPDX-License-Identifier: BSD-2-Clause
 *
 * legacy_pages.c - a batch: ulong word[count], then 4096 bytes for each word whose type has data. A
 * word: bits 31-28 type, 27-0 frame, but one of type XTAB names no frame: it has one of the old
 * host, or 0.
 */
#include <string.h>

#include "checkpoint/legacy.h"

/* Stretches of frames that a file can have: every other one has data, 4 KiB of the file at least. A
 * list of frames without any would be indexed at many times its own size. */
#define RUNS_BASE     (32u << 10)
#define BYTES_PER_RUN 1024u
/* A compressed page has a word and a code, which may be small. */
#define BYTES_PER_CODE 64u

static unsigned type_of(uint64_t word)
{
	return (unsigned)(word >> LEGACY_WORD_TYPE_SHIFT);
}

bool legacy_word_ok(const struct legacy_form *form, uint64_t word)
{
	unsigned type = type_of(word);

	if (word >> 32 || (type >= 5 && type <= 8) || (form->hvm && ckpt_type_level(type)))
		return false;
	return type == CKPT_TYPE_XTAB || (word & LEGACY_WORD_PFN) < form->p2m_size;
}

static int check_word(const struct legacy *l, uint64_t off, uint64_t word, struct err *err)
{
	const char *found = NULL;

	if (word >> 32)
		found = "expected bits 63-32 to be 0";
	else if (type_of(word) >= 5 && type_of(word) <= 8)
		found = "expected a type of 0-4 or 9-15";
	else if (l->old && (type_of(word) == CKPT_TYPE_BROKEN || type_of(word) == CKPT_TYPE_XALLOC))
		found = "expected a type of 0-4, 9-12 or 15";
	else if (l->form.hvm && ckpt_type_level(type_of(word)))
		found = "and an HVM guest has no typed page tables";
	if (found)
		return err_set(err, ERR_CORRUPT, "page word 0x%08" PRIx64 " at 0x%" PRIx64 ": %s",
			word, off, found);
	if (legacy_word_ok(&l->form, word))
		return 0;
	return err_set(err, ERR_CORRUPT,
		"page word 0x%08" PRIx64 " at 0x%" PRIx64 ": expected a pfn below 0x%" PRIx64, word,
		off, l->form.p2m_size);
}

struct batch {
	const uint8_t *words;
	uint64_t off; /* of the words */
	uint32_t nr;
};

static uint64_t word_at(const struct legacy *l, const struct batch *b, uint32_t index)
{
	return legacy_ulong(&l->form, b->words + (size_t)index * l->form.tools);
}

/* What types tell of the writer and of the guest. */
static void note_type(struct legacy *l, uint64_t word)
{
	unsigned type = type_of(word);

	l->top_level = MAX(l->top_level, ckpt_type_level(type));
	if (type == CKPT_TYPE_BROKEN)
		legacy_not_before(l, 0x0403);
	else if (type == CKPT_TYPE_XALLOC)
		legacy_not_before(l, 0x0402);
	else if (type == CKPT_TYPE_XTAB && word & LEGACY_WORD_PFN)
		/* 4.0 still leaves an HVM guest's own frame there (xc_domain_save.c). */
		legacy_not_after(l, l->form.hvm ? 0x0400 : 0x0304);
}

#define SEEN_SLOTS (2u * LEGACY_MAX_BATCH) /* a power of two */

/* No writer puts a frame twice into one batch. */
static void find_repeats(const struct legacy *l, const struct batch *b)
{
	uint32_t seen[SEEN_SLOTS], i;

	memset(seen, 0xff, sizeof(seen));
	for (i = 0; i < b->nr; i++) {
		uint64_t word = word_at(l, b, i);
		uint32_t pfn = (uint32_t)(word & LEGACY_WORD_PFN);
		uint32_t at = pfn * 2654435761u % SEEN_SLOTS;

		if (type_of(word) == CKPT_TYPE_XTAB)
			continue;
		while (seen[at] != UINT32_MAX && seen[at] != pfn)
			at = (at + 1) % SEEN_SLOTS;
		if (seen[at] == pfn)
			finding_add(&l->ck->findings, "XB004", finding_at_offset(b->off),
				"pfn 0x%x stands more than once in the batch at 0x%" PRIx64, pfn,
				b->off - 4);
		seen[at] = pfn;
	}
}

int legacy_index_run(struct legacy *l, const struct ckpt_run *run, struct err *err)
{
	uint64_t end = source_bytes(l->ck->src);
	uint64_t each = l->ck->squeeze ? BYTES_PER_CODE : BYTES_PER_RUN;

	if (l->ck->map.nr >= RUNS_BASE + end / each)
		return err_set(err, ERR_CORRUPT,
			"frames and types change more often before 0x%" PRIx64
			" than in any file of 0x%" PRIx64 " bytes",
			l->off, end);
	return pagemap_add(&l->ck->map, *run) ? err_nomem(err, "the index of pages") : 0;
}

/* How many words from `index` on continue one another: same type, the next frame. */
static uint32_t count_stretch(const struct legacy *l, const struct batch *b, uint32_t index)
{
	uint64_t word = word_at(l, b, index);
	uint32_t n = 1;

	while (index + n < b->nr && word_at(l, b, index + n) == word + n)
		n++;
	return n;
}

/* Data that is cut off by the end of the file does not count. */
static int take_pages(struct legacy *l, const struct batch *b, struct err *err)
{
	uint32_t i, n;

	for (i = 0; i < b->nr && !l->cut; i += n) {
		uint64_t word = word_at(l, b, i), left = source_bytes(l->ck->src) - l->off;
		struct ckpt_run run = {
			.pfn = word & LEGACY_WORD_PFN,
			.type = (uint8_t)type_of(word),
			.off = l->off,
			.ignored = l->verify,
		};

		n = count_stretch(l, b, i);
		note_type(l, word);
		if (run.type == CKPT_TYPE_XTAB)
			continue;
		if (l->compressed && ckpt_type_has_data(run.type)) {
			n = 1;
			if (legacy_keep_word(l, (uint32_t)word, err))
				return -1;
			continue;
		}
		run.nr = n;
		if (ckpt_type_has_data(run.type))
			run.nr = (uint32_t)MIN((uint64_t)n, left / PAGE_BYTES);
		if (run.nr && legacy_index_run(l, &run, err))
			return -1;
		if (ckpt_type_has_data(run.type))
			legacy_take(l, (uint64_t)n * PAGE_BYTES, "the pages of a batch");
	}
	return 0;
}

int legacy_batch(struct legacy *l, uint32_t count, struct err *err)
{
	struct batch b = {.off = l->off, .nr = count};
	uint32_t i;

	b.words = legacy_take(l, (uint64_t)count * l->form.tools, "the words of a batch");
	if (!b.words)
		return 0;
	for (i = 0; i < count; i++)
		if (check_word(l, b.off + (uint64_t)i * l->form.tools, word_at(l, &b, i), err))
			return -1;
	find_repeats(l, &b);
	if (!l->verify)
		l->nr_listed += count;
	return take_pages(l, &b, err);
}

int legacy_missing(struct legacy *l, struct err *err)
{
	const uint8_t *p = legacy_take(l, 4, "the count of missing pfns"), *list;
	uint32_t i, nr;

	if (!p)
		return 0;
	nr = num_le32(p);
	if (nr > l->form.p2m_size)
		return err_set(err, ERR_CORRUPT,
			"list of missing pfns at 0x%" PRIx64
			": %u entries, expected at most %" PRIu64,
			l->off - 4, nr, l->form.p2m_size);
	list = legacy_take(l, (uint64_t)nr * l->form.tools, "the list of missing pfns");
	for (i = 0; list && i < nr; i++) {
		struct ckpt_run run = {.type = CKPT_TYPE_XTAB, .nr = 1};

		run.pfn = legacy_ulong(&l->form, list + (size_t)i * l->form.tools);
		if (run.pfn >= l->form.p2m_size)
			return err_set(err, ERR_CORRUPT,
				"missing pfn 0x%" PRIx64 " at 0x%" PRIx64
				", expected below 0x%" PRIx64,
				run.pfn, l->off - (uint64_t)(nr - i) * l->form.tools,
				l->form.p2m_size);
		if (legacy_index_run(l, &run, err))
			return -1;
	}
	return 0;
}
