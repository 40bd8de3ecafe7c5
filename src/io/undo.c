/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "io/crc32c.h"
#include "io/hold.h"
#include "io/source.h"

#define MAGIC	     "XBUNDO1\n"
#define HEAD_BYTES   64u
#define VDEV_BYTES   16u
#define BLOCK_BYTES  20u
#define FLAG_DEVICE  1u
#define FORMAT_SHIFT 8
#define FLAG_ANY     1u
#define MAX_SECTORS  (UNDO_BLOCK / UNDO_SECTOR)

/* ---- saving ------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
	const struct undo_range *p = a, *q = b;

	return p->start < q->start ? -1 : p->start > q->start;
}

static size_t merge(struct undo_range *v, size_t nr)
{
	size_t i, n = 0;

	if (nr)
		qsort(v, nr, sizeof(*v), by_start);
	for (i = 0; i < nr; i++) {
		if (n && v[i].start <= v[n - 1].end)
			v[n - 1].end = MAX(v[n - 1].end, v[i].end);
		else
			v[n++] = v[i];
	}
	return n;
}

static uint64_t nr_blocks(const struct undo_range *v, size_t nr)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		sum += (v[i].end - v[i].start + UNDO_BLOCK - 1) / UNDO_BLOCK;
	return sum;
}

static uint64_t nr_bytes(const struct undo_range *v, size_t nr)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		sum += v[i].end - v[i].start;
	return sum;
}

static int put(const struct disk *out, uint64_t *at, const void *buf, size_t len, struct err *err)
{
	if (disk_write(out, *at, buf, len, err))
		return -1;
	*at += len;
	return 0;
}

static int put_head(const struct disk *out, uint64_t *at, const struct disk *d, const char *vdev,
	uint64_t blocks, struct err *err)
{
	uint8_t head[HEAD_BYTES + PATH_MAX + 4] = MAGIC;
	size_t len = strlen(d->path);

	if (len >= PATH_MAX || strlen(vdev) >= VDEV_BYTES)
		return err_set(err, ERR_USAGE, "the path of the disk is too long");
	num_put_le32(head + 8, (d->block ? FLAG_DEVICE : 0) | (uint32_t)d->format << FORMAT_SHIFT);
	num_put_le32(head + 12, (uint32_t)len);
	num_put_le64(head + 16, d->bytes);
	num_put_le64(head + 24, d->dev);
	num_put_le64(head + 32, d->ino);
	num_put_le64(head + 40, blocks);
	memcpy(head + 48, vdev, strlen(vdev));
	memcpy(head + HEAD_BYTES, d->path, len);
	num_put_le32(head + HEAD_BYTES + len, crc32c(0, head, HEAD_BYTES + len));
	return put(out, at, head, HEAD_BYTES + len + 4, err);
}

struct block {
	uint8_t head[BLOCK_BYTES];
	uint8_t body[UNDO_BLOCK + 4 * MAX_SECTORS];
	uint8_t after[UNDO_BLOCK];
};

static int put_block(const struct disk *out, uint64_t *at, const struct disk *d,
	const struct undo_change *c, uint64_t off, uint32_t len, struct block *b, struct err *err)
{
	uint32_t body = len, i;
	bool known;

	if (disk_read(d, off, b->body, len, err))
		return -1;
	memcpy(b->after, b->body, len);
	known = c->after(c->arg, off, b->after, len);
	for (i = 0; known && i < len; i += UNDO_SECTOR, body += 4)
		num_put_le32(b->body + body, crc32c(0, b->after + i, UNDO_SECTOR));
	num_put_le64(b->head, off);
	num_put_le32(b->head + 8, len);
	num_put_le32(b->head + 12, known ? 0 : FLAG_ANY);
	num_put_le32(b->head + 16, crc32c(crc32c(0, b->head, 16), b->body, body));
	return put(out, at, b->head, BLOCK_BYTES, err) || put(out, at, b->body, body, err) ? -1 : 0;
}

static int put_all(const struct disk *out, const struct disk *d, const struct undo_change *c,
	size_t nr, const struct progress *progress, struct err *err)
{
	CLEANUP_FREE struct block *b = NULL;
	uint64_t at = 0, off, done = 0, all = nr_bytes(c->ranges, nr);
	size_t i;

	if (put_head(out, &at, d, c->vdev, nr_blocks(c->ranges, nr), err))
		return -1;
	b = malloc(sizeof(*b));
	if (!b)
		return err_nomem(err, "an undo block");
	for (i = 0; i < nr; i++)
		for (off = c->ranges[i].start; off < c->ranges[i].end; off += UNDO_BLOCK) {
			uint64_t len = MIN(c->ranges[i].end - off, (uint64_t)UNDO_BLOCK);

			done += len;
			if (put_block(out, &at, d, c, off, (uint32_t)len, b, err) ||
				progress_step(progress, "saved", done, all, err))
				return -1;
		}
	return disk_sync(out, err);
}

/* A name is on the disk only when its folder is. */
static int sync_folder(const char *path, struct err *err)
{
	CLEANUP_FREE char *copy = strdup(path);
	CLEANUP_CLOSE int fd = -1;

	if (!copy)
		return err_nomem(err, "a file name");
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		return err_sys(err, "cannot sync the folder of %s", path);
	return 0;
}

