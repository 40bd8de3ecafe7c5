/* SPDX-License-Identifier: BSD-2-Clause */
#include "checkpoint/kdump_file.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

#define FLAT_HEADER 4096u
#define PIECE_HEAD  16u
/* Writers make pieces of a page and more, but for headers and tables. */
#define PIECES_BASE	(64u << 10)
#define BYTES_PER_PIECE 256u

bool kdump_file_is_flat(const struct source *src, uint64_t off)
{
	const uint8_t *p = source_at(src, off, 16);

	return p && !memcmp(p, "makedumpfile\0\0\0\0", 16);
}

static uint64_t read_be64(const uint8_t *p)
{
	uint64_t v = 0;
	unsigned i;

	for (i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static int put_piece(struct kdump_file *k, struct kdump_piece piece, struct err *err)
{
	if (k->nr >= PIECES_BASE + source_bytes(k->src) / BYTES_PER_PIECE)
		return err_set(err, ERR_CORRUPT, "flattened dump: more than %zu pieces", k->nr);
	if (util_grow(&k->pieces, &k->cap, k->nr + 1, sizeof(*k->pieces)))
		return err_nomem(err, "the pieces of a dump");
	k->pieces[k->nr++] = piece;
	return 0;
}

static int read_pieces(struct kdump_file *k, uint64_t off, struct err *err)
{
	uint64_t end = source_bytes(k->src);

	k->cut = true;
	for (;;) {
		const uint8_t *head = source_at(k->src, off, PIECE_HEAD);
		struct kdump_piece p;

		if (!head)
			return 0;
		p = (struct kdump_piece){read_be64(head), read_be64(head + 8), off + PIECE_HEAD};
		if (p.at >> 63) {
			k->cut = false;
			return 0;
		}
		if (!p.bytes || p.bytes >> 62)
			return err_set(err, ERR_CORRUPT,
				"flattened dump: a piece of %" PRId64 " bytes at 0x%" PRIx64,
				(int64_t)p.bytes, off);
		off = p.off + p.bytes;
		p.bytes = MIN(p.bytes, end - p.off);
		if (p.bytes && put_piece(k, p, err))
			return -1;
		if (off > end)
			return 0;
	}
}

static int compare_pieces(const void *a, const void *b)
{
	const struct kdump_piece *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static int sort_pieces(struct kdump_file *k, struct err *err)
{
	size_t i;

	if (!k->nr)
		return err_set(err, ERR_CORRUPT, "flattened dump: nothing follows its header");
	qsort(k->pieces, k->nr, sizeof(*k->pieces), compare_pieces);
	for (i = 1; i < k->nr; i++)
		if (k->pieces[i].at < k->pieces[i - 1].at + k->pieces[i - 1].bytes)
			return err_set(err, ERR_CORRUPT,
				"flattened dump: the piece at 0x%" PRIx64
				" overlaps the one at 0x%" PRIx64,
				k->pieces[i].off, k->pieces[i - 1].off);
	return 0;
}

int kdump_file_open(struct kdump_file *k, const struct source *src, uint64_t off, struct err *err)
{
	*k = (struct kdump_file){.src = src};
	if (kdump_file_is_flat(src, off))
		return read_pieces(k, off + FLAT_HEADER, err) || sort_pieces(k, err) ? -1 : 0;
	return put_piece(k, (struct kdump_piece){0, source_bytes(src) - off, off}, err);
}

void kdump_file_close(struct kdump_file *k)
{
	free(k->pieces);
	*k = (struct kdump_file){0};
}

uint64_t kdump_file_end(const struct kdump_file *k)
{
	return k->pieces[k->nr - 1].at + k->pieces[k->nr - 1].bytes;
}

/* The piece that holds `at`; nr: none. */
static size_t find_piece(const struct kdump_file *k, uint64_t at)
{
	size_t low = 0, high = k->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (k->pieces[mid].at + k->pieces[mid].bytes <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low < k->nr && k->pieces[low].at <= at ? low : k->nr;
}

bool kdump_file_read(const struct kdump_file *k, uint64_t at, size_t len, void *buf)
{
	uint8_t *to = buf;

	while (len) {
		size_t i = find_piece(k, at), n;
		const uint8_t *from;
		uint64_t in;

		if (i == k->nr)
			return false;
		in = at - k->pieces[i].at;
		n = (size_t)MIN((uint64_t)len, k->pieces[i].bytes - in);
		from = source_at(k->src, k->pieces[i].off + in, n);
		if (!from)
			return false;
		memcpy(to, from, n);
		to += n;
		at += n;
		len -= n;
	}
	return true;
}
