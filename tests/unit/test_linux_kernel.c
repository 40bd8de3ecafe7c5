/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What is known of a Linux kernel, from structures written by hand into guests of 32 and 64 bits:
 * its array of struct page, its modules, its release. Layouts: Linux include/linux/module.h, ELF;
 * BTF: Documentation/bpf/btf.rst.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/kernel.h"
#include "kernel/linux_facts.h"

#define HG_PAGES 64u
#include "hvm_guest.h"

#define FIRST 8u /* frame of what is mapped at `base` */
#define RO    (1ull | 1ull << 63)
#define TABLE 3ull

struct made {
	struct hguest h;
	unsigned levels, word;
	uint64_t base;
	char map[1024]; /* a System.map */
	struct ckpt *ck;
	struct guest *g;
	struct symbols *symbols;
};

static void map_image(struct made *m)
{
	static const unsigned index[6][6] = {
		/* of the entry at level 2 and above that leads to base */
		[2] = {[2] = 772},
		[3] = {[2] = 8, [3] = 3},
		[4] = {[2] = 8, [3] = 510, [4] = 511},
		[5] = {[2] = 8, [3] = 510, [4] = 511, [5] = 511},
	};
	unsigned each = m->levels == 2 ? 4 : 8, level, frame = 1, i;

	hg_init(&m->h, m->levels, 1 << 12);
	for (level = m->levels; level > 1; level--, frame++)
		hg_entry(&m->h, frame, each * index[m->levels][level],
			(uint64_t)(frame + 1) << 12 | (m->levels == 3 && level == 3 ? 1 : TABLE),
			each);
	for (i = FIRST; i < HG_PAGES; i++)
		hg_entry(&m->h, frame, each * (i - FIRST),
			(uint64_t)i << 12 | (m->levels == 2 ? 1 : RO), each);
}

static struct made *begin(void **state, unsigned levels)
{
	struct made *m = *state;

	m->levels = levels;
	m->word = levels > 3 ? 8 : 4;
	m->base = m->word == 8 ? 0xffffffff81000000ull : 0xc1000000ull;
	m->map[0] = '\0';
	map_image(m);
	return m;
}

static uint8_t *at(struct made *m, unsigned off)
{
	return (uint8_t *)m->h.mem + FIRST * 4096 + off;
}

static void name(struct made *m, const char *symbol, unsigned off)
{
	size_t len = strlen(m->map);

	snprintf(m->map + len, sizeof(m->map) - len, "%" PRIx64 " D %s\n", m->base + off, symbol);
}

static void open_guest(struct made *m)
{
	char path[] = "/tmp/xbdsnap-map-XXXXXX";
	struct err err = ERR_INIT;
	struct source *src;
	int fd = mkstemp(path);

	assert_true(fd >= 0 && write(fd, m->map, strlen(m->map)) == (ssize_t)strlen(m->map));
	close(fd);
	if (source_from_memory(m->h.stream, hg_stream(&m->h), "made", &src, &err) ||
		ckpt_open_source(src, &m->ck, &err) ||
		guest_open(memory_of_ckpt(m->ck), &m->g, &err) ||
		symbols_from_file(path, &m->symbols, &err))
		fail_msg("%s", err.text);
	unlink(path);
	assert_int_equal(guest_word_bytes(m->g), m->word);
}

static void close_guest(struct made *m)
{
	symbols_free(m->symbols);
	guest_close(m->g);
	ckpt_close(m->ck);
}

/* ---- types -------------------------------------------------------------------------------- */

struct blob {
	uint32_t types[256];
	size_t nr;
	char strs[512];
	size_t bytes;
	uint32_t next_id;
};

static uint32_t text(struct blob *b, const char *s)
{
	size_t here = b->bytes;

	memcpy(b->strs + here, s, strlen(s) + 1);
	b->bytes += strlen(s) + 1;
	return (uint32_t)here;
}

static void words(struct blob *b, size_t nr, const uint32_t *v)
{
	memcpy(b->types + b->nr, v, nr * sizeof(*v));
	b->nr += nr;
}