/* link() never replaces. FAT and its like have no links, but a rename that does not either. */
static int give_name(const char *temp, const char *path, struct err *err)
{
	if (!link(temp, path) ||
		(errno == EPERM && !renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE)))
		return 0;
	return errno == EEXIST ? err_set(err, ERR_REFUSED, "%s exists; give another name", path)
			       : err_sys(err, "cannot name %s", path);
}

int undo_save(const struct disk *d, const struct undo_change *c, const char *path,
	const struct progress *progress, struct err *err)
{
	CLEANUP_FREE char *temp = NULL;
	struct disk out = DISK_INIT;
	int rc;

	if (asprintf(&temp, "%s.XXXXXX", path) < 0) {
		temp = NULL;
		return err_nomem(err, "a file name");
	}
	out.path = strdup(path);
	if (!out.path)
		return err_nomem(err, "a file name");
	out.fd = mkostemp(temp, O_CLOEXEC);
	if (out.fd < 0) {
		err_sys(err, "cannot create a file beside %s", path);
		disk_drop(&out);
		return -1;
	}
	rc = put_all(&out, d, c, merge(c->ranges, c->nr), progress, err);
	if (rc)
		disk_drop(&out);
	else
		rc = disk_close(&out, err);
	if (!rc)
		rc = give_name(temp, path, err);
	unlink(temp); /* in any case */
	return rc ? -1 : sync_folder(path, err);
}

/* ---- putting it back ---------------------------------------------------------------------- */

struct undo {
	struct source *src;
	char path[PATH_MAX], vdev[VDEV_BYTES];
	bool block;
	enum disk_format format;
	uint64_t disk_bytes, dev, ino, blocks, first; /* offset of the first block */
};

static int bad(const struct undo *u, struct err *err, const char *what, uint64_t at)
{
	return err_set(err, ERR_CORRUPT, "%s: %s at byte %llu", source_path(u->src), what,
		(unsigned long long)at);
}

static int read_head(struct undo *u, struct err *err)
{
	const uint8_t *p = source_at(u->src, 0, HEAD_BYTES);
	uint32_t len;

	if (!p || memcmp(p, MAGIC, 8))
		return bad(u, err, "no undo file of this version", 0);
	len = num_le32(p + 12);
	if (len >= PATH_MAX || !(p = source_at(u->src, 0, HEAD_BYTES + len + 4)) ||
		num_le32(p + HEAD_BYTES + len) != crc32c(0, p, HEAD_BYTES + len))
		return bad(u, err, "the header is damaged", 0);
	if (num_le32(p + 8) >> FORMAT_SHIFT >= DISK_NR_FORMATS ||
		num_le32(p + 8) & ((1u << FORMAT_SHIFT) - 1) & ~FLAG_DEVICE)
		return bad(u, err, "an unknown format of the disk", 8);
	u->format = (enum disk_format)(num_le32(p + 8) >> FORMAT_SHIFT);
	u->block = num_le32(p + 8) & FLAG_DEVICE;
	u->disk_bytes = num_le64(p + 16);
	u->dev = num_le64(p + 24);
	u->ino = num_le64(p + 32);
	u->blocks = num_le64(p + 40);
	memcpy(u->vdev, p + 48, VDEV_BYTES - 1);
	memcpy(u->path, p + HEAD_BYTES, len);
	u->path[len] = 0;
	u->first = HEAD_BYTES + len + 4;
	return 0;
}

