/* SPDX-License-Identifier: BSD-2-Clause */
#include "ondisk/regions.h"

#include <string.h>

#include "base/frame.h"
#include "base/num.h"
#include "io/probe.h"

/* A chain of extended partitions has a sector each. */
#define MAX_LOGICAL 256u

static void drop_regions(struct regions *r)
{
	size_t i;

	for (i = 0; i < r->nr; i++)
		content_close(&r->v[i].content);
	r->nr = 0;
}

static int put_region(struct regions *r, const struct region *one, struct err *err)
{
	if (!one->nr)
		return 0;
	if (util_grow(&r->v, &r->cap, r->nr + 1, sizeof(*r->v)))
		return err_nomem(err, "the partitions of a disk");
	r->v[r->nr++] = *one;
	return 0;
}

static int put_content(
	struct regions *r, uint64_t start, uint64_t nr, uint32_t partition, struct err *err)
{
	struct region one = {.start = start, .nr = nr, .partition = partition};

	if (!nr)
		return 0;
	if (content_look(&one.content, r->disk, start * SECTOR_BYTES, nr * SECTOR_BYTES, err))
		return -1;
	if (!put_region(r, &one, err))
		return 0;
	content_close(&one.content);
	return -1;
}

static int put_table(
	struct regions *r, uint64_t start, uint64_t nr, enum meaning_kind kind, struct err *err)
{
	return put_region(r, &(struct region){.start = start, .nr = nr, .kind = kind}, err);
}

/* ---- where tables are --------------------------------------------------------------------- */

/* UEFI specification 5.3.2: the header says where it is, where its copy is, and where the entries
 * are; of the copy the entries are before it. */
static int put_gpt(struct regions *r, uint64_t sectors, struct err *err)
{
	uint64_t entries = 2, copy = sectors - 1, nr = 32;
	uint8_t raw[SECTOR_BYTES];

	if (sectors < 3 || disk_read(r->disk, SECTOR_BYTES, raw, sizeof(raw), NULL))
		return 0;
	if (!memcmp(raw, "EFI PART", 8)) {
		entries = num_le64(raw + 72);
		copy = num_le64(raw + 32);
		nr = ((uint64_t)num_le32(raw + 80) * num_le32(raw + 84) + SECTOR_BYTES - 1) /
		     SECTOR_BYTES;
	}
	if (!num_range_ok(entries, nr, sectors) || copy >= sectors || copy < nr || nr > 2048)
		return 0;
	return put_table(r, 0, 2, MEANING_TABLE, err) ||
			       put_table(r, entries, nr, MEANING_TABLE, err) ||
			       put_table(r, copy - nr, nr + 1, MEANING_TABLE_BACKUP, err)
		       ? -1
		       : 0;
}

/* Each extended partition begins with a table: its second entry leads to the next one, counted from
 * the first of them. */
static int put_chain(struct regions *r, uint64_t first, uint64_t sectors, struct err *err)
{
	uint64_t at = first;
	uint8_t raw[SECTOR_BYTES];
	unsigned i;

	for (i = 0; i < MAX_LOGICAL && at < sectors; i++) {
		if (put_table(r, at, 1, MEANING_TABLE, err))
			return -1;
		if (disk_read(r->disk, at * SECTOR_BYTES, raw, sizeof(raw), NULL) ||
			num_le16(raw + 510) != 0xaa55 || !num_le32(raw + 462 + 8))
			break;
		at = first + num_le32(raw + 462 + 8);
	}
	return 0;
}

static int put_tables(
	struct regions *r, const struct probed_table *t, uint64_t sectors, struct err *err)
{
	size_t i;

	if (!strcmp(t->type, "gpt"))
		return put_gpt(r, sectors, err);
	if (put_table(r, 0, 1, MEANING_TABLE, err))
		return -1;
	for (i = 0; i < t->nr; i++)
		if (t->v[i].extended && put_chain(r, t->v[i].start, sectors, err))
			return -1;
	return 0;
}

/* ---- all of it ---------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b)
{
	const struct region *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->nr < y->nr ? -1 : x->nr > y->nr;
}

/* What a hostile table lays over each other goes to the one that starts first. */
static int fill_gaps(struct regions *r, uint64_t sectors, struct err *err)
{
	struct regions all = {.disk = r->disk};
	uint64_t at = 0;
	size_t i;
	int rc = 0;

	if (r->nr)
		qsort(r->v, r->nr, sizeof(*r->v), by_start);
	for (i = 0; !rc && i < r->nr; i++) {
		struct region one = r->v[i];
		uint64_t end = MIN(one.start + one.nr, sectors);

		if (end <= at)
			continue;
		one.start = MAX(one.start, at);
		one.nr = end - one.start;
		rc = put_table(&all, at, one.start - at, MEANING_GAP, err);
		rc = rc ? rc : put_region(&all, &one, err);
		if (!rc) /* it is the other's now */
			r->v[i].content = (struct content){0};
		at = end;
	}
	rc = rc ? rc : put_table(&all, at, sectors - at, MEANING_GAP, err);
	drop_regions(r);
	free(r->v);
	*r = all;
	return rc;
}

static int put_partitions(
	struct regions *r, const struct probed_table *t, uint64_t sectors, struct err *err)
{
	size_t i;

	if (put_tables(r, t, sectors, err))
		return -1;
	for (i = 0; i < t->nr; i++)
		if (!t->v[i].extended &&
			put_content(r, t->v[i].start, t->v[i].nr, t->v[i].number, err))
			return -1;
	return fill_gaps(r, sectors, err);
}

/* A file system on the whole disk may begin with what looks like a table; one that is in a
 * partition does not begin at sector 0. */
int regions_read(const struct disk *d, struct regions *ret, struct err *err)
{
	CLEANUP_FREE struct probed_table *t = calloc(1, sizeof(*t));
	uint64_t sectors = d->bytes / SECTOR_BYTES;
	struct err why;
	int rc;

	*ret = (struct regions){.disk = d};
	if (!t)
		return err_nomem(err, "the partitions of a disk");
	rc = put_content(ret, 0, sectors, 0, err);
	if (!rc && ret->nr && !ret->v[0].content.fs && probe_table(d, t, &why))
		rc = content_lose(&ret->v[0].content, &why, err);
	if (!rc && t->nr) {
		drop_regions(ret);
		rc = put_partitions(ret, t, sectors, err);
	}
	if (rc)
		regions_free(ret);
	return rc;
}

void regions_free(struct regions *r)
{
	drop_regions(r);
	free(r->v);
	*r = (struct regions){0};
}

struct region *region_at(struct regions *r, uint64_t sector)
{
	size_t lo = util_count_until(
		r->v, r->nr, sizeof(*r->v), offsetof(struct region, start), sector);

	return lo && sector - r->v[lo - 1].start < r->v[lo - 1].nr ? &r->v[lo - 1] : NULL;
}