enum { INT = 1, PTR, NAME, LIST }; /* the ids of what begin_types() makes */

/* An int, a pointer, char[56], and two pointers in a row as an array. */
static void begin_types(struct blob *b)
{
	*b = (struct blob){.next_id = LIST + 1};
	text(b, "");
	words(b, 4, (uint32_t[]){text(b, "int"), 1u << 24, 4, 1u << 24 | 32});
	words(b, 3, (uint32_t[]){0, 2u << 24, INT});
	words(b, 6, (uint32_t[]){0, 3u << 24, 0, INT, INT, 14});
	words(b, 6, (uint32_t[]){0, 3u << 24, 0, PTR, INT, 2});
}

/* struct NAME of `size` bytes; members: name, type, byte offset; the last has no name. */
struct wanted {
	const char *name;
	uint32_t type, off;
};

static void add_struct(struct blob *b, const char *type, uint32_t size, const struct wanted *v)
{
	uint32_t nr = 0;

	while (v[nr].name)
		nr++;
	words(b, 3, (uint32_t[]){text(b, type), 4u << 24 | nr, size});
	for (; v->name; v++)
		words(b, 3, (uint32_t[]){text(b, v->name), v->type, v->off * 8});
}

static unsigned place_types(struct made *m, unsigned off, const struct blob *b)
{
	const uint32_t head[6] = {
		0x0001eb9f, 24, 0, (uint32_t)b->nr * 4, (uint32_t)b->nr * 4, (uint32_t)b->bytes};
	uint8_t *p = at(m, off);
	size_t i;

	for (i = 0; i < 6; i++)
		hg_put(p + 4 * i, head[i], 4);
	for (i = 0; i < b->nr; i++)
		hg_put(p + 24 + 4 * i, b->types[i], 4);
	memcpy(p + 24 + 4 * b->nr, b->strs, b->bytes);
	return off + 24 + 4 * (unsigned)b->nr + (unsigned)b->bytes;
}

static void name_types(struct made *m, unsigned off, const struct blob *b)
{
	name(m, "__start_BTF", off);
	name(m, "__stop_BTF", place_types(m, off, b));
}

/* ---- the array of struct page ------------------------------------------------------------- */

static struct linux_pages pages_of(struct made *m, const struct layout *types)
{
	struct linux_pages pages;

	open_guest(m);
	linux_pages_by_symbols(m->g, m->symbols, types, &pages);
	close_guest(m);
	return pages;
}

static void the_array_is_where_the_kernel_says(void **state)
{
	struct made *m = begin(state, 4);
	struct linux_pages pages;
	pfn_t pfn;

	name(m, "vmemmap_base", 0x100);
	hg_put(at(m, 0x100), 0xffffeb4000000000ull, 8);
	pages = pages_of(m, NULL);
	assert_true(pages.known && pages.start == 0xffffeb4000000000ull);
	assert_int_equal(pages.entry_bytes, 64);
	assert_true(linux_pages_pfn(&pages, pages.start + 64 * 77, &pfn));
	assert_int_equal(pfn.v, 77);
	assert_false(linux_pages_pfn(&pages, pages.start + 64 * 77 + 8, &pfn));
	assert_false(linux_pages_pfn(&pages, pages.start - 64, &pfn));
	hg_put(at(m, 0x100), 0x1234, 8);
	assert_false(pages_of(m, NULL).known);
}

/* Nothing can move it: no variable, although the table names data, too. */
static void an_array_that_is_never_moved(void **state)
{
	static const struct {
		unsigned levels;
		uint64_t start;
	} cases[] = {{4, 0xffffea0000000000ull}, {5, 0xffd4000000000000ull}};
	struct linux_pages pages;
	size_t i;

	for (i = 0; i < 2; i++) {
		struct made *m = begin(state, cases[i].levels);

		name(m, "_stext", 0);
		assert_false(pages_of(m, NULL).known);
		name(m, "linux_banner", 0x200);
		pages = pages_of(m, NULL);
		assert_true(pages.known && pages.start == cases[i].start);
	}
}