/* One block as the file has it. */
struct saved {
	uint64_t off;
	uint32_t len;
	const uint8_t *data, *crcs; /* crcs NULL: what the change leaves is not known */
};

static uint64_t saved_bytes(const uint8_t *head)
{
	uint32_t len = num_le32(head + 8);

	return BLOCK_BYTES + len + (num_le32(head + 12) & FLAG_ANY ? 0 : len / UNDO_SECTOR * 4);
}

/* The block at `at`, of which `last` is where the one before it ended; NULL when damaged. */
static const uint8_t *read_block(
	const struct undo *u, uint64_t at, uint64_t last, struct saved *ret)
{
	const uint8_t *p = source_at(u->src, at, BLOCK_BYTES);
	uint64_t bytes;

	if (!p)
		return NULL;
	ret->off = num_le64(p);
	ret->len = num_le32(p + 8);
	if (!ret->len || ret->len > UNDO_BLOCK || ret->len % UNDO_SECTOR ||
		num_le32(p + 12) & ~FLAG_ANY || ret->off % UNDO_SECTOR || ret->off < last ||
		!num_range_ok(ret->off, ret->len, u->disk_bytes))
		return NULL;
	bytes = saved_bytes(p);
	if (!source_at(u->src, at, bytes) ||
		num_le32(p + 16) != crc32c(crc32c(0, p, 16), p + BLOCK_BYTES, bytes - BLOCK_BYTES))
		return NULL;
	ret->data = p + BLOCK_BYTES;
	ret->crcs = num_le32(p + 12) & FLAG_ANY ? NULL : ret->data + ret->len;
	return p;
}

typedef int block_fn(const struct undo *u, const struct disk *d, const struct saved *s,
	uint8_t *buf, struct err *err);

struct pass {
	block_fn *fn; /* NULL: the file alone is checked */
	const char *what;
	const struct disk *d;
	uint8_t *buf; /* room for a block */
	const struct progress *progress;
};

/* Visit each block; *bytes is their sum, and before that, when fn is given, what it will be. */
static int each(const struct undo *u, const struct pass *pass, uint64_t *bytes, struct err *err)
{
	uint64_t at = u->first, i, last = 0, done = 0;

	for (i = 0; i < u->blocks; i++) {
		struct saved s;
		const uint8_t *p = read_block(u, at, last, &s);

		if (!p)
			return bad(u, err, "a block is damaged", at);
		if (pass->fn && pass->fn(u, pass->d, &s, pass->buf, err))
			return -1;
		at += saved_bytes(p);
		last = s.off + s.len;
		done += s.len;
		if (pass->fn && progress_step(pass->progress, pass->what, done, *bytes, err))
			return -1;
	}
	*bytes = done;
	return at == source_bytes(u->src) ? 0 : bad(u, err, "something follows the last block", at);
}

/* Is this the disk as we left it? Someone may have written to it since. */
static int check_ours(const struct undo *u, const struct disk *d, const struct saved *s,
	uint8_t *buf, struct err *err)
{
	uint32_t i;

	if (!s->crcs)
		return 0;
	if (disk_read(d, s->off, buf, s->len, err))
		return -1;
	for (i = 0; i < s->len; i += UNDO_SECTOR) {
		if (!memcmp(buf + i, s->data + i, UNDO_SECTOR) ||
			crc32c(0, buf + i, UNDO_SECTOR) == num_le32(s->crcs + i / UNDO_SECTOR * 4))
			continue;
		err_set(err, ERR_REFUSED,
			"sector %llu of %s holds neither what it held before nor what %s was made "
			"for: it was written since",
			(unsigned long long)((s->off + i) / UNDO_SECTOR), d->path,
			source_path(u->src));
		return err_override(err, "changed");
	}
	return 0;
}

static bool is_zero(const uint8_t *data, size_t len)
{
	return !*data && !memcmp(data, data + 1, len - 1);
}

/*
 * The disk is a sparse file, and its file system is full: that may be why it has to be reverted.
 * What was written has room; what is still a hole needs none. Elsewhere all is written even where
 * it reads as it should: after a failed sync the cache is no witness of what the medium holds.
 */
