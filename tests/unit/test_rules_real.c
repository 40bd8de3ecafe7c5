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
#include "check/catalogue.h"
#include "check/check.h"
#include "check/specials.h"
#include "frontend/frontend.h"
#include "guest/symbols.h"

#include "seen.h"

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
	struct check_input in = {0};
	struct source *src;
	struct err err = ERR_INIT;

	if (source_from_memory(l->bytes, l->nr_bytes, "lab", &src, &err) ||
		ckpt_open_source(src, &l->ck, &err) ||
		guest_open(memory_of_ckpt(l->ck), &l->g, &err) ||
		frontend_analyse(l->g, &opt, &l->snap, &err) ||
		check_specials(memory_of_ckpt(l->ck), &l->specials, &l->nr_specials, &err))
		fail_msg("%s", err.text);
	in.snap = &l->snap;
	in.info = ckpt_info(l->ck);
	in.memory = memory_of_ckpt(l->ck);
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

static bool is_special(const struct lab *l, const char *what, uint64_t *ret)
{
	size_t i;

	for (i = 0; i < l->nr_specials; i++)
		if (!strcmp(l->specials[i].what, what)) {
			*ret = l->specials[i].pfn;
			return true;
		}
	return false;
}

/* What libxc puts there (xg_dom_x86.c): the special pages lie below 4 GiB, from 0xfeff8 on. */
static void hvm_guests_have_special_pages(void **state UNUSED)
{
	static const char *const names[] = {"linux-6.1-hvm", "linux-6.1-pvh"};
	struct check_input in = {0};
	uint64_t store = 0, console = 0;
	struct lab l;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!lab_map(&l, names[i]))
			skip();
		lab_run(&l);
		assert_true(is_special(&l, "xenstore page", &store));
		assert_true(is_special(&l, "console page", &console));
		assert_true(store >= 0xfeff8 && store <= 0xfefff);
		assert_true(console >= 0xfeff8 && console <= 0xfefff && console != store);
		/* A request that would fill the ring of xenstore. */
		check_result_fini(&l.out);
		l.snap.devices[0].requests[0].seg[0].pfn = PFN(store);
		in.snap = &l.snap;
		in.info = ckpt_info(l.ck);
		in.memory = memory_of_ckpt(l.ck);
		in.specials = l.specials;
		in.nr_specials = l.nr_specials;
		check_run(&in, &l.out);
		assert_int_equal(finding_seen(&l.out.findings, "XB123"), 1);
		lab_close(&l);
	}
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

static const struct io_request *first_of(const struct lab *l, enum io_op op)
{
	const struct blkdev *d = &l->snap.devices[0];
	size_t i;

	for (i = 0; i < d->nr_requests; i++)
		if (d->requests[i].op == op)
			return &d->requests[i];
	fail_msg("no %s", io_op_name(op));
	return NULL;
}

/* Where the page pointer of a slot's first scatterlist entry lies: struct blk_shadow of 6.1 has sg
 * at 136, struct scatterlist page_link at 0. */
static gva_t page_link(struct lab *l, const struct io_request *r)
{
	return GVA(num_le64(at(l, gva_add(r->slot_va, 136))));
}

/* Find a page of the checkpoint of that type. */
static uint64_t frame_of_type(const struct lab *l, unsigned type)
{
	size_t i;

	for (i = 0; i < ckpt_nr_runs(l->ck); i++)
		if (ckpt_run(l->ck, i).type == type)
			return ckpt_run(l->ck, i).pfn;
	fail_msg("no page of type %u", type);
	return 0;
}

static void changed_frames_are_noticed(void **state UNUSED)
{
	const uint64_t vmemmap = 0xffffea0000000000; /* of a PV kernel, 64 bytes a struct page */
	uint64_t old, beyond, table, p2m, own;
	struct lab l;
	gva_t link;

	if (!lab_map(&l, "linux-6.1-base"))
		skip();
	lab_run(&l);
	link = page_link(&l, first_of(&l, IO_READ));
	old = num_le64(at(&l, link));
	assert_true((old & ~3ull) == vmemmap + 64 * first_of(&l, IO_READ)->seg[0].pfn.v);
	beyond = ckpt_info(l.ck)->nr_pfns + 5;
	table = frame_of_type(&l, 1);
	p2m = ckpt_p2m_frame(l.ck, 3).v;
	own = first_of(&l, IO_WRITE)->seg[0].pfn.v;

	num_put_le64(at(&l, link), vmemmap + 64 * beyond + (old & 3));
	lab_again(&l);
	assert_only(&l, "XB119", NULL);
	num_put_le64(at(&l, link), vmemmap + 64 * table + (old & 3));
	lab_again(&l);
	assert_only(&l, "XB122", NULL);
	num_put_le64(at(&l, link), vmemmap + 64 * p2m + (old & 3));
	lab_again(&l);
	assert_only(&l, "XB123", NULL);
	num_put_le64(at(&l, link), vmemmap + 64 * own + (old & 3));
	lab_again(&l);
	assert_only(&l, "XB125", NULL);
	lab_close(&l);
}

