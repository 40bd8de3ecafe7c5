/* SPDX-License-Identifier: BSD-2-Clause
 *
 * kallsyms tables written by hand, in every order and encoding that Linux has used on x86, and
 * a guest that tries to keep the search busy. Format: Linux scripts/kallsyms.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "guest/symbols.h"

#define HG_PAGES 64u
#include "hvm_guest.h"

#define WIDE	 0xffffffff81000000ull /* where the tables are mapped, read-only */
#define NARROW	 0xc1000000ull	       /* the same in 32-bit guests */
#define FIRST	 8u		       /* their first frame */
#define NR	 2101u		       /* an odd number: offsets are padded */
#define RO	 (1ull | 1ull << 63)
#define TABLE	 3ull
#define LONG_SYM 700u /* a symbol whose length takes two bytes */

enum shape {
	PRE_PERCPU,   /* 4.6 to 6.3 */
	POST_PERCPU,  /* 6.4 to 6.14 */
	POST_BASE,    /* 6.15 */
	POST_PLACE,   /* 7.0 */
	PACKED_PLACE, /* 7.2: the same, with tables at multiples of 4 */
	ABSOLUTE,     /* before 4.6, markers of 8 bytes */
	NR_WIDE,
	/* 32 bits, tables at multiples of 4 */
	PRE_BASE_32 = NR_WIDE, /* 4.6 to 6.3 */
	POST_BASE_32,	       /* 6.4 to 6.16 */
	POST_PLACE_32,	       /* 7.0 */
	ABSOLUTE_32,	       /* before 4.6 */
	NR_SHAPES,
};

static struct hguest h;
static uint8_t *at;   /* end of what is written */
static unsigned unit; /* tables start at its multiples */
static unsigned word; /* of the guest: 4 or 8 bytes */
static uint64_t base; /* where the tables are mapped */

static uint8_t *start(void)
{
	return h.mem[FIRST];
}

static uint64_t here(void)
{
	return base + (uint64_t)(at - start());
}

static void emit(uint64_t v, unsigned bytes)
{
	hg_put(at, v, bytes);
	at += bytes;
}

static void align(void)
{
	while ((at - start()) % unit)
		emit(0, 1);
}

static bool is_absolute(enum shape shape)
{
	return shape == ABSOLUTE || shape == ABSOLUTE_32;
}

static bool is_place(enum shape shape)
{
	return shape == POST_PLACE || shape == PACKED_PLACE || shape == POST_PLACE_32;
}

/* Addresses before the names? */
static bool is_pre(enum shape shape)
{
	return shape == PRE_PERCPU || shape == PRE_BASE_32 || is_absolute(shape);
}

/* The first five are per-cpu and absolute. */
static uint64_t address(unsigned i, enum shape shape)
{
	return i < 5 && shape <= POST_PERCPU ? 16 * i : base + 32ull * i;
}

static void name_of(unsigned i, char *ret)
{
	if (i == LONG_SYM) {
		memset(ret, 'q', 300);
		ret[300] = 0;
	} else {
		sprintf(ret, "sym_%u", i == 1200 ? 1100 : i); /* one name stands twice */
	}
}

static void emit_offsets(enum shape shape)
{
	unsigned i;

	align();
	for (i = 0; i < NR; i++) {
		uint64_t v = address(i, shape);

		if (is_absolute(shape))
			emit(v, word);
		else if (shape == POST_BASE || shape == PRE_BASE_32 || shape == POST_BASE_32)
			emit(v - base, 4);
		else if (is_place(shape))
			emit(v - here(), 4);
		else
			emit(v < base ? v : base - 1 - v, 4);
	}
	align();
	if (!is_absolute(shape) && !is_place(shape))
		emit(base, word);
}

