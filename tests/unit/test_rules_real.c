/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The rules over real checkpoints, in memory: none of a good one may be broken, and bytes that are
 * changed in guest memory must be noticed by the rule that is there for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/num.h"
#include "check/check.h"
#include "frontend/frontend.h"

/* A private, writable copy of a checkpoint, and what is found in it. */
struct lab {
	uint8_t *bytes;
	size_t nr_bytes;
	struct ckpt *ck;
	struct guest *g;
	struct snapshot snap;
	struct check_special *specials;
	size_t nr_specials;
	struct check_result out;
};

static bool lab_map(struct lab *l, const char *name)
{
	const char *cache = getenv("XBDSNAP_CACHE");
	char path[512];
	struct stat st;
	int fd;

	memset(l, 0, sizeof(*l));
	if (!cache)
		return false;
	snprintf(path, sizeof(path), "%s/%s/image.save", cache, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return false;
	assert_int_equal(fstat(fd, &st), 0);
	l->nr_bytes = (size_t)st.st_size;
	l->bytes = mmap(NULL, l->nr_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	close(fd);
	assert_true(l->bytes != MAP_FAILED);
	return true;
}

static void lab_forget(struct lab *l)
{
	check_result_fini(&l->out);
	snapshot_fini(&l->snap);
	free(l->specials);
	guest_close(l->g);
	ckpt_close(l->ck);
}

static void lab_run(struct lab *l)
{
	const struct frontend_options opt = {0};
	struct check_input in = {.page = check_ckpt_page};
	struct source *src;
	struct err err = ERR_INIT;

	if (source_from_memory(l->bytes, l->nr_bytes, "lab", &src, &err) ||
		ckpt_open_source(src, &l->ck, &err) || guest_open(l->ck, &l->g, &err) ||
		frontend_analyse(l->g, &opt, &l->snap, &err) ||
		check_specials(l->ck, &l->specials, &l->nr_specials, &err))
		fail_msg("%s", err.text);
	in.snap = &l->snap;
	in.info = ckpt_info(l->ck);
	in.page_arg = l->ck;
	in.specials = l->specials;
	in.nr_specials = l->nr_specials;
	check_run(&in, &l->out);
	assert_false(l->out.no_memory);
}

/* Run again after a change to the bytes. */
static void lab_again(struct lab *l)
{
	lab_forget(l);
	l->ck = NULL;
	l->g = NULL;
	l->specials = NULL;
	lab_run(l);
}

static void lab_close(struct lab *l)
{
	lab_forget(l);
	munmap(l->bytes, l->nr_bytes);
}

/* The byte of the mapped file that holds a guest address. */
static uint8_t *at(struct lab *l, gva_t va)
{
	struct guest_map map;
	struct err err;
	struct ckpt_page page;

	if (guest_translate(l->g, va, &map, &err))
		fail_msg("%s", err.text);
	page = ckpt_page(l->ck, map.pfn);
	assert_int_equal(page.kind, CKPT_PAGE_DATA);
	return l->bytes + page.off + map.offset;
}

static uint8_t *at_frame(struct lab *l, pfn_t pfn, size_t off)
{
	struct ckpt_page page = ckpt_page(l->ck, pfn);

	assert_int_equal(page.kind, CKPT_PAGE_DATA);
	return l->bytes + page.off + off;
}

static void good_ones_are_good(void **state UNUSED)
{
	static const char *const names[] = {"linux-6.1-base", "linux-6.1-nopersist",
		"linux-6.1-indirect", "linux-6.1-mq", "linux-6.1-flush", "linux-6.1-pvh",
		"linux-6.1-hvm", "linux-6.12-discard", "linux-6.1-ext4"};
	size_t i, k, seen = 0;
	struct lab l;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!lab_map(&l, names[i]))
			continue;
		lab_run(&l);
		assert_true(l.snap.nr_devices > 0);
		for (k = 0; k < l.out.findings.nr; k++) {
			const struct finding *f = &l.out.findings.v[k];

			if (catalogue_find(f->rule)->severity != SEVERITY_NOTE)
				fail_msg("%s: %s %s", names[i], f->rule, f->message);
		}
		if (l.out.nr_skips)
			fail_msg("%s: not evaluated %s: %s", names[i], l.out.skips[0].rule,
				l.out.skips[0].reason);
		if (l.snap.findings.nr)
			fail_msg("%s: %s %s", names[i], l.snap.findings.v[0].rule,
				l.snap.findings.v[0].message);
		lab_close(&l);
		seen++;
	}
	if (!seen)
		skip();
}

static void netbsd_is_unsafe_and_nothing_else(void **state UNUSED)
{
	struct lab l;
	size_t k;

	if (!lab_map(&l, "xen2-netbsd"))
		skip();
	lab_run(&l);
	assert_true(l.out.findings.nr > 0);
	for (k = 0; k < l.out.findings.nr; k++)
		assert_string_equal(l.out.findings.v[k].rule, "XB201");
	lab_close(&l);
}

