/* SPDX-License-Identifier: BSD-2-Clause
 *
 * libxc_pages.c - PAGE_DATA records: u32 count, u32 0, u64 word[count], then 4096 bytes for each
 * word whose type has data. A word: bits 63-60 type, 59-52 zero, 51-0 frame.
 *
 * Only the words are read, never the pages. All words are checked before the first is used.
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/libxc.h"

#define WORD_TYPE_SHIFT 60
#define WORD_RESERVED	(UINT64_C(0xff) << 52)
#define WORD_PFN	((UINT64_C(1) << 52) - 1)
/* Writers send 1024 at most; a bigger batch is not searched for repeats. */
#define REPEAT_SEARCH_MAX (64u << 10)
/* Stretches of frames that a file can have: every other one has data, 4 KiB of the file at least. A
 * list of frames without any would be indexed at many times its own size. */
#define RUNS_BASE     (32u << 10)
#define BYTES_PER_RUN 1024u

struct batch {
	const uint8_t *words;
	uint32_t nr;
	uint64_t data; /* file offset of the first page */
	uint64_t nr_data;
	bool ascending;
};

static int bad_word(const struct libxc_record *rec, uint32_t index, uint64_t word,
	const char *found, struct err *err)
{
	return err_set(err, ERR_CORRUPT,
		"PAGE_DATA record at 0x%" PRIx64 ": entry %u is 0x%016" PRIx64 ", %s", rec->off,
		index, word, found);
}

static uint64_t word_at(const struct batch *b, uint32_t index)
{
	return num_le64(b->words + 8 * (size_t)index);
}

/* How many words from `index` on continue one another: same type, the next frame. */
static uint32_t count_stretch(const struct batch *b, uint32_t index)
{
	const uint8_t *p = b->words + 8 * (size_t)index;
	uint64_t word = num_le64(p);
	uint32_t n = 1, max = b->nr - index;

	/* Eight at a time: this loop is most of what opening a large stream costs. */
	while (max - n >= 8) {
		const uint8_t *q = p + 8 * (size_t)n;
		uint64_t w = word + n;

		if ((num_le64(q) ^ w) | (num_le64(q + 8) ^ (w + 1)) | (num_le64(q + 16) ^ (w + 2)) |
			(num_le64(q + 24) ^ (w + 3)) | (num_le64(q + 32) ^ (w + 4)) |
			(num_le64(q + 40) ^ (w + 5)) | (num_le64(q + 48) ^ (w + 6)) |
			(num_le64(q + 56) ^ (w + 7)))
			break;
		n += 8;
	}
	while (n < max && num_le64(p + 8 * (size_t)n) == word + n)
		n++;
	return n;
}

/* In a stretch the last frame is the highest, and reserved bits are the same in all its words
 * unless the frame runs over into them, which the limit of the frame excludes. */
