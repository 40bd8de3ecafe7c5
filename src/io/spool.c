/* SPDX-License-Identifier: BSD-2-Clause
 *
 * spool.c - a range of addresses in blocks, each in memory of its own or at its
 * place in a sparse file. Which of them is settled when its first byte comes.
 * What is dropped becomes a hole, and pages of zeros, of which guests have
 * many, never were anything else: getting memory for a page takes longer than
 * looking at it and copying it.
 */
#include "io/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/frame.h"
#include "io/temp.h"

#define BLOCK_SHIFT 24
#define BLOCK_BYTES (UINT64_C(1) << BLOCK_SHIFT)
/* A stream of that length is not kept; a bound for the list of blocks. */
#define MAX_BYTES  (UINT64_C(64) << 40)
#define COPY_BYTES (256u << 10)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14, asm-generic/mman-common.h */
#endif

struct block {
	uint8_t *memory; /* BLOCK_BYTES, or NULL: it is in the file, */
	bool settled;	 /* or, not settled, nowhere */
};

struct spool {
	uint64_t limit;
	uint64_t in_memory; /* bytes */
	int disk;	    /* -1: not needed so far */
	struct block *blocks;
	size_t nr, cap;
	uint8_t *buf; /* COPY_BYTES: what was just read */
	uint8_t *map;
	uint64_t map_bytes;
};

struct spool *spool_new(uint64_t memory_limit, struct err *err)
{
	struct spool *s = calloc(1, sizeof(*s));

	if (s)
		s->buf = malloc(COPY_BYTES);
	if (!s || !s->buf) {
		free(s);
		err_nomem(err, "keeping the stream");
		return NULL;
	}
	s->limit = memory_limit;
	s->disk = -1;
	return s;
}

void spool_free(struct spool *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->nr; i++)
		if (s->blocks[i].memory)
			munmap(s->blocks[i].memory, BLOCK_BYTES);
	if (s->map)
		munmap(s->map, (size_t)s->map_bytes);
	if (s->disk >= 0)
		close(s->disk);
	free(s->blocks);
	free(s->buf);
	free(s);
}

/* Aligned to a block: so memory of large pages keeps together, also when it
 * moves. NULL: errno. */
