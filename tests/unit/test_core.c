/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Core dumps of small guests that tests/tools/mkcore.py makes, of every kind and paging mode: what
 * stands in them, and what becomes of them cut off at any place and damaged at any byte.
 */
#include <dirent.h>

#include "guest/guest.h"
#include "made.h"

#define MAX_DUMP_BYTES (256u << 10)
#define KERNEL_64      UINT64_C(0xffffffff80000000)
#define KERNEL_32      UINT64_C(0xc0000000)

static char seeds[] = "/tmp/xbdsnap-cores-XXXXXX";

struct dump {
	char name[64];
	uint8_t *bytes;
	size_t nr;
	bool pv;
	bool old; /* of before Xen 3.1: it lists frames, the guest's own table their pages */
	unsigned levels;
};

static int make_seeds(void **state UNUSED)
{
	char args[128];
	uint8_t none[1];

	if (!mkdtemp(seeds))
		return -1;
	snprintf(args, sizeof(args), "--seeds %s", seeds);
	run_tool("mkcore.py", args, none, sizeof(none));
	return 0;
}

static int remove_seeds(void **state UNUSED)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -r '%s'", seeds);
	return system(cmd);
}

/* "KIND-pv4": the kind of dump, the kind of guest, the levels of its page tables. */
static struct dump read_dump(const char *name)
{
	struct dump d = {.bytes = malloc(MAX_DUMP_BYTES)};
	const char *guest = strrchr(name, '-');
	char path[512];
	FILE *f;

