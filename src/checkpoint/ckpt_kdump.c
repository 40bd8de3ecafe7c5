/* SPDX-License-Identifier: BSD-2-Clause
 *
 * ckpt_kdump.c - memory as makedumpfile packs it, of Linux's /proc/vmcore, and dump-guest-memory
 * -z, -l and -s of QEMU.
 *
 * Format: makedumpfile's diskdump_mod.h and IMPLEMENTATION, QEMU's include/sysemu/dump.h. Blocks of
 * 4096 bytes: the header; the sub header with the notes; two bitmaps, of which the second says
 * which pages are there, a bit for each frame; a description {i64 offset, u32 bytes, u32 flags,
 * u64} for each of those; the pages. Only what is not packed at all needs no codec.
 *
 * libkdumpfile reads this too. Of what Debian 12 has (0.5.1) a file that was cut off is a bus error
 * and a damaged header a crash, it does not know the flattened form, which is the only one that
 * QEMU writes, nor QEMU's notes: hence this reader.
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/core_notes.h"
#include "checkpoint/kdump.h"
#include "checkpoint/kdump_file.h"
#include "io/codec.h"
#include "io/page_cache.h"

#define BLOCK	       PAGE_BYTES
#define HEAD_BYTES     464u
#define HEAD_VERSION   8
#define HEAD_BLOCK     428
#define HEAD_SUB       432
#define HEAD_BITMAPS   436
#define HEAD_MAX_MAPNR 440

#define SUB_BYTES      104u
#define SUB_SPLIT      12
#define SUB_KERNEL     32 /* offset, bytes; header version 3 */
#define SUB_NOTES      48 /* offset, bytes; version 4 */
#define SUB_MAX_MAPNR  96 /* version 6 */
#define MAX_NOTE_BYTES (16u << 20)

#define DESCRIPTION_BYTES 24u
#define FLAG_ZLIB	  1u
#define FLAG_LZO	  2u
#define FLAG_SNAPPY	  4u
#define FLAG_ZSTD	  32u

#define CACHE_PAGES 1024u /* 4 MiB */
/* A page that is there has a description and some bytes. */
#define RUNS_BASE     (32u << 10)
#define BYTES_PER_RUN 64u

struct kdump {
	struct kdump_file file;
	struct codecs *codecs;
	struct page_cache *cache;
	uint8_t *notes, *kernel; /* what the vcpus point at */
	uint64_t descriptions;	 /* where they stand in the dump */
	uint64_t nr;
};

void kdump_free(struct kdump *k)
{
	if (!k)
		return;
	kdump_file_close(&k->file);
	codecs_free(k->codecs);
	page_cache_free(k->cache);
	free(k->notes);
	free(k->kernel);
	free(k);
}

static bool unpack_page(struct kdump *k, const uint8_t *description, uint8_t *to, const char **why)
{
	uint64_t at = num_le64(description);
	uint32_t len = num_le32(description + 8), flags = num_le32(description + 12);
	uint8_t packed[PAGE_BYTES];
	enum codec_kind kind;

	*why = "cannot be unpacked";
	if (len > sizeof(packed) || (!flags && len != PAGE_BYTES))
		return false;
	*why = "lies beyond the end of the file";
	if (!flags)
		return kdump_file_read(&k->file, at, len, to);
	if (!kdump_file_read(&k->file, at, len, packed))
		return false;
	switch (flags) {
	case FLAG_ZLIB:
		kind = CODEC_ZLIB;
		break;
	case FLAG_LZO:
		kind = CODEC_LZO;
		break;
	case FLAG_SNAPPY:
		kind = CODEC_SNAPPY;
		break;
	case FLAG_ZSTD:
		kind = CODEC_ZSTD;
		break;
	default:
		*why = "is packed in a way that is not known";
		return false;
	}
	return codec_unpack(k->codecs, kind, packed, len, to, PAGE_BYTES, why);
}

