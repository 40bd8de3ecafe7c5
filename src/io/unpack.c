/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "io/temp.h"

/* Zero stretches of this many bytes become holes: one page of the guest. */
#define HOLE_BYTES 4096u
#define READ_BYTES (1u << 20)

static const struct {
	const char *name;
	uint8_t magic[UNPACK_MAGIC_BYTES];
	uint8_t magic_bytes;
} filters[] = {
	{"gzip", {0x1f, 0x8b}, 2},		  /* RFC 1952, 2.3.1 */
	{"bzip2", {'B', 'Z', 'h'}, 3},		  /* bzip2 manual, appendix */
	{"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6}, /* xz-file-format.txt, 2.1.1.1 */
	{"lz4", {0x04, 0x22, 0x4d, 0x18}, 4},	  /* lz4_Frame_format.md */
	{"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4},	  /* RFC 8878, 3.1.1 */
};

const char *unpack_name(const uint8_t *head, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(filters); i++)
		if (len >= filters[i].magic_bytes &&
			!memcmp(head, filters[i].magic, filters[i].magic_bytes))
			return filters[i].name;
	return NULL;
}

static void free_archive(struct archive **a)
{
	if (*a)
		archive_read_free(*a);
}

static int write_all(int fd, const uint8_t *p, size_t n, uint64_t off, struct err *err)
{
	while (n) {
		ssize_t done = pwrite(fd, p, n, (off_t)off);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return err_sys(err, "cannot write to the temporary file");
		p += done;
		n -= (size_t)done;
		off += (uint64_t)done;
	}
	return 0;
}

/* Write a block but leave holes where it is zero. */
static int write_sparse(int fd, const uint8_t *p, size_t n, uint64_t off, struct err *err)
{
	while (n) {
		/* Cut at multiples of the hole size, so that holes are whole blocks. */
		size_t part = MIN(n, (size_t)(HOLE_BYTES - off % HOLE_BYTES));

		if (!util_is_zero(p, part) && write_all(fd, p, part, off, err))
			return -1;
		p += part;
		n -= part;
		off += part;
	}
	return 0;
}

/* What is read from a descriptor. Its first bytes may have been looked at: they come again. */
struct feed {
	int fd;
	const char *path, *compression; /* NULL: none */
	uint64_t most;			/* bytes that may come out; 0 the default bounds */
	uint64_t taken;			/* bytes that went in */
	uint8_t *buf;			/* READ_BYTES */
	size_t held;			/* of them that were read already */
};

static void feed_fini(struct feed *f)
{
	free(f->buf);
}

static int feed_init(struct feed *f, int fd, const char *path, uint64_t most, struct err *err)
{
	*f = (struct feed){.fd = fd, .path = path, .most = most, .buf = malloc(READ_BYTES)};
	return f->buf ? 0 : err_nomem(err, "reading");
}

static ssize_t read_some(int fd, void *buf, size_t cap)
{
	ssize_t n;

	do
		n = read(fd, buf, cap);
	while (n < 0 && errno == EINTR);
	return n;
}

/* The next bytes, in f->buf; 0 at the end, -1 with errno. */
static ssize_t feed_next(struct feed *f)
{
	ssize_t n = (ssize_t)f->held;

	f->held = 0;
	if (!n)
		n = read_some(f->fd, f->buf, READ_BYTES);
	if (n > 0)
		f->taken += (uint64_t)n;
	return n;
}

/* Enough to know what it is, if there is as much. */
static int feed_look(struct feed *f, struct err *err)
{
	while (f->held < UNPACK_MAGIC_BYTES) {
		ssize_t n = read_some(f->fd, f->buf + f->held, READ_BYTES - f->held);

		if (n < 0)
			return err_sys(err, "cannot read '%s'", f->path);
		if (!n)
			break;
		f->held += (size_t)n;
	}
	f->compression = unpack_name(f->buf, f->held);
	return 0;
}

/* What came out is no longer than it may be. */
static int check_size(const struct feed *f, uint64_t size, struct err *err)
{
	uint64_t most = f->most ? f->most : UNPACK_MAX_BYTES;

	if (size > most && f->compression)
		err_set(err, ERR_UNSUPPORTED, "'%s' (%s) unpacks to more than %" PRIu64 " bytes",
			f->path, f->compression, most);
	else if (size > most)
		err_set(err, ERR_UNSUPPORTED, "'%s' is longer than %" PRIu64 " bytes", f->path,
			most);
	else if (f->compression && !f->most && size > UNPACK_FREE_BYTES &&
		 (size - UNPACK_FREE_BYTES) / UNPACK_MAX_RATIO > f->taken)
		err_set(err, ERR_UNSUPPORTED,
			"'%s' (%s) unpacks to more than %u times its size: 0x%" PRIx64
			" bytes from 0x%" PRIx64,
			f->path, f->compression, UNPACK_MAX_RATIO, size, f->taken);
	else
		return 0;
	return err_override(err, "max-size");
}

static int say_damaged(const struct feed *f, struct archive *a, uint64_t size, struct err *err)
{
	const char *why = archive_error_string(a);

	/* zstd has no number for it: "Frame requires too much memory for decoding". */
	if (archive_errno(a) == ENOMEM || (why && strstr(why, "too much memory")))
		return err_set(err, ERR_UNSUPPORTED,
			"cannot unpack '%s' (%s) after 0x%" PRIx64
			" bytes: the window it was packed with is too large; unpack it before",
			f->path, f->compression, size);
	return err_set(err, ERR_CORRUPT, "cannot unpack '%s' (%s) after 0x%" PRIx64 " bytes: %s",
		f->path, f->compression, size, why ? why : "bad data");
}

static int unpack_blocks(
	const struct feed *f, struct archive *a, int out, uint64_t *ret, struct err *err)
{
	uint64_t size = 0;

	for (;;) {
		const void *block;
		size_t n;
		la_int64_t off;
		int r = archive_read_data_block(a, &block, &n, &off);

		if (r == ARCHIVE_EOF)
			break;
		/* Its raw format hands out what it unpacks, one block behind the other. */
		if (r != ARCHIVE_OK || (uint64_t)off != size)
			return say_damaged(f, a, size, err);
		if (check_size(f, size + n, err) || write_sparse(out, block, n, size, err))
			return -1;
		size += n;
	}
	*ret = size;
	return 0;
}

static la_ssize_t feed_archive(struct archive *a, void *arg, const void **ret)
{
	struct feed *f = arg;
	ssize_t n = feed_next(f);

	if (n < 0)
		archive_set_error(a, errno, "%s", strerror(errno));
	*ret = f->buf;
	return n;
}

static int unpack_feed(struct feed *f, int out, uint64_t *ret, struct err *err)
{
	CLEANUP(free_archive) struct archive *a = archive_read_new();
	struct archive_entry *entry;

	if (!a)
		return err_nomem(err, "unpacking");
	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_lz4(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_format_raw(a);
	if (archive_read_open(a, f, NULL, feed_archive, NULL) != ARCHIVE_OK ||
		archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return say_damaged(f, a, 0, err);
	return unpack_blocks(f, a, out, ret, err);
}

static int copy_feed(struct feed *f, int out, uint64_t *ret, struct err *err)
{
	uint64_t size = 0;
	ssize_t n;

	while ((n = feed_next(f))) {
		if (n < 0)
			return err_sys(err, "cannot read '%s'", f->path);
		if (check_size(f, size + (uint64_t)n, err) ||
			write_sparse(out, f->buf, (size_t)n, size, err))
			return -1;
		size += (uint64_t)n;
	}
	*ret = size;
	return 0;
}

int unpack_fd(int fd, const char *path, uint64_t most, struct unpacked *ret, struct err *err)
{
	CLEANUP(feed_fini) struct feed f = {0};
	CLEANUP_CLOSE int out = -1;
	uint64_t size = 0;

	/* A pipe has no other place than the one where it is. */
	if (lseek(fd, 0, SEEK_SET) < 0 && errno != ESPIPE)
		return err_sys(err, "cannot read '%s'", path);
	if (feed_init(&f, fd, path, most, err) || feed_look(&f, err))
		return -1;
	out = temp_open(err);
	if (out < 0)
		return -1;
	if (f.compression ? unpack_feed(&f, out, &size, err) : copy_feed(&f, out, &size, err))
		return -1;
	if (ftruncate(out, (off_t)size))
		return err_sys(err, "cannot write to the temporary file");
	*ret = (struct unpacked){.fd = out, .bytes = size, .compression = f.compression};
	out = -1;
	return 0;
}