static void ext4_superblock_is_found(void **state UNUSED)
{
	const struct blkdev *d = NULL;
	struct lab l;
	size_t i;

	if (!lab_map(&l, "linux-6.1-ext4"))
		skip();
	lab_run(&l);
	for (i = 0; i < l.snap.nr_devices; i++) {
		assert_true(l.snap.devices[i].fs_known);
		if (!strcmp(l.snap.devices[i].name, "xvdb"))
			d = &l.snap.devices[i];
		else
			assert_int_equal(l.snap.devices[i].nr_fs, 0);
	}
	assert_non_null(d);
	assert_int_equal(d->nr_fs, 1);
	assert_string_equal(d->fs[0].type, "ext4");
	assert_string_equal(d->fs[0].uuid, "11111111-2222-3333-4444-555555555555");
	assert_true(d->fs[0].super_known && d->fs[0].journal && !d->fs[0].read_only);
	assert_true(d->fs[0].mnt_count == 1);
	assert_true(d->fs[0].wtime == 1795413049); /* dumpe2fs of the disk: 05:50:49 */
	assert_true(d->fs[0].journal_sequence == 2);
	lab_close(&l);
}

/* Exactly one rule, once, and `also` when that has to speak too; notes aside. */
static void assert_only(const struct lab *l, const char *rule, const char *also)
{
	size_t k, nr = 0;

	for (k = 0; k < l->out.findings.nr; k++) {
		const struct finding *f = &l->out.findings.v[k];

		if (!strcmp(f->rule, rule))
			nr++;
		else if (catalogue_find(f->rule)->severity != SEVERITY_NOTE &&
			 (!also || strcmp(f->rule, also)))
			fail_msg("unexpected %s: %s", f->rule, f->message);
	}
	if (nr != 1)
		fail_msg("%zu findings of %s", nr, rule);
}

/* struct blk_shadow of 6.1 starts with the request: operation at 0, id at 8, sector at 16 (blkif.h,
 * x86_64 ABI). Each change is undone before the next. */
static void changed_slots_are_noticed(void **state UNUSED)
{
	struct lab l;
	gva_t used, free_slot;
	uint8_t *byte;
	uint32_t head;

	if (!lab_map(&l, "linux-6.1-base"))
		skip();
	lab_run(&l);
	used = l.snap.devices[0].requests[3].slot_va;
	head = (uint32_t)l.snap.devices[0].rings[0].free_head;
	assert_true(head < 32 && !l.snap.devices[0].rings[0].slots[head].used);
	/* Slots lie one after the other, all of one size. */
	free_slot = GVA(used.v + (l.snap.devices[0].requests[4].slot_va.v - used.v) *
					 (head - l.snap.devices[0].requests[3].slot));

	byte = at(&l, gva_add(used, 16)); /* the sector: the ring still has the old one */
	*byte ^= 8;
	lab_again(&l);
	assert_only(&l, "XB113", "XB307"); /* the block layer has the old one too */
	*at(&l, gva_add(used, 16)) ^= 8;

	byte = at(&l, gva_add(free_slot, 8)); /* the first link of the free list */
	num_put_le64(byte, head);
	lab_again(&l);
	assert_only(&l, "XB101", NULL);

	num_put_le64(at(&l, gva_add(free_slot, 8)), 33);
	lab_again(&l);
	assert_only(&l, "XB102", NULL);

	num_put_le64(at(&l, gva_add(free_slot, 8)), l.snap.devices[0].requests[3].slot);
	lab_again(&l);
	assert_only(&l, "XB103", NULL);
	lab_close(&l);
}

static void changed_copy_is_noticed(void **state UNUSED)
{
	const struct io_segment *s;
	struct lab l;

	if (!lab_map(&l, "linux-6.1-base"))
		skip();
	lab_run(&l);
	assert_int_equal(l.snap.devices[0].requests[0].op, IO_WRITE);
	s = &l.snap.devices[0].requests[0].seg[0];
	assert_true(s->grant_pfn.v != UINT64_MAX);
	*at_frame(&l, s->grant_pfn, s->offset + s->bytes - 1) ^= 1;
	lab_again(&l);
	assert_only(&l, "XB304", NULL);
	lab_close(&l);
}

static void changed_ring_is_noticed(void **state UNUSED)
{
	struct lab l;
	pfn_t ring;

	if (!lab_map(&l, "linux-6.1-base"))
		skip();
	lab_run(&l);
	ring = l.snap.devices[0].rings[0].pages[0];
	/* rsp_prod: an answer that is none, over request number rsp_cons */
	num_put_le32(at_frame(&l, ring, 8), l.snap.devices[0].rings[0].rsp_cons + 25);
	lab_again(&l);
	assert_only(&l, "XB107", NULL);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_are_good),
		cmocka_unit_test(netbsd_is_unsafe_and_nothing_else),
		cmocka_unit_test(ext4_superblock_is_found),
		cmocka_unit_test(changed_slots_are_noticed),
		cmocka_unit_test(changed_copy_is_noticed),
		cmocka_unit_test(changed_ring_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