const uint8_t *kdump_page(struct kdump *k, uint64_t index, const char **why)
{
	const uint8_t *have = page_cache_find(k->cache, index);
	uint8_t description[DESCRIPTION_BYTES], *to;

	if (have)
		return have;
	*why = "lies beyond the end of the file";
	if (!kdump_file_read(&k->file, k->descriptions + index * DESCRIPTION_BYTES,
		    sizeof(description), description))
		return NULL;
	to = page_cache_room(k->cache, index);
	*why = "has no room in memory";
	if (!to)
		return NULL;
	if (unpack_page(k, description, to, why))
		return to;
	page_cache_drop(k->cache, index);
	return NULL;
}

/* ---- opening ----------------------------------------------------------------------------- */

static enum ckpt_probe probe_kdump(const struct source *src, uint64_t off, struct err *err UNUSED)
{
	return ckpt_has_magic(src, off, "KDUMP   ", 8) || kdump_file_is_flat(src, off)
		       ? CKPT_PROBE_YES
		       : CKPT_PROBE_NO;
}

struct head {
	uint32_t version, sub_blocks, bitmap_blocks;
	uint64_t max_mapnr;
	uint8_t sub[SUB_BYTES];
};

static int read_head(const struct kdump *k, struct head *h, struct err *err)
{
	uint8_t raw[HEAD_BYTES];

	if (!kdump_file_read(&k->file, 0, sizeof(raw), raw) || memcmp(raw, "KDUMP   ", 8))
		return err_set(err, ERR_CORRUPT, "kdump file without a header at its start");
	h->version = num_le32(raw + HEAD_VERSION);
	h->sub_blocks = num_le32(raw + HEAD_SUB);
	h->bitmap_blocks = num_le32(raw + HEAD_BITMAPS);
	h->max_mapnr = num_le32(raw + HEAD_MAX_MAPNR);
	if (num_le32(raw + HEAD_BLOCK) != BLOCK)
		return err_set(err, ERR_UNSUPPORTED, "kdump file: blocks of %u bytes, expected %u",
			num_le32(raw + HEAD_BLOCK), BLOCK);
	memset(h->sub, 0, sizeof(h->sub));
	if (h->sub_blocks && !kdump_file_read(&k->file, BLOCK, sizeof(h->sub), h->sub))
		return err_set(err, ERR_CORRUPT, "the kdump file ends in its sub header");
	if (h->version >= 6 && num_le64(h->sub + SUB_MAX_MAPNR))
		h->max_mapnr = num_le64(h->sub + SUB_MAX_MAPNR);
	if (h->max_mapnr > CKPT_MAX_PFN)
		return err_set(
			err, ERR_CORRUPT, "kdump file of 0x%" PRIx64 " frames", h->max_mapnr);
	if (h->version >= 2 && num_le32(h->sub + SUB_SPLIT))
		return err_set(err, ERR_UNSUPPORTED,
			"kdump file: a part of a dump that was split into several");
	return 0;
}

/* A stretch that the sub header names at `where`: {offset, bytes}. *ret NULL: there is none. */
static int read_stretch(const struct kdump *k, const struct head *h, unsigned where, uint8_t **ret,
	uint64_t *ret_len, struct err *err)
{
	uint64_t at = num_le64(h->sub + where), len = num_le64(h->sub + where + 8);

	*ret_len = 0;
	if (!len || len > MAX_NOTE_BYTES || len > kdump_file_end(&k->file))
		return 0;
	*ret = malloc((size_t)len);
	if (!*ret)
		return err_nomem(err, "the notes of a dump");
	if (kdump_file_read(&k->file, at, (size_t)len, *ret))
		*ret_len = len;
	return 0;
}

static int read_notes(struct ckpt *ck, struct kdump *k, const struct head *h, struct err *err)
{
	struct core_notes notes = {0};
	uint64_t len = 0, kernel_len = 0;

	if (h->version >= 3 && read_stretch(k, h, SUB_KERNEL, &k->kernel, &kernel_len, err))
		return -1;
	if (h->version >= 4 && read_stretch(k, h, SUB_NOTES, &k->notes, &len, err))
		return -1;
	if (kernel_len) {
		notes.kernel = (const char *)k->kernel;
		notes.kernel_bytes = (size_t)kernel_len;
	}
	if (len && core_notes_read(
			   ck, k->notes, (size_t)len, num_le64(h->sub + SUB_NOTES), &notes, err))
		return -1;
	return core_notes_settle(ck, &notes, err);
}

