/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/num.h"
#include "io/crc32c.h"
#include "io/hold.h"
#include "io/source.h"
#include "io/undo_format.h"

/* One disk of the file. */
struct section {
	char path[PATH_MAX], vdev[UNDO_VDEV_BYTES];
	bool block;
	enum disk_format format;
	uint64_t disk_bytes, dev, ino;
	uint64_t blocks, first;	       /* offset of the first block */
	const struct undo_disk *named; /* by the user; NULL */
	struct disk disk;
};

struct undo {
	struct source *src;
	const struct undo_how *how;
	struct section *v;
	size_t nr, cap;
	uint64_t bytes; /* of all blocks */
};

static void close_undo(struct undo *u)
{
	size_t i;

	for (i = 0; i < u->nr; i++)
		disk_drop(&u->v[i].disk);
	free(u->v);
	source_close(u->src);
}

/* ---- the file ----------------------------------------------------------------------------- */

static int bad_undo(const struct undo *u, struct err *err, const char *what, uint64_t at)
{
	return err_set(err, ERR_CORRUPT, "%s: %s at byte %" PRIu64, source_path(u->src), what, at);
}

static int read_head(const struct undo *u, uint64_t at, struct section *ret, struct err *err)
{
	const uint8_t *p = source_at(u->src, at, UNDO_HEAD_BYTES);
	uint32_t len, flags;

	if (!p || memcmp(p, UNDO_MAGIC_ONE, 8))
		return bad_undo(u, err, "no undo file of this version", at);
	len = num_le32(p + 12);
	if (len >= PATH_MAX || !(p = source_at(u->src, at, UNDO_HEAD_BYTES + len + 4)) ||
		num_le32(p + UNDO_HEAD_BYTES + len) != crc32c(0, p, UNDO_HEAD_BYTES + len))
		return bad_undo(u, err, "the header is damaged", at);
	flags = num_le32(p + 8);
	if (flags >> UNDO_FORMAT_SHIFT >= DISK_NR_FORMATS ||
		flags & ((1u << UNDO_FORMAT_SHIFT) - 1) & ~UNDO_HEAD_DEVICE)
		return bad_undo(u, err, "an unknown format of the disk", at + 8);
	*ret = (struct section){
		.format = (enum disk_format)(flags >> UNDO_FORMAT_SHIFT),
		.block = flags & UNDO_HEAD_DEVICE,
		.disk_bytes = num_le64(p + 16),
		.dev = num_le64(p + 24),
		.ino = num_le64(p + 32),
		.blocks = num_le64(p + 40),
		.first = at + UNDO_HEAD_BYTES + len + 4,
		.disk = DISK_INIT,
	};
	memcpy(ret->vdev, p + 48, UNDO_VDEV_BYTES - 1);
	memcpy(ret->path, p + UNDO_HEAD_BYTES, len);
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

	return UNDO_BLOCK_BYTES + len +
	       (num_le32(head + 12) & UNDO_BLOCK_ANY ? 0 : len / UNDO_SECTOR * 4);
}

/* The block at *at, of which `last` is where the one before it ended; *at moves behind it. */
static int read_block(const struct undo *u, const struct section *sec, uint64_t *at, uint64_t last,
	struct saved *ret, struct err *err)
{
	const uint8_t *p = source_at(u->src, *at, UNDO_BLOCK_BYTES);
	uint64_t bytes;

	if (!p)
		return bad_undo(u, err, "a block is damaged", *at);
	ret->off = num_le64(p);
	ret->len = num_le32(p + 8);
	if (!ret->len || ret->len > UNDO_BLOCK || ret->len % UNDO_SECTOR ||
		num_le32(p + 12) & ~UNDO_BLOCK_ANY || ret->off % UNDO_SECTOR || ret->off < last ||
		!num_range_ok(ret->off, ret->len, sec->disk_bytes))
		return bad_undo(u, err, "a block is damaged", *at);
	bytes = saved_bytes(p);
	if (!source_at(u->src, *at, bytes) ||
		num_le32(p + 16) !=
			crc32c(crc32c(0, p, 16), p + UNDO_BLOCK_BYTES, bytes - UNDO_BLOCK_BYTES))
		return bad_undo(u, err, "a block is damaged", *at);
	ret->data = p + UNDO_BLOCK_BYTES;
	ret->crcs = num_le32(p + 12) & UNDO_BLOCK_ANY ? NULL : ret->data + ret->len;
	*at += bytes;
	return 0;
}

/* Check all blocks; *at moves behind the last. */
static int check_blocks(struct undo *u, const struct section *sec, uint64_t *at, struct err *err)
{
	uint64_t i, last = 0;

	*at = sec->first;
	for (i = 0; i < sec->blocks; i++) {
		struct saved s;

		if (read_block(u, sec, at, last, &s, err))
			return -1;
		last = s.off + s.len;
		u->bytes += s.len;
	}
	return 0;
}

