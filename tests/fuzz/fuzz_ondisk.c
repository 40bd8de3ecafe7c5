/* SPDX-License-Identifier: BSD-2-Clause
 *
 * fuzz_ondisk.c - what a write on a hostile disk is for.
 *
 * Input: one byte that chooses the disk and the way, the write's first page and its number of pages
 * (16 bits each, little-endian; none: all of the disk), then edits {u16 place, u8 length, bytes}: a
 * place counts in words of 8 bytes through the pages of the disk that hold something. The disks are
 * made once, by seeds_ondisk, which run.sh has beside its working directory. Where the first byte
 * is 255, pages follow, each behind its number (32 bits); the rest of that disk is zeros.
 *
 * libblkid, which says what lies where, fails in a process of its own (prober.h) and takes most of
 * the time; it is not asked here. In 31 ways of 32 it is said what it said of the undamaged disk,
 * or nothing where it was not asked that; in the last one, and of zeros with pages, what a few
 * words on the disk say, or where these say nothing, one thing or another.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/num.h"
#include "io/probe.h"
#include "ondisk/ondisk.h"

#define DISK_PAGES (128u << 8) /* 128 MiB */
#define DISK_BYTES ((size_t)DISK_PAGES * PAGE_BYTES)
#define MAX_PAGES  128u
#define MAX_PROBED 32u
#define ZEROS	   255u
#define GUESS	   31u
#define HEAD	   5u
#define RECORD	   (4u + PAGE_BYTES)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* What lies in a stretch of the undamaged disk. */
struct said {
	uint64_t start, bytes;
	struct probed found;
};

struct base {
	int fd;
	uint8_t *bytes; /* what stands in it */
	uint32_t at[MAX_PAGES];
	uint8_t (*good)[PAGE_BYTES]; /* those, undamaged */
	size_t nr;
	struct said said[MAX_PROBED];
	size_t nr_said;
	struct probed_table table;
};

static const char *const names[] = {"btrfs", "dos", "ext2", "ext4", "gpt", "lvm", "swap"};
static struct base bases[ARRAY_SIZE(names)], zeros;
/* Whose answers are noted, or stand. */
static struct base *learning, *known;
static unsigned whim; /* what is said where there is nothing */

int __real_probe_content(const struct disk *d, uint64_t start, uint64_t bytes, enum probe_for what,
	struct probed *ret, struct err *err);
int __wrap_probe_content(const struct disk *d, uint64_t start, uint64_t bytes, enum probe_for what,
	struct probed *ret, struct err *err);
int __real_probe_table(const struct disk *d, struct probed_table *ret, struct err *err);
int __wrap_probe_table(const struct disk *d, struct probed_table *ret, struct err *err);

/* ---- what a few words say ------------------------------------------------------------------ */

static const struct {
	const char *type;
	uint32_t at;
	const char *magic;
	unsigned len;
} marks[] = {
	{"ext4", 1080, "\x53\xef", 2},
	{"xfs", 0, "XFSB", 4},
	{"btrfs", 0x10040, "_BHRfS_M", 8},
	{"swap", 4086, "SWAPSPACE2", 10},
	{"LVM2_member", 512, "LABELONE", 8},
	{"crypto_LUKS", 0, "LUKS", 4},
};

static void guess_content(const struct disk *d, uint64_t start, struct probed *ret)
{
	char word[16];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(marks); i++)
		if (pread(d->fd, word, marks[i].len, (off_t)(start + marks[i].at)) ==
				(ssize_t)marks[i].len &&
			!memcmp(word, marks[i].magic, marks[i].len))
			break;
	if (i == ARRAY_SIZE(marks))
		i = whim++ % (ARRAY_SIZE(marks) + 2);
	ret->unsure = i > ARRAY_SIZE(marks);
	if (i < ARRAY_SIZE(marks))
		snprintf(ret->type, sizeof(ret->type), "%s", marks[i].type);
}

static void put_guess(struct probed_table *t, uint64_t start, uint64_t nr, bool extended)
{
	uint64_t all = DISK_BYTES / SECTOR_BYTES;

	if (nr && start < all && t->nr < PROBE_MAX_PARTITIONS) {
		t->v[t->nr] = (struct probed_partition){
			start, MIN(nr, all - start), (uint32_t)t->nr + 1, extended};
		t->nr++;
	}
}