/* `off` of a run counts as if all pages stood behind each other: its description's number. */
static int index_bits(struct ckpt *ck, struct kdump *k, const uint8_t *bits, uint64_t pfn,
	unsigned nr, uint64_t max, struct err *err)
{
	unsigned i;

	for (i = 0; i < nr && k->nr < max; i++) {
		struct ckpt_run run = {
			.pfn = pfn + i, .nr = 1, .off = k->nr * PAGE_BYTES, .packed = true};

		if (!(bits[i / 8] >> i % 8 & 1))
			continue;
		k->nr++;
		if (ck->map.nr >= RUNS_BASE + source_bytes(ck->src) / BYTES_PER_RUN)
			return err_set(err, ERR_CORRUPT,
				"kdump file: its bitmap has more stretches than such a file can");
		if (pagemap_add(&ck->map, run))
			return err_nomem(err, "the index of pages");
	}
	return 0;
}

/* Old ones have a bitmap only, which says the same. */
static int index_bitmap(struct ckpt *ck, struct kdump *k, const struct head *h, struct err *err)
{
	uint64_t start = (1 + (uint64_t)h->sub_blocks) * BLOCK, half, pfn, max;
	uint8_t bits[BLOCK];

	half = (uint64_t)h->bitmap_blocks * BLOCK;
	k->descriptions = start + half;
	if (half / 2 * 8 >= h->max_mapnr) {
		half /= 2;
		start += half;
	}
	if (half * 8 < h->max_mapnr)
		return err_set(err, ERR_CORRUPT,
			"kdump file: bitmaps of %u blocks for 0x%" PRIx64 " frames",
			h->bitmap_blocks, h->max_mapnr);
	max = kdump_file_end(&k->file) / DESCRIPTION_BYTES;
	for (pfn = 0; pfn < h->max_mapnr; pfn += BLOCK * 8) {
		unsigned nr = (unsigned)MIN(h->max_mapnr - pfn, (uint64_t)BLOCK * 8);

		if (!kdump_file_read(&k->file, start + pfn / 8, (nr + 7) / 8, bits))
			return ckpt_incomplete(
				ck, ck->info.stream_off, "the kdump file ends in its bitmaps");
		if (index_bits(ck, k, bits, pfn, nr, max, err))
			return -1;
	}
	return 0;
}

static int check_pages(struct ckpt *ck, const struct kdump *k)
{
	uint64_t end = kdump_file_end(&k->file), i, nr_lost = 0;
	uint8_t d[DESCRIPTION_BYTES];

	for (i = 0; i < k->nr; i++)
		if (!kdump_file_read(&k->file, k->descriptions + i * sizeof(d), sizeof(d), d) ||
			!num_range_ok(num_le64(d), num_le32(d + 8), end))
			nr_lost++;
	if (!nr_lost && !k->file.cut)
		return 0;
	return ckpt_incomplete(ck, ck->info.stream_off,
		"the file ends at 0x%" PRIx64 ", before %" PRIu64 " of its %" PRIu64 " pages",
		source_bytes(ck->src), nr_lost, k->nr);
}

static int open_kdump(struct ckpt *ck, uint64_t off, struct err *err)
{
	struct kdump *k = ck->kdump = calloc(1, sizeof(*k));
	struct head h;

	if (!k)
		return err_nomem(err, "a dump");
	ck->info.stream_off = off;
	ck->end = source_bytes(ck->src);
	k->codecs = codecs_new();
	k->cache = page_cache_new(CACHE_PAGES);
	if (!k->codecs || !k->cache)
		return err_nomem(err, "a dump");
	if (kdump_file_open(&k->file, ck->src, off, err) || read_head(k, &h, err))
		return -1;
	if (kdump_file_is_flat(ck->src, off))
		ckpt_add_layer(ck, "flattened");
	ckpt_add_layer(ck, "kdump v%u", h.version);
	if (read_notes(ck, k, &h, err) || index_bitmap(ck, k, &h, err))
		return -1;
	return ck->info.complete ? check_pages(ck, k) : 0;
}

const struct ckpt_format ckpt_format_kdump = {
	.name = "kdump", .probe = probe_kdump, .open = open_kdump, .verify = ckpt_verify_core};
