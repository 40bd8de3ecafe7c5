/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
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

static bool all_zero(const uint8_t *p, size_t n)
{
	return n && !p[0] && !memcmp(p, p + 1, n - 1);
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

		if (!all_zero(p, part) && write_all(fd, p, part, off, err))
			return -1;
		p += part;
		n -= part;
		off += part;
	}
	return 0;
}

static int copy_blocks(struct archive *a, int fd, const char *path, const char *name, uint64_t *ret,
	struct err *err)
{
	uint64_t size = 0;

	for (;;) {
		const void *block;
		size_t n;
		la_int64_t off;
		int r = archive_read_data_block(a, &block, &n, &off);

		if (r == ARCHIVE_EOF)
			break;
		if (r != ARCHIVE_OK)
			return err_set(err, ERR_CORRUPT,
				"cannot unpack '%s' (%s) after 0x%" PRIx64 " bytes: %s", path, name,
				size,
				archive_error_string(a) ? archive_error_string(a) : "bad data");
		if (off < 0 || !num_range_ok((uint64_t)off, n, UNPACK_MAX_BYTES)) {
			err_set(err, ERR_UNSUPPORTED,
				"'%s' (%s) unpacks to more than %" PRIu64 " GiB", path, name,
				UNPACK_MAX_BYTES >> 30);
			return err_override(err, "unpack");
		}
		if (write_sparse(fd, block, n, (uint64_t)off, err))
			return -1;
		size = MAX(size, (uint64_t)off + n);
	}
	*ret = size;
	return 0;
}

/* What is read from a descriptor. Its first bytes may have been looked at: they come again. */
struct feed {
	int fd;
	uint8_t *buf; /* READ_BYTES */
	size_t held;  /* of them that were read already */
};

static void feed_fini(struct feed *f)
{
	free(f->buf);
}

static int feed_init(struct feed *f, int fd, struct err *err)
{
	*f = (struct feed){.fd = fd, .buf = malloc(READ_BYTES)};
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
	return n ? n : read_some(f->fd, f->buf, READ_BYTES);
}

/* Enough to know what it is, if there is as much. */
static int feed_look(struct feed *f)
{
	while (f->held < UNPACK_MAGIC_BYTES) {
		ssize_t n = read_some(f->fd, f->buf + f->held, READ_BYTES - f->held);

		if (n <= 0)
			return (int)n;
		f->held += (size_t)n;
	}
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

static int open_filter(
	struct archive *a, struct feed *f, const char *path, const char *name, struct err *err)
{
	struct archive_entry *entry;

	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_lz4(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_format_raw(a);
	if (archive_read_open(a, f, NULL, feed_archive, NULL) != ARCHIVE_OK ||
		archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return err_set(err, ERR_CORRUPT, "cannot unpack '%s' (%s): %s", path, name,
			archive_error_string(a) ? archive_error_string(a) : "bad data");
	return 0;
}

static int unpack_feed(
	struct feed *f, const char *path, const char *name, int out, uint64_t *ret, struct err *err)
{
	CLEANUP(free_archive) struct archive *a = archive_read_new();

	if (!a)
		return err_nomem(err, "unpacking");
	return open_filter(a, f, path, name, err) ? -1 : copy_blocks(a, out, path, name, ret, err);
}

static int copy_feed(struct feed *f, const char *path, int out, uint64_t *ret, struct err *err)
{
	uint64_t size = 0;
	ssize_t n;

	while ((n = feed_next(f))) {
		if (n < 0)
			return err_sys(err, "cannot read '%s'", path);
		if ((uint64_t)n > UNPACK_MAX_BYTES - size) {
			err_set(err, ERR_UNSUPPORTED, "'%s' is longer than %" PRIu64 " GiB", path,
				UNPACK_MAX_BYTES >> 30);
			return err_override(err, "file");
		}
		if (write_sparse(out, f->buf, (size_t)n, size, err))
			return -1;
		size += (uint64_t)n;
	}
	*ret = size;
	return 0;
}

/* name NULL: as it is. */
static int spool(struct feed *f, const char *path, const char *name, int *ret_fd,
	uint64_t *ret_bytes, struct err *err)
{
	CLEANUP_CLOSE int out = temp_open(err);
	uint64_t size = 0;

	if (out < 0)
		return -1;
	if (name ? unpack_feed(f, path, name, out, &size, err)
		 : copy_feed(f, path, out, &size, err))
		return -1;
	if (ftruncate(out, (off_t)size))
		return err_sys(err, "cannot write to the temporary file");
	*ret_fd = out;
	*ret_bytes = size;
	out = -1;
	return 0;
}

int unpack_file(int fd, const char *path, const char *name, int *ret_fd, uint64_t *ret_bytes,
	struct err *err)
{
	CLEANUP(feed_fini) struct feed f = {0};

	if (feed_init(&f, fd, err))
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "cannot read '%s'", path);
	return spool(&f, path, name, ret_fd, ret_bytes, err);
}

int unpack_stream(int fd, const char *path, const char **ret_name, int *ret_fd, uint64_t *ret_bytes,
	struct err *err)
{
	CLEANUP(feed_fini) struct feed f = {0};
	const char *name;

	if (feed_init(&f, fd, err))
		return -1;
	if (feed_look(&f))
		return err_sys(err, "cannot read '%s'", path);
	name = unpack_name(f.buf, f.held);
	if (spool(&f, path, name, ret_fd, ret_bytes, err))
		return -1;
	*ret_name = name;
	return 0;
}