/* blkif.h, x86_64: sector at 16, the first segment's first_sect at 28, last_sect at 29. */
static void changed_requests_are_noticed(void **state UNUSED)
{
	struct lab l;
	gva_t slot;

	if (!lab_map(&l, "linux-6.1-base"))
		skip();
	lab_run(&l);
	slot = first_of(&l, IO_READ)->slot_va;
	*at(&l, gva_add(slot, 28)) = 5;
	*at(&l, gva_add(slot, 29)) = 4;
	lab_again(&l);
	assert_only(&l, "XB116", NULL);
	*at(&l, gva_add(slot, 28)) = 0;
	*at(&l, gva_add(slot, 29)) = 6;
	lab_again(&l);
	assert_only(&l, "XB306", NULL);
	*at(&l, gva_add(slot, 29)) = 7;
	*at(&l, gva_add(slot, 112)) ^= 1; /* the request pointer */
	lab_again(&l);
	assert_only(&l, "XB308", NULL);
	lab_close(&l);
}

/* The driver's private indices lie together: req_prod_pvt, rsp_cons, nr_ents. */
static uint8_t *front_ring(struct lab *l)
{
	const struct io_ring *g = &l->snap.devices[0].rings[0];
	unsigned off;

	for (off = 0; off < 1024; off += 4) {
		uint8_t *p = at(l, gva_add(g->va, off));

		if (num_le32(p) == g->req_prod_pvt && num_le32(p + 4) == g->rsp_cons &&
			num_le32(p + 8) == g->entries)
			return p;
	}
	fail_msg("no front ring");
	return NULL;
}

static void changed_counts_are_noticed(void **state UNUSED)
{
	uint8_t *indices;
	struct lab l;
	uint32_t pvt;

	if (!lab_map(&l, "linux-6.1-base"))
		skip();
	lab_run(&l);
	indices = front_ring(&l);
	pvt = l.snap.devices[0].rings[0].req_prod_pvt;
	num_put_le32(indices, pvt + 1); /* one more in flight than slots are used */
	lab_again(&l);
	assert_only(&l, "XB105", NULL);
	lab_close(&l);
}

/* An answer in the ring: id at 0, operation at 8, status at 10 of a slot of 112 bytes behind the
 * ring's header of 64. */