/* How many disks follow, and from where on. */
static int read_several(const struct undo *u, uint32_t *nr, uint64_t *at, struct err *err)
{
	const uint8_t *p = source_at(u->src, 0, UNDO_SEVERAL_BYTES);

	*nr = 1;
	*at = 0;
	if (!p || memcmp(p, UNDO_MAGIC_SEVERAL, 8))
		return 0;
	if (num_le32(p + 12) != crc32c(0, p, 12) || !num_le32(p + 8))
		return bad_undo(u, err, "the header is damaged", 0);
	*nr = num_le32(p + 8);
	*at = UNDO_SEVERAL_BYTES;
	return 0;
}

/* All of it is checked before anything is done. */
static int read_file(struct undo *u, struct err *err)
{
	uint64_t at;
	uint32_t nr;

	if (read_several(u, &nr, &at, err))
		return -1;
	while (u->nr < nr) {
		struct section *sec;

		if (util_grow(&u->v, &u->cap, u->nr + 1, sizeof(*u->v)))
			return err_nomem(err, "the disks of an undo file");
		sec = &u->v[u->nr];
		if (read_head(u, at, sec, err))
			return -1;
		u->nr++;
		if (check_blocks(u, sec, &at, err))
			return -1;
	}
	return at == source_bytes(u->src)
		       ? 0
		       : bad_undo(u, err, "something follows the last block", at);
}

/* ---- the disks ---------------------------------------------------------------------------- */

static struct section *find_section(const struct undo *u, const char *vdev)
{
	size_t i;

	for (i = 0; i < u->nr; i++)
		if (!strcmp(u->v[i].vdev, vdev))
			return &u->v[i];
	return NULL;
}

static int take_names(struct undo *u, struct err *err)
{
	size_t i;

	for (i = 0; i < u->how->nr_disks; i++) {
		const struct undo_disk *d = &u->how->disks[i];
		struct section *sec = find_section(u, d->vdev);

		if (!sec)
			return err_set(err, ERR_USAGE, "%s is of %s%s, not of %s",
				source_path(u->src), u->v[0].vdev, u->nr > 1 ? " and others" : "",
				d->vdev);
		if (sec->named)
			return err_set(err, ERR_USAGE, "two disks for %s", d->vdev);
		sec->named = d;
	}
	return 0;
}

static int open_disk(const struct undo *u, struct section *sec, struct err *err)
{
	bool shared = u->how->allow & UNDO_ALLOW_IN_USE;
	const char *path = sec->named ? sec->named->path : sec->path;
	enum disk_format format = sec->format;

	if (sec->named && sec->named->format != DISK_UNSAID)
		format = sec->named->format;
	return (!shared && disk_look(path, err)) ||
			       disk_open(&sec->disk, path, format,
				       DISK_WRITE | (shared ? DISK_SHARED : 0), err)
		       ? -1
		       : 0;
}

static int check_identity(const struct undo *u, const struct section *sec, struct err *err)
{
	const struct disk *d = &sec->disk;

	if (d->bytes != sec->disk_bytes)
		return err_set(err, ERR_REFUSED,
			"%s has %" PRIu64 " bytes; that of %s had %" PRIu64, d->path, d->bytes,
			source_path(u->src), sec->disk_bytes);
	if (sec->named || (d->block == sec->block && d->dev == sec->dev && d->ino == sec->ino))
		return 0;
	err_set(err, ERR_REFUSED, "%s is no longer the disk of %s that %s was made from", d->path,
		sec->vdev, source_path(u->src));
	return err_override(err, "disk");
}

/* Two devices on one disk: what is put back for the one would undo the other. */
static int check_apart(const struct undo *u, const struct section *sec, struct err *err)
{
	const struct section *other;

	for (other = u->v; other != sec; other++)
		if (other->disk.dev == sec->disk.dev && other->disk.ino == sec->disk.ino &&
			other->disk.block == sec->disk.block)
			return err_set(err, ERR_REFUSED, "%s is the disk of both %s and %s",
				sec->disk.path, other->vdev, sec->vdev);
	return 0;
}

static int open_disks(struct undo *u, struct err *err)
{
	size_t i;

	if (take_names(u, err))
		return -1;
	for (i = 0; i < u->nr; i++) {
		struct section *sec = &u->v[i];

		if (open_disk(u, sec, err) || check_identity(u, sec, err) ||
			check_apart(u, sec, err) ||
			(!(u->how->allow & UNDO_ALLOW_IN_USE) && disk_hold(&sec->disk, err)))
			return -1;
	}
	return 0;
}

static int close_disks(struct undo *u, struct err *err)
{
	struct err first = ERR_INIT;
	size_t i;

	for (i = 0; i < u->nr; i++)
		if (disk_close(&u->v[i].disk, err) && first.cls == ERR_NONE)
			first = *err;
	if (first.cls == ERR_NONE)
		return 0;
	*err = first;
	return -1;
}