static void emit_names(unsigned marker_bytes)
{
	uint32_t markers[NR / 256 + 1];
	uint8_t *names;
	unsigned i;

	align();
	emit(NR, unit);
	names = at;
	for (i = 0; i < NR; i++) {
		char name[400];
		size_t len, k;

		name_of(i, name);
		len = strlen(name) + 1;
		if (i % 256 == 0)
			markers[i / 256] = (uint32_t)(at - names);
		if (len > 127)
			emit(0x80 | (len & 0x7f), 1);
		emit(len > 127 ? len >> 7 : len, 1);
		emit(i % 2 ? 'T' : 'd', 1);
		for (k = 0; name[k]; k++)
			emit((uint8_t)name[k], 1);
	}
	align();
	for (i = 0; i <= NR / 256; i++)
		emit(markers[i], marker_bytes);
}

/* Characters are their own tokens; the others are never used. */
static void emit_tokens(void)
{
	uint16_t off[256];
	uint8_t *table;
	unsigned i;

	align();
	table = at;
	for (i = 0; i < 256; i++) {
		off[i] = (uint16_t)(at - table);
		emit(i > 32 && i < 127 ? i : 'z', 1);
		emit(0, 1);
	}
	align();
	for (i = 0; i < 256; i++)
		emit(off[i], 2);
}

static void map_wide(void)
{
	unsigned i;

	hg_init(&h, 4, 1 << 12);
	hg_entry(&h, 1, 8 * 511, 2 << 12 | TABLE, 8);
	hg_entry(&h, 2, 8 * 510, 3 << 12 | TABLE, 8);
	hg_entry(&h, 3, 8 * 8, 4 << 12 | TABLE, 8);
	for (i = FIRST; i < HG_PAGES; i++)
		hg_entry(&h, 4, 8 * (i - FIRST), (uint64_t)i << 12 | RO, 8);
}

/* With PAE, or without, where no page can be marked as data. */
static void map_narrow(bool pae)
{
	unsigned i, each = pae ? 8 : 4;

	hg_init(&h, pae ? 3 : 2, 1 << 12);
	if (pae) {
		hg_entry(&h, 1, 8 * 3, 2 << 12 | 1, 8);
		hg_entry(&h, 2, 8 * 8, 4 << 12 | TABLE, 8);
	} else {
		hg_entry(&h, 1, 4 * 772, 4 << 12 | TABLE, 4);
	}
	for (i = FIRST; i < HG_PAGES; i++)
		hg_entry(&h, 4, each * (i - FIRST), (uint64_t)i << 12 | (pae ? RO : 1), each);
}

static void build_in(enum shape shape, bool pae)
{
	word = shape < NR_WIDE ? 8 : 4;
	base = word == 8 ? WIDE : NARROW;
	if (word == 8)
		map_wide();
	else
		map_narrow(pae);
	at = start();
	unit = shape == PACKED_PLACE ? 4 : word;
	emit(0x1122334455667788, 8);
	if (unit == 4)
		emit(0x99aabbcc, 4);
	if (is_pre(shape))
		emit_offsets(shape);
	emit_names(shape == ABSOLUTE ? 8 : 4);
	emit_tokens();
	if (!is_pre(shape))
		emit_offsets(shape);
	assert_true(at < h.mem[HG_PAGES - 1]);
}

static void build(enum shape shape)
{
	build_in(shape, false);
}

static int search(struct symbols **ret, struct err *err)
{
	struct guest *g = NULL;
	struct source *src;
	struct ckpt *ck;
	int rc;

	if (source_from_memory(h.stream, hg_stream(&h), "made", &src, err) ||
		ckpt_open_source(src, &ck, err) || guest_open(memory_of_ckpt(ck), &g, err))
		fail_msg("%s", err->text);
	rc = symbols_from_kallsyms(g, ret, err);
	guest_close(g);
	ckpt_close(ck);
	return rc;
}

static void compare(const struct symbols *s, unsigned nr, enum shape shape)
{
	struct symbol found[2];
	char name[400];
	size_t i, n;

	name_of(nr, name);
	n = symbols_lookup(s, name, found, 2);
	assert_in_range(n, 1, 2);
	for (i = 0; i < n && found[i].addr.v != address(nr, shape); i++)
		;
	assert_true(i < n);
	assert_int_equal(found[i].type, nr % 2 ? 'T' : 'd');
	assert_true(symbols_at(s, found[i].addr, name, sizeof(name)));
	assert_in_range(symbols_lookup(s, name, found, 2), 1, 2);
}