static void answers_are_compared(void **state UNUSED)
{
	const struct io_ring *g;
	struct lab l;
	uint8_t *rsp;
	pfn_t ring;
	uint32_t head, cons;

	if (!lab_map(&l, "linux-6.1-base"))
		skip();
	lab_run(&l);
	g = &l.snap.devices[0].rings[0];
	ring = g->pages[0];
	head = (uint32_t)g->free_head;
	cons = g->rsp_cons;
	rsp = at_frame(&l, ring, 64 + 112 * (cons % g->entries));
	num_put_le32(at_frame(&l, ring, 8), cons + 1);
	memset(rsp, 0, 16);
	num_put_le64(rsp, first_of(&l, IO_WRITE)->slot);
	rsp[8] = 1;
	lab_again(&l);
	assert_only(&l, "XB136", NULL);
	rsp[8] = 0;
	lab_again(&l);
	assert_only(&l, "XB110", NULL);
	num_put_le64(rsp, head);
	lab_again(&l);
	assert_only(&l, "XB108", NULL);
	num_put_le64(rsp, 32);
	lab_again(&l);
	assert_only(&l, "XB109", NULL);
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

/* ---- the kernel's own list of free grants, and of those that a backend keeps --------------- */

static gva_t symbol(struct lab *l, const char *name)
{
	struct symbols *s;
	gva_t ret;

	assert_int_equal(symbols_from_kallsyms(l->g, &s, NULL), 0);
	assert_int_equal(symbols_get(s, name, &ret, NULL), 0);
	symbols_free(s);
	return ret;
}

static uint64_t word_at(struct lab *l, gva_t va)
{
	return num_le64(at(l, va));
}

/* Where gnttab_list has what follows `ref`: it points to pages of 1024. */
static uint8_t *link_of(struct lab *l, gva_t list, uint32_t ref)
{
	uint64_t page = word_at(l, GVA(word_at(l, list) + 8 * (ref / 1024)));

	return at(l, GVA(page + 4 * (ref % 1024)));
}

/*
 * The checkpoints that the repository has are without those pages. There a list of ten is put where
 * the kernel has its log.
 */
static void make_list(struct lab *l, gva_t head, gva_t count, gva_t list)
{
	gva_t log = GVA((symbol(l, "__log_buf").v | 0xfff) + 1);
	uint32_t i;

	num_put_le64(at(l, list), log.v);
	for (i = 0; i < 4; i++)
		num_put_le64(at(l, gva_add(log, 8 * i)), log.v + 4096 * (i + 1));
	for (i = 4000; i < 4010; i++)
		num_put_le32(link_of(l, list, i), i < 4009 ? i + 1 : UINT32_MAX);
	num_put_le32(at(l, head), 4000);
	num_put_le32(at(l, count), 10);
}

/* The findings of looking again are those, each once. */
static void assert_decoded(struct lab *l, const char *rule)
{
	size_t nr = rule ? 1 : 0;

	lab_again(l);
	if (l->snap.findings.nr != nr || (rule && !finding_seen(&l->snap.findings, rule)))
		fail_msg("%zu findings in place of %s, the first %s", l->snap.findings.nr,
			rule ? rule : "none",
			l->snap.findings.nr ? l->snap.findings.v[0].rule : "-");
}

static void grants_of(const char *name)
{
	const struct io_request *r;
	gva_t head, count, list;
	uint32_t ref, first, nr = 0, old;
	struct lab l;

	if (!lab_map(&l, name))
		skip();
	lab_run(&l);
	head = symbol(&l, "gnttab_free_head");
	count = symbol(&l, "gnttab_free_count");
	list = symbol(&l, "gnttab_list");
	if (!word_at(&l, list))
		make_list(&l, head, count, list);
	first = num_le32(at(&l, head));
	/* It closes, and none of it is pending (good_ones_are_good()). */
	for (ref = first; ref != UINT32_MAX && nr < 1u << 20; nr++)
		ref = num_le32(link_of(&l, list, ref));
	assert_true(nr && nr == num_le32(at(&l, count)));
	for (r = l.snap.devices[0].requests; !r->nr_seg;)
		r++;
	ref = (uint32_t)r->seg[0].gref;
	old = num_le32(link_of(&l, list, ref));
	num_put_le32(link_of(&l, list, ref), first);
	num_put_le32(at(&l, head), ref);
	/* More of them than it counts: the list proves nothing. */
	assert_decoded(&l, NULL);
	num_put_le32(at(&l, count), nr + 1);
	assert_decoded(&l, "XB321");
	num_put_le32(link_of(&l, list, ref), ref); /* a circle */
	assert_decoded(&l, NULL);
	num_put_le32(link_of(&l, list, ref), old);
	num_put_le32(at(&l, head), 3); /* Xen's own */
	assert_decoded(&l, NULL);
	num_put_le32(at(&l, head), UINT32_MAX - 1);
	assert_decoded(&l, NULL);
	num_put_le32(at(&l, count), UINT32_MAX);
	assert_decoded(&l, NULL);
	lab_close(&l);
}

static void a_free_grant_in_use_is_noticed(void **state UNUSED)
{
	static const char *const names[] = {"linux-6.1-base", "linux-6.1-nopersist", "linux-6.1-mq",
		"linux-6.1-hvm", "linux-6.12-discard"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		grants_of(names[i]);
}

/* struct deferred_entry is a list_head, and the reference behind it; here in the kernel's log. */
static void a_grant_put_aside_is_noticed(void **state UNUSED)
{
	gva_t head, entry;
	struct lab l;

	if (!lab_map(&l, "linux-6.1-base"))
		skip();
	lab_run(&l);
	head = symbol(&l, "deferred_list");
	entry = GVA((symbol(&l, "__log_buf").v | 0xfff) + 1);
	num_put_le64(at(&l, entry), head.v);
	num_put_le32(at(&l, gva_add(entry, 16)), 1234);
	num_put_le64(at(&l, head), entry.v);
	assert_decoded(&l, "XB322");
	assert_non_null(strstr(l.snap.findings.v[0].message, "1 grants, the first of them 1234,"));
	num_put_le32(at(&l, gva_add(entry, 16)), 2); /* none that can be: another list */
	assert_decoded(&l, NULL);
	num_put_le32(at(&l, gva_add(entry, 16)), 1234);
	num_put_le64(at(&l, entry), entry.v); /* does not lead back */
	assert_decoded(&l, NULL);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_free_grant_in_use_is_noticed),
		cmocka_unit_test(a_grant_put_aside_is_noticed),
		cmocka_unit_test(good_ones_are_good),
		cmocka_unit_test(netbsd_is_unsafe_and_nothing_else),
		cmocka_unit_test(hvm_guests_have_special_pages),
		cmocka_unit_test(ext4_superblock_is_found),
		cmocka_unit_test(changed_slots_are_noticed),
		cmocka_unit_test(changed_frames_are_noticed),
		cmocka_unit_test(changed_requests_are_noticed),
		cmocka_unit_test(changed_counts_are_noticed),
		cmocka_unit_test(answers_are_compared),
		cmocka_unit_test(changed_copy_is_noticed),
		cmocka_unit_test(changed_ring_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