static int check_words(
	const struct libxc *x, const struct libxc_record *rec, struct batch *b, struct err *err)
{
	uint64_t max = x->has_max_pfn ? x->max_pfn : CKPT_MAX_PFN;
	uint64_t below = 0;
	uint32_t i, n;

	b->ascending = true;
	for (i = 0; i < b->nr; i += n) {
		uint64_t word = word_at(b, i), pfn = word & WORD_PFN;
		unsigned type = (unsigned)(word >> WORD_TYPE_SHIFT);

		n = count_stretch(b, i);
		if (word & WORD_RESERVED)
			return bad_word(rec, i, word, "expected bits 59-52 to be 0", err);
		if (type >= 5 && type <= 8)
			return bad_word(rec, i, word, "expected a type of 0-4 or 9-15", err);
		if (pfn > max || n - 1 > max - pfn) {
			uint32_t over = pfn > max ? 0 : (uint32_t)(max - pfn) + 1;
			char found[64];

			snprintf(found, sizeof(found), "expected a pfn of at most 0x%" PRIx64, max);
			return bad_word(rec, i + over, word + over, found, err);
		}
		if (pfn < below)
			b->ascending = false;
		below = pfn + n;
		b->nr_data += ckpt_type_has_data(type) ? n : 0;
	}
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* No writer puts a frame twice into one batch. */
static int find_repeats(const struct libxc *x, const struct libxc_record *rec,
	const struct batch *b, struct err *err)
{
	CLEANUP_FREE uint64_t *pfns = NULL;
	uint32_t i;

	if (b->ascending || b->nr > REPEAT_SEARCH_MAX)
		return 0;
	pfns = calloc(b->nr, sizeof(*pfns));
	if (!pfns)
		return err_nomem(err, "the frames of a batch");
	for (i = 0; i < b->nr; i++)
		pfns[i] = word_at(b, i) & WORD_PFN;
	qsort(pfns, b->nr, sizeof(*pfns), by_value);
	for (i = 1; i < b->nr; i++)
		if (pfns[i] == pfns[i - 1])
			finding_add(&x->ck->findings, "XB004", finding_at_offset(rec->off),
				"pfn 0x%" PRIx64
				" stands more than once in the PAGE_DATA record at 0x%" PRIx64,
				pfns[i], rec->off);
	return 0;
}

/* Whole stretches of the same type and ascending frames become runs. Data that is cut off by the
 * end of the file does not. */
static int add_runs(
	struct libxc *x, const struct libxc_record *rec, const struct batch *b, struct err *err)
{
	uint64_t end = source_bytes(x->ck->src), off = b->data;
	uint32_t i = 0;

	while (i < b->nr) {
		uint64_t word = word_at(b, i);
		struct ckpt_run run = {
			.pfn = word & WORD_PFN,
			.type = (uint8_t)(word >> WORD_TYPE_SHIFT),
			.off = off,
			.ignored = x->verify,
		};
		uint32_t n = count_stretch(b, i);

		i += n;
		if (ckpt_type_has_data(run.type)) {
			uint64_t whole = off < end ? (end - off) / PAGE_BYTES : 0;

			off += (uint64_t)n * PAGE_BYTES;
			n = (uint32_t)MIN((uint64_t)n, whole);
		}
		run.nr = n;
		if (n && x->ck->map.nr >= RUNS_BASE + end / BYTES_PER_RUN)
			return err_set(err, ERR_CORRUPT,
				"PAGE_DATA record at 0x%" PRIx64
				": frames and types change more often than in any file of "
				"0x%" PRIx64 " bytes",
				rec->off, end);
		if (n && pagemap_add(&x->ck->map, run))
			return err_nomem(err, "the index of pages");
	}
	return 0;
}

/* The list, from the copy where all of it is there. */
static struct cursor list_of(const struct libxc *x, const struct libxc_record *rec)
{
	const uint8_t *body = x->ahead + 8;
	size_t copied = x->ahead_bytes > 8 ? x->ahead_bytes - 8 : 0;

	if (copied < 8 || 8 + 8 * (uint64_t)num_le32(body) > MIN(copied, (size_t)rec->have)) {
		body = rec->body;
		copied = rec->have;
	}
	return cur_over(body, MIN(copied, (size_t)rec->have), rec->body_off, "PAGE_DATA record");
}

int libxc_page_data(struct libxc *x, const struct libxc_record *rec, struct err *err)
{
	struct cursor c = list_of(x, rec);
	struct batch b = {.nr = cur_u32(&c)};
	uint32_t reserved = cur_u32(&c);
	uint64_t want;

	if (rec->have < 8 && rec->have < rec->len)
		return 0; /* the file ends here */
	if (!b.nr || rec->len < 8 || b.nr > (rec->len - 8) / 8)
		return err_set(err, ERR_CORRUPT,
			"PAGE_DATA record at 0x%" PRIx64 ": %u entries in 0x%x bytes", rec->off,
			b.nr, rec->len);
	if (reserved)
		finding_add(&x->ck->findings, "XB003", finding_at_offset(rec->body_off + 4),
			"the PAGE_DATA record at 0x%" PRIx64 " has a reserved field of 0x%x",
			rec->off, reserved);
	b.words = cur_bytes(&c, 8 * (size_t)b.nr);
	if (!b.words)
		return 0; /* the file ends in the list: without all of it no page has a place */
	b.data = cur_tell(&c);
	if (check_words(x, rec, &b, err))
		return -1;
	want = 8 + 8 * (uint64_t)b.nr + PAGE_BYTES * b.nr_data;
	if (rec->len != want)
		return err_set(err, ERR_CORRUPT,
			"PAGE_DATA record at 0x%" PRIx64 ": length 0x%x, expected 0x%" PRIx64
			" for %u entries, %" PRIu64 " with data",
			rec->off, rec->len, want, b.nr, b.nr_data);
	if (find_repeats(x, rec, &b, err))
		return -1;
	/* A part of a page is none. */
	if (rec->have < rec->len)
		x->ck->end =
			source_bytes(x->ck->src) - (source_bytes(x->ck->src) - b.data) % PAGE_BYTES;
	return add_runs(x, rec, &b, err);
}