static void check_all(enum shape shape, bool pae)
{
	struct symbols *s = NULL;
	struct symbol two[2];
	struct err err;
	gva_t addr;
	unsigned i;

	build_in(shape, pae);
	if (search(&s, &err))
		fail_msg("shape %d: %s", shape, err.text);
	assert_int_equal(symbols_nr(s), NR);
	for (i = 0; i < NR; i++)
		compare(s, i, shape);
	assert_int_equal(symbols_lookup(s, "sym_1100", two, 2), 2);
	assert_int_equal(symbols_get(s, "sym_1100", &addr, &err), -1);
	assert_int_equal(symbols_get(s, "sym_1101", &addr, &err), 0);
	assert_true(addr.v == base + 32 * 1101);
	symbols_free(s);
}

static void every_order_and_encoding(void **state UNUSED)
{
	unsigned shape;

	for (shape = 0; shape < NR_SHAPES; shape++) {
		check_all((enum shape)shape, false);
		if (shape >= NR_WIDE)
			check_all((enum shape)shape, true);
	}
}

static void damage_is_not_found(void **state UNUSED)
{
	struct symbols *s = NULL;
	struct err err;
	uint8_t *index;
	unsigned i;

	/* One offset of the token index is wrong. */
	build(PRE_PERCPU);
	index = at - 512;
	index[2 * 200] ^= 1;
	assert_int_equal(search(&s, &err), -1);
	assert_int_equal(err.cls, ERR_NOTFOUND);
	/* The last page of the tables is gone. */
	build(POST_PERCPU);
	h.absent[FIRST + (unsigned)(at - start()) / 4096] = true;
	assert_int_equal(search(&s, &err), -1);
	assert_int_equal(err.cls, ERR_NOTFOUND);
	/* Nothing but zeros where the addresses stood. */
	build(POST_PLACE);
	memset(at - 4 * (NR + 1), 0, 4 * (NR + 1));
	assert_int_equal(search(&s, &err), -1);
	assert_int_equal(err.cls, ERR_NOTFOUND);
	/* Addresses in no order. */
	build(POST_BASE);
	for (i = 0; i < 1000; i++)
		hg_put(at - 8 - 4 * (i + 1), i * 2654435761u, 4);
	assert_int_equal(search(&s, &err), -1);
	assert_int_equal(err.cls, ERR_NOTFOUND);
}

/*
 * Six frames that appear as 16 MiB in which every eighth byte begins a long list of names, and
 * behind them as 512 token tables.
 */
static void the_search_has_an_end(void **state UNUSED)
{
	enum { NAMES = 6, TOKENS = 7, T1_NAMES = 4, T1_TOKENS = 5 };
	struct symbols *s = NULL;
	clock_t before;
	struct err err;
	unsigned i;

	hg_init(&h, 4, 1 << 12);
	hg_entry(&h, 1, 8 * 511, 2 << 12 | TABLE, 8);
	hg_entry(&h, 2, 8 * 510, 3 << 12 | TABLE, 8);
	for (i = 0; i < 9; i++)
		hg_entry(&h, 3, 8 * i, (i < 8 ? T1_NAMES : T1_TOKENS) << 12 | TABLE, 8);
	for (i = 0; i < 512; i++) {
		hg_entry(&h, T1_NAMES, 8 * i, NAMES << 12 | RO, 8);
		hg_entry(&h, T1_TOKENS, 8 * i, TOKENS << 12 | RO, 8);
		hg_put(&h.mem[NAMES][8 * i], 0x100007, 8);
	}
	at = h.mem[TOKENS];
	unit = word = 8;
	emit_tokens();
	before = clock();
	assert_int_equal(search(&s, &err), -1);
	assert_int_equal(err.cls, ERR_NOTFOUND);
	assert_true(clock() - before < 10 * CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_and_encoding),
		cmocka_unit_test(damage_is_not_found),
		cmocka_unit_test(the_search_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