static void a_narrow_array_has_a_size_by_types_only(void **state)
{
	static const struct wanted members[] = {{"flags", INT, 0}, {NULL, 0, 0}};
	struct linux_kernel k;
	unsigned levels;
	struct blob b;
	pfn_t pfn;

	for (levels = 2; levels <= 3; levels++) {
		struct made *m = begin(state, levels);

		name(m, "linux_banner", 0x200);
		memcpy(at(m, 0x200), "Linux version 4.19.0-686 (x", 28);
		name(m, "mem_map", 0x100);
		hg_put(at(m, 0x100), 0xc7000000, 4);
		assert_false(pages_of(m, NULL).known);
		begin_types(&b);
		add_struct(&b, "page", 40, members);
		name_types(m, 0x1000, &b);
		open_guest(m);
		assert_int_equal(linux_kernel_open(m->g, m->symbols, &k, NULL), 0);
		assert_true(k.pages.known && k.pages.start == 0xc7000000);
		assert_int_equal(k.pages.entry_bytes, 40);
		assert_true(linux_pages_pfn(&k.pages, 0xc7000000 + 40 * 9, &pfn));
		assert_int_equal(pfn.v, 9);
		assert_string_equal(k.facts.release, "4.19.0-686");
		linux_kernel_close(&k);
		close_guest(m);
	}
}

/* ---- modules ------------------------------------------------------------------------------ */

static void put_word(struct made *m, unsigned off, uint64_t v)
{
	hg_put(at(m, off), v, m->word);
}

/* The list at `head`: a module of another name at 0x3000, xen_blkfront at 0x3400. */
static void put_modules(struct made *m, unsigned head)
{
	unsigned w = m->word;

	put_word(m, head, m->base + 0x3000 + w);
	put_word(m, 0x3000 + w, m->base + 0x3400 + w);
	put_word(m, 0x3400 + w, m->base + head);
	memcpy(at(m, 0x3000 + 3 * w), "xen_netfront", 13);
	memcpy(at(m, 0x3400 + 3 * w), "xen_blkfront", 13);
	put_word(m, 0x3400 + 3 * w + 56, m->base + 0x3800);
	put_word(m, 0x3800, m->base + 0x4000); /* symtab, num_symtab, strtab */
	hg_put(at(m, 0x3800 + w), 2, 4);
	put_word(m, 0x3800 + 2 * w, m->base + 0x4800);
	memcpy(at(m, 0x4801), "info_list", 10);
	if (w == 8) { /* Elf64_Sym */
		hg_put(at(m, 0x4000 + 24), 1, 4);
		hg_put(at(m, 0x4000 + 24 + 4), 1, 1);
		hg_put(at(m, 0x4000 + 24 + 6), 5, 2);
		hg_put(at(m, 0x4000 + 24 + 8), m->base + 0x5120, 8);
		hg_put(at(m, 0x4000 + 24 + 16), 16, 8);
	} else { /* Elf32_Sym */
		hg_put(at(m, 0x4000 + 16), 1, 4);
		hg_put(at(m, 0x4000 + 16 + 4), m->base + 0x5120, 4);
		hg_put(at(m, 0x4000 + 16 + 8), 8, 4);
		hg_put(at(m, 0x4000 + 16 + 12), 1, 1);
		hg_put(at(m, 0x4000 + 16 + 14), 5, 2);
	}
}

static void add_module_types(struct blob *b, unsigned w)
{
	const struct wanted module[] = {{"state", INT, 0}, {"list", LIST, w}, {"name", NAME, 3 * w},
		{"kallsyms", PTR, 3 * w + 56}, {NULL, 0, 0}};
	const struct wanted table[] = {
		{"symtab", PTR, 0}, {"num_symtab", INT, w}, {"strtab", PTR, 2 * w}, {NULL, 0, 0}};

	begin_types(b);
	add_struct(b, "module", 512, module);
	add_struct(b, "mod_kallsyms", 4 * w, table);
}