static void guess_table(const struct disk *d, struct probed_table *ret)
{
	uint8_t raw[64 * SECTOR_BYTES], *e;
	unsigned i;

	if (pread(d->fd, raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		return;
	if (!memcmp(raw + SECTOR_BYTES, "EFI PART", 8)) {
		strcpy(ret->type, "gpt");
		for (e = raw + 2 * SECTOR_BYTES, i = 0; i < 128; i++, e += 128)
			put_guess(ret, num_le64(e + 32), num_le64(e + 40) - num_le64(e + 32) + 1,
				false);
	} else if (num_le16(raw + 510) == 0xaa55) {
		strcpy(ret->type, "dos");
		for (e = raw + 446, i = 0; i < 4; i++, e += 16)
			put_guess(ret, num_le32(e + 8), num_le32(e + 12), e[4] == 5 || e[4] == 15);
	} else if (whim++ % 2) {
		strcpy(ret->type, "bsd");
		for (i = 0; i < whim % 16; i++)
			put_guess(ret, i * whim % 4096, whim % 1024, i == 3);
	}
}

/* ---- who is asked -------------------------------------------------------------------------- */

/* The linker leads these calls here: see the Makefile. */
int __wrap_probe_content(const struct disk *d, uint64_t start, uint64_t bytes, enum probe_for what,
	struct probed *ret, struct err *err)
{
	size_t i;
	int rc;

	if (learning) {
		rc = __real_probe_content(d, start, bytes, what, ret, err);
		if (!rc && learning->nr_said < MAX_PROBED)
			learning->said[learning->nr_said++] = (struct said){start, bytes, *ret};
		return rc;
	}
	*ret = (struct probed){0};
	for (i = 0; known && i < known->nr_said; i++)
		if (known->said[i].start == start && known->said[i].bytes == bytes)
			*ret = known->said[i].found;
	if (!known)
		guess_content(d, start, ret);
	return 0;
}

int __wrap_probe_table(const struct disk *d, struct probed_table *ret, struct err *err)
{
	if (learning) {
		if (__real_probe_table(d, ret, err))
			return -1;
		learning->table = *ret;
		return 0;
	}
	*ret = (struct probed_table){0};
	if (known)
		*ret = known->table;
	else
		guess_table(d, ret);
	return 0;
}

static void make_disk(struct base *b)
{
	b->fd = memfd_create("disk", MFD_CLOEXEC);
	if (b->fd < 0 || ftruncate(b->fd, (off_t)DISK_BYTES))
		abort();
	b->bytes = mmap(NULL, DISK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	b->good = calloc(MAX_PAGES, PAGE_BYTES);
	if (b->bytes == MAP_FAILED || !b->good)
		abort();
}

/* A tool may be missing here, and its disk with it. */
static void read_disk(const char *folder, const char *name, struct base *b)
{
	uint8_t record[RECORD];
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (!f)
		return;
	make_disk(b);
	while (b->nr < MAX_PAGES && fread(record, RECORD, 1, f) == 1) {
		b->at[b->nr] = num_le32(record) % DISK_PAGES;
		memcpy(b->good[b->nr], record + 4, PAGE_BYTES);
		memcpy(b->bytes + (size_t)b->at[b->nr++] * PAGE_BYTES, record + 4, PAGE_BYTES);
	}
	fclose(f);
	unlink(path);
}

static void look_at(const struct base *b, uint64_t page, uint64_t nr)
{
	struct disk disk = {.fd = b->fd, .bytes = DISK_BYTES};
	struct blkdev dev = {0};
	struct io_request *r = io_request_append(&dev.requests, &dev.nr_requests);
	size_t i;

	if (!r)
		return;
	r->op = IO_WRITE;
	r->sector_from = IO_SECTOR_SHADOW;
	r->sector = page * (PAGE_BYTES / SECTOR_BYTES);
	r->nr_sectors = nr * (PAGE_BYTES / SECTOR_BYTES);
	if (!ondisk_note(&disk, &dev, NULL))
		for (i = 0; i < r->nr_meaning; i++)
			free(ondisk_without(r, &r->meaning[i]));
	blkdev_fini(&dev);
}

int LLVMFuzzerInitialize(int *argc UNUSED, char ***argv UNUSED)
{
	char folder[] = "/tmp/xbdsnap-fuzz-XXXXXX", cmd[512];
	bool any = false;
	size_t i;

	if (!mkdtemp(folder))
		abort();
	snprintf(cmd, sizeof(cmd), "./seeds_ondisk --disks %s", folder);
	if (system(cmd))
		abort();
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		read_disk(folder, names[i], &bases[i]);
		any |= bases[i].nr > 0;
		learning = &bases[i];
		if (bases[i].nr)
			look_at(&bases[i], 0, DISK_PAGES);
		learning = NULL;
	}
	rmdir(folder);
	if (!any)
		abort();
	make_disk(&zeros);
	return 0;
}

static void edit(struct base *b, const uint8_t *data, size_t bytes, bool undo)
{
	while (bytes > 3) {
		size_t place = num_le16(data) % (b->nr * 512), n = data[2] % 33;
		uint8_t *page = b->bytes + (size_t)b->at[place / 512] * PAGE_BYTES;

		data += 3;
		bytes -= 3;
		n = MIN(n, bytes);
		if (undo)
			memcpy(page, b->good[place / 512], PAGE_BYTES);
		else
			memcpy(page + place % 512 * 8, data, MIN(n, PAGE_BYTES - place % 512 * 8));
		data += n;
		bytes -= n;
	}
}

static void put_pages(const uint8_t *data, size_t bytes, bool undo)
{
	while (bytes > 4) {
		size_t n = MIN(bytes - 4, (size_t)PAGE_BYTES);
		uint8_t *page = zeros.bytes + (size_t)(num_le32(data) % DISK_PAGES) * PAGE_BYTES;

		if (undo)
			madvise(page, PAGE_BYTES, MADV_REMOVE);
		else
			memcpy(page, data + 4, n);
		data += 4 + n;
		bytes -= 4 + n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct base *b;

	whim = (unsigned)bytes;
	if (bytes && data[0] == ZEROS) {
		put_pages(data + 1, bytes - 1, false);
		look_at(&zeros, 0, DISK_PAGES);
		put_pages(data + 1, bytes - 1, true);
	}
	b = bytes < HEAD ? NULL : &bases[data[0] % ARRAY_SIZE(names)];
	if (!b || !b->nr || data[0] == ZEROS)
		return 0;
	edit(b, data + HEAD, bytes - HEAD, false);
	known = data[0] / ARRAY_SIZE(names) == GUESS ? NULL : b;
	if (num_le16(data + 3))
		look_at(b, num_le16(data + 1) % DISK_PAGES, num_le16(data + 3));
	else
		look_at(b, 0, DISK_PAGES);
	known = NULL;
	edit(b, data + HEAD, bytes - HEAD, true);
	return 0;
}
