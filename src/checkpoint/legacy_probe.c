/* SPDX-License-Identifier: BSD-2-Clause
 *
 * legacy_probe.c - recognise a libxc stream of Xen 3.0 to 4.5, which has no magic.
 *
 * What there is: octets 4-7 are zero if the tool stack has 64 bits, and are not if it has 32 (the
 * rule of docs/specs/libxc-migration-stream.pandoc): p2m_size needs less than 32 bits, and what
 * follows it is all ones, a frame that is not 0, or the id of a chunk. Behind that stands a chain
 * of chunks, of which each says where the next one is. Without a wrapper that says so a stream is
 * one only if its extended information says what it must, or if a first batch stands there as a
 * whole and is followed by another chunk.
 */
#include <string.h>

#include "checkpoint/legacy.h"

#define EXTENDED_MIN 8u
/* A context, an extended context, an xsave size; and room for what nobody has met yet. */
#define EXTENDED_MAX (64u << 10)
/* Chunks that may come before the first batch: of tmem, of the TSC. */
#define CHAIN_MAX 8u
/* Words of a first batch that prove something, when they are all different. A few could be
 * anything. */
#define CHAIN_MIN_WORDS 16
/* The list of frames until 2005-11 was a page, whatever there was to list. */
#define OLD_LIST_BYTES 4096u

uint64_t legacy_ulong(const struct legacy_form *form, const uint8_t *p)
{
	return form->tools == 8 ? num_le64(p) : num_le32(p);
}

/* In ascending order of what they are worth. */
enum chain {
	CHAIN_BROKEN,
	CHAIN_CUT,   /* nothing is wrong, and nothing proven */
	CHAIN_HOLDS, /* one whole batch, and a chunk behind it */
};

/* The batch whose words are at off: where it ends, be it behind the file; 0 when it cannot be one.
 * Frames ascend in it, or are permuted by a step; in both they differ from their neighbours. */
static uint64_t skip_batch(
	const struct source *src, uint64_t off, const struct legacy_form *form, int32_t nr)
{
	uint64_t end = off + (uint64_t)nr * form->tools, before = UINT64_MAX;
	const uint8_t *words = source_at(src, off, (uint64_t)nr * form->tools);
	int32_t i;

	for (i = 0; words && i < nr; i++) {
		uint64_t word = legacy_ulong(form, words + (size_t)i * form->tools);
		bool xtab = word >> LEGACY_WORD_TYPE_SHIFT == CKPT_TYPE_XTAB;

		if (!legacy_word_ok(form, word) || (word == before && !xtab))
			return 0;
		before = word;
		end += ckpt_type_has_data((unsigned)(word >> LEGACY_WORD_TYPE_SHIFT)) ? PAGE_BYTES
										      : 0;
	}
	return words ? end : source_bytes(src);
}

/* From the first batch on that is large enough, an id that can be one must follow. */
static enum chain follow_chain(
	const struct source *src, uint64_t off, const struct legacy_form *form)
{
	bool proven = false;
	unsigned nr;

	for (nr = 0; nr < CHAIN_MAX; nr++) {
		const uint8_t *p = source_at(src, off, 4);
		int32_t id = p ? (int32_t)num_le32(p) : 0;
		uint32_t bytes;

		if (!p)
			break;
		/* A body is never empty. */
		if (id > LEGACY_MAX_BATCH || (id <= 0 && !legacy_chunk_is_known(id)) ||
			(!id && !nr))
			return CHAIN_BROKEN;
		if (proven)
			return CHAIN_HOLDS;
		if (id > 0) {
			off = skip_batch(src, off + 4, form, id);
			proven = id >= CHAIN_MIN_WORDS;
			if (!off)
				return CHAIN_BROKEN;
		} else if (legacy_chunk_is_fixed(id, &bytes)) {
			off += 4 + bytes;
		} else {
			break; /* its end is not known before it is read */
		}
	}
	return CHAIN_CUT;
}

