/* SPDX-License-Identifier: BSD-2-Clause
 *
 * legacy_compressed.c - epochs that Remus compressed (4.2 to 4.5). Batches hold words only; the
 * codes of their pages (squeeze.h) come in chunks of their own, {ulong bytes, codes}, in the order
 * of the words but independent of the batches' borders: xc_domain_restore.c, pagebuf_get_one() and
 * apply_batch().
 */
#include "checkpoint/legacy.h"

int legacy_enable_compression(struct legacy *l, struct err *err)
{
	l->compress = true;
	if (!l->ck->squeeze)
		l->ck->squeeze = squeeze_new(l->ck->src);
	return l->ck->squeeze ? 0 : err_nomem(err, "compressed pages");
}

int legacy_keep_word(struct legacy *l, uint32_t word, struct err *err)
{
	if (util_grow(&l->words, &l->cap_words, l->nr_words + 1, sizeof(*l->words)))
		return err_nomem(err, "the words of an epoch");
	l->words[l->nr_words++] = word;
	return 0;
}

static int take_code(void *arg, const struct squeeze_code *code, struct err *err)
{
	struct legacy *l = arg;
	struct ckpt_run run = {.nr = 1, .ignored = l->verify};
	uint32_t word;

	if (l->next_word == l->nr_words)
		return err_set(err, ERR_CORRUPT,
			"compressed page at 0x%" PRIx64 ": no word of a batch belongs to it",
			code->off);
	word = l->words[l->next_word++];
	run.pfn = word & LEGACY_WORD_PFN;
	run.type = (uint8_t)(word >> LEGACY_WORD_TYPE_SHIFT);
	run.squeezed = !code->whole;
	run.off = code->whole ? code->off + 1 : code->off;
	return legacy_index_run(l, &run, err);
}

int legacy_compressed_data(struct legacy *l, struct err *err)
{
	const uint8_t *p = legacy_take(l, l->form.tools, "the length of compressed data");
	uint64_t bytes, off = l->off;

	if (!p)
		return 0;
	if (!l->compressed)
		return err_set(err, ERR_CORRUPT,
			"compressed data at 0x%" PRIx64 ": nothing announced it", off);
	bytes = legacy_ulong(&l->form, p);
	if (!legacy_take(l, bytes, "compressed data"))
		return 0;
	if (!squeeze_feed(l->ck->squeeze, &l->parser, off, bytes, take_code, l, err))
		return 0;
	/* Nothing behind that was understood. */
	l->off = MAX(l->parser.end, off);
	return -1;
}

int legacy_check_compressed(struct legacy *l, struct err *err)
{
	size_t missing = l->nr_words - l->next_word;

	if (l->parser.inside || missing)
		return err_set(err, ERR_CORRUPT,
			"the epoch's body ends at 0x%" PRIx64
			" before its compressed pages, of which "
			"%zu are missing",
			l->off, missing);
	l->nr_words = l->next_word = 0;
	return 0;
}