static int put_back_full(const struct disk *d, const struct saved *s, struct err *err)
{
	uint32_t at;
	int rc = 0;

	for (at = 0; !rc && at < s->len; at += UNDO_SECTOR)
		rc = is_zero(s->data + at, UNDO_SECTOR)
			     ? disk_zero(d, s->off + at, UNDO_SECTOR, err)
			     : disk_write(d, s->off + at, s->data + at, UNDO_SECTOR, err);
	return rc;
}

static int put_back(const struct undo *u UNUSED, const struct disk *d, const struct saved *s,
	uint8_t *buf UNUSED, struct err *err)
{
	if (!disk_write(d, s->off, s->data, s->len, err))
		return 0;
	return err->cls == ERR_SYSTEM && err->sys_errno == ENOSPC ? put_back_full(d, s, err) : -1;
}

static int check_same(const struct undo *u UNUSED, const struct disk *d, const struct saved *s,
	uint8_t *buf, struct err *err)
{
	if (disk_read(d, s->off, buf, s->len, err))
		return -1;
	return memcmp(buf, s->data, s->len)
		       ? err_set(err, ERR_SYSTEM, "%s: other data came back at byte %llu", d->path,
				 (unsigned long long)s->off)
		       : 0;
}

static int check_identity(const struct undo *u, const struct disk *d, bool named, struct err *err)
{
	if (d->bytes != u->disk_bytes)
		return err_set(err, ERR_REFUSED, "%s has %llu bytes; that of %s had %llu", d->path,
			(unsigned long long)d->bytes, source_path(u->src),
			(unsigned long long)u->disk_bytes);
	if (named || (d->block == u->block && d->dev == u->dev && d->ino == u->ino))
		return 0;
	err_set(err, ERR_REFUSED, "%s is no longer the disk of %s that %s was made from", d->path,
		u->vdev, source_path(u->src));
	return err_override(err, "disk");
}

/* buf has room for a block. */
static int revert_to(const struct undo *u, const struct disk *d, const struct undo_target *target,
	uint8_t *buf, uint64_t *bytes, struct err *err)
{
	struct pass look = {check_ours, "checked", d, buf, target->progress};
	struct pass put_it = {put_back, "restored", d, buf, target->progress};
	struct pass compare = {check_same, "compared", d, buf, target->progress};
	struct err ignored;

	if (check_identity(u, d, target->disk, err) ||
		(!(target->allow & UNDO_ALLOW_IN_USE) && disk_hold(d, err)) ||
		(!(target->allow & UNDO_ALLOW_CHANGED) && each(u, &look, bytes, err)))
		return -1;
	if (each(u, &put_it, bytes, err)) {
		(void)!disk_sync(d, &ignored);
		return err_in(err, "%s is reverted in part; do it again", d->path);
	}
	if (disk_sync(d, err))
		return err_in(err, "%s is reverted in part; do it again", d->path);
	disk_forget_cache(d);
	return each(u, &compare, bytes, err);
}

static int open_and_revert(
	const struct undo *u, const struct undo_target *target, uint64_t *bytes, struct err *err)
{
	bool shared = target->allow & UNDO_ALLOW_IN_USE;
	enum disk_format format = target->format == DISK_UNSAID ? u->format : target->format;
	const char *path = target->disk ? target->disk : u->path;
	uint8_t buf[UNDO_BLOCK];
	struct disk d;

	if ((!shared && disk_look(path, err)) ||
		disk_open(&d, path, format, DISK_WRITE | (shared ? DISK_SHARED : 0), err))
		return -1;
	if (!revert_to(u, &d, target, buf, bytes, err))
		return disk_close(&d, err);
	disk_drop(&d);
	return -1;
}

int undo_revert(
	const char *path, const struct undo_target *target, uint64_t *bytes, struct err *err)
{
	const struct pass check = {0};
	struct undo u = {0};
	int rc = -1;

	if (source_open(path, &u.src, err))
		return -1;
	if (read_head(&u, err) || each(&u, &check, bytes, err))
		rc = -1;
	else if (target->disk && strcmp(target->vdev, u.vdev))
		rc = err_set(err, ERR_USAGE, "%s is of %s, not of %s", path, u.vdev, target->vdev);
	else
		rc = open_and_revert(&u, target, bytes, err);
	source_close(u.src);
	return rc;
}
