/* SPDX-License-Identifier: BSD-2-Clause */
#include <limits.h>
#include <string.h>

#include "base/num.h"
#include "io/crc32c.h"
#include "io/undo_format.h"
#include "io/whole.h"

#define MAX_SECTORS (UNDO_BLOCK / UNDO_SECTOR)

struct block {
	uint8_t head[UNDO_BLOCK_BYTES];
	uint8_t body[UNDO_BLOCK + 4 * MAX_SECTORS];
	uint8_t after[UNDO_BLOCK];
};

struct save {
	struct whole_file out;
	uint64_t at;	    /* bytes of the file so far */
	uint64_t done, all; /* bytes of the disks */
	const struct progress *progress;
	struct block *b; /* room for one */
};

static int by_start(const void *a, const void *b)
{
	const struct undo_range *p = a, *q = b;

	return p->start < q->start ? -1 : p->start > q->start;
}

static void merge_ranges(struct undo_change *c)
{
	struct undo_range *v = c->ranges;
	size_t i, n = 0;

	if (c->nr)
		qsort(v, c->nr, sizeof(*v), by_start);
	for (i = 0; i < c->nr; i++) {
		if (n && v[i].start <= v[n - 1].end)
			v[n - 1].end = MAX(v[n - 1].end, v[i].end);
		else
			v[n++] = v[i];
	}
	c->nr = n;
}

static uint64_t count_blocks(const struct undo_change *c)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < c->nr; i++)
		sum += (c->ranges[i].end - c->ranges[i].start + UNDO_BLOCK - 1) / UNDO_BLOCK;
	return sum;
}

static uint64_t count_bytes(const struct undo_change *c)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < c->nr; i++)
		sum += c->ranges[i].end - c->ranges[i].start;
	return sum;
}

static int put_bytes(struct save *s, const void *buf, size_t len, struct err *err)
{
	if (whole_write(&s->out, s->at, buf, len, err))
		return -1;
	s->at += len;
	return 0;
}

static int put_several(struct save *s, uint32_t nr, struct err *err)
{
	uint8_t head[UNDO_SEVERAL_BYTES] = UNDO_MAGIC_SEVERAL;

	num_put_le32(head + 8, nr);
	num_put_le32(head + 12, crc32c(0, head, 12));
	return put_bytes(s, head, sizeof(head), err);
}

static int put_head(struct save *s, const struct undo_change *c, struct err *err)
{
	uint8_t head[UNDO_HEAD_BYTES + PATH_MAX + 4] = UNDO_MAGIC_ONE;
	const struct disk *d = c->disk;
	size_t len = strlen(d->path);

	if (len >= PATH_MAX || strlen(c->vdev) >= UNDO_VDEV_BYTES)
		return err_set(err, ERR_USAGE, "the path of the disk is too long");
	num_put_le32(head + 8,
		(d->block ? UNDO_HEAD_DEVICE : 0) | (uint32_t)d->format << UNDO_FORMAT_SHIFT);
	num_put_le32(head + 12, (uint32_t)len);
	num_put_le64(head + 16, d->bytes);
	num_put_le64(head + 24, d->dev);
	num_put_le64(head + 32, d->ino);
	num_put_le64(head + 40, count_blocks(c));
	memcpy(head + 48, c->vdev, strlen(c->vdev));
	memcpy(head + UNDO_HEAD_BYTES, d->path, len);
	num_put_le32(head + UNDO_HEAD_BYTES + len, crc32c(0, head, UNDO_HEAD_BYTES + len));
	return put_bytes(s, head, UNDO_HEAD_BYTES + len + 4, err);
}

static int put_block(
	struct save *s, const struct undo_change *c, uint64_t off, uint32_t len, struct err *err)
{
	struct block *b = s->b;
	uint32_t body = len, i;
	bool known;

	if (disk_read(c->disk, off, b->body, len, err))
		return -1;
	memcpy(b->after, b->body, len);
	known = c->after(c->arg, off, b->after, len);
	for (i = 0; known && i < len; i += UNDO_SECTOR, body += 4)
		num_put_le32(b->body + body, crc32c(0, b->after + i, UNDO_SECTOR));
	num_put_le64(b->head, off);
	num_put_le32(b->head + 8, len);
	num_put_le32(b->head + 12, known ? 0 : UNDO_BLOCK_ANY);
	num_put_le32(b->head + 16, crc32c(crc32c(0, b->head, 16), b->body, body));
	if (put_bytes(s, b->head, UNDO_BLOCK_BYTES, err) || put_bytes(s, b->body, body, err))
		return -1;
	s->done += len;
	return progress_step(s->progress, "saved", s->done, s->all, err);
}

static int put_disk(struct save *s, const struct undo_change *c, struct err *err)
{
	uint64_t off;
	size_t i;

	if (put_head(s, c, err))
		return -1;
	for (i = 0; i < c->nr; i++)
		for (off = c->ranges[i].start; off < c->ranges[i].end; off += UNDO_BLOCK) {
			uint64_t len = MIN(c->ranges[i].end - off, (uint64_t)UNDO_BLOCK);

			if (put_block(s, c, off, (uint32_t)len, err))
				return -1;
		}
	return 0;
}

static int put_all(struct save *s, struct undo_change *changes, size_t nr, struct err *err)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		merge_ranges(&changes[i]);
		s->all += count_bytes(&changes[i]);
	}
	if (nr > 1 && put_several(s, (uint32_t)nr, err))
		return -1;
	for (i = 0; i < nr; i++)
		if (put_disk(s, &changes[i], err))
			return -1;
	return 0;
}

int undo_save(struct undo_change *changes, size_t nr, const char *path,
	const struct progress *progress, struct err *err)
{
	CLEANUP_FREE struct block *b = malloc(sizeof(*b));
	struct save s = {.progress = progress, .b = b};

	if (!b)
		return err_nomem(err, "an undo block");
	if (whole_open(&s.out, path, true, err))
		return -1;
	if (!put_all(&s, changes, nr, err))
		return whole_commit(&s.out, false, err);
	whole_drop(&s.out);
	return -1;
}
