/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "io/door.h"
#include "io/sandbox.h"
#include "io/unpack.h"

struct source {
	char *path;
	struct stat st;	      /* of the file itself */
	const uint8_t *bytes; /* NULL when size is 0 */
	uint64_t size;
	bool mapped;			   /* ours to unmap */
	int fd;				   /* of what is mapped; ours to close; -1: none */
	const struct source_piece *pieces; /* NULL: it is all one */
	size_t nr_pieces;
	const char *compression;
};

/* What source_at() gives for no bytes of an empty source. */
static const uint8_t nothing[1];

/* What a folder may be, told by a file in it. */
static int refuse_folder(int fd, const char *path, struct err *err)
{
	static const struct {
		const char *file, *what;
	} known[] = {
		{"inventory.img", "the images of CRIU (of processes)"},
		{"state.json", "a snapshot of Cloud Hypervisor"},
		{"checkpoint/inventory.img", "a container's checkpoint (CRIU)"},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (!faccessat(fd, known[i].file, F_OK, 0))
			return err_set(err, ERR_UNSUPPORTED,
				"'%s' is a folder, it looks like %s: not of Xen, not supported",
				path, known[i].what);
	errno = EISDIR;
	return err_sys(err, "cannot read '%s'", path);
}

/* *stream: it can only be read once, from its start to its end. */
static int measure_input(struct source *src, int fd, uint64_t *ret, bool *stream, struct err *err)
{
	const char *path = src->path;
	struct stat *st = &src->st;

	*stream = false;
	if (fstat(fd, st))
		return err_sys(err, "cannot read '%s'", path);
	if (S_ISREG(st->st_mode)) {
		*ret = (uint64_t)st->st_size;
		return 0;
	}
	if (S_ISBLK(st->st_mode)) {
		if (ioctl(fd, BLKGETSIZE64, ret))
			return err_sys(err, "cannot get the size of block device '%s'", path);
		return 0;
	}
	if (S_ISDIR(st->st_mode))
		return refuse_folder(fd, path, err);
	*stream = S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode);
	if (*stream)
		return 0;
	err_set(err, ERR_UNSUPPORTED, "cannot read '%s': it is a %s, a file or pipe is needed",
		path, isatty(fd) ? "terminal" : "character device");
	return err_override(err, "said");
}

static int map_fd(struct source *src, int fd, uint64_t size, struct err *err)
{
	void *p;

	src->size = size;
	if (!size)
		return 0;
	if (door_is_shut())
		sandbox_bound(size);
	if (size > SIZE_MAX) {
		errno = EFBIG;
		return err_sys(err, "cannot map '%s'", src->path);
	}
	p = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return err_sys(err, "cannot map '%s'", src->path);
	src->bytes = p;
	src->mapped = true;
	src->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	source_advise_sequential(src, false);
	return 0;
}

/* Everything is mapped, so what comes through a pipe or is compressed becomes a file first. */
static int map_unpacked(struct source *src, int fd, uint64_t most, struct err *err)
{
	struct unpacked u;
	int rc;

	if (door_is_shut())
		sandbox_begin_unpacking();
	rc = unpack_fd(fd, src->path, most, &u, err);
	if (door_is_shut())
		sandbox_end_unpacking();
	if (rc)
		return -1;
	src->compression = u.compression;
	rc = map_fd(src, u.fd, u.bytes, err);
	close(u.fd);
	return rc;
}

static int is_packed(const struct source *src, int fd, bool *ret, struct err *err)
{
	uint8_t head[UNPACK_MAGIC_BYTES];
	ssize_t n;

	/* The kernel would read megabytes ahead. */
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	n = pread(fd, head, sizeof(head), 0);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_NORMAL);
	if (n < 0)
		return err_sys(err, "cannot read '%s'", src->path);
	*ret = unpack_name(head, (size_t)n);
	return 0;
}

static int open_fd(struct source *src, int fd, uint64_t most, struct err *err)
{
	bool stream, packed = false;
	uint64_t size;

	if (measure_input(src, fd, &size, &stream, err))
		return -1;
	if (!stream && is_packed(src, fd, &packed, err))
		return -1;
	return stream || packed ? map_unpacked(src, fd, most, err) : map_fd(src, fd, size, err);
}

/* A named pipe gets this long until somebody opens its other end. */
#define WRITER_MS 2000
#define LOOK_MS	  20

/*
 * Nothing tells whether a pipe has a writer but an attempt to take something from it; tee() leaves
 * what it takes. 0 there: neither data nor a writer.
 */
static bool has_writer(int fd, int to)
{
	return tee(fd, to, 1, SPLICE_F_NONBLOCK) != 0;
}

