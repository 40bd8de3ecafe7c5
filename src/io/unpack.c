/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
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
				"cannot unpack '%s' (%s) after 0x%llx bytes: %s", path, name,
				(unsigned long long)size,
				archive_error_string(a) ? archive_error_string(a) : "bad data");
		if (off < 0 || !num_range_ok((uint64_t)off, n, UNPACK_MAX_BYTES))
			return err_set(err, ERR_UNSUPPORTED,
				"'%s' (%s) unpacks to more than %llu GiB, unpack it by hand", path,
				name, (unsigned long long)(UNPACK_MAX_BYTES >> 30));
		if (write_sparse(fd, block, n, (uint64_t)off, err))
			return -1;
		size = MAX(size, (uint64_t)off + n);
	}
	*ret = size;
	return 0;
}

static int open_filter(
	struct archive *a, int fd, const char *path, const char *name, struct err *err)
{
	struct archive_entry *entry;

	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_lz4(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_fd(a, fd, READ_BYTES) != ARCHIVE_OK ||
		archive_read_next_header(a, &entry) != ARCHIVE_OK)
		return err_set(err, ERR_CORRUPT, "cannot unpack '%s' (%s): %s", path, name,
			archive_error_string(a) ? archive_error_string(a) : "bad data");
	return 0;
}

int unpack_file(int fd, const char *path, const char *name, int *ret_fd, uint64_t *ret_bytes,
	struct err *err)
{
	CLEANUP(free_archive) struct archive *a = archive_read_new();
	CLEANUP_CLOSE int out = -1;
	uint64_t size = 0;

	if (!a)
		return err_nomem(err, "unpacking");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "cannot read '%s'", path);
	if (open_filter(a, fd, path, name, err))
		return -1;
	out = temp_open(err);
	if (out < 0)
		return -1;
	if (copy_blocks(a, out, path, name, &size, err))
		return -1;
	if (ftruncate(out, (off_t)size))
		return err_sys(err, "cannot write to the temporary file");
	*ret_fd = out;
	*ret_bytes = size;
	out = -1;
	return 0;
}

int unpack_stream(int fd, const char *path, int *ret_fd, uint64_t *ret_bytes, struct err *err)
{
	CLEANUP_CLOSE int out = temp_open(err);
	CLEANUP_FREE uint8_t *buf = NULL;
	uint64_t size = 0;
	ssize_t n;

	if (out < 0)
		return -1;
	buf = malloc(READ_BYTES);
	if (!buf)
		return err_nomem(err, "reading a pipe");
	while ((n = read(fd, buf, READ_BYTES))) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read '%s'", path);
		if ((uint64_t)n > UNPACK_MAX_BYTES - size)
			return err_set(err, ERR_UNSUPPORTED,
				"'%s' is longer than %llu GiB, put it into a file", path,
				(unsigned long long)(UNPACK_MAX_BYTES >> 30));
		if (write_sparse(out, buf, (size_t)n, size, err))
			return -1;
		size += (uint64_t)n;
	}
	if (ftruncate(out, (off_t)size))
		return err_sys(err, "cannot write to the temporary file");
	*ret_fd = out;
	*ret_bytes = size;
	out = -1;
	return 0;
}