static uint8_t *map_aligned(uint64_t len, int prot, int flags)
{
	uint8_t *p = mmap(NULL, (size_t)(len + BLOCK_BYTES), prot,
		MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	before = (size_t)(-(uintptr_t)p % BLOCK_BYTES);
	if (before)
		munmap(p, before);
	munmap(p + before + len, (size_t)(BLOCK_BYTES - before));
	return p + before;
}

/* NULL: none is to be had, or no more than the limit. */
static uint8_t *get_memory(struct spool *s)
{
	if (s->limit < BLOCK_BYTES || s->in_memory > s->limit - BLOCK_BYTES)
		return NULL;
	return map_aligned(BLOCK_BYTES, PROT_READ | PROT_WRITE, 0);
}

static struct block *find_block(const struct spool *s, uint64_t at)
{
	uint64_t i = at >> BLOCK_SHIFT;

	return i < s->nr && s->blocks[i].settled ? &s->blocks[i] : NULL;
}

/* The block of that address, which is settled now. NULL and err: it has no
 * place. */
static struct block *get_block(struct spool *s, uint64_t at, struct err *err)
{
	struct block *b = find_block(s, at);
	size_t i = (size_t)(at >> BLOCK_SHIFT);

	if (b)
		return b;
	if (at >= MAX_BYTES) {
		err_set(err, ERR_UNSUPPORTED, "the stream is longer than can be kept");
		return NULL;
	}
	if (util_grow(&s->blocks, &s->cap, i + 1, sizeof(*b))) {
		err_nomem(err, "keeping the stream");
		return NULL;
	}
	while (s->nr <= i)
		s->blocks[s->nr++] = (struct block){0};
	b = &s->blocks[i];
	b->memory = get_memory(s);
	if (!b->memory && s->disk < 0)
		s->disk = temp_open(err);
	if (!b->memory && s->disk < 0)
		return NULL;
	b->settled = true;
	return b;
}

static int write_failed(struct err *err)
{
	return err_sys(err, "cannot keep the stream in a temporary file");
}

/* Pages that are about to be written, all at once: a fault for each of them takes longer. Where the
 * kernel cannot, that is how they come. */
static void get_pages(uint8_t *p, size_t len)
{
	uintptr_t before = (uintptr_t)p % PAGE_BYTES;

	if (len > PAGE_BYTES)
		(void)madvise(p - before, len + before, MADV_POPULATE_WRITE);
}

static ssize_t write_part(
	struct spool *s, const struct block *b, uint64_t at, const uint8_t *p, size_t len)
{
	if (!b->memory)
		return pwrite(s->disk, p, len, (off_t)at);
	get_pages(b->memory + at % BLOCK_BYTES, len);
	memcpy(b->memory + at % BLOCK_BYTES, p, len);
	s->in_memory += len;
	return (ssize_t)len;
}

int spool_write(struct spool *s, uint64_t at, const void *buf, size_t len, struct err *err)
{
	const uint8_t *p = buf;

	while (len) {
		const struct block *b = get_block(s, at, err);
		uint64_t room = BLOCK_BYTES - at % BLOCK_BYTES;
		ssize_t n;

		if (!b)
			return -1;
		n = write_part(s, b, at, p, (size_t)MIN((uint64_t)len, room));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return write_failed(err);
		p += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* How much from `at` on is of the one kind, a page of zeros or not, in steps of
 * whole pages. */
static size_t stretch_of(const uint8_t *p, size_t len, uint64_t at, bool *ret_zero)
{
	size_t n = MIN(len, (size_t)(PAGE_BYTES - at % PAGE_BYTES));

	*ret_zero = n == PAGE_BYTES && util_is_zero(p, n);
	while (len - n >= PAGE_BYTES && util_is_zero(p + n, PAGE_BYTES) == *ret_zero)
		n += PAGE_BYTES;
	return *ret_zero || len - n >= PAGE_BYTES ? n : len;
}

static int write_sparse(struct spool *s, uint64_t at, const uint8_t *p, size_t len, struct err *err)
{
	while (len) {
		bool zero;
		size_t n = stretch_of(p, len, at, &zero);

		if (!zero && spool_write(s, at, p, n, err))
			return -1;
		p += n;
		at += n;
		len -= n;
	}
	return 0;
}

int spool_take(struct spool *s, uint64_t at, int pipe, uint64_t len, uint64_t *ret, struct err *err)
{
	uint64_t done = 0;

	while (done < len) {
		ssize_t n = read(pipe, s->buf, (size_t)MIN(len - done, (uint64_t)COPY_BYTES));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "cannot read the stream");
		if (!n)
			break;
		if (write_sparse(s, at + done, s->buf, (size_t)n, err))
			return -1;
		done += (uint64_t)n;
	}
	*ret = done;
	return 0;
}

static void drop_memory(struct spool *s, uint8_t *p, uint64_t len)
{
	for (; len; p += PAGE_BYTES, len -= PAGE_BYTES)
		if (!util_is_zero(p, PAGE_BYTES) && !madvise(p, PAGE_BYTES, MADV_DONTNEED))
			s->in_memory -= MIN((uint64_t)PAGE_BYTES, s->in_memory);
}

void spool_drop(struct spool *s, uint64_t at, uint64_t len)
{
	while (len) {
		uint64_t part = MIN(len, BLOCK_BYTES - at % BLOCK_BYTES);
		const struct block *b = find_block(s, at);

		/* What cannot become a hole stays; it is only in the way. */
		if (b && b->memory)
			drop_memory(s, b->memory + at % BLOCK_BYTES, part);
		else if (b)
			(void)fallocate(s->disk, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)at, (off_t)part);
		at += part;
		len -= part;
	}
}

/* Memory moves to its place, the file is mapped there. */
static int map_block(struct spool *s, size_t index, struct err *err)
{
	struct block *b = &s->blocks[index];
	uint64_t at = (uint64_t)index << BLOCK_SHIFT;
	void *to = s->map + at, *p;

	if (!b->settled)
		return 0;
	p = b->memory
		    ? mremap(b->memory, BLOCK_BYTES, BLOCK_BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, to)
		    : mmap(to, BLOCK_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED, s->disk, (off_t)at);
	if (p == MAP_FAILED)
		return err_sys(err, "cannot map the stream");
	b->memory = NULL;
	b->settled = false;
	return 0;
}

int spool_map(struct spool *s, const uint8_t **ret, struct err *err)
{
	static const uint8_t nothing[1];
	size_t i;

	*ret = nothing;
	if (!s->nr)
		return 0;
	s->map_bytes = (uint64_t)s->nr << BLOCK_SHIFT;
	s->map = map_aligned(s->map_bytes, PROT_NONE, MAP_NORESERVE);
	if (!s->map)
		return err_sys(err, "cannot map the stream");
	/* A mapping must not end behind its file. */
	if (s->disk >= 0 && ftruncate(s->disk, (off_t)s->map_bytes))
		return write_failed(err);
	for (i = 0; i < s->nr; i++)
		if (map_block(s, i, err))
			return -1;
	*ret = s->map;
	return 0;
}