static int await_writer(int fd, const char *path, struct err *err)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
	CLEANUP_CLOSE int from = -1;
	CLEANUP_CLOSE int to = -1;
	int ends[2], waited;

	if (pipe2(ends, O_CLOEXEC))
		return err_sys(err, "cannot look into '%s'", path);
	from = ends[0];
	to = ends[1];
	for (waited = 0; !has_writer(fd, to); waited += LOOK_MS) {
		if (waited >= WRITER_MS)
			return err_set(
				err, ERR_SYSTEM, "'%s' is a pipe that nothing writes to", path);
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* Opening a named pipe would wait for its writer, for ever where none comes. */
static int open_file(const char *path, struct err *err)
{
	CLEANUP_CLOSE int fd = door_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int ret = fd;

	if (fd < 0 || fstat(fd, &st))
		return err_sys(err, "cannot open '%s'", path);
	if (S_ISFIFO(st.st_mode) && await_writer(fd, path, err))
		return -1;
	if (fcntl(fd, F_SETFL, 0))
		return err_sys(err, "cannot open '%s'", path);
	fd = -1;
	return ret;
}

#define FD_FOLDER "/dev/fd/"

/* The descriptor that is meant, or -1. Opening it anew would need permissions, and no socket can
 * be. */
static int named_fd(const char *path)
{
	uint64_t fd;

	if (!strcmp(path, "-"))
		return STDIN_FILENO;
	if (!strncmp(path, FD_FOLDER, strlen(FD_FOLDER)) &&
		num_parse_u64(path + strlen(FD_FOLDER), INT_MAX, &fd))
		return (int)fd;
	return -1;
}

/* "-" is standard input. */
static int open_path(const char *path, struct err *err)
{
	int fd, named = named_fd(path);

	if (named < 0)
		return open_file(path, err);
	fd = fcntl(named, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? err_sys(err, "cannot open '%s'", path) : fd;
}

static struct source *new_source(const char *name, struct err *err)
{
	struct source *src = calloc(1, sizeof(*src));

	if (src)
		src->path = strdup(name);
	if (!src || !src->path) {
		free(src);
		err_nomem(err, "an input file");
		return NULL;
	}
	src->fd = -1;
	return src;
}

int source_open_at_most(const char *path, uint64_t most, struct source **ret, struct err *err)
{
	CLEANUP_CLOSE int fd = -1;
	struct source *src;

	fd = open_path(path, err);
	if (fd < 0)
		return -1;
	src = new_source(path, err);
	if (!src)
		return -1;
	if (open_fd(src, fd, most, err)) {
		source_close(src);
		return -1;
	}
	*ret = src;
	return 0;
}

int source_open(const char *path, struct source **ret, struct err *err)
{
	return source_open_at_most(path, 0, ret, err);
}

int source_from_memory(
	const void *buf, size_t len, const char *name, struct source **ret, struct err *err)
{
	struct source *src = new_source(name, err);

	if (!src)
		return -1;
	src->bytes = buf;
	src->size = len;
	*ret = src;
	return 0;
}

int source_from_pieces(const uint8_t *base, const struct source_piece *v, size_t nr, uint64_t len,
	const char *name, struct source **ret, struct err *err)
{
	if (source_from_memory(base, len, name, ret, err))
		return -1;
	(*ret)->pieces = v;
	(*ret)->nr_pieces = nr;
	return 0;
}

void source_close(struct source *src)
{
	if (!src)
		return;
	if (src->mapped)
		munmap((void *)(uintptr_t)src->bytes, (size_t)src->size);
	if (src->fd >= 0)
		close(src->fd);
	free(src->path);
	free(src);
}

/* What tells one state of a file from another. */
static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int source_check(const struct source *src, struct err *err)
{
	int fd = named_fd(src->path);
	struct stat now;

	/* A pipe was read whole, a block device tells no time. */
	if (!S_ISREG(src->st.st_mode))
		return 0;
	if (fd >= 0 ? fstat(fd, &now) : door_stat(src->path, &now))
		return err_sys(err, "'%s' is gone while it is read", src->path);
	if (is_same(&src->st, &now))
		return 0;
	return err_set(err, ERR_SYSTEM,
		"'%s' was %s while it was read: what was found is of neither state, try again "
		"when nobody writes it",
		src->path,
		now.st_ino != src->st.st_ino || now.st_dev != src->st.st_dev ? "replaced"
		: now.st_size < src->st.st_size				     ? "cut off"
		: now.st_size > src->st.st_size				     ? "written to"
									     : "changed");
}

const char *source_path(const struct source *src)
{
	return src->path;
}

const struct stat *source_stat(const struct source *src)
{
	return &src->st;
}

uint64_t source_bytes(const struct source *src)
{
	return src->size;
}

const char *source_compression(const struct source *src)
{
	return src->compression;
}

/* Of the piece that holds this offset. */
static size_t find_piece(const struct source *src, uint64_t off)
{
	size_t low = 0, high = src->nr_pieces;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (src->pieces[mid].off <= off)
			low = mid;
		else
			high = mid;
	}
	return low;
}

uint64_t source_stretch(const struct source *src, uint64_t off)
{
	size_t next;

	if (!src->pieces)
		return src->size - off;
	next = find_piece(src, off) + 1;
	return (next < src->nr_pieces ? src->pieces[next].off : src->size) - off;
}

static const uint8_t *at_piece(const struct source *src, uint64_t off, uint64_t len)
{
	const struct source_piece *p = &src->pieces[find_piece(src, off)];

	return len <= source_stretch(src, off) ? src->bytes + p->at + (off - p->off) : NULL;
}

const uint8_t *source_at(const struct source *src, uint64_t off, uint64_t len)
{
	if (!num_range_ok(off, len, src->size))
		return NULL;
	if (src->pieces)
		return at_piece(src, off, len);
	return src->size ? src->bytes + off : nothing;
}

bool source_copy(const struct source *src, uint64_t off, size_t len, uint8_t *buf)
{
	return src->fd >= 0 && num_range_ok(off, len, src->size) &&
	       pread(src->fd, buf, len, (off_t)off) == (ssize_t)len;
}

void source_advise_sequential(const struct source *src, bool sequential)
{
	if (src->fd >= 0)
		(void)posix_fadvise(
			src->fd, 0, 0, sequential ? POSIX_FADV_NORMAL : POSIX_FADV_RANDOM);
	if (src->mapped)
		(void)madvise((void *)(uintptr_t)src->bytes, (size_t)src->size,
			sequential ? MADV_SEQUENTIAL : MADV_RANDOM);
}
