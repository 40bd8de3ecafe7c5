/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What the sectors of a disk are. With a disk as its argument it is no test: it prints what one
 * write over all of the disk would be, a line a stretch, which ondisk.bats compares with what the
 * tools of the file systems say. The sectors behind it ("8-15") are asked instead, each by a write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <inttypes.h>
#include <string.h>

#include "ondisk/ondisk.h"

static void fail_with(const struct err *err)
{
	fprintf(stderr, "%s\n", err->text);
	exit(1);
}

static struct io_request *add_write(struct blkdev *dev, uint64_t sector, uint64_t nr)
{
	struct io_request *r = io_request_append(&dev->requests, &dev->nr_requests);

	assert_non_null(r);
	r->op = IO_WRITE;
	r->sector = sector;
	r->sector_from = IO_SECTOR_SHADOW;
	r->nr_sectors = nr;
	return r;
}

static void print_request(const struct io_request *r)
{
	size_t i;

	for (i = 0; i < r->nr_meaning; i++) {
		const struct meaning *m = &r->meaning[i];
		CLEANUP_FREE char *without = ondisk_without(r, m);

		printf("%" PRIu64 "\t%" PRIu64 "\t%s\t%s\t%" PRIu32 "\t%s\t%" PRId64 "\t%" PRId64
		       "\t%s\t%s\t%s\t%s\t%s\n",
			r->sector + m->offset / 512, m->bytes / 512, meaning_kind_name(m->kind),
			m->fate ? meaning_fate_name(m->fate) : "-", m->partition, m->fs,
			(int64_t)m->inode, (int64_t)m->position, m->path ? m->path : "-",
			m->detail ? m->detail : "-", m->volume, m->lost ? m->lost : "-",
			without ? without : "-");
	}
}

static int print_disk(int argc, char **argv)
{
	struct disk disk;
	struct blkdev dev = {0};
	struct err err;
	int i;

	if (disk_open(&disk, argv[1], DISK_UNSAID, 0, &err))
		fail_with(&err);
	for (i = 2; i < argc; i++) {
		uint64_t from = 0, to = 0;

		assert_int_equal(sscanf(argv[i], "%" SCNu64 "-%" SCNu64, &from, &to), 2);
		add_write(&dev, from, to - from + 1);
	}
	if (argc == 2)
		add_write(&dev, 0, disk.bytes / 512);
	if (ondisk_note(&disk, &dev, &err))
		fail_with(&err);
	for (i = 0; i < (int)dev.nr_requests; i++)
		print_request(&dev.requests[i]);
	blkdev_fini(&dev);
	disk_drop(&disk);
	return 0;
}

/* ---- words -------------------------------------------------------------------------------- */

static void assert_words(const struct io_request *r, const struct meaning *m, const char *want)
{
	CLEANUP_FREE char *text = ondisk_without(r, m);

	if (want)
		assert_string_equal(text, want);
	else
		assert_null(text);
}

static void say_of_operations(void **state)
{
	struct io_request r = {.op = IO_READ, .nr_sectors = 8};
	struct meaning m;

	(void)state;
	meaning_init(&m);
	m.kind = MEANING_FREE;
	assert_words(&r, &m, "nothing: it reads");
	r.op = IO_DISCARD;
	assert_words(&r, &m, "nothing: the space is not given back");
	m.kind = MEANING_FILE;
	assert_words(&r, &m, "what stands there can still be read");
	r = (struct io_request){.op = IO_FLUSH};
	assert_words(&r, NULL, "what was written before may only be in a cache of the disk");
}

static void say_of_writes(void **state)
{
	struct io_request r = {.op = IO_WRITE, .nr_sectors = 8};
	char path[] = "/a";
	struct meaning m;

	(void)state;
	meaning_init(&m);
	assert_words(&r, &m, NULL);
	m.bytes = 4096;
	m.kind = MEANING_FILE;
	assert_words(&r, &m, "4096 bytes of a file stay as they were");
	m.inode = 12;
	m.position = 8192;
	assert_words(&r, &m, "bytes 8192 to 12287 of inode 12 stay as they were");
	m.path = path;
	m.fate = MEANING_UNMAPPED;
	assert_words(&r, &m,
		"bytes 8192 to 12287 of /a are lost: the disk does not say yet that they belong to "
		"it");
	m.fate = MEANING_REPLAYED;
	assert_words(
		&r, &m, "nothing is lost: the journal holds it and replays it at the next mount");
}

/* Every kind but the unknown one has words, and a name of its own. */
static void say_of_every_kind(void **state)
{
	struct io_request r = {.op = IO_WRITE, .nr_sectors = 8};
	struct meaning m;
	int kind, other;

	(void)state;
	for (kind = 1; kind < MEANING_NR_KINDS; kind++) {
		CLEANUP_FREE char *text = NULL;

		meaning_init(&m);
		m.kind = (enum meaning_kind)kind;
		text = ondisk_without(&r, &m);
		assert_non_null(text);
		for (other = 0; other < kind; other++)
			assert_string_not_equal(meaning_kind_name(m.kind),
				meaning_kind_name((enum meaning_kind)other));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(say_of_operations),
		cmocka_unit_test(say_of_writes),
		cmocka_unit_test(say_of_every_kind),
	};

	return argc > 1 ? print_disk(argc, argv) : cmocka_run_group_tests(tests, NULL, NULL);
}
