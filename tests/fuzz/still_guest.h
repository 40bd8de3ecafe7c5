/* SPDX-License-Identifier: BSD-2-Clause
 *
 * still_guest.h - a guest whose checkpoint is opened once, for fuzzers that damage its memory and
 * decode it: edits are made in place and taken back, and a look at all pages goes to those alone
 * that hold anything but zeros and data of requests. Nine pages of ten of a made-up guest are
 * empty, and to index the stream takes as long as to decode what is in it; the stream's own
 * fuzzers do that.
 */
#ifndef XB_TESTS_FUZZ_STILL_GUEST_H
#define XB_TESTS_FUZZ_STILL_GUEST_H

#include <string.h>

#include "base/util.h"
#include "guest/memory.h"

#define STILL_MAX_PAGES 256u

struct still_guest {
	uint8_t *bytes, *good; /* the stream, and as it was */
	size_t size;
	struct ckpt *ck;
	struct memory_run looked_at[STILL_MAX_PAGES]; /* one page each */
	size_t nr;
	struct memory_info info;
	struct memory_page *pages; /* info.nr_pfns */
};

/* ---- its memory --------------------------------------------------------------------------- */

static inline struct memory still_whole(const void *source)
{
	return memory_of_ckpt(((const struct still_guest *)source)->ck);
}

static inline struct memory_info still_info(const void *source)
{
	return ((const struct still_guest *)source)->info;
}

static inline struct memory_page still_page(const void *source, pfn_t pfn)
{
	const struct still_guest *s = source;

	return pfn.v < s->info.nr_pfns ? s->pages[pfn.v] : (struct memory_page){0};
}

static inline bool still_next_run(const void *source, pfn_t from, struct memory_run *ret)
{
	const struct still_guest *s = source;
	size_t i;

	for (i = 0; i < s->nr; i++)
		if (s->looked_at[i].pfn >= from.v) {
			*ret = s->looked_at[i];
			return true;
		}
	return false;
}

static inline struct memory_root still_root(const void *source, size_t index)
{
	return memory_root(still_whole(source), index);
}

static inline pfn_t still_p2m_frame(const void *source, size_t index)
{
	return memory_p2m_frame(still_whole(source), index);
}

static inline bool still_hvm_param(const void *source, uint64_t index, uint64_t *ret)
{
	return memory_hvm_param(still_whole(source), index, ret);
}

static inline bool still_to_pfn(const void *source, mfn_t mfn, pfn_t *ret)
{
	return memory_to_pfn(still_whole(source), mfn, ret);
}

static inline bool still_to_mfn(const void *source, pfn_t pfn, mfn_t *ret)
{
	return memory_to_mfn(still_whole(source), pfn, ret);
}

static inline const struct finding_list *still_findings(const void *source)
{
	return memory_findings(still_whole(source));
}

static inline struct memory still_memory(const struct still_guest *s)
{
	static const struct memory_ops ops = {
		.info = still_info,
		.page = still_page,
		.next_run = still_next_run,
		.root = still_root,
		.p2m_frame = still_p2m_frame,
		.hvm_param = still_hvm_param,
		.to_pfn = still_to_pfn,
		.to_mfn = still_to_mfn,
		.findings = still_findings,
	};

	return (struct memory){.ops = &ops, .source = s};
}

/* ---- making one --------------------------------------------------------------------------- */

/* domu.py fills buffers with a number of the request's and a count, in turns. */
static inline bool still_is_payload(const uint8_t *page)
{
	size_t i;

	for (i = 16; i < PAGE_BYTES; i += 16)
		if (memcmp(page, page + i, 8))
			return false;
	return true;
}

static inline bool still_is_wanted(
	uint64_t pfn, const uint8_t *page, const unsigned *always, size_t nr_always)
{
	size_t i;

	for (i = 0; i < nr_always; i++)
		if (always[i] == pfn)
			return true;
	return !util_is_zero(page, PAGE_BYTES) && !still_is_payload(page);
}

/* Takes `bytes` over. Frames of `always` may be empty. Nothing of this depends on the input: what
 * fails ends the fuzzer. */
static inline void still_open(struct still_guest *s, uint8_t *bytes, size_t size,
	const unsigned *always, size_t nr_always)
{
	struct memory_run run = {0};
	struct source *src;
	uint64_t i;

	s->bytes = bytes;
	s->size = size;
	s->good = malloc(size);
	if (!s->good || source_from_memory(bytes, size, "made up", &src, NULL) ||
		ckpt_open_source(src, &s->ck, NULL))
		abort();
	memcpy(s->good, bytes, size);
	s->info = memory_info(memory_of_ckpt(s->ck));
	s->pages = calloc(s->info.nr_pfns, sizeof(*s->pages));
	for (i = 0; s->pages && i < s->info.nr_pfns; i++)
		s->pages[i] = memory_page(memory_of_ckpt(s->ck), PFN(i));
	while (memory_next_run(memory_of_ckpt(s->ck), PFN(run.pfn + run.nr), &run))
		for (i = 0; i < run.nr; i++) {
			const uint8_t *page = run.data + i * PAGE_BYTES;

			if (!still_is_wanted(run.pfn + i, page, always, nr_always))
				continue;
			if (s->nr == STILL_MAX_PAGES)
				abort();
			s->looked_at[s->nr++] =
				(struct memory_run){run.pfn + i, 1, run.level, page};
		}
}

/* ---- edits -------------------------------------------------------------------------------- */

/*
 * Edits {u16 place, u8 length, bytes}: a place counts in words of 8 bytes through the pages of the
 * stream at at[nr]. 0 for one that is not there.
 */
static inline void still_edit(
	struct still_guest *s, const uint64_t *at, size_t nr, const uint8_t *data, size_t size)
{
	while (size > 3) {
		size_t place = (size_t)(data[0] | data[1] << 8) % (nr * 512), n = data[2] % 33;
		uint64_t page = at[place / 512], off = place % 512 * 8;

		data += 3;
		size -= 3;
		n = MIN(n, size);
		n = MIN(n, (size_t)(PAGE_BYTES - off));
		if (page)
			memcpy(s->bytes + page + off, data, n);
		data += n;
		size -= n;
	}
}

static inline void still_undo(
	struct still_guest *s, const uint64_t *at, size_t nr, const uint8_t *data, size_t size)
{
	while (size > 3) {
		size_t place = (size_t)(data[0] | data[1] << 8) % (nr * 512), n = data[2] % 33;
		uint64_t page = at[place / 512];

		data += 3;
		size -= 3;
		n = MIN(n, size);
		if (page)
			memcpy(s->bytes + page, s->good + page, PAGE_BYTES);
		data += n;
		size -= n;
	}
}

#endif