/* ---- putting it back ---------------------------------------------------------------------- */

/* What to do with each block of a disk. */
struct pass {
	int (*fn)(const struct undo *u, const struct section *sec, const struct saved *s,
		uint8_t *buf, struct err *err);
	const char *what;
	uint8_t *buf; /* room for a block */
	uint64_t done;
};

static int run_pass(
	const struct undo *u, const struct section *sec, struct pass *pass, struct err *err)
{
	uint64_t at = sec->first, i, last = 0;

	for (i = 0; i < sec->blocks; i++) {
		struct saved s;

		if (read_block(u, sec, &at, last, &s, err) || pass->fn(u, sec, &s, pass->buf, err))
			return -1;
		last = s.off + s.len;
		pass->done += s.len;
		if (progress_step(u->how->progress, pass->what, pass->done, u->bytes, err))
			return -1;
	}
	return 0;
}

/* Is this the disk as we left it? Someone may have written to it since. */
static int check_ours(const struct undo *u, const struct section *sec, const struct saved *s,
	uint8_t *buf, struct err *err)
{
	uint32_t i;

	if (!s->crcs)
		return 0;
	if (disk_read(&sec->disk, s->off, buf, s->len, err))
		return -1;
	for (i = 0; i < s->len; i += UNDO_SECTOR) {
		if (!memcmp(buf + i, s->data + i, UNDO_SECTOR) ||
			crc32c(0, buf + i, UNDO_SECTOR) == num_le32(s->crcs + i / UNDO_SECTOR * 4))
			continue;
		err_set(err, ERR_REFUSED,
			"sector %" PRIu64 " of %s holds neither what it held before nor what %s "
			"was made for: it was written since",
			(s->off + i) / UNDO_SECTOR, sec->disk.path, source_path(u->src));
		return err_override(err, "changed");
	}
	return 0;
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
		rc = util_is_zero(s->data + at, UNDO_SECTOR)
			     ? disk_zero(d, s->off + at, UNDO_SECTOR, err)
			     : disk_write(d, s->off + at, s->data + at, UNDO_SECTOR, err);
	return rc;
}

static int put_back(const struct undo *u UNUSED, const struct section *sec, const struct saved *s,
	uint8_t *buf UNUSED, struct err *err)
{
	const struct disk *d = &sec->disk;

	if (!disk_write(d, s->off, s->data, s->len, err))
		return 0;
	return err->cls == ERR_SYSTEM && err->sys_errno == ENOSPC ? put_back_full(d, s, err) : -1;
}

static int check_same(const struct undo *u UNUSED, const struct section *sec, const struct saved *s,
	uint8_t *buf, struct err *err)
{
	if (disk_read(&sec->disk, s->off, buf, s->len, err))
		return -1;
	return memcmp(buf, s->data, s->len)
		       ? err_set(err, ERR_SYSTEM, "%s: other data came back at byte %" PRIu64,
				 sec->disk.path, s->off)
		       : 0;
}

static int put_back_disk(
	const struct undo *u, const struct section *sec, struct pass *pass, struct err *err)
{
	int rc = run_pass(u, sec, pass, err);

	/* What got there shall stay there. */
	if (!disk_sync(&sec->disk, rc ? NULL : err) && !rc)
		return 0;
	return err_in(err, "%s is reverted in part; do it again", sec->disk.path);
}

static int revert_all(struct undo *u, uint8_t *buf, struct err *err)
{
	struct pass look = {check_ours, "checked", buf, 0};
	struct pass restore = {put_back, "restored", buf, 0};
	struct pass compare = {check_same, "compared", buf, 0};
	size_t i;

	for (i = 0; i < u->nr && !(u->how->allow & UNDO_ALLOW_CHANGED); i++)
		if (run_pass(u, &u->v[i], &look, err))
			return -1;
	for (i = 0; i < u->nr; i++)
		if (put_back_disk(u, &u->v[i], &restore, err))
			return -1;
	for (i = 0; i < u->nr; i++) {
		disk_forget_cache(&u->v[i].disk);
		if (run_pass(u, &u->v[i], &compare, err))
			return -1;
	}
	return close_disks(u, err);
}

static void forget_undo(struct undo *u)
{
	free(u->v);
}

int undo_check(struct source *src, struct err *err)
{
	CLEANUP(forget_undo) struct undo u = {.src = src};

	return read_file(&u, err);
}

int undo_revert(struct source *src, const struct undo_how *how, uint64_t *bytes, struct err *err)
{
	CLEANUP(close_undo) struct undo u = {.how = how, .src = src};
	uint8_t buf[UNDO_BLOCK];

	source_advise_sequential(u.src, true);
	if (read_file(&u, err) || open_disks(&u, err) || revert_all(&u, buf, err))
		return -1;
	*bytes = u.bytes;
	return 0;
}
