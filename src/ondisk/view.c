/* SPDX-License-Identifier: BSD-2-Clause */
#include "ondisk/view.h"

#include <inttypes.h>

#include "base/num.h"

void view_init(struct view *v, const struct disk *d, uint64_t start, uint64_t bytes)
{
	*v = (struct view){.disk = d,
		.bytes = bytes,
		.whole = {.start = start, .bytes = bytes},
		.left = VIEW_MAX_READ};
}

void view_init_pieces(struct view *v, const struct disk *d, const struct view_piece *pieces,
	size_t nr, uint64_t bytes)
{
	*v = (struct view){.disk = d,
		.bytes = bytes,
		.pieces = pieces,
		.nr_pieces = nr,
		.left = VIEW_MAX_READ};
}

static const struct view_piece *find_piece(const struct view *v, uint64_t off)
{
	const struct view_piece *p = v->pieces ? v->pieces : &v->whole;
	size_t i, nr = v->pieces ? v->nr_pieces : 1;

	for (i = 0; i < nr; i++)
		if (off >= p[i].at && off - p[i].at < p[i].bytes)
			return &p[i];
	return NULL;
}

int view_read(struct view *v, uint64_t off, void *buf, size_t bytes, struct err *err)
{
	char *to = buf;

	if (!num_range_ok(off, bytes, v->bytes))
		return err_set(
			err, ERR_CORRUPT, "it ends before byte %" PRIu64, off + (uint64_t)bytes);
	if (bytes > v->left)
		return err_set(err, ERR_REFUSED, "looking further would take too long");
	v->left -= bytes;
	while (bytes) {
		const struct view_piece *p = find_piece(v, off);
		size_t n = p ? (size_t)MIN(bytes, p->bytes - (off - p->at)) : 0;

		if (!p || !num_range_ok(p->start, p->bytes, v->disk->bytes))
			return err_set(
				err, ERR_CORRUPT, "byte %" PRIu64 " is on another disk", off);
		if (disk_read(v->disk, p->start + (off - p->at), to, n, err))
			return -1;
		to += n;
		off += n;
		bytes -= n;
	}
	return 0;
}