bool legacy_chunk_follows(const struct source *src, uint64_t off, const struct legacy_form *form)
{
	const uint8_t *p = source_at(src, off, 4);
	uint64_t left = p ? source_bytes(src) - off - 4 : 0;
	int32_t id = p ? (int32_t)num_le32(p) : 0;
	uint64_t i, nr = MIN((uint64_t)MAX(id, 0), left / form->tools);

	if (!p || id > LEGACY_MAX_BATCH || (id <= 0 && (!id || !legacy_chunk_is_known(id))))
		return false;
	p = source_at(src, off + 4, nr * form->tools);
	for (i = 0; i < nr; i++)
		if (!legacy_word_ok(form, legacy_ulong(form, p + i * form->tools)))
			return false;
	return true;
}

/* The frames of a p2m: each one below its size, none 0, as page 0 is the guest's first. */
static bool is_frame_list(const uint8_t *list, uint64_t bytes, const struct legacy_form *form)
{
	uint64_t i;

	for (i = 0; i < bytes; i += form->tools) {
		uint64_t pfn = legacy_ulong(form, list + i);

		if (!pfn || pfn >= form->p2m_size)
			return false;
	}
	return true;
}

/* ulong all ones, u32 bytes that follow, blocks {char id[4], u32 bytes} */
static bool is_extended(const struct source *src, uint64_t off, const struct legacy_form *form)
{
	const uint8_t *p = source_at(src, off, form->tools + 12);
	uint64_t ones = form->tools == 8 ? UINT64_MAX : UINT32_MAX;
	uint32_t bytes;

	if (!p || legacy_ulong(form, p) != ones)
		return false;
	p += form->tools;
	bytes = num_le32(p);
	p += 4;
	return bytes >= EXTENDED_MIN && bytes <= EXTENDED_MAX &&
	       (!memcmp(p, "vcpu", 4) || !memcmp(p, "extv", 4) || !memcmp(p, "xcnt", 4));
}

/* A list without extended information in front; both lengths that it ever had. */
static enum chain try_list(const struct source *src, uint64_t off, struct legacy_form *form)
{
	uint64_t bytes =
		num_align_up(form->p2m_size * form->tools, PAGE_BYTES) / PAGE_BYTES * form->tools;
	const uint8_t *list = source_at(src, off, bytes);
	enum chain as_released, as_before;

	form->list_bytes = bytes;
	if (!list)
		return CHAIN_CUT;
	if (!is_frame_list(list, bytes, form))
		return CHAIN_BROKEN;
	as_released = follow_chain(src, off + bytes, form);
	if (as_released == CHAIN_HOLDS || bytes > OLD_LIST_BYTES)
		return as_released;
	as_before = follow_chain(src, off + OLD_LIST_BYTES, form);
	if (as_before == CHAIN_HOLDS || (as_before == CHAIN_CUT && as_released == CHAIN_BROKEN)) {
		form->list_bytes = OLD_LIST_BYTES;
		return as_before;
	}
	return as_released;
}

/* Without extended information: a list of frames, or a chunk at once. What holds better wins; what
 * the wrapper says of the guest decides between equals. */
static bool settle_form(
	const struct source *src, uint64_t off, enum legacy_hint hint, struct legacy_form *form)
{
	struct legacy_form hvm = *form;
	enum chain as_list, as_hvm;

	hvm.hvm = true;
	as_list = try_list(src, off, form);
	as_hvm = follow_chain(src, off, &hvm);
	if (MAX(as_list, as_hvm) < (hint == LEGACY_UNKNOWN ? CHAIN_HOLDS : CHAIN_CUT))
		return false;
	if (as_hvm > as_list || (as_hvm == as_list && hint == LEGACY_HVM))
		*form = hvm;
	return true;
}

bool legacy_recognise(
	const struct source *src, uint64_t off, enum legacy_hint hint, struct legacy_form *ret)
{
	const uint8_t *p = source_at(src, off, 8);
	struct legacy_form form = {0};

	if (!p)
		return false;
	form.tools = num_le32(p + 4) ? 4 : 8;
	form.p2m_size = num_le32(p);
	if (!form.p2m_size || form.p2m_size > LEGACY_MAX_PFNS)
		return false;
	form.extended = is_extended(src, off + form.tools, &form);
	if (!form.extended && !settle_form(src, off + form.tools, hint, &form))
		return false;
	*ret = form;
	return true;
}