static void a_module_has_symbols(void **state)
{
	struct linux_module mod;
	struct linux_kernel k;
	struct symbol found;
	unsigned levels;
	struct blob b;

	for (levels = 2; levels <= 5; levels++) {
		struct made *m = begin(state, levels);

		name(m, "linux_banner", 0x200);
		memcpy(at(m, 0x200), "Linux version 6.1.0 (x", 23);
		name(m, "modules", 0x100);
		put_modules(m, 0x100);
		add_module_types(&b, m->word);
		name_types(m, 0x1000, &b);
		open_guest(m);
		assert_int_equal(linux_kernel_open(m->g, m->symbols, &k, NULL), 0);
		linux_module_open(&k, "xen_blkfront", &mod);
		assert_true(mod.at.v == m->base + 0x3400);
		assert_non_null(mod.symbols);
		assert_int_equal(symbols_lookup(mod.symbols, "info_list", &found, 1), 1);
		assert_true(found.addr.v == m->base + 0x5120);
		assert_int_equal(found.bytes, 2 * m->word);
		linux_module_close(&mod);
		linux_module_open(&k, "xen_scsifront", &mod);
		assert_true(!mod.at.v && !mod.symbols && !mod.how);
		linux_module_close(&mod);
		linux_kernel_close(&k);
		close_guest(m);
	}
}

/* ---- by text ------------------------------------------------------------------------------ */

static void kernel_is(
	struct made *m, const struct symbols *file, const char *os, const char *release)
{
	struct kernel k;

	kernel_open(m->g, file, true, &k);
	assert_string_equal(k.facts->os, os);
	assert_string_equal(k.facts->release, release);
	kernel_close(&k);
}

/* No symbols, or some that name functions only. */
static void the_banner_is_found_by_its_text(void **state)
{
	struct made *m = begin(state, 4);
	struct linux_kernel k;
	struct err err;

	memcpy(at(m, 0x2000), "Linux version %s (%s)", 22);
	memcpy(at(m, 0x2ff8), "Linux version 6.1.0-50-amd64 (debian", 37); /* over two pages */
	name(m, "_stext", 0x10);
	open_guest(m);
	kernel_is(m, NULL, "Linux", "6.1.0-50-amd64");
	assert_int_equal(linux_kernel_open(m->g, NULL, &k, &err), -1);
	assert_int_equal(err.cls, ERR_NOTFOUND);
	assert_null(kernel_linux(&(struct kernel){.linux_kernel = k}));
	linux_kernel_close(&k);
	close_guest(m);
}

/* In 32-bit guests the text may be a log of another kernel, unless it is in the image. */
static void a_narrow_banner_is_looked_for_in_the_image(void **state)
{
	struct made *m = begin(state, 3);
	struct linux_facts_layout none = {0};
	struct linux_kernel k;

	memcpy(at(m, 0x0100), "Linux version 5.0.0-log (other", 31);
	memcpy(at(m, 0x2ff8), "Linux version 6.1.0-50-686 (debian", 35);
	name(m, "_text", 0x1000);
	open_guest(m);
	kernel_is(m, NULL, "", "");
	kernel_is(m, m->symbols, "", "");
	k = (struct linux_kernel){.g = m->g, .symbols = m->symbols};
	linux_read_facts(&k, &none);
	assert_string_equal(k.facts.release, "6.1.0-50-686");
	linux_kernel_close(&k);
	close_guest(m);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct made));
	return !*state;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_array_is_where_the_kernel_says, setup, teardown),
		cmocka_unit_test_setup_teardown(an_array_that_is_never_moved, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_narrow_array_has_a_size_by_types_only, setup, teardown),
		cmocka_unit_test_setup_teardown(a_module_has_symbols, setup, teardown),
		cmocka_unit_test_setup_teardown(the_banner_is_found_by_its_text, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_narrow_banner_is_looked_for_in_the_image, setup, teardown),
	};

	return cmocka_run_group_tests_name("linux kernel", tests, NULL, NULL);
}