	assert_non_null(guest);
	snprintf(d.name, sizeof(d.name), "%s", name);
	d.pv = !strncmp(guest, "-pv", 3);
	d.old = !strncmp(name, "xccore-", 7);
	d.levels = (unsigned)(name[strlen(name) - 1] - '0');
	snprintf(path, sizeof(path), "%s/%s", seeds, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	assert_non_null(d.bytes);
	d.nr = fread(d.bytes, 1, MAX_DUMP_BYTES, f);
	assert_true(d.nr && d.nr < MAX_DUMP_BYTES);
	fclose(f);
	return d;
}

static unsigned for_each_dump(void (*fn)(const struct dump *d))
{
	DIR *dir = opendir(seeds);
	struct dirent *e;
	unsigned nr = 0;

	assert_non_null(dir);
	while ((e = readdir(dir))) {
		struct dump d;

		if (e->d_name[0] == '.')
			continue;
		d = read_dump(e->d_name);
		fn(&d);
		free(d.bytes);
		nr++;
	}
	closedir(dir);
	return nr;
}

/* An old dump of an HVM guest has all of its memory. */
static bool is_away(const struct dump *d, uint64_t pfn)
{
	return pfn == 9 && (d->pv || !d->old);
}

/* The guest of mkcore.py: its kernel maps pages 5 to 11, of which 9 is not there; byte = page. */
static void check_memory(const struct dump *d, struct guest *g)
{
	uint64_t base = d->levels == 4 ? KERNEL_64 : KERNEL_32;
	struct guest_map map;
	struct err err;
	uint64_t i;

	for (i = 0; i < 7; i++) {
		uint8_t b[2];
		int rc = guest_read(g, GVA(base + i * PAGE_BYTES + 77), b, 2, &err);

		if (rc != (is_away(d, 5 + i) ? -1 : 0))
			fail_msg("%s: page %u: %s", d->name, (unsigned)i, rc ? err.text : "");
		if (rc) {
			assert_int_equal(err.cls, ERR_NODATA);
			continue;
		}
		assert_int_equal(b[0], i == 4 ? 0 : 5 + i);
		assert_int_equal(b[1], b[0]);
		assert_int_equal(guest_translate(g, GVA(base + i * PAGE_BYTES), &map, &err), 0);
		assert_true(map.pfn.v == 5 + i);
	}
}

static void check_dump(const struct dump *d)
{
	const struct ckpt_info *info;
	struct memory_info m;
	struct guest *g;
	struct ckpt *ck;
	struct err err;
	mfn_t mfn;
	pfn_t pfn;

	if (open_bytes(d->bytes, d->nr, &ck, &err) || guest_open(memory_of_ckpt(ck), &g, &err))
		fail_msg("%s: %s", d->name, err.text);
	info = ckpt_info(ck);
	m = memory_info(memory_of_ckpt(ck));
	assert_true(info->complete && !info->suspended && !m.tables_marked);
	assert_int_equal(info->guest_type, d->pv ? CKPT_GUEST_PV : CKPT_GUEST_HVM);
	assert_int_equal(info->pt_levels, d->levels);
	assert_int_equal(info->word_bytes, d->levels == 4 ? 8 : 4);
	assert_int_equal(info->nr_data_pages, d->old ? (d->pv ? 13 : 12) : 11);
	assert_int_equal(info->nr_pfns, d->old && d->pv ? 14 : 12);
	assert_int_equal(ckpt_nr_vcpus(ck), 1);
	assert_int_equal(ckpt_findings(ck)->nr, 1);
	assert_string_equal(ckpt_findings(ck)->v[0].rule, "XB018");
	check_memory(d, g);
	assert_int_equal(m.frames_known, d->pv);
	assert_int_equal(memory_to_mfn(memory_of_ckpt(ck), PFN(6), &mfn), d->pv);
	if (d->pv) {
		assert_true(mfn.v == 0x100 + (6 * 5 & 15));
		assert_true(memory_to_pfn(memory_of_ckpt(ck), mfn, &pfn) && pfn.v == 6);
		assert_false(memory_to_pfn(memory_of_ckpt(ck), MFN(0x100 + (9 * 5 & 15)), &pfn));
	}
	guest_close(g);
	ckpt_close(ck);
}

static void every_kind_is_read(void **state UNUSED)
{
	assert_int_equal(for_each_dump(check_dump), 2 * 6 + 4 * 3);
}

/* Ask for everything. The result must be a guest, or one clear message. */
static bool survives(const uint8_t *bytes, size_t nr, struct err *err)
{
	CLEANUP_FREE uint8_t *exact = malloc(nr ? nr : 1);
	struct memory_run run = {0};
	struct guest *g = NULL;
	struct ckpt *ck = NULL;
	uint64_t tables = 0;
	bool complete;
	uint8_t b[64];

	assert_non_null(exact);
	memcpy(exact, bytes, nr);
	*err = (struct err)ERR_INIT;
	if (open_bytes(exact, nr, &ck, err)) {
		assert_true(err->cls == ERR_CORRUPT || err->cls == ERR_UNSUPPORTED);
		assert_true(err->text[0] && !strchr(err->text, '\n'));
		return false;
	}
	complete = ckpt_info(ck)->complete;
	assert_true(complete || ckpt_info(ck)->incomplete_why[0]);
	while (memory_next_run(memory_of_ckpt(ck), PFN(run.pfn + run.nr), &run)) {
		struct memory_page p = memory_page(memory_of_ckpt(ck), PFN(run.pfn + run.nr - 1));

		if (p.data)
			tables += p.data[PAGE_BYTES - 1];
	}
	if (!guest_open(memory_of_ckpt(ck), &g, err) &&
		guest_read(g, GVA(KERNEL_64), b, sizeof(b), err) &&
		guest_read(g, GVA(KERNEL_32), b, sizeof(b), err))
		assert_true(err->text[0]);
	guest_close(g);
	ckpt_close(ck);
	return complete;
}

static void cut_dump(const struct dump *d)
{
	struct err err;
	size_t n;

	for (n = 0; n < d->nr; n++) {
		/* Every byte of headers and tables, and one in some of pages. */
		if (n > 2048 && n + 512 < d->nr && n % 61)
			continue;
		if (survives(d->bytes, n, &err))
			fail_msg("%s cut at %zu is complete", d->name, n);
	}
	assert_true(survives(d->bytes, d->nr, &err));
}

static void a_cut_dump_is_not_complete(void **state UNUSED)
{
	for_each_dump(cut_dump);
}

static void flip_bytes(const struct dump *d)
{
	static const uint8_t values[] = {0x00, 0x7f, 0xff};
	struct err err;
	size_t i, k;

	for (i = 0; i < d->nr; i++) {
		uint8_t was = d->bytes[i];

		/* Headers byte by byte, registers and tables less often. */
		if ((i > 1024 && i % 7) || (i > 8192 && i + 512 < d->nr && i % 97))
			continue;
		for (k = 0; k < ARRAY_SIZE(values); k++) {
			d->bytes[i] = values[k];
			(void)survives(d->bytes, d->nr, &err);
		}
		d->bytes[i] = was;
	}
}

static void damaged_bytes_are_survived(void **state UNUSED)
{
	for_each_dump(flip_bytes);
}

/* Offsets: see mkcore.py; sections follow the ELF header in the order of its list. */
#define SHDR(n)	     (64 + 64 * (n))
#define SHDR_SIZE(n) (SHDR(n) + 32)
#define SHDR_OFF(n)  (SHDR(n) + 24)
#define SHDR_EACH(n) (SHDR(n) + 56)
#define HEADER_VCPUS (64 + 64 * 7 + 16 + 16 + 8)
#define HEADER_PAGES (HEADER_VCPUS + 8)
#define HEADER_MAGIC (HEADER_VCPUS - 8)
#define HEADER_PAGE  (HEADER_VCPUS + 16)

static const struct lie {
	size_t at;
	uint64_t value;
	unsigned bytes;
	const char *text; /* of the error, or of a finding XB019; NULL: it does not matter */
} lies[] = {
	{60, 65535, 2, "65535 sections of 64 bytes"},
	{58, 40, 2, "7 sections of 40 bytes"},
	{40, UINT64_MAX - 8, 8, "beyond the end of the file"},
	{40, UINT64_MAX / 2, 8, "beyond the end of the file"},
	{62, 9, 2, NULL}, /* no names: known by order */
	{SHDR_SIZE(2), 0, 8, "without a section .note.Xen"},
	{SHDR_SIZE(2), UINT64_MAX, 8, NULL},
	{SHDR_OFF(2), UINT64_MAX, 8, "have no header of a Xen core dump"},
	{SHDR_EACH(3), 100, 8, "100 bytes a vcpu, expected at least 5168"},
	{SHDR_SIZE(3), UINT64_MAX, 8, "vcpus, expected at most 4096"},
	{SHDR_SIZE(5), UINT64_MAX, 8, "pages and a table of 11 entries"},
	{SHDR_SIZE(6), UINT64_MAX - 15, 8, "entries, the header says 11"},
	{HEADER_VCPUS, UINT64_MAX, 8, "the registers of 1 vcpus are there"},
	{HEADER_PAGES, UINT64_MAX, 8, "11 pages and a table of 11 entries"},
	{HEADER_MAGIC, 0xf00febec, 8, "magic 0xf00febec"},
	{HEADER_PAGE, 16384, 8, "pages of 16384 bytes"},
};

/* Words of the header of before 3.1: vcpus, pages, contexts, frames, pages; then a context. */
static const struct lie old_lies[] = {
	{4, 0, 4, "no registers of a vcpu lead to page tables"}, /* in the room for a context */
	{4, 2, 4, "2 vcpus in 5168 bytes"}, {4, UINT32_MAX, 4, "4294967295 vcpus in 5168 bytes"},
	{8, 0, 4, NULL}, {8, 1000, 4, "do not fit each other"},
	{8, UINT32_MAX, 4, "4294967295 frames from"}, {12, 28, 4, "contexts at 0x1c"},
	{16, 4, 4, "frames at 0x4"}, {16, UINT32_MAX, 4, "expected in that order"},
	{20, 0, 4, "pages at 0x0"}, {20, UINT32_MAX, 4, "do not fit each other"},
	{24 + 5168, UINT64_MAX / 2, 8, "frame 0 of the list at 0x1448"},
	{24 + 5168, 0x101, 8, "machine frames stand in the list more than once"},
	{24 + 5008, UINT64_MAX, 8, "no registers of a vcpu lead to page tables"}, /* CR3 */
};

static void try_lies(const char *name, const struct lie *told, size_t nr)
{
	struct dump d = read_dump(name);
	size_t i;

	for (i = 0; i < nr; i++) {
		struct err err = ERR_INIT;
		uint8_t was[8];
		struct ckpt *ck = NULL;
		const char *said = err.text;

		memcpy(was, d.bytes + told[i].at, 8);
		memcpy(d.bytes + told[i].at, &told[i].value, told[i].bytes);
		(void)survives(d.bytes, d.nr, &err);
		if (!open_bytes(d.bytes, d.nr, &ck, &err)) {
			const struct finding_list *f = ckpt_findings(ck);
			size_t k;

			for (k = 0; k < f->nr && strcmp(f->v[k].rule, "XB019"); k++)
				;
			said = k < f->nr ? f->v[k].message : "";
		}
		if (told[i].text && !strstr(said, told[i].text))
			fail_msg("lie %zu: '%s' does not say '%s'", i, said, told[i].text);
		ckpt_close(ck);
		memcpy(d.bytes + told[i].at, was, 8);
	}
	free(d.bytes);
}

static void lies_are_said(void **state UNUSED)
{
	try_lies("xen-pv4", lies, ARRAY_SIZE(lies));
	try_lies("xccore-pv4", old_lies, ARRAY_SIZE(old_lies));
}

/* Two pages with one frame: the frame is nobody's, and it is said. */
static void a_frame_of_two_pages(void **state UNUSED)
{
	struct dump d = read_dump("xen-pv4");
	uint64_t table = num_le64(d.bytes + SHDR_OFF(6));
	struct ckpt *ck;
	struct err err;
	pfn_t pfn;

	memcpy(d.bytes + table + 16 * 6 + 8, d.bytes + table + 16 * 5 + 8, 8);
	assert_int_equal(open_bytes(d.bytes, d.nr, &ck, &err), 0);
	assert_int_equal(ckpt_findings(ck)->nr, 2);
	assert_string_equal(ckpt_findings(ck)->v[0].rule, "XB019");
	assert_false(ckpt_to_pfn(ck, MFN(0x100 + (5 * 5 & 15)), &pfn));
	ckpt_close(ck);
	free(d.bytes);
}

/* What was taken while the domain gave memory back ends with entries of nothing. */
static void entries_of_nothing(void **state UNUSED)
{
	struct dump d = read_dump("xen-pv4");
	uint64_t table = num_le64(d.bytes + SHDR_OFF(6));
	struct ckpt *ck;
	struct err err;

	memset(d.bytes + table + 16 * 10, 0xff, 16);
	assert_int_equal(open_bytes(d.bytes, d.nr, &ck, &err), 0);
	assert_true(ckpt_info(ck)->complete);
	assert_int_equal(ckpt_info(ck)->nr_data_pages, 10);
	ckpt_close(ck);
	free(d.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_read),
		cmocka_unit_test(a_cut_dump_is_not_complete),
		cmocka_unit_test(damaged_bytes_are_survived),
		cmocka_unit_test(lies_are_said),
		cmocka_unit_test(a_frame_of_two_pages),
		cmocka_unit_test(entries_of_nothing),
	};

	return cmocka_run_group_tests(tests, make_seeds, remove_seeds);
}
